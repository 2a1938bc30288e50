"""Queries of the facts about what may be off, by index."""

from datetime import datetime

from liqpass.db import Connection, query
from liqpass.ledger.book import LOG_INDEX, SIGNED
from liqpass.orders.states import SETTLED
from liqpass.reconcile.facts.records import (
    DueFacts,
    LogFacts,
    OddRef,
    OpeningFacts,
    OrderFacts,
    PaymentFacts,
    RefFacts,
)

PATIENCE_SEC = 3600.0

PAID_KINDS = "'REFUND_PAID', 'WITHDRAWAL_PAID', 'CLAIM_PAID', 'PAID_OUT'"
LOG_KINDS = f"'RECEIVED', 'CAPITAL', 'REFUND', {PAID_KINDS}"


@query(
    f"""
    select r.ref as purchase_order_id, o.status, o.premium_amount, o.payout_amount, o.duration_sec,
        o.event_seq, o.pay_before, o.pay_tx_hash, o.submitted_at, o.paid_at, o.coverage_start_at,
        o.coverage_end_at, o.created_at, {SETTLED} as settled, l.premium, l.held, l.earned, l.claimed,
        l.gaps, l.posted_at,
        h.events, h.last_status, h.breaks, b.status as binding_status,
        (b.coverage_start_at, b.coverage_end_at)
            is not distinct from (o.coverage_start_at, o.coverage_end_at) as same_cover,
        p.positions, p.own_position
    from unnest($1::bytea[]) as r (ref)
    left join order_refs f on f.purchase_order_id = r.ref
    left join purchase_orders o
        on o.user_id = f.user_id and o.id = f.order_id and o.purchase_order_id = r.ref
    left join insured_bindings b on b.user_id = o.user_id and b.id = o.binding_id and b.order_id = o.id
    left join watched_covers w on w.user_id = o.user_id and w.order_id = o.id
    left join lateral (
        select coalesce(micro_sum(stands) filter (where kind = 'PREMIUM'), 0) as premium,
            coalesce(micro_sum(stands) filter (where kind = 'HELD'), 0) as held,
            coalesce(micro_sum(stands) filter (where kind = 'EARNED'), 0) as earned,
            coalesce(micro_sum(stands) filter (where kind = 'CLAIM'), 0) as claimed,
            coalesce(array_agg(kind::text order by kind) filter (where last <> legs), '{{}}') as gaps,
            min(posted_at) as posted_at
        from (
            select t.kind, micro_sum({SIGNED}) as stands, count(*) as legs, max(t.leg) as last,
                min(t.at) as posted_at
            from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
            where t.kind in ('PREMIUM', 'HELD', 'EARNED', 'CLAIM') and t.ref = r.ref
            group by t.kind
        ) kinds
    ) l on true
    left join lateral (
        select count(*) as events, max(to_status) filter (where seq = o.event_seq) as last_status,
            count(*) filter (where from_status is distinct from was or seq <> coalesce(before, 0) + 1)
                as breaks
        from (
            select seq, from_status, to_status, lag(to_status) over in_turn as was,
                lag(seq) over in_turn as before
            from order_events e where e.user_id = o.user_id and e.order_id = o.id
            window in_turn as (order by seq)
        ) e
    ) h on true
    left join lateral (
        select count(*) as positions, coalesce(bool_or(
            (p.api_account_id, p.exchange_uid, p.inst_id, p.mgn_mode, p.pos_side)
            = (b.api_account_id, b.exchange_uid, b.inst_id, b.mgn_mode, b.pos_side)), false) as own_position
        from insured_positions p where p.user_id = o.user_id and p.binding_id = o.binding_id
    ) p on true
    """,
    patience_sec=PATIENCE_SEC,
)
async def order_facts(conn: Connection, purchase_order_ids: list[bytes]) -> list[OrderFacts]:
    """All that is stored under these public ids, one row each."""
    ...


@query(
    f"""
    select p.purchase_order_id, p.tx_hash, p.log_index, p.block_time, p.payer, p.amount, p.stage,
        (select coalesce(micro_sum({SIGNED}), 0)
         from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
         where t.kind = 'RECEIVED' and t.ref = p.tx_hash || int4send(p.log_index)) as in_suspense,
        p.changed_at > $3 and exists (
            select from settle_queue q
            where q.chain_id = p.chain_id and q.tx_hash = p.tx_hash and q.log_index = p.log_index) as waiting
    from premium_payments p
    where p.chain_id = $1 and p.purchase_order_id = any($2)
    order by p.purchase_order_id, p.block_number, p.log_index
    """,
    patience_sec=PATIENCE_SEC,
)
async def payments_of(
    conn: Connection, chain_id: int, purchase_order_ids: list[bytes], waiting_since: datetime
) -> list[PaymentFacts]:
    """All payments that name these orders."""
    ...


@query(
    """
    select t.tx_hash, t.log_index, t.block_hash, t.block_time, t.sender, t.recipient, t.amount, t.stage,
        null::bytea as purchase_order_id, false as order_known, null::settle_outcome as outcome,
        t.changed_at > $3 and exists (
            select from transfer_queue q where q.chain_id = t.chain_id and q.tx_hash = t.tx_hash) as waiting
    from usdc_transfers t where t.chain_id = $1 and t.tx_hash = any($2)
    union all
    select p.tx_hash, p.log_index, p.block_hash, p.block_time, p.payer, null, p.amount, p.stage,
        p.purchase_order_id,
        exists (select from order_refs r where r.purchase_order_id = p.purchase_order_id), s.outcome,
        p.changed_at > $3 and (exists (
            select from settle_queue q
            where q.chain_id = p.chain_id and q.tx_hash = p.tx_hash and q.log_index = p.log_index)
        or exists (select from transfer_queue q where q.chain_id = p.chain_id and q.tx_hash = p.tx_hash))
    from premium_payments p left join payment_settlements s using (chain_id, tx_hash, log_index)
    where p.chain_id = $1 and p.tx_hash = any($2)
    order by tx_hash, log_index
    """,
    patience_sec=PATIENCE_SEC,
)
async def logs_of(
    conn: Connection, chain_id: int, tx_hashes: list[bytes], waiting_since: datetime
) -> list[LogFacts]:
    """All transfers and payments of these transactions."""
    ...


@query("""
    select d.id, d.purpose, d.recipient, d.amount, d.asked_at from disbursements d
    where d.chain_id = $1 and d.recipient = any($2) and d.cancelled_at is null
      and not exists (select from disbursements_made m where m.disbursement_id = d.id)
    order by d.asked_at, d.id
""")
async def dues_to(conn: Connection, chain_id: int, recipients: list[bytes]) -> list[DueFacts]:
    """What is still to be paid out to these wallets, the oldest first."""
    ...


@query(
    f"""
    select asked.tx_hash, {LOG_INDEX.format("r.ref")} as log_index, r.received, r.given, r.paid,
        r.unexplained, r.gaps, r.posted_at
    from unnest($1::bytea[]) as asked (tx_hash)
    cross join lateral (
        select ref, coalesce(micro_sum(stands) filter (where kind = 'RECEIVED'), 0) as received,
            coalesce(micro_sum(stands) filter (where kind in ('CAPITAL', 'REFUND')), 0) as given,
            coalesce(micro_sum(stands) filter (where kind in ({PAID_KINDS})), 0) as paid,
            coalesce(micro_sum(stands) filter (where kind = 'PAID_OUT'), 0) as unexplained,
            coalesce(array_agg(kind::text order by kind) filter (where last <> legs), '{{}}') as gaps,
            min(posted_at) as posted_at
        from unnest(array[{LOG_KINDS}]::ledger_kind[]) as one (kind)
        cross join lateral (
            select t.ref, micro_sum({SIGNED}) as stands, count(*) as legs, max(t.leg) as last,
                min(t.at) as posted_at
            from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
            where t.kind = one.kind and t.ref between asked.tx_hash and asked.tx_hash || '\\xffffffff'::bytea
              and length(t.ref) = 36
            group by t.ref
        ) refs
        group by ref
    ) r
    order by asked.tx_hash, log_index
    """,
    patience_sec=PATIENCE_SEC,
)
async def refs_of(conn: Connection, tx_hashes: list[bytes]) -> list[RefFacts]:
    """All that the ledger has of the logs of these transactions."""
    ...


@query(
    f"""
    select (select opening from ledger_openings where chain_id = $1) as measured,
        coalesce(micro_sum({SIGNED}) filter (where t.kind = 'OPENING'), 0) as booked,
        coalesce(micro_sum({SIGNED}) filter (where t.kind = 'PAID_OUT'), 0) as unexplained,
        coalesce(micro_sum({SIGNED}) filter (where t.kind in ('CAPITAL', 'REFUND')), 0) as given
    from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
    where t.kind in ('OPENING', 'PAID_OUT', 'CAPITAL', 'REFUND') and t.ref = int8send($1)
    """,
    patience_sec=PATIENCE_SEC,
)
async def opening_facts(conn: Connection, chain_id: int) -> OpeningFacts:
    """What is stored of the books' beginning."""
    ...


@query(
    f"""
    select t.kind, t.ref, micro_sum({SIGNED}) as stands, min(t.at) as posted_at
    from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
    where t.kind in ('OPENING', {LOG_KINDS}) and length(t.ref) <> 36 and t.ref <> int8send($1)
    group by t.kind, t.ref having micro_sum({SIGNED}) <> 0
    order by t.kind, t.ref
    """,
    patience_sec=PATIENCE_SEC,
)
async def odd_refs(conn: Connection, chain_id: int) -> list[OddRef]:
    """What the ledger has under refs that are neither a log nor this chain."""
    ...
