"""`liqpass contract deploy` and `verify` against anvil."""

import asyncio

from liqpass.hexes import checksum, to_hex
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.chain import SandboxChain
from liqpass.serving import free_port
from tests.commands.cli import Done, liqpass


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


async def test_verify_without_a_node_is_one_line(env: dict[str, str]) -> None:
    done = await liqpass(
        "contract", "verify", env={**env, "LIQPASS_RPC_URLS": f"http://127.0.0.1:{free_port()}"}
    )
    assert done.status == 1
    assert done.err.startswith("liqpass: LIQPASS_RPC_URLS: ")
    assert done.err.count("\n") == 1
