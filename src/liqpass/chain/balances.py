"""What the treasury holds at one block, by the word of every endpoint: the books are held against it."""

import asyncio
from collections.abc import Sequence

from liqpass.chain.checkout import word
from liqpass.chain.failures import NodeError, NodeErrorKind
from liqpass.chain.rpc import Node
from liqpass.hexes import to_hex
from liqpass.keccak import keccak
from liqpass.money import usd
from liqpass.settings import ChainSettings

BALANCE_OF = keccak(b"balanceOf(address)")[:4]

# How nodes say that they keep no state of an old block: geth "missing trie node …" and "required historical
# state unavailable", reth "state at block … is pruned", erigon "… is not available". Some answer nothing.
_GONE_WORDS = ("missing trie", "state", "prun", "archiv", "not available")
_GONE = "The state of that block is not kept any more: LIQPASS_RPC_URLS needs an archive endpoint"


async def treasury_balance(nodes: Sequence[Node], chain: ChainSettings, block_hash: bytes) -> int:
    """USDC of the treasury after exactly this block, in micro-USDC; all endpoints that answer say the same.

    A block that has left the chain has no answer. Raises NodeError: BAD_ANSWER when endpoints differ,
    STATE_GONE when none answers and one does not keep the block's state any more (most keep a few minutes or
    hours of it), else why the first one does not answer.
    """
    answers = await asyncio.gather(*(_ask(node, chain, block_hash) for node in nodes))
    balances = {node: one for node, one in zip(nodes, answers, strict=True) if isinstance(one, int)}
    if not balances:
        raise _none([one for one in answers if isinstance(one, NodeError)])
    first, *others = balances.values()
    if any(other != first for other in others):
        said = ", ".join(f"{node.name} says {usd(balance)} USDC" for node, balance in balances.items())
        what = f"The endpoints differ on what the treasury holds at block {to_hex(block_hash)}: {said}"
        raise NodeError(NodeErrorKind.BAD_ANSWER, what)
    return first


async def _ask(node: Node, chain: ChainSettings, block_hash: bytes) -> int | NodeError:
    # By its hash (EIP-1898): a number could mean another block on each endpoint.
    block: dict[str, object] = {"blockHash": to_hex(block_hash), "requireCanonical": True}
    try:
        answer = await node.eth_call(chain.usdc, BALANCE_OF + word(chain.treasury), block)
    except NodeError as error:
        return NodeError(NodeErrorKind.STATE_GONE, error.detail) if _is_gone(node, error) else error
    if not answer:
        return node.error(NodeErrorKind.STATE_GONE, "answered nothing, as if there were no USDC then")
    if len(answer) != 32 or (balance := int.from_bytes(answer, "big")) >= 2**63:
        return node.error(NodeErrorKind.BAD_ANSWER, "answered balanceOf with something that is no amount")
    return balance


def _is_gone(node: Node, error: NodeError) -> bool:
    said = error.detail.removeprefix(node.name).lower()
    return error.kind is NodeErrorKind.REFUSED and any(words in said for words in _GONE_WORDS)


def _none(failures: Sequence[NodeError]) -> NodeError:
    """One error for all: what each endpoint said, and what to do about it where that is known."""
    said = "; ".join(error.detail for error in failures)
    if any(error.kind is NodeErrorKind.STATE_GONE for error in failures):
        return NodeError(NodeErrorKind.STATE_GONE, f"{_GONE} ({said})")
    return NodeError(failures[0].kind, said)
