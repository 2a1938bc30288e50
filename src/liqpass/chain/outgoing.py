"""What the token says of transfers out of the treasury, before its owners sign them.

Each is tried in an eth_call from the treasury on the chain's head, which runs the token's own code: whatever
it refuses for (blacklist, pause, an address that it never pays) it refuses here. A Safe sends a batch as one
transaction, so a single refusal there undoes all of it.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from liqpass.chain.balances import BALANCE_OF
from liqpass.chain.checkout import word
from liqpass.chain.failures import NodeError, NodeErrorKind
from liqpass.chain.reverts import BLACKLISTED, PAUSED, UNEXPLAINED, Revert
from liqpass.chain.rpc import Node, first_answer, revert_of
from liqpass.hexes import to_hex
from liqpass.keccak import keccak
from liqpass.settings import ChainSettings

TRANSFER = keccak(b"transfer(address,uint256)")[:4]
IS_PAUSED, IS_BLACKLISTED = keccak(b"paused()")[:4], keccak(b"isBlacklisted(address)")[:4]


class Outgoing(Struct, frozen=True):
    """The token's word. `held`: what the treasury has, in micro-USDC. `standstill`: why nothing of it moves
    at all, or None. `refused`: to whom it does not move, and why; `asked` has everybody who was asked for."""

    held: int
    standstill: Revert | None
    refused: Mapping[bytes, Revert]
    asked: frozenset[bytes]


async def outgoing(nodes: Sequence[Node], chain: ChainSettings, payouts: Mapping[bytes, int]) -> Outgoing:
    """Try a transfer to each recipient, of that many micro-USDC or of all that the treasury has. The first
    endpoint that answers everything decides. Raises NodeError: nobody says, which is not "it would pass"."""
    return await first_answer(nodes, lambda node: _of(node, chain, payouts))


async def _of(node: Node, chain: ChainSettings, payouts: Mapping[bytes, int]) -> Outgoing:
    answer = await node.eth_call(chain.usdc, BALANCE_OF + word(chain.treasury))
    if len(answer) != 32:
        raise node.error(NodeErrorKind.BAD_ANSWER, "answered balanceOf with something that is no amount")
    held = int.from_bytes(answer, "big")
    # Nothing at all, to itself: what is refused then is refused whoever the recipient.
    still = await _refused(node, chain, [(chain.treasury, 0)])
    calls = [(to, min(amount, held)) for to, amount in payouts.items()]
    refused = {} if still or not calls else await _refused(node, chain, calls)
    return Outgoing(held, still.get(chain.treasury), refused, frozenset(payouts))


async def _refused(
    node: Node, chain: ChainSettings, calls: Sequence[tuple[bytes, int]]
) -> dict[bytes, Revert]:
    """Which of these transfers revert. One that does fails its batch: the others are asked without it."""
    left, refused = list(calls), {}
    while left:
        try:
            await node.batch([_transfer(chain, to, amount) for to, amount in left])
            break
        except NodeError as error:
            revert = revert_of(error)
            if revert is None:
                raise
            to, _ = left.pop(error.place)
            refused[to] = revert if revert != UNEXPLAINED else await _explained(node, chain, to)
    return refused


async def _explained(node: Node, chain: ChainSettings, to: bytes) -> Revert:
    """Some nodes tell that a call reverts and no more: USDC itself is asked for what it mostly is."""
    for words, data in ((PAUSED, IS_PAUSED), (BLACKLISTED, IS_BLACKLISTED + word(to))):
        try:
            if any(await node.eth_call(chain.usdc, data)):
                return Revert(words=words)
        except NodeError as error:
            if revert_of(error) is None:
                raise
    return UNEXPLAINED


def _transfer(chain: ChainSettings, to: bytes, amount: int) -> tuple[str, list[object]]:
    data = to_hex(TRANSFER + word(to) + word(amount))
    return "eth_call", [{"from": to_hex(chain.treasury), "to": to_hex(chain.usdc), "data": data}, "latest"]
