"""`liqpass contract deploy` and `verify` against anvil."""

import asyncio
import signal

from liqpass.hexes import checksum, to_hex
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.rpc_proxy import RpcProxy
from liqpass.serving import free_port
from tests.commands.cli import SPARE_SEC, Done, ended, hear, liqpass, start


def options(chain: SandboxChain, **changed: str) -> list[str]:
    """What `deploy` has to be told."""
    given = {
        "rpc": chain.url,
        "chain-id": str(chain.chain_id),
        "usdc": checksum(chain.usdc),
        "treasury": checksum(chain.treasury),
        "signer": checksum(chain.signer.address),
        "owner": checksum(chain.owner.address),
        **changed,
    }
    return [part for name, value in given.items() for part in (f"--{name}", value)]


async def deploy(chain: SandboxChain, *more: str, typed: str = "", **changed: str) -> Done:
    key = {"LIQPASS_DEPLOYER_KEY": changed.pop("key", to_hex(chain.deployer.key))}
    return await liqpass("contract", "deploy", *options(chain, **changed), *more, env=key, typed=typed)


async def sent(chain: SandboxChain) -> int:
    """How many transactions the deployer has sent."""
    count = await chain.rpc("eth_getTransactionCount", [to_hex(chain.deployer.address), "pending"])
    return int(count, 16)


async def test_it_asks_and_a_no_sends_nothing(chain: SandboxChain) -> None:
    before = await sent(chain)
    for done in await asyncio.gather(*(deploy(chain, typed=typed) for typed in ("n\n", "\n", ""))):
        assert done.status == 1
        assert "Send this transaction?" in done.out
        assert f"treasury: {checksum(chain.treasury)}" in done.out
        assert "LIQPASS_CHECKOUT=" not in done.out
    assert await sent(chain) == before


async def test_a_yes_deploys_and_what_it_prints_verifies(chain: SandboxChain) -> None:
    for more, typed in ((("--yes",), ""), ((), "y\n")):
        before = await sent(chain)
        done = await deploy(chain, *more, typed=typed)
        assert done.status == 0
        assert await sent(chain) == before + 1
        assert to_hex(chain.deployer.key) not in done.out + done.err
    env = dict(line.split("=", 1) for line in done.out.splitlines() if line.startswith("LIQPASS_"))
    env |= {"LIQPASS_RPC_URLS": chain.url, "LIQPASS_QUOTE_SIGNER_KEY": to_hex(chain.signer.key)}
    verified = await liqpass("contract", "verify", env=env)
    assert verified.status == 0
    assert all(line.startswith("ok    ") for line in verified.out.splitlines())

    env["LIQPASS_TREASURY"] = checksum(wallet("stranger").address)
    differs = await liqpass("contract", "verify", env=env)
    assert differs.status == 1
    assert "FAIL  checkout treasury in its code: " in differs.out


async def test_without_a_signer_it_is_that_of_the_settings(chain: SandboxChain) -> None:
    told = options(chain)
    at = told.index("--signer")
    told = told[:at] + told[at + 2 :]
    env = {"LIQPASS_DEPLOYER_KEY": to_hex(chain.deployer.key)}
    lacking = await liqpass("contract", "deploy", *told, env=env, typed="n\n")
    assert (lacking.status, lacking.out) == (1, "")
    assert lacking.err.startswith("liqpass: LIQPASS_QUOTE_SIGNER_KEY: is not set: ")
    assert "--signer" in lacking.err
    known = await liqpass(
        "contract",
        "deploy",
        *told,
        env={**env, "LIQPASS_QUOTE_SIGNER_KEY": to_hex(chain.signer.key)},
        typed="n\n",
    )
    assert f"quote signer: {checksum(chain.signer.address)}" in known.out


async def test_nobody_is_asked_for_a_key_before_the_rest_can_be_used(chain: SandboxChain) -> None:
    changes = ({"usdc": "0x12"}, {"treasury": "0x12"}, {"signer": "0x12"}, {"owner": "0x12"}, {"rpc": "node"})
    ends = await asyncio.gather(
        *(liqpass("contract", "deploy", *options(chain, **changed), env={}) for changed in changes)
    )
    for done, changed in zip(ends, changes, strict=True):
        assert (done.status, done.out) == (1, "")
        assert done.err.startswith(f"liqpass: --{next(iter(changed))}: ")
        assert done.err.count("--") == done.err.count("\n") == 1


async def test_where_no_terminal_is_that_hides_a_key_it_is_told_to_set_it(chain: SandboxChain) -> None:
    done = await liqpass("contract", "deploy", *options(chain), env={}, around=("setsid", "--wait"))
    assert done.status == 1
    assert done.err.startswith("liqpass: LIQPASS_DEPLOYER_KEY: is not set, ")
    assert done.err.count("\n") == 1


async def test_what_cannot_be_deployed_is_said_and_nothing_is_sent(chain: SandboxChain) -> None:
    before = await sent(chain)
    stranger = wallet("stranger")
    shown = [
        ({"chain-id": "1"}, "FAIL  chain id: "),
        ({"usdc": checksum(stranger.address)}, "FAIL  USDC: there is no contract"),
        ({"key": to_hex(stranger.key)}, "FAIL  deployer: "),
    ]
    said = [
        ({"key": "0x12"}, "LIQPASS_DEPLOYER_KEY"),
        ({"key": "0" * 64}, "LIQPASS_DEPLOYER_KEY"),
        ({"treasury": "0x12"}, "--treasury"),
        ({"rpc": f"http://127.0.0.1:{free_port()}"}, "contract deploy"),
    ]
    ends = await asyncio.gather(*(deploy(chain, "--yes", **changed) for changed, _ in shown + said))
    assert [done.status for done in ends] == [1] * len(ends)
    for done, (_, row) in zip(ends, shown, strict=False):
        assert row in done.out
    for done, (_, name) in zip(ends[len(shown) :], said, strict=True):
        assert done.err.startswith(f"liqpass: {name}: ")
        assert done.err.count("\n") == 1
    assert await sent(chain) == before


async def test_an_old_chain_is_told_and_nothing_is_sent() -> None:
    async with SandboxChain(hardfork="shanghai") as old:
        before = await sent(old)
        done = await deploy(old, "--yes")
        assert await sent(old) == before
    assert done.status == 1
    assert "FAIL  machine: the chain cannot run the contract" in done.out
    assert "LIQPASS_CHECKOUT=" not in done.out


async def test_what_is_sent_is_named_before_and_so_whoever_stops_waiting_can_look_for_it(
    chain: SandboxChain,
) -> None:
    await chain.set_automine(False)
    is_waiting = asyncio.Event()

    def look(method: str, params: list[object], result: object) -> object:
        if method == "eth_getTransactionReceipt":
            is_waiting.set()
        return result

    async with RpcProxy(chain.url) as endpoint:
        endpoint.rewrite = look
        told = options(chain, rpc=endpoint.url)
        key = {"LIQPASS_DEPLOYER_KEY": to_hex(chain.deployer.key)}
        command = await start("contract", "deploy", *told, "--yes", env=key)
        heard = await hear(command.stdout, "transaction 0x")
        await asyncio.wait_for(is_waiting.wait(), SPARE_SEC)
        command.send_signal(signal.SIGINT)
        done = await ended(command)
    assert done.status == 128 + signal.SIGINT
    assert "Traceback" not in done.err
    await chain.set_automine(True)
    await chain.mine()
    _, tx_hash, _, checkout = heard.splitlines()[-1].replace(",", "").split()
    receipt = await chain.wait(bytes.fromhex(tx_hash[2:]))
    assert receipt["contractAddress"] == checkout.lower()


async def test_an_endpoint_that_is_lost_after_the_block_takes_no_setting_with_it(chain: SandboxChain) -> None:
    async with RpcProxy(chain.url) as endpoint:

        def last_words(method: str, params: list[object], result: object) -> object:
            endpoint.unavailable = method == "eth_getTransactionReceipt" and result is not None
            return result

        endpoint.rewrite = last_words
        done = await deploy(chain, "--yes", rpc=endpoint.url)
    assert done.status == 1
    assert done.err.splitlines()[-1].startswith("liqpass: contract deploy: 127.0.0.1:")
    (checkout,) = (line for line in done.out.splitlines() if line.startswith("LIQPASS_CHECKOUT="))
    assert await chain.rpc("eth_getCode", [checkout.partition("=")[2], "latest"]) != "0x"


async def test_verify_without_a_node_is_one_line(env: dict[str, str]) -> None:
    done = await liqpass(
        "contract", "verify", env={**env, "LIQPASS_RPC_URLS": f"http://127.0.0.1:{free_port()}"}
    )
    assert done.status == 1
    assert done.err.startswith("liqpass: LIQPASS_RPC_URLS: ")
    assert done.err.count("\n") == 1
