"""Settling: what the watcher saw becomes the state of orders; what time does is done.

Each function is one step in one transaction (or asks a node with none open); any number of workers may
run them, since every move names the state that it starts from.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import zip_longest

import structlog

from liqpass.batches import in_batches
from liqpass.chain.rpc import Node
from liqpass.chain.stored import cursor_of
from liqpass.chain.transactions import TransactionStage, TransactionState, transaction_state
from liqpass.chain.view import Stage
from liqpass.clock import Clock
from liqpass.db import DATABASE_AWAY, Connection, Database
from liqpass.hexes import to_hex
from liqpass.ledger.posting import post
from liqpass.orders.states import Move
from liqpass.payments import sql
from liqpass.payments.earned import sql as earned
from liqpass.payments.matching import Outcome, PayableOrder, Payment, booked, judge
from liqpass.settings import ChainSettings

log = structlog.get_logger()

BATCH = 200
FORGOTTEN_AFTER = timedelta(minutes=3)
ASK_AFTER = timedelta(seconds=10)


async def settle_changed(
    conn: Connection, now: datetime, chain_id: int, *, at_most: int = BATCH, passing_over: int = 0
) -> int:
    """Take up the payments that changed. How many were taken from the queue."""
    queued = await sql.take_queue(conn, chain_id, at_most, passing_over)
    if not queued:
        return 0
    order_ids = sorted({q.purchase_order_id for q in queued})
    orders = {o.purchase_order_id: o for o in await sql.lock_orders(conn, order_ids)}
    payments = defaultdict(list)
    for payment in await sql.payments_of(conn, chain_id, order_ids):
        payments[payment.purchase_order_id].append(payment)
    outcomes: dict[tuple[bytes, int], Outcome] = {}
    moves: list[list[Move]] = []
    for order_id in order_ids:
        found, verdict_moves = _judged(orders.get(order_id), payments[order_id])
        outcomes |= found
        moves.append(verdict_moves)
    await _make(conn, now, moves)
    await _claim(conn, orders, payments, outcomes)
    keys = [(q.tx_hash, q.log_index) for q in queued]
    entries = [
        e
        for order_id in order_ids
        for e in booked(orders.get(order_id), _spoken_of(payments[order_id], keys), outcomes)
    ]
    await post(conn, now, entries)
    await sql.mark_settled(
        conn, chain_id, [k[0] for k in keys], [k[1] for k in keys], [outcomes[k] for k in keys], now
    )
    return len(queued)


def _spoken_of(payments: Sequence[Payment], changed: Sequence[tuple[bytes, int]]) -> list[Payment]:
    """Those that are on the chain, and those that have just left it. Where one left it before, its number may
    be a stray transfer's by now, and what came in there is for booking to say."""
    return [p for p in payments if p.stage != Stage.DROPPED or (p.tx_hash, p.log_index) in changed]


def _judged(
    order: PayableOrder | None, payments: list[Payment]
) -> tuple[dict[tuple[bytes, int], Outcome], list[Move]]:
    keys = [(p.tx_hash, p.log_index) for p in payments]
    if order is None:
        return dict.fromkeys(keys, Outcome.UNKNOWN_ORDER), []
    verdict = judge(order, payments)
    return dict(zip(keys, verdict.outcomes, strict=True)), verdict.moves


async def _make(conn: Connection, now: datetime, moves: list[list[Move]]) -> None:
    """First the first move of every order, then the second ones: a statement moves an order once."""
    for nth in zip_longest(*moves):
        batch = [move for move in nth if move is not None]
        if not batch:
            continue
        moved = await sql.move_orders(
            conn,
            [m.user_id for m in batch],
            [m.order_id for m in batch],
            [m.seq for m in batch],
            [m.from_status for m in batch],
            [m.to_status for m in batch],
            [m.reason for m in batch],
            [m.actor for m in batch],
            [m.details for m in batch],
            [m.pay_tx_hash for m in batch],
            [m.payer for m in batch],
            [m.submitted_at for m in batch],
            [m.paid_at for m in batch],
            [m.coverage_start_at for m in batch],
            [m.coverage_end_at for m in batch],
            now,
        )
        if len(moved) != len(batch):
            raise RuntimeError("an order that was locked did not move")
        for move in batch:
            log.info("order_moved", order=str(move.order_id), to=move.to_status, reason=move.reason)


async def _claim(
    conn: Connection,
    orders: dict[bytes, PayableOrder],
    payments: dict[bytes, list[Payment]],
    outcomes: dict[tuple[bytes, int], Outcome],
) -> None:
    owners = {
        p.tx_hash: orders[p.purchase_order_id]
        for found in payments.values()
        for p in found
        if outcomes[p.tx_hash, p.log_index] == Outcome.MATCHED
    }
    if owners:
        hashes = sorted(owners)
        await sql.claim_by_event(
            conn, hashes, [owners[h].user_id for h in hashes], [owners[h].id for h in hashes]
        )


async def ask_pending(db: Database, nodes: Sequence[Node], chain: ChainSettings, clock: Clock) -> int:
    """Ask what became of submitted transactions of which the chain has shown no payment.

    An order is released only by what every endpoint says: reverted, paying something else, or unknown to
    all of them for three minutes. Whatever it is, a payment that shows up later still counts.
    """
    async with db.pool.acquire() as conn:
        cursor = await cursor_of(conn, chain.chain_id)
        waiting = await sql.pending_without_payment(conn, chain.chain_id, clock() - ASK_AFTER, BATCH)
    if cursor is None:
        return 0
    released = 0
    for order in waiting:
        state = await transaction_state(
            nodes,
            chain,
            order.pay_tx_hash,
            safe_number=cursor.safe_number,
            latest_number=cursor.latest_number,
        )
        reason = why_released(state, order.purchase_order_id, clock() - order.submitted_at)
        if reason is not None:
            released += await _released(db, order, reason, clock())
    return released


async def _released(db: Database, order: sql.PendingTx, reason: str, now: datetime) -> int:
    """One that cannot be released holds up no other; why is in the log."""
    try:
        return await db.run(partial(_release, order, reason, now))
    except DATABASE_AWAY:
        raise
    except Exception:
        log.exception("order_cannot_be_released", order=str(order.order_id))
        return 0


def why_released(state: TransactionState, purchase_order_id: bytes, waited: timedelta) -> str | None:
    """Why a submitted transaction does not pay its order; None while it may.

    NOT_FOUND counts only after a while: a transaction needs seconds to reach every node's pool.
    """
    if state.stage == TransactionStage.REVERTED:
        return "TX_REVERTED"
    if state.stage == TransactionStage.NOT_FOUND and waited > FORGOTTEN_AFTER:
        return "TX_NOT_FOUND"
    if state.stage == TransactionStage.INCLUDED and not any(
        paid.purchase_order_id == purchase_order_id for paid in state.payments
    ):
        return "TX_PAYS_SOMETHING_ELSE"
    return None


async def _release(order: sql.PendingTx, reason: str, now: datetime, conn: Connection) -> int:
    details = json.dumps({"txHash": to_hex(order.pay_tx_hash)})
    return await sql.back_to_draft(conn, order.user_id, order.order_id, order.event_seq, reason, details, now)


async def cancel_late(
    conn: Connection, now: datetime, chain_id: int, *, at_most: int = BATCH, passing_over: int = 0
) -> int:
    """Cancel orders that were not paid in time. How many."""
    return await sql.cancel_late(conn, chain_id, now, at_most, passing_over)


async def expire_over(
    conn: Connection, now: datetime, chain_id: int, *, at_most: int = BATCH, passing_over: int = 0
) -> int:
    """End covers whose time is over by our clock and by the chain's: neither alone may end one early."""
    return await sql.expire_over(conn, now, at_most, passing_over, chain_id)


async def earn_daily(db: Database, now: datetime, chain_id: int) -> int:
    """Book the days that covers of more than one day have given since. How many covers earned.

    Which are due is asked once, and only those are looked at again, batch by batch: with the question in
    each batch, a day's catching up would cost the square of the running covers.
    """
    booked = 0

    async def earn(conn: Connection, *, at_most: int, passing_over: int) -> int:
        nonlocal booked
        users, orders = [one.user_id for one in part], [one.order_id for one in part]
        number = await earned.earn_daily(conn, now, chain_id, users, orders, at_most, passing_over)
        booked += number
        return number

    due = await db.run(lambda conn: earned.covers_to_earn(conn, now, chain_id), one_statement=True)
    for first in range(0, len(due), BATCH):
        part = due[first : first + BATCH]
        await in_batches(db, earn, BATCH)
    return booked
