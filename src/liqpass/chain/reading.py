"""What the watcher reads through an endpoint: heads, logs and headers, typed and held against each other."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from liqpass.chain.checkout import PREMIUM_PAID_TOPIC, PremiumPaid
from liqpass.chain.failures import NodeError, NodeErrorKind
from liqpass.chain.portions import LESS_MAY_DO, LESS_NEXT_TIME
from liqpass.chain.reading_logs import Call, payment_call, payments_in, read_payments, read_transfers
from liqpass.chain.rpc import BATCH_CALLS, Node
from liqpass.chain.view import Cursor, Head, Heads, Log, StoredLog, View, Witness, key_of
from liqpass.hexes import to_hex
from liqpass.keccak import keccak
from liqpass.settings import ChainSettings

REQUESTS_IN_A_STEP = 200  # at most, for the headers of a step alone; then progress shows
SHORTEST_STRIDE = 100  # blocks; fewer are no catching up
QUIET_BLOOM_BITS = 128  # of 2048; with more of them set, a bloom filter speaks of anything


class MovedError(Exception):
    """The answers do not fit together: the chain moved while it was read, or two nodes answered by turns.
    The next step reads anew."""


class Block(Struct, frozen=True):
    """A header: the head it makes, and its bloom filter (empty when the node leaves it out)."""

    head: Head
    bloom: bytes


class _RawBlock(Struct):
    number: str
    hash: str
    timestamp: str
    logsBloom: str = "0x"  # noqa: N815, the node's name


async def read_start(node: Node, chain: ChainSettings) -> Head:
    """The block after which a new database begins: the one before `start_block`, or the finalized head while
    that is lower. Raises NodeError, MovedError."""
    tips = await node.batch([("eth_chainId", []), _header("finalized")])
    _check_chain(node, chain, tips[0])
    finalized = _known(node, tips[1])
    number = min(max(chain.start_block - 1, 0), finalized.head.number)
    block = (await read_blocks(node, [number]))[number]
    if block is None:
        raise MovedError(f"{node.name} knows its finalized head, but not block {number:,}")
    return block.head


async def read_view(
    node: Node, others: Iterable[Node], chain: ChainSettings, cursor: Cursor, stored: Sequence[StoredLog]
) -> View:
    """All logs of ours after the cursor, and the headers that prove them. Raises NodeError, MovedError.

    `stored` are the open rows: the block of each that is not shown is read as evidence. `others` will be
    asked for the same afterwards; where there are none, the bloom filters of the headers are asked instead.
    """
    first = max(cursor.finalized_number + 1, chain.start_block)
    finalized, safe, latest, paid = await _tips(node, chain, first, cursor)
    upto = latest.head.number
    # The safe head tells how far payments were read: what is final may have waited for transfers.
    stride = min(_stride(one) for one in (node, *others))
    if finalized.head.number - cursor.safe_number > stride:
        upto = cursor.safe_number + stride
    safe_number = min(upto, safe.head.number if safe else _depth(chain, finalized, latest))
    passing: range = range(0)
    if not others and _is_quiet(latest.bloom):
        passing = range(max(cursor.safe_number + 1, first), safe_number + 1)
    tips = [finalized, latest] if safe is None else [finalized, safe, latest]
    with _shorter_next_time(node, upto - cursor.safe_number):
        if paid is None:
            paid = await read_payments(node, chain, first, upto)
        transfers = await read_transfers(node, chain, first, upto)
        # What is newer than the head is for the next step.
        logs: list[Log] = [log for log in paid if log.place.block_number <= upto]
        logs += transfers.logs
        evidence = _evidence(cursor, stored, logs)
        numbers = evidence | {tip.head.number for tip in tips} | {safe_number, upto}
        blocks = await read_blocks(node, numbers.union(passing))
    _check_together(node, tips, logs, blocks)
    heads = Heads(
        finalized=_head(node, blocks, min(upto, finalized.head.number)),
        safe=_head(node, blocks, safe_number),
        latest=latest.head,
    )
    return View(
        heads=heads,
        upto=upto,
        transfers_upto=transfers.upto,
        waits=transfers.waits,
        logs=logs,
        blocks={number: block.head if block else None for number, block in blocks.items()},
        spoken=[n for n in passing if (b := blocks[n]) and _speaks(b.bloom, chain)],
    )


async def read_witness(node: Node, chain: ChainSettings, cursor: Cursor, view: View) -> Witness:
    """What this endpoint shows of the same window up to the view's safe head. Raises NodeError, MovedError.

    Headers are read after the logs: with the same safe block there, both endpoints are on the same chain. A
    block's time is in its hash, which nobody here computes: so both have to say the same of it, too. It tells
    whether a payment was in time, when its cover begins, and which quotes have run out.
    """
    safe = view.heads.safe
    first = max(cursor.finalized_number + 1, chain.start_block)
    with _shorter_next_time(node, safe.number - cursor.safe_number):
        paid = await read_payments(node, chain, first, safe.number)
        transfers = await read_transfers(node, chain, first, safe.number)
        blocks = await read_blocks(node, {safe.number} | {log.place.block_number for log in paid})
    block = blocks[safe.number]
    if block is None or block.head.hash != safe.hash:
        raise MovedError(f"{node.name} does not have block {safe.number:,} {to_hex(safe.hash)} (yet)")
    for number, other in blocks.items():
        shown = safe if number == safe.number else view.blocks.get(number)
        if other and shown and other.head.hash == shown.hash and other.head.time != shown.time:
            raise MovedError(f"{node.name} gives block {number:,} another time")
    return Witness(frozenset([*paid, *transfers.logs]), transfers.upto, transfers.waits)


class Heights(Struct, frozen=True):
    """The numbers of an endpoint's heads; `safe` is what the confirmation policy calls so."""

    finalized: int
    safe: int
    latest: int


async def read_heads(node: Node, chain: ChainSettings) -> Heights:
    """How far each head of this endpoint is. Raises NodeError, also when it serves another chain."""
    answers = await node.batch(_tip_calls(chain))
    _check_chain(node, chain, answers[0])
    finalized, *safe, latest = (_known(node, answer) for answer in answers[1:])
    depth = safe[0].head.number if safe else _depth(chain, finalized, latest)
    return Heights(finalized.head.number, depth, latest.head.number)


async def try_batch(node: Node, number: int) -> None:
    """As many calls at once as are ever asked. Raises NodeError; `node.calls` says how many it takes."""
    await node.batch([_header(hex(number))] * BATCH_CALLS)


async def read_height(node: Node) -> int:
    """How far the node is: its latest block's number. Raises NodeError."""
    answer = await node.call("eth_blockNumber", [])
    try:
        return int(str(answer), 16)
    except ValueError:
        raise node.error(NodeErrorKind.BAD_ANSWER, "answered with something that is no height") from None


async def read_blocks(node: Node, numbers: Iterable[int]) -> dict[int, Block | None]:
    """Headers by number; None where the node knows none. Raises NodeError."""
    wanted = sorted(set(numbers))
    blocks: dict[int, Block | None] = {}
    for start in range(0, len(wanted), BATCH_CALLS):
        asked = wanted[start : start + BATCH_CALLS]
        answers = await node.batch([_header(hex(number)) for number in asked])
        for number, answer in zip(asked, answers, strict=True):
            block = blocks[number] = _block(node, answer)
            if block is not None and block.head.number != number:
                raise node.error(NodeErrorKind.BAD_ANSWER, f"answered another block than {number}")
        await asyncio.sleep(0)  # thousands of headers are parsed while others want the loop
    return blocks


def _stride(node: Node) -> int:
    """How many blocks to read in one step with this endpoint while catching up."""
    return min(node.stride.size, REQUESTS_IN_A_STEP * node.calls.size)


@contextmanager
def _shorter_next_time(node: Node, blocks: int) -> Iterator[None]:
    """Whoever was asked too much while catching up is asked for half as many blocks in the next step."""
    try:
        yield
    except NodeError as error:
        much = error.kind in LESS_NEXT_TIME or error.kind is NodeErrorKind.RATE_LIMITED
        if much and blocks > SHORTEST_STRIDE:
            node.stride.halve(blocks)
        raise


async def _tips(
    node: Node, chain: ChainSettings, first: int, cursor: Cursor
) -> tuple[Block, Block | None, Block, list[PremiumPaid] | None]:
    """The heads finalized, safe (None when the policy is another) and latest; and the payments from `first`
    on, in the same batch, if that is likely to be within what the node gives at once."""
    calls = _tip_calls(chain)
    log_calls = []
    if first <= cursor.latest_number < first + node.blocks.size:
        log_calls = [payment_call(chain, first, "latest")]
    try:
        answers = await node.batch(calls + log_calls)
    except NodeError as error:
        # The head may have run far ahead while nobody looked, or the node is late and does not reach `first`:
        # then the logs are asked for range by range, up to where the node says that it is.
        if error.kind not in LESS_MAY_DO or error.place != len(calls):
            raise
        log_calls = []
        answers = await node.batch(calls)
    _check_chain(node, chain, answers[0])
    finalized, *safe, latest = (_known(node, answer) for answer in answers[1 : len(calls)])
    paid = payments_in(node, chain, answers[len(calls) :]) if log_calls else None
    return finalized, safe[0] if safe else None, latest, paid


def _tip_calls(chain: ChainSettings) -> list[Call]:
    """Chain id, finalized, safe (where it is a tag), latest: the oldest first. An endpoint may take them one
    by one, and then none is above a later one either."""
    tags = ["finalized", "safe", "latest"] if chain.confirmation == "safe" else ["finalized", "latest"]
    return [("eth_chainId", []), *map(_header, tags)]


def _depth(chain: ChainSettings, finalized: Block, latest: Block) -> int:
    """The safe height where the policy is not the `safe` tag. What is finalized is safe at any depth."""
    if chain.confirmation == "finalized":
        return finalized.head.number
    return max(finalized.head.number, latest.head.number - int(chain.confirmation))


def _evidence(cursor: Cursor, stored: Iterable[StoredLog], logs: Sequence[Log]) -> set[int]:
    """The blocks whose headers decide: the cursor's, those of all logs, and those of rows not shown."""
    shown = {key_of(log) for log in logs}
    missing = {row.log.place.block_number for row in stored if key_of(row.log) not in shown}
    return {cursor.finalized_number} | missing | {log.place.block_number for log in logs}


def _check_together(
    node: Node, tips: Iterable[Block], logs: Iterable[Log], blocks: Mapping[int, Block | None]
) -> None:
    """The heads and the blocks of the logs, read again by number after the logs, are still the same."""
    claimed = [(tip.head.number, tip.head.hash) for tip in tips]
    numbers = [number for number, _ in claimed]
    if numbers != sorted(numbers):
        raise MovedError(f"{node.name} shows a safe or finalized head above a later one")
    for number, block_hash in claimed + [(log.place.block_number, log.place.block_hash) for log in logs]:
        block = blocks[number]
        if block is None or block.head.hash != block_hash:
            raise MovedError(f"Block {number:,} changed while {node.name} was read")


def _head(node: Node, blocks: Mapping[int, Block | None], number: int) -> Head:
    block = blocks[number]
    if block is None:
        raise MovedError(f"{node.name} is above block {number:,} and does not know it")
    return block.head


def _check_chain(node: Node, chain: ChainSettings, answer: object) -> None:
    if answer != hex(chain.chain_id):
        raise node.error(NodeErrorKind.WRONG_CHAIN, f"serves chain {answer}, not {hex(chain.chain_id)}")


def _header(block: str) -> tuple[str, list[Any]]:
    return "eth_getBlockByNumber", [block, False]


def _known(node: Node, answer: object) -> Block:
    block = _block(node, answer)
    if block is None:
        raise node.error(NodeErrorKind.BAD_ANSWER, "does not know one of its heads")
    return block


def _block(node: Node, answer: object) -> Block | None:
    if answer is None:
        return None
    try:
        raw = msgspec.convert(answer, _RawBlock)
        block_hash = bytes.fromhex(raw.hash.removeprefix("0x"))
        number, time = int(raw.number, 16), datetime.fromtimestamp(int(raw.timestamp, 16), UTC)
        bloom = bytes.fromhex(raw.logsBloom.removeprefix("0x"))
    except (msgspec.ValidationError, ValueError, OverflowError, OSError):
        raise node.error(NodeErrorKind.BAD_ANSWER, "answered with something that is no block") from None
    if len(block_hash) != 32:
        raise node.error(NodeErrorKind.BAD_ANSWER, "answered with a block whose hash is none")
    return Block(head=Head(number=number, hash=block_hash, time=time), bloom=bloom)


def _is_quiet(bloom: bytes) -> bool:
    return len(bloom) == 256 and int.from_bytes(bloom, "big").bit_count() <= QUIET_BLOOM_BITS


def _speaks(bloom: bytes, chain: ChainSettings) -> bool:
    """The filter holds the checkout and its event. By chance: once in 17 million blocks at most."""
    if not _is_quiet(bloom):
        return False
    ours = _bloom_of(chain.checkout)
    return int.from_bytes(bloom, "big") & ours == ours


@lru_cache(maxsize=16)  # a deployment has one or two, and asks for thousands of blocks
def _bloom_of(checkout: bytes) -> int:
    """The bits that a payment sets: three of the contract, three of its event."""
    bits = 0
    for digest in (keccak(checkout), keccak(PREMIUM_PAID_TOPIC)):
        for place in (0, 2, 4):
            bits |= 1 << (int.from_bytes(digest[place : place + 2], "big") & 2047)
    return bits
