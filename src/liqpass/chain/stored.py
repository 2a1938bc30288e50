"""What the watcher has stored, loaded and kept: rows of two tables to logs, and changes to rows."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from liqpass.chain import sql
from liqpass.chain.checkout import LogPlace, PremiumPaid, UsdcTransfer
from liqpass.chain.view import Changes, Cursor, Log, Stage, StoredLog, View
from liqpass.db import Connection
from liqpass.settings import ChainSettings

Rows = Sequence[tuple[Log, Stage]]


async def known(conn: Connection, chain: ChainSettings, tx_hashes: list[bytes]) -> list[StoredLog]:
    """All open rows, and whatever is stored of these transactions."""
    paid = [stored_payment(row) for row in await sql.payments(conn, chain.chain_id, tx_hashes)]
    rows = await sql.transfers(conn, chain.chain_id, tx_hashes)
    return paid + [_stored_transfer(row, chain.treasury) for row in rows]


def stored_payment(row: sql.PaymentRow) -> StoredLog:
    """The log that a row of `premium_payments` keeps."""
    log = PremiumPaid(
        place=_place(row), purchase_order_id=row.purchase_order_id, payer=row.payer, amount=row.amount
    )
    return StoredLog(log, row.stage)


def _stored_transfer(row: sql.TransferRow, treasury: bytes) -> StoredLog:
    recipient = treasury if row.recipient is None else row.recipient
    log = UsdcTransfer(place=_place(row), sender=row.sender, recipient=recipient, amount=row.amount)
    return StoredLog(log, row.stage)


def _place(row: sql.PaymentRow | sql.TransferRow) -> LogPlace:
    return LogPlace(
        block_number=row.block_number,
        block_hash=row.block_hash,
        tx_hash=row.tx_hash,
        log_index=row.log_index,
    )


async def halt(conn: Connection, chain_id: int, cursor: Cursor, reason: str) -> bool:
    """Stop all watchers of the chain, and touch nothing else. False as in `keep`."""
    return await sql.halt(conn, *_as_read(chain_id, cursor), reason) is True


async def note_doubt(conn: Connection, chain_id: int, cursor: Cursor, doubt: str, *, doubted: bool) -> bool:
    """Keep why nothing could be taken of a step, count it if there was a view to doubt, and touch nothing
    else. False as in `keep`."""
    return await sql.note_doubt(conn, *_as_read(chain_id, cursor), doubt, int(doubted)) is True


async def keep(
    conn: Connection, chain: ChainSettings, cursor: Cursor, after: Cursor, view: View, changes: Changes
) -> bool:
    """The cursor by compare-and-set, and with it what the view changed. False: another watcher stored a view
    since `cursor` was read, and nothing is written."""
    if not await sql.move_cursor(
        conn,
        *_as_read(chain.chain_id, cursor),
        after.finalized_number,
        after.finalized_hash,
        after.safe_number,
        after.safe_time,
        after.latest_number,
        after.latest_time,
        after.read_at,
        after.doubt,
        after.doubtful_views - cursor.doubtful_views,
    ):
        return False
    await _put(conn, chain, after.read_at, [*changes.add, *changes.advance], view)
    await _drop(conn, chain.chain_id, after.read_at, changes.drop)
    return True


def _as_read(chain_id: int, cursor: Cursor) -> tuple[int, int, bytes, datetime]:
    """What tells that the row is still the one that was read."""
    return chain_id, cursor.finalized_number, cursor.finalized_hash, cursor.read_at


async def _put(conn: Connection, chain: ChainSettings, now: datetime, rows: Rows, view: View) -> None:
    """Logs of the view to rows, new or known, in their present block and at their stage."""
    paid = [(log, stage) for log, stage in rows if isinstance(log, PremiumPaid)]
    moved = [(log, stage) for log, stage in rows if isinstance(log, UsdcTransfer)]
    if paid:
        await sql.put_payments(
            conn,
            chain.chain_id,
            now,
            *_columns(log for log, _ in paid),
            [_time(log, view) for log, _ in paid],
            [log.purchase_order_id for log, _ in paid],
            [log.payer for log, _ in paid],
            [log.amount for log, _ in paid],
            [stage for _, stage in paid],
        )
    if moved:
        await sql.put_transfers(
            conn,
            chain.chain_id,
            now,
            *_columns(log for log, _ in moved),
            [_time(log, view) for log, _ in moved],
            [log.sender for log, _ in moved],
            [None if log.recipient == chain.treasury else log.recipient for log, _ in moved],
            [log.amount for log, _ in moved],
            [stage for _, stage in moved],
        )


async def _drop(conn: Connection, chain_id: int, now: datetime, gone: Sequence[Log]) -> None:
    if paid := [log for log in gone if isinstance(log, PremiumPaid)]:
        await sql.drop_payments(conn, chain_id, now, *_keys(paid))
    if moved := [log for log in gone if isinstance(log, UsdcTransfer)]:
        await sql.drop_transfers(conn, chain_id, now, *_keys(moved))


def _keys(logs: Sequence[Log]) -> tuple[list[bytes], list[int]]:
    return [log.place.tx_hash for log in logs], [log.place.log_index for log in logs]


def _columns(logs: Iterable[Log]) -> tuple[list[bytes], list[int], list[int], list[bytes]]:
    """Transaction hash, log index, block number, block hash."""
    places = [log.place for log in logs]
    return (
        [place.tx_hash for place in places],
        [place.log_index for place in places],
        [place.block_number for place in places],
        [place.block_hash for place in places],
    )


def _time(log: Log, view: View) -> datetime:
    block = view.blocks[log.place.block_number]
    if block is None:
        raise LookupError("a view shows a log in a block without a header")
    return block.time


async def cursor_of(conn: Connection, chain_id: int) -> Cursor | None:
    """How far the chain is read; None before the watcher's first step."""
    return await sql.cursor_of(conn, chain_id)
