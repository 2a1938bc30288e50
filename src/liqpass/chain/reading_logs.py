"""The logs of ours through an endpoint: payments all or none, transfers as far as they are to be had.

A payment costs its premium and needs our signature; a transfer into the treasury, or one of nothing out of
it, costs anybody nothing but gas, and one block holds more of them than a provider gives in one answer. So
the two are asked for apart, and what goes wrong with transfers does not stand in the way of payments
(docs/decisions/0006).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from liqpass.chain.checkout import (
    PREMIUM_PAID_TOPIC,
    TRANSFER_TOPIC,
    BadLogError,
    PremiumPaid,
    UsdcTransfer,
    decode_premium_paid,
    decode_transfer,
    word,
)
from liqpass.chain.failures import NodeError, NodeErrorKind
from liqpass.chain.portions import LESS_NEXT_TIME, Portion
from liqpass.chain.rpc import BATCH_CALLS, Node
from liqpass.chain.view import Log
from liqpass.hexes import to_hex
from liqpass.settings import ChainSettings

CROWDED_BLOCKS = 4  # read by their receipts in one step: each may be tens of megabytes
RANGES_AT_ONCE = BATCH_CALLS // 2  # of transfers: each is asked for twice, into the treasury and out of it

# One block's logs that are refused so: its receipts may be had.
_TOO_MANY_LOGS = (NodeErrorKind.RANGE_TOO_WIDE, NodeErrorKind.TOO_LARGE, NodeErrorKind.REFUSED)

Call = tuple[str, list[Any]]


class Transfers(Struct, frozen=True):
    """All USDC that came into the treasury or left it in blocks up to `upto`. `waits`: why it ends there, in
    a sentence; None when it is all that was asked for."""

    logs: list[UsdcTransfer]
    upto: int
    waits: str | None = None


async def read_payments(node: Node, chain: ChainSettings, first: int, last: int) -> list[PremiumPaid]:
    """`PremiumPaid` of the checkout, both ends included. Ranges that the node refuses are halved where that
    helps. Raises NodeError."""
    logs: list[PremiumPaid] = []
    while first <= last:
        width = min(node.blocks.size, last - first + 1)
        starts = range(first, last + 1, width)[:BATCH_CALLS]
        calls = [payment_call(chain, start, min(last, start + width - 1)) for start in starts]
        try:
            answers = await node.batch(calls)
        except NodeError as error:
            one = payment_call(chain, starts[error.place], starts[error.place])
            await node.blocks.less(width, error, partial(node.batch, [one]))
            continue
        node.blocks.gave(width)
        logs += payments_in(node, chain, answers)
        first = starts[-1] + width
    return logs


async def read_transfers(node: Node, chain: ChainSettings, first: int, last: int) -> Transfers:
    """`Transfer` of USDC into the treasury and out of it, both ends included, but none that moves nothing.

    What is refused as too much is halved down to one block; that block is crowded, and read by its receipts
    from then on. Any other failure ends the reading there. Raises NodeError only for an answer that is not
    to be trusted.
    """
    logs: list[UsdcTransfer] = []
    node.crowded = {number for number in node.crowded if number >= first}
    reach = Portion(RANGES_AT_ONCE * node.blocks.size)
    receipts_left = CROWDED_BLOCKS
    while first <= last:
        crowded = first in node.crowded
        if crowded and not receipts_left:
            waits = (
                f"More than {CROWDED_BLOCKS} blocks are crowded with USDC transfers: the next steps go on."
            )
            return Transfers(logs, first - 1, f"{node.name}: {waits}")
        end = _end(node, first, min(last, first + reach.size - 1))
        try:
            if crowded:
                logs += await _transfers_by_receipts(node, chain, first)
                receipts_left -= 1
            else:
                logs += await _transfers_by_ranges(node, chain, first, end)
        except NodeError as error:
            if error.kind is NodeErrorKind.BAD_ANSWER:
                raise
            failure = error if crowded else await _after_refusal(node, chain, reach, first, end, error)
            if failure is not None:
                return Transfers(logs, first - 1, _waits(first, failure))
        else:
            first = end + 1
            reach.more()
    return Transfers(logs, last)


async def _after_refusal(
    node: Node, chain: ChainSettings, reach: Portion, first: int, end: int, refusal: NodeError
) -> NodeError | None:
    """None when the reading can go on from `first`: with a smaller reach, or with its block as crowded. Else
    what is in the way."""
    try:
        await reach.less(end - first + 1, refusal, lambda: _transfers_by_ranges(node, chain, first, first))
    except NodeError as error:
        if error.kind in _TOO_MANY_LOGS:
            node.crowded.add(first)
            return None
        if error.kind in LESS_NEXT_TIME:
            node.blocks.halve(min(node.blocks.size, end - first + 1))
        return error
    return None


def payment_call(chain: ChainSettings, first: int, last: int | str) -> Call:
    """What asks for the payments of these blocks; `last` may be a tag."""
    return _call(first, last, {"address": to_hex(chain.checkout), "topics": [to_hex(PREMIUM_PAID_TOPIC)]})


def payments_in(node: Node, chain: ChainSettings, answers: Sequence[Any]) -> list[PremiumPaid]:
    """What was answered to `payment_call`s. Raises NodeError."""
    try:
        logs = [decode_premium_paid(raw, chain.checkout) for answer in answers for raw in answer]
    except (BadLogError, TypeError) as error:
        raise node.error(NodeErrorKind.BAD_ANSWER, f"answered eth_getLogs with: {error}") from None
    _check_sizes(node, logs)
    return logs


def _end(node: Node, first: int, furthest: int) -> int:
    """The last block to ask for together with `first`: crowded ones are asked for alone."""
    if first in node.crowded:
        return first
    return min([furthest, *(number - 1 for number in node.crowded if number > first)])


def _waits(number: int, error: NodeError) -> str:
    """Why transfers are not read from this block on."""
    return (
        f"The USDC transfers of block {number:,} cannot be read: {error.detail}. "
        "Payments go on; what becomes final waits below that block."
    )


async def _transfers_by_ranges(node: Node, chain: ChainSettings, first: int, last: int) -> list[UsdcTransfer]:
    topic, treasury = to_hex(TRANSFER_TOPIC), to_hex(word(chain.treasury))
    filters: list[list[str | None]] = [[topic, None, treasury], [topic, treasury]]
    width = node.blocks.size
    calls = [
        _call(start, min(last, start + width - 1), {"address": to_hex(chain.usdc), "topics": topics})
        for start in range(first, last + 1, width)
        for topics in filters
    ]
    answers = await node.batch(calls)
    try:
        return _transfers(node, chain, [raw for answer in answers for raw in answer])
    except (BadLogError, TypeError) as error:
        raise node.error(NodeErrorKind.BAD_ANSWER, f"answered eth_getLogs with: {error}") from None


async def _transfers_by_receipts(node: Node, chain: ChainSettings, number: int) -> list[UsdcTransfer]:
    """One block's transfers, out of everything that happened in it: no provider caps that by its logs."""
    receipts = await node.call("eth_getBlockReceipts", [hex(number)])
    if not receipts:
        # It may not have them yet, or a refusal that meant something else made the block look crowded: next
        # time the logs are asked for again.
        node.crowded.discard(number)
        raise node.error(NodeErrorKind.REFUSED, f"has no receipts of block {number:,}")
    usdc, topic, treasury = to_hex(chain.usdc), to_hex(TRANSFER_TOPIC), to_hex(word(chain.treasury))
    try:
        raws = [
            raw
            for receipt in _mappings(receipts)
            for raw in _mappings(receipt["logs"])
            if str(raw["address"]).lower() == usdc
            and (topics := [str(text).lower() for text in raw["topics"]])[:1] == [topic]
            and treasury in topics[1:]
        ]
        logs = _transfers(node, chain, raws)
    except (BadLogError, TypeError, KeyError) as error:
        raise node.error(NodeErrorKind.BAD_ANSWER, f"answered eth_getBlockReceipts with: {error}") from None
    if any(log.place.block_number != number for log in logs):
        raise node.error(NodeErrorKind.BAD_ANSWER, "answered eth_getBlockReceipts with another block")
    return logs


def _mappings(answer: object) -> list[Mapping[str, Any]]:
    if not isinstance(answer, list) or not all(isinstance(one, Mapping) for one in answer):
        raise TypeError("no list of objects")
    return answer


def _transfers(node: Node, chain: ChainSettings, raws: Sequence[object]) -> list[UsdcTransfer]:
    """Decoded, without those that move nothing: of no amount, which anybody can send by the thousand, or from
    the treasury to itself."""
    logs = [decode_transfer(raw, chain.usdc) for raw in raws]
    if any(chain.treasury not in (log.sender, log.recipient) for log in logs):
        raise BadLogError("A log was refused: it is a transfer between others.")
    _check_sizes(node, logs)
    return [log for log in logs if log.amount and log.sender != log.recipient]


def _check_sizes(node: Node, logs: Sequence[Log]) -> None:
    """What does not fit the database does not happen either."""
    for log in logs:
        if max(log.amount, log.place.block_number) >= 2**63 or log.place.log_index >= 2**31:
            raise node.error(NodeErrorKind.BAD_ANSWER, "answered with a log whose numbers are too large")


def _call(first: int, last: int | str, wanted: Mapping[str, object]) -> Call:
    span = {"fromBlock": hex(first), "toBlock": hex(last) if isinstance(last, int) else last}
    return "eth_getLogs", [{**span, **wanted}]
