"""Settling: what the watcher saw becomes the state of orders; what time does is done.

Each function is one step in one transaction (or asks a node with none open); any number of workers may
run them, since every move names the state that it starts from.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import zip_longest

import structlog

from liqpass.db import Connection, Database
from liqpass.orders.states import Move
from liqpass.payments import sql
from liqpass.payments.matching import Outcome, PayableOrder, Payment, judge

log = structlog.get_logger()

BATCH = 200
ASK_AFTER = timedelta(seconds=20)


async def settle_changed(conn: Connection, now: datetime, chain_id: int) -> int:
    """Take up the payments that changed. How many were taken from the queue."""
    queued = await sql.take_queue(conn, chain_id, BATCH)
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
    await sql.mark_settled(
        conn, chain_id, [k[0] for k in keys], [k[1] for k in keys], [outcomes[k] for k in keys], now
    )
    return len(queued)


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
