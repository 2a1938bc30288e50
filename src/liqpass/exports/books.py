"""Reading the books for an export: one snapshot, page by page, so that memory does not grow with them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import msgspec

from liqpass.chain.balances import treasury_balance
from liqpass.chain.failures import NodeError
from liqpass.chain.rpc import Node
from liqpass.db import Connection
from liqpass.exports import sql
from liqpass.exports.files import write
from liqpass.exports.formats import JOURNALS, Format
from liqpass.exports.rows import Closing, Extra, ExtraKind, Head, OnChain, Row, one_line
from liqpass.ledger.book import DEBIT_SIDE, Account
from liqpass.ledger.posting import balances, last_seq
from liqpass.reads import Reads
from liqpass.settings import ChainSettings

PAGE = 5_000
TELL_EVERY = 50_000
NOT_OPENED = "the books of this chain were not opened by then (liqpass work does it)"

Progress = Callable[[str], None]


class Period(msgspec.Struct, frozen=True):
    """Whole days in UTC, both included; None: from the first, to the last."""

    first_day: date | None = None
    last_day: date | None = None

    def up_to(self, today: date) -> "Period":
        """The same; without an end if today is in it, since the books go on."""
        return self if self.last_day is not None and self.last_day < today else Period(self.first_day)

    @property
    def first(self) -> datetime | None:
        """The first moment."""
        return None if self.first_day is None else _midnight(self.first_day)

    @property
    def until(self) -> datetime | None:
        """The first moment after it."""
        return None if self.last_day is None else _midnight(self.last_day + timedelta(days=1))


async def export(
    reads: Reads,
    chain: ChainSettings,
    period: Period,
    path: Path,
    form: Format,
    *,
    mark: bool,
    today: date,
    progress: Progress,
) -> None:
    """Write what was posted within the period to a new file, a CSV with a byte order `mark` or without.
    Raises OSError."""
    held, why_not = None, ""
    if form in JOURNALS:
        held, why_not = await _on_chain(reads, chain, period)
        if held is None:
            progress(f"Not held against the chain: {why_not}")

    async def written(conn: Connection) -> None:
        if held is not None:
            await _refuse_older(conn, chain, held)
        head = Head(chain.chain_id, chain.treasury, period.first_day, period.last_day, await last_seq(conn))

        async def closing(last: date | None) -> Closing:
            day = max(last or today, period.last_day or date.min)
            in_transit = [] if held is None else await _in_transit(conn, chain, period, held, day)
            kept = {} if period.until else await balances(conn)
            signed = {account: kept[account] * (1 if account in DEBIT_SIDE else -1) for account in kept}
            return Closing(day, held, why_not, in_transit, signed)

        await write(path, form, head, _pages(conn, chain.chain_id, period, progress), closing, mark=mark)

    await reads.look(written)


async def _refuse_older(conn: Connection, chain: ChainSettings, held: OnChain) -> None:
    """A journal ends with the balance of a block: what it is made from must have seen that block, whichever
    server told of it."""
    seen = await sql.finalized(conn, chain.chain_id)
    if seen is None or seen.number < held.block_number:
        raise LookupError(f"block {held.block_number} is not there yet")


async def _on_chain(reads: Reads, chain: ChainSettings, period: Period) -> tuple[OnChain | None, str]:
    """What the treasury held after the newest final block, or after the period's last transfer; or why nobody
    can say. No transaction is open while the nodes are asked."""
    until = period.until
    if until is None:
        block, _ = await reads.look(lambda conn: sql.finalized(conn, chain.chain_id))
    else:
        block, _ = await reads.look(lambda conn: sql.last_transfer_before(conn, chain.chain_id, until))
    if block is None:
        return None, NOT_OPENED
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(Node(url)) for url in chain.rpc_urls]
        try:
            return OnChain(block.number, block.hash, await treasury_balance(nodes, chain, block.hash)), ""
        except NodeError as error:
            return None, one_line(f"block {block.number}: {error.detail}")


async def _pages(
    conn: Connection, chain_id: int, period: Period, progress: Progress
) -> AsyncIterator[list[Row]]:
    """What is brought forward, then all transfers of the period in the ledger's order."""
    if period.first is not None:
        yield [_brought_forward(it, period.first) for it in await sql.sums_before(conn, period.first)]
    seq = done = 0
    while found := await sql.transfers(conn, chain_id, seq, period.first, period.until, PAGE):
        yield [Row(**msgspec.structs.asdict(it)) for it in found]
        seq, done = found[-1].seq, done + len(found)
        if done % TELL_EVERY == 0:
            progress(f"{done:,} transfers")


def _brought_forward(it: sql.Sum, first: datetime) -> Row:
    sides = (it.account, Extra.OPENING_BALANCES)
    debit, credit = sides if it.amount > 0 else sides[::-1]
    return Row(None, first, ExtraKind.BROUGHT_FORWARD, None, False, debit, credit, abs(it.amount))


async def _in_transit(
    conn: Connection, chain: ChainSettings, period: Period, held: OnChain, day: date
) -> list[Row]:
    found = await sql.in_transit(conn, chain.chain_id, held.block_number, period.until)
    at, kind, sides = _midnight(day), ExtraKind.IN_TRANSIT, (Extra.IN_TRANSIT, Account.TREASURY)
    rows = []
    for it in found:
        debit, credit = sides if it.amount > 0 else sides[::-1]
        rows.append(Row(None, at, kind, None, False, debit, credit, abs(it.amount), tx_hash=it.tx_hash))
    return rows


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
