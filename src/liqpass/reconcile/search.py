"""The searches of a run: what may be off is read by its key, its facts are judged, batch by batch."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from liqpass.db import Connection
from liqpass.hexes import to_hex
from liqpass.reconcile.checks import CLAIM_OVERDUE_AFTER, IN_FLIGHT, STUCK_AFTER, BreakType, Found
from liqpass.reconcile.claim_checks import judge_claim
from liqpass.reconcile.claims import sql as claims_sql
from liqpass.reconcile.facts import sql
from liqpass.reconcile.facts.records import DueFacts, LogFacts, PositionSuspect
from liqpass.reconcile.money_checks import judge_transaction
from liqpass.reconcile.order_checks import judge_order
from liqpass.reconcile.suspects import sql as suspects_sql


@dataclass(frozen=True)
class Search:
    """A connection that sees one moment, and that moment: ours, and of the chain's newest block."""

    conn: Connection
    chain_id: int
    now: datetime
    chain_time: datetime


async def by_money(of: Search) -> AsyncIterator[list[Found]]:
    """Orders, their payments and their postings."""
    async for ids in suspects_sql.money_suspects(of.conn, of.chain_id, of.now, of.now - STUCK_AFTER):
        yield await _orders(of, ids)


async def by_history(of: Search) -> AsyncIterator[list[Found]]:
    """Orders, their events and their bindings."""
    async for suspects in suspects_sql.history_suspects(of.conn):
        orphans = [
            Found(
                type=BreakType.HISTORY_BROKEN,
                subject=f"order row {suspect.order_id}",
                said=f"events or a binding are of order row {suspect.order_id}, which does not exist",
            )
            for suspect in suspects
            if suspect.purchase_order_id is None
        ]
        ids = [suspect.purchase_order_id for suspect in suspects if suspect.purchase_order_id is not None]
        yield orphans + await _orders(of, ids)


async def by_positions(of: Search) -> AsyncIterator[list[Found]]:
    """Living bindings and the positions that they hold."""
    async for suspects in suspects_sql.position_suspects(of.conn):
        unordered = [_unordered(suspect) for suspect in suspects if suspect.purchase_order_id is None]
        ids = [suspect.purchase_order_id for suspect in suspects if suspect.purchase_order_id is not None]
        yield unordered + await _orders(of, ids)


def _unordered(suspect: PositionSuspect) -> Found:
    what = "lives and does not hold its position" if suspect.living else "is over and holds a position"
    return Found(
        type=BreakType.BINDING_DISAGREES,
        subject=f"binding {suspect.binding_id}",
        said=f"binding {suspect.binding_id} of {to_hex(suspect.user_id)}, without an order, {what}",
        wallet=suspect.user_id,
        at=suspect.at,
    )


async def by_claims(of: Search) -> AsyncIterator[list[Found]]:
    """What is approved of claims, what the ledger owes for them, and their payouts."""
    since = of.now - CLAIM_OVERDUE_AFTER
    async for suspects in claims_sql.claim_suspects(of.conn, of.chain_id, since):
        yield [found for facts in suspects for found in judge_claim(facts, of.now)]


async def by_transactions(of: Search) -> AsyncIterator[list[Found]]:
    """Transfers, the payments that they belong to, and what the ledger has of the rest."""
    async for hashes in suspects_sql.transaction_suspects(of.conn, of.chain_id):
        known = sorted(set(hashes))
        logs, refs = defaultdict(list), defaultdict(list)
        for log in await sql.logs_of(of.conn, of.chain_id, known, of.now - IN_FLIGHT):
            logs[log.tx_hash].append(log)
        for ref in await sql.refs_of(of.conn, known):
            refs[ref.tx_hash].append(ref)
        dues = await _dues(of, [log for tx in known for log in logs[tx]])
        yield [found for tx in known for found in judge_transaction(logs[tx], refs[tx], dues)]


async def _dues(of: Search, logs: Sequence[LogFacts]) -> Mapping[bytes, list[DueFacts]]:
    """What is due to the wallets to which these transfers went, by wallet."""
    recipients = sorted({log.recipient for log in logs if log.recipient is not None})
    dues = defaultdict(list)
    for due in await sql.dues_to(of.conn, of.chain_id, recipients) if recipients else []:
        dues[due.recipient].append(due)
    return dues


async def _orders(of: Search, ids: Sequence[bytes]) -> list[Found]:
    if not ids:
        return []
    known = sorted(set(ids))
    payments = defaultdict(list)
    for payment in await sql.payments_of(of.conn, of.chain_id, known, of.now - IN_FLIGHT):
        payments[payment.purchase_order_id].append(payment)
    return [
        found
        for facts in await sql.order_facts(of.conn, known)
        for found in judge_order(facts, payments[facts.purchase_order_id], of.now, of.chain_time)
    ]
