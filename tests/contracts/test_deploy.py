"""`contract deploy`: it shows what it will do, does it, and what it prints is what runs."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rlp import encode as rlp_encode

from liqpass.chain.deploy import DeployError, created_by, deploy, environment, prepare
from liqpass.chain.rpc import Node
from liqpass.chain.verify import USDBC, Row, verify
from liqpass.hexes import checksum
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.rpc_proxy import RpcProxy


def wrong(rows: list[Row]) -> list[str]:
    return [row.name for row in rows if not row.ok]


@pytest.fixture
async def endpoint(chain: SandboxChain) -> AsyncIterator[RpcProxy]:
    async with RpcProxy(chain.url) as proxy:
        yield proxy


@pytest.fixture
async def node(endpoint: RpcProxy) -> AsyncIterator[Node]:
    async with Node(endpoint.url) as opened:
        yield opened


async def no_sleep(_: float) -> None:
    """The test's chain mines at once."""


async def test_what_was_deployed_is_verified_and_has_its_settings(chain: SandboxChain) -> None:
    key, owner = chain.deployer.key, chain.owner.address
    prepared = await prepare(chain.rpc, key, chain.terms(), owner)
    assert wrong(prepared.rows) == []
    done = await deploy(chain.rpc, key, prepared, no_sleep)
    assert wrong(await verify(chain.rpc, done.checkout, chain.terms(), owner)) == []
    assert environment(done) == {
        "LIQPASS_CHAIN_ID": "8453",
        "LIQPASS_USDC": checksum(chain.usdc),
        "LIQPASS_CHECKOUT": checksum(prepared.checkout),
        "LIQPASS_TREASURY": checksum(chain.treasury),
        "LIQPASS_START_BLOCK": str(await chain.block_number()),
    }


async def test_preparing_sends_nothing_and_names_everybody(chain: SandboxChain) -> None:
    height = await chain.block_number()
    prepared = await prepare(chain.rpc, chain.deployer.key, chain.terms(), chain.owner.address)
    assert await chain.block_number() == height
    details = " ".join(row.detail for row in prepared.rows)
    for address in (chain.usdc, chain.treasury, chain.signer.address, chain.owner.address, prepared.checkout):
        assert checksum(address) in details
    assert "USD Coin, version 2" in details


@pytest.mark.parametrize(
    ("change", "row"),
    [
        ({"chain_id": 1}, "chain id"),
        ({"usdc": bytes.fromhex("99" * 20)}, "USDC"),
        ({"usdc": USDBC}, "USDC"),
        ({"treasury": bytes(20)}, "treasury"),
        ({"signer": bytes(20)}, "quote signer"),
    ],
)
async def test_wrong_terms_are_refused_before_anything_is_sent(
    chain: SandboxChain, change: dict[str, object], row: str
) -> None:
    terms = replace(chain.terms(), **change)
    prepared = await prepare(chain.rpc, chain.deployer.key, terms, chain.owner.address)
    assert row in wrong(prepared.rows)
    with pytest.raises(DeployError):
        await deploy(chain.rpc, chain.deployer.key, prepared, no_sleep)


async def test_a_chain_that_cannot_run_the_contract_is_told_before_anything_is_sent() -> None:
    async with SandboxChain(hardfork="shanghai") as old:
        prepared = await prepare(old.rpc, old.deployer.key, old.terms(), old.owner.address)
    assert wrong(prepared.rows) == ["machine"]
    assert prepared.transaction is None


@pytest.mark.parametrize("answer", [None, {}, "", "soon", "0x", "-0x5", 5], ids=str)
@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        ("eth_getTransactionCount", "a number to eth_getTransactionCount"),
        ("eth_estimateGas", "a number to eth_estimateGas"),
        ("eth_maxPriorityFeePerGas", "a number to eth_maxPriorityFeePerGas"),
        ("eth_getBlockByNumber", "a base fee"),
    ],
)
async def test_an_endpoint_that_answers_nonsense_is_told_before_anything_is_sent(
    chain: SandboxChain, endpoint: RpcProxy, node: Node, method: str, wanted: str, answer: object
) -> None:
    endpoint.rewrite = lambda asked, _, result: answer if asked == method else result
    with pytest.raises(DeployError, match=f"does not answer {wanted}.*; nothing was sent"):
        await prepare(node.call, chain.deployer.key, chain.terms(), chain.owner.address)


async def test_a_deployer_without_ether_is_told_so(chain: SandboxChain) -> None:
    poor = wallet("a deployer without ether")
    prepared = await prepare(chain.rpc, poor.key, chain.terms(), chain.owner.address)
    assert wrong(prepared.rows) == ["deployer"]
    assert prepared.transaction is None


async def test_a_deployment_that_is_in_no_block_is_named_so_that_it_is_not_sent_twice(
    chain: SandboxChain,
) -> None:
    prepared = await prepare(chain.rpc, chain.deployer.key, chain.terms(), chain.owner.address)
    await chain.set_automine(False)
    with pytest.raises(DeployError, match=r"0x[0-9a-f]{64} was sent and is in no block yet"):
        await deploy(chain.rpc, chain.deployer.key, prepared, no_sleep)


async def test_what_became_of_it_is_asked_for_until_an_endpoint_has_failed_too_often(
    chain: SandboxChain, endpoint: RpcProxy, node: Node
) -> None:
    prepared = await prepare(node.call, chain.deployer.key, chain.terms(), chain.owner.address)

    async def gone(_: float) -> None:
        endpoint.unavailable = True

    await chain.set_automine(False)
    told: list[str] = []
    with pytest.raises(DeployError) as raised:
        await deploy(node.call, chain.deployer.key, prepared, gone, tell=told.append)
    assert str(raised.value).split()[0] in told[0]
    assert checksum(prepared.checkout) in str(raised.value)
    assert "answered HTTP 503" in str(raised.value)

    is_gone = iter([True, True, False, True, False])

    async def comes_and_goes(_: float) -> None:
        endpoint.unavailable = next(is_gone)
        if not endpoint.unavailable:
            await chain.set_automine(True)

    endpoint.unavailable = False
    assert (
        await deploy(node.call, chain.deployer.key, prepared, comes_and_goes)
    ).checkout == prepared.checkout


async def test_an_endpoint_that_loses_its_answer_has_sent_it_all_the_same(
    chain: SandboxChain, endpoint: RpcProxy, node: Node
) -> None:
    def lost(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_sendRawTransaction":
            raise ConnectionResetError
        return result

    endpoint.rewrite = lost
    prepared = await prepare(node.call, chain.deployer.key, chain.terms(), chain.owner.address)
    done = await deploy(node.call, chain.deployer.key, prepared, no_sleep)
    assert wrong(await verify(node.call, done.checkout, chain.terms())) == []
    # the same once more, as a load balancer may send it: refused, and known
    assert await deploy(node.call, chain.deployer.key, prepared, no_sleep) == done


async def test_whether_it_was_sent_is_not_known_where_the_endpoint_fails(
    chain: SandboxChain, endpoint: RpcProxy, node: Node
) -> None:
    prepared = await prepare(node.call, chain.deployer.key, chain.terms(), chain.owner.address)
    endpoint.rate_limited = True
    with pytest.raises(DeployError, match=r"0x[0-9a-f]{64} may have been sent") as raised:
        await deploy(node.call, chain.deployer.key, prepared, no_sleep)
    assert checksum(prepared.checkout) in str(raised.value)


@pytest.mark.parametrize("receipt", [{}, "0x", {"status": "0x1", "blockNumber": None}, {"status": "yes"}])
async def test_what_is_no_receipt_is_not_taken_for_one(
    chain: SandboxChain, endpoint: RpcProxy, node: Node, receipt: object
) -> None:
    prepared = await prepare(node.call, chain.deployer.key, chain.terms(), chain.owner.address)
    endpoint.rewrite = lambda method, _, result: receipt if method == "eth_getTransactionReceipt" else result
    with pytest.raises(DeployError, match="something that is no receipt"):
        await deploy(node.call, chain.deployer.key, prepared, no_sleep)


async def test_what_a_node_refuses_was_not_sent(chain: SandboxChain) -> None:
    prepared = await prepare(chain.rpc, chain.deployer.key, chain.terms(), chain.owner.address)
    await chain.send(chain.deployer, chain.owner.address, b"")  # it takes the number
    with pytest.raises(DeployError, match=r"nonce too low.*; nothing was sent"):
        await deploy(chain.rpc, chain.deployer.key, prepared, no_sleep)


async def test_a_deployment_that_fails_is_not_called_a_checkout(chain: SandboxChain) -> None:
    prepared = await prepare(chain.rpc, chain.deployer.key, chain.terms(), chain.owner.address)
    assert prepared.transaction is not None
    starved = replace(prepared, transaction={**prepared.transaction, "gas": 400_000})
    with pytest.raises(DeployError, match="failed"):
        await deploy(chain.rpc, chain.deployer.key, starved, no_sleep)


@given(
    st.binary(min_size=20, max_size=20), st.integers(min_value=0, max_value=2**64 - 1) | st.integers(0, 300)
)
def test_the_address_is_foretold_as_the_rlp_library_foretells_it(deployer: bytes, nonce: int) -> None:
    assert created_by(deployer, nonce) == keccak(rlp_encode([deployer, nonce]))[-20:]
