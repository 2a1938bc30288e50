"""What the treasury holds at a block: exactly that block, and every endpoint says the same."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from liqpass.chain.balances import treasury_balance
from liqpass.chain.failures import NodeError
from liqpass.chain.failures import NodeErrorKind as Kind
from liqpass.chain.rpc import Node
from liqpass.hexes import to_hex
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.rpc_proxy import RpcProxy
from liqpass.settings import ChainSettings


@pytest.fixture
def nodes(endpoint: RpcProxy, second: RpcProxy, open_node: Callable[[str], Node]) -> list[Node]:
    return [open_node(endpoint.url), open_node(second.url)]


async def received(chain: SandboxChain, amount: int) -> bytes:
    """The treasury gets this; the hash of the block."""
    receipt = await chain.transfer(chain.wallets[0], chain.treasury, amount)
    return bytes.fromhex(receipt["blockHash"][2:])


async def refusal(nodes: list[Node], settings: ChainSettings, block_hash: bytes) -> NodeError:
    with pytest.raises(NodeError) as raised:
        await treasury_balance(nodes, settings, block_hash)
    return raised.value


def says(answer: object) -> Callable[[str, list[Any], Any], Any]:
    return lambda method, _params, result: answer if method == "eth_call" else result


async def test_it_is_the_balance_after_exactly_that_block(
    nodes: list[Node], chain: SandboxChain, settings: ChainSettings
) -> None:
    _, before, _ = await chain.block()
    first, second = await received(chain, 5), await received(chain, 7)
    await chain.transfer(chain.treasury_wallet, chain.wallets[0].address, 10)
    await chain.mine(20)
    _, after, _ = await chain.block()
    balances = [await treasury_balance(nodes, settings, block) for block in (before, first, second, after)]
    assert balances == [0, 5, 12, 2]


async def test_a_block_that_a_reorg_took_away_has_no_balance(
    nodes: list[Node], chain: SandboxChain, settings: ChainSettings
) -> None:
    gone = await received(chain, 5)
    await chain.reorg(1)
    error = await refusal(nodes, settings, gone)
    assert error.kind is Kind.REFUSED
    assert error.detail.count("Resource not found") == len(nodes)


async def test_only_a_block_of_the_chain_is_asked_for(
    nodes: list[Node], chain: SandboxChain, settings: ChainSettings, endpoint: RpcProxy
) -> None:
    asked: list[Any] = []

    async def note(requests: list[dict[str, Any]]) -> None:
        asked.extend(one["params"][1] for one in requests)

    endpoint.before = note
    block = await received(chain, 5)
    await treasury_balance(nodes, settings, block)
    assert asked == [{"blockHash": to_hex(block), "requireCanonical": True}]


async def test_endpoints_that_differ_are_not_believed(
    nodes: list[Node], chain: SandboxChain, settings: ChainSettings, second: RpcProxy
) -> None:
    block = await received(chain, 5)
    second.rewrite = says(f"0x{1_500_000:064x}")
    error = await refusal(nodes, settings, block)
    assert error.kind is Kind.BAD_ANSWER
    assert error.detail == (
        f"The endpoints differ on what the treasury holds at block {to_hex(block)}: "
        f"{nodes[0].name} says 0.000005 USDC, {nodes[1].name} says 1.50 USDC"
    )


async def test_an_endpoint_that_does_not_answer_leaves_the_word_to_the_others(
    nodes: list[Node], chain: SandboxChain, settings: ChainSettings, endpoint: RpcProxy, second: RpcProxy
) -> None:
    block = await received(chain, 5)
    await endpoint.refuse()
    assert await treasury_balance(nodes, settings, block) == 5
    second.unavailable = True
    error = await refusal(nodes, settings, block)
    assert error.kind is Kind.DOWN
    assert "cannot be reached" in error.detail
    assert "answered HTTP 503" in error.detail


async def test_state_that_is_not_kept_any_more_is_told_with_what_to_do(
    nodes: list[Node], chain: SandboxChain, settings: ChainSettings, endpoint: RpcProxy, second: RpcProxy
) -> None:
    block = await received(chain, 5)
    endpoint.no_old_state = True
    assert await treasury_balance(nodes, settings, block) == 5, "the other one is an archive"
    second.no_old_state = True
    error = await refusal(nodes, settings, block)
    assert error.kind is Kind.STATE_GONE
    assert "needs an archive endpoint" in error.detail
    assert "missing trie node" in error.detail


async def test_no_answer_is_not_nothing(
    nodes: list[Node], chain: SandboxChain, settings: ChainSettings
) -> None:
    block = await received(chain, 5)
    no_contract = replace(settings, usdc=b"\x5b" * 20)
    assert (await refusal(nodes, no_contract, block)).kind is Kind.STATE_GONE


@pytest.mark.parametrize("answer", ["0x05", f"0x{2**63:064x}", f"0x{5:064x}00", "five"])
async def test_what_is_no_amount_is_no_answer(
    nodes: list[Node], chain: SandboxChain, settings: ChainSettings, endpoint: RpcProxy, answer: str
) -> None:
    block = await received(chain, 5)
    endpoint.rewrite = says(answer)
    assert await treasury_balance(nodes, settings, block) == 5
    assert (await refusal(nodes[:1], settings, block)).kind is Kind.BAD_ANSWER
