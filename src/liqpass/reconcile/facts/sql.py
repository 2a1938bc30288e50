"""Queries of what may be off, over whole tables, and of the facts about it, by index.

What agrees never leaves the database. Each of the first four reads its tables once: rows that have to agree
are brought under one key, with signs, and summed; where everything agrees, every sum is zero. They may name
something that is in order after all (time has passed a limit that is not sharp), but miss nothing.
"""

from collections.abc import AsyncIterator
from datetime import datetime

from liqpass.db import Connection, query
from liqpass.ledger.book import LOG_INDEX, SIGNED
from liqpass.reconcile.facts.records import (
    DueFacts,
    LogFacts,
    OddRef,
    OpeningFacts,
    OrderFacts,
    OrderSuspect,
    PaymentFacts,
    PositionSuspect,
    RefFacts,
)

PATIENCE_SEC = 3600.0

_LOG_KINDS = "'RECEIVED', 'CAPITAL', 'REFUND', 'REFUND_PAID', 'WITHDRAWAL_PAID', 'PAID_OUT'"
# A transaction and its time, to be added to an amount: not only the amounts have to agree.
_TX = "(hash_record(row({0}))::bigint << 26)"
# Legs in one number: twelve bits for how many each kind has, above them the sum of their numbers. n legs of
# different numbers from 1 on have the sum n(n+1)/2 only if they are 1 to n.
_LEGS = """(t.leg::bigint << 36)
    + case t.kind when 'PREMIUM' then 1 when 'HELD' then 4096 else 16777216 end"""
_GAP = """micro_sum(legs) >> 36 <> (
    (micro_sum(legs) & 4095) * ((micro_sum(legs) & 4095) + 1)
    + (micro_sum(legs) >> 12 & 4095) * ((micro_sum(legs) >> 12 & 4095) + 1)
    + (micro_sum(legs) >> 24 & 4095) * ((micro_sum(legs) >> 24 & 4095) + 1)) / 2"""
_DAYS = """least(div(extract(epoch from least($2::timestamptz, (
        select latest_time from chain_cursors where chain_id = $1)) - coverage_start_at), 86400),
    duration_sec / 86400)"""


@query(
    f"""
    select ref from (
        select purchase_order_id as ref,
            case when status in ('ACTIVE', 'EXPIRED') then -premium_amount else 0 end as premium,
            case when status in ('DRAFT', 'PAID_PENDING_CONFIRM', 'ACTIVE') then -payout_amount else 0 end
                as held,
            case when status = 'EXPIRED' and coverage_end_at <= $2 then -premium_amount
                when status = 'ACTIVE' and duration_sec > 86400 and coverage_start_at < $2
                    then -div(premium_amount * {_DAYS} * 86400, duration_sec)::bigint
                else 0 end as earned,
            case when status in ('ACTIVE', 'EXPIRED')
                then -premium_amount - {_TX.format("pay_tx_hash, paid_at")} else 0 end
                + case when case status when 'DRAFT' then pay_before
                        when 'PAID_PENDING_CONFIRM' then submitted_at
                        when 'ACTIVE' then coverage_end_at end < $3 then 1::bigint << 60 else 0 end as paid,
            0::bigint as legs
        from purchase_orders where chain_id = $1
        union all
        select purchase_order_id, 0, 0, 0, amount + {_TX.format("tx_hash, block_time")}, 0
        from premium_payments where chain_id = $1 and stage in ('SAFE', 'FINAL')
        union all
        select p.purchase_order_id, 0, 0, 0, -aside.stands - {_TX.format("p.tx_hash, p.block_time")}, 0
        from (
            select substring(t.ref for 32) as tx_hash, {LOG_INDEX.format("t.ref")} as log_index,
                micro_sum({SIGNED}) as stands
            from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
            where t.kind = 'RECEIVED' and length(t.ref) = 36 group by t.ref
        ) aside
        join premium_payments p
            on p.chain_id = $1 and p.tx_hash = aside.tx_hash and p.log_index = aside.log_index
        where aside.stands <> 0
        union all
        select t.ref,
            case when t.kind <> 'PREMIUM' then 0 when t.debit = 'TREASURY' then t.amount else -t.amount end,
            case when t.kind <> 'HELD' then 0 when t.debit = 'POOL_FREE' then t.amount else -t.amount end,
            case when t.kind <> 'EARNED' then 0 when t.debit = 'UNEARNED_PREMIUM' then t.amount
                else -t.amount end,
            0, {_LEGS}
        from ledger_transfers t where t.kind in ('PREMIUM', 'HELD', 'EARNED')
    ) sides
    group by ref
    having micro_sum(premium) <> 0 or micro_sum(held) <> 0 or micro_sum(earned) <> 0 or micro_sum(paid) <> 0
        or {_GAP}
    """,
    patience_sec=PATIENCE_SEC,
)
def money_suspects(
    conn: Connection, chain_id: int, now: datetime, stuck_since: datetime
) -> AsyncIterator[list[bytes]]:
    """Public ids under which order, payments and ledger are not what they would be if all were well at this
    moment, and those of orders whose time ran out before `stuck_since`."""
    ...


# An event adds where it leads and takes off where the one before it led, each hashed with the event's number:
# where each begins where the one before it ended, the last status is left. A hash is cut to 40 bits.
@query(
    """
    select off.order_id, o.purchase_order_id
    from (
        select order_id from (
            select id as order_id,
                hash_record(row(binding_id, case status when 'PAID_PENDING_CONFIRM' then 'DRAFT'
                    else status::text end, coverage_start_at, coverage_end_at))
                - (hashenumextended(status, event_seq) >> 24) as d
            from purchase_orders
            union all
            select order_id, (hashenumextended(to_status, seq) >> 24)
                - coalesce(hashenumextended(from_status, seq - 1) >> 24, 0)
            from order_events
            union all
            select order_id, -hash_record(row(id, status::text, coverage_start_at, coverage_end_at))::bigint
            from insured_bindings where order_id is not null
        ) sides
        group by order_id having micro_sum(d) <> 0
    ) off
    left join purchase_orders o on o.id = off.order_id
    """,
    patience_sec=PATIENCE_SEC,
)
def history_suspects(conn: Connection) -> AsyncIterator[list[OrderSuspect]]:
    """Orders that are not where their events or their binding are."""
    ...


@query(
    """
    select off.user_id, off.binding_id, off.living, o.purchase_order_id, o.at
    from (
        select coalesce(b.user_id, p.user_id) as user_id, coalesce(b.id, p.binding_id) as binding_id,
            b.id is not null as living
        from (
            select user_id, id, api_account_id, exchange_uid, inst_id, mgn_mode, pos_side
            from insured_bindings where status in ('DRAFT', 'ACTIVE')
        ) b
        full join insured_positions p on p.user_id = b.user_id and p.binding_id = b.id
        where (b.api_account_id, b.exchange_uid, b.inst_id, b.mgn_mode, b.pos_side)
            is distinct from (p.api_account_id, p.exchange_uid, p.inst_id, p.mgn_mode, p.pos_side)
    ) off
    left join lateral (
        select o.purchase_order_id, b.created_at as at
        from insured_bindings b left join purchase_orders o on o.user_id = b.user_id and o.id = b.order_id
        where b.user_id = off.user_id and b.id = off.binding_id
        limit 1
    ) o on true
    """,
    patience_sec=PATIENCE_SEC,
)
def position_suspects(conn: Connection) -> AsyncIterator[list[PositionSuspect]]:
    """Bindings that live without their position, and positions held by none that lives."""
    ...


# A premium's transfer stands in the log right before its payment: what does not is looked at one by one.
@query(
    f"""
    with refs as materialized (
        select t.ref, substring(t.ref for 32) as tx_hash, {LOG_INDEX.format("t.ref")} as log_index,
            coalesce(micro_sum({SIGNED}) filter (where t.kind = 'RECEIVED'), 0) as received,
            coalesce(micro_sum({SIGNED}) filter (where t.kind in ('CAPITAL', 'REFUND')), 0) as given,
            coalesce(micro_sum({SIGNED})
                filter (where t.kind in ('REFUND_PAID', 'WITHDRAWAL_PAID', 'PAID_OUT')), 0) as paid,
            coalesce(micro_sum({SIGNED}) filter (where t.kind = 'PAID_OUT'), 0) as unexplained,
            coalesce(max(t.leg) filter (where t.kind = 'RECEIVED'), 0)
                + coalesce(max(t.leg) filter (where t.kind = 'CAPITAL'), 0)
                + coalesce(max(t.leg) filter (where t.kind = 'REFUND'), 0)
                + coalesce(max(t.leg) filter (where t.kind = 'REFUND_PAID'), 0)
                + coalesce(max(t.leg) filter (where t.kind = 'WITHDRAWAL_PAID'), 0)
                + coalesce(max(t.leg) filter (where t.kind = 'PAID_OUT'), 0) <> count(*) as gap
        from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
        where t.kind in ({_LOG_KINDS}) and length(t.ref) = 36
        group by t.ref
    ),
    odd as materialized (
        select coalesce(t.tx_hash, p.tx_hash) as tx_hash, t.log_index, t.amount, t.recipient,
            p.tx_hash is not null as paired
        from (select * from usdc_transfers where chain_id = $1 and stage in ('SAFE', 'FINAL')) t
        full join (select * from premium_payments where chain_id = $1 and stage in ('SAFE', 'FINAL')) p
            on p.tx_hash = t.tx_hash and p.log_index = t.log_index + 1
        where (t.recipient is null and t.sender = p.payer and t.amount = p.amount
            and t.block_hash = p.block_hash) is not true
    )
    select odd.tx_hash from odd
    left join refs on refs.tx_hash = odd.tx_hash and refs.log_index = odd.log_index
    where odd.paired or odd.log_index is null
      or odd.amount <> coalesce(case when odd.recipient is null then refs.received else refs.paid end, 0)
    union all
    select refs.tx_hash from refs
    left join lateral (
        select p.amount from premium_payments p
        where p.chain_id = $1 and p.tx_hash = refs.tx_hash and p.log_index = refs.log_index
          and p.stage in ('SAFE', 'FINAL')
        limit 1
    ) p on true
    left join lateral (
        select case when t.recipient is null then t.amount else 0 end as came,
            case when t.recipient is null then 0 else t.amount end as went,
            t.sender, t.block_hash
        from usdc_transfers t
        where t.chain_id = $1 and t.tx_hash = refs.tx_hash and t.log_index = refs.log_index
          and t.stage in ('SAFE', 'FINAL')
        limit 1
    ) t on true
    where refs.received <> refs.given or refs.unexplained <> 0 or refs.gap
      or refs.received <> coalesce(p.amount, t.came, 0) or refs.paid <> coalesce(t.went, 0)
      or refs.received <> 0 and p.amount is null and exists (
        select from premium_payments own
        where own.chain_id = $1 and own.tx_hash = refs.tx_hash and own.log_index = refs.log_index + 1
          and own.payer = t.sender and own.amount = t.came and own.stage in ('SAFE', 'FINAL'))
    """,
    patience_sec=PATIENCE_SEC,
)
def transaction_suspects(conn: Connection, chain_id: int) -> AsyncIterator[list[bytes]]:
    """Transactions whose transfers, payments and ledger entries are not those of a premium or of money long
    put right; some more than once."""
    ...


# Facts ---------------------------------------------------------------------------------------------------


@query(
    f"""
    select r.ref as purchase_order_id, o.status, o.premium_amount, o.payout_amount, o.duration_sec,
        o.event_seq, o.pay_before, o.pay_tx_hash, o.submitted_at, o.paid_at, o.coverage_start_at,
        o.coverage_end_at, o.created_at, l.premium, l.held, l.earned, l.gaps, l.posted_at,
        h.events, h.last_status, h.breaks, b.status as binding_status,
        (b.coverage_start_at, b.coverage_end_at)
            is not distinct from (o.coverage_start_at, o.coverage_end_at) as same_cover,
        p.positions, p.own_position
    from unnest($1::bytea[]) as r (ref)
    left join order_refs f on f.purchase_order_id = r.ref
    left join purchase_orders o
        on o.user_id = f.user_id and o.id = f.order_id and o.purchase_order_id = r.ref
    left join insured_bindings b on b.user_id = o.user_id and b.id = o.binding_id and b.order_id = o.id
    left join lateral (
        select coalesce(micro_sum(stands) filter (where kind = 'PREMIUM'), 0) as premium,
            coalesce(micro_sum(stands) filter (where kind = 'HELD'), 0) as held,
            coalesce(micro_sum(stands) filter (where kind = 'EARNED'), 0) as earned,
            coalesce(array_agg(kind::text order by kind) filter (where last <> legs), '{{}}') as gaps,
            min(posted_at) as posted_at
        from (
            select t.kind, micro_sum({SIGNED}) as stands, count(*) as legs, max(t.leg) as last,
                min(t.at) as posted_at
            from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
            where t.kind in ('PREMIUM', 'HELD', 'EARNED') and t.ref = r.ref
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
            coalesce(micro_sum(stands)
                filter (where kind in ('REFUND_PAID', 'WITHDRAWAL_PAID', 'PAID_OUT')), 0) as paid,
            coalesce(micro_sum(stands) filter (where kind = 'PAID_OUT'), 0) as unexplained,
            coalesce(array_agg(kind::text order by kind) filter (where last <> legs), '{{}}') as gaps,
            min(posted_at) as posted_at
        from unnest(array[{_LOG_KINDS}]::ledger_kind[]) as one (kind)
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
    where t.kind in ('OPENING', {_LOG_KINDS}) and length(t.ref) <> 36 and t.ref <> int8send($1)
    group by t.kind, t.ref having micro_sum({SIGNED}) <> 0
    order by t.kind, t.ref
    """,
    patience_sec=PATIENCE_SEC,
)
async def odd_refs(conn: Connection, chain_id: int) -> list[OddRef]:
    """What the ledger has under refs that are neither a log nor this chain."""
    ...
