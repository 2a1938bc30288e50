"""Queries of what may be off, over whole tables.

What agrees never leaves the database. Each of these reads its tables once: rows that have to agree
are brought under one key, with signs, and summed; where everything agrees, every sum is zero. They may name
something that is in order after all (time has passed a limit that is not sharp), but miss nothing.
"""

from collections.abc import AsyncIterator
from datetime import datetime

from liqpass.db import Connection, query
from liqpass.ledger.book import LOG_INDEX, SIGNED
from liqpass.orders.states import SETTLED
from liqpass.reconcile.facts.records import OrderSuspect, PositionSuspect
from liqpass.reconcile.facts.sql import LOG_KINDS, PAID_KINDS, PATIENCE_SEC

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
        select o.purchase_order_id, 0, case o.status when 'EXPIRED' then -o.payout_amount else 0 end, 0, 0, 0
        from watched_covers w join purchase_orders o on o.user_id = w.user_id and o.id = w.order_id
        where w.settled_at is null and o.chain_id = $1
        union all
        select o.purchase_order_id, 0, o.payout_amount, 0, 0, 0
        from purchase_orders o join watched_covers w on w.user_id = o.user_id and w.order_id = o.id
        where w.settled_at is not null and o.status in ('DRAFT', 'PAID_PENDING_CONFIRM', 'ACTIVE')
          and o.chain_id = $1
        union all
        select t.ref, 0, -{SIGNED}, 0, 0, 0
        from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
        join order_refs r on r.purchase_order_id = t.ref
        join purchase_orders o on o.user_id = r.user_id and o.id = r.order_id
        left join watched_covers w on w.user_id = o.user_id and w.order_id = o.id
        where t.kind = 'CLAIM' and {SETTLED}
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
            coalesce(micro_sum({SIGNED}) filter (where t.kind in ({PAID_KINDS})), 0) as paid,
            coalesce(micro_sum({SIGNED}) filter (where t.kind = 'PAID_OUT'), 0) as unexplained,
            coalesce(max(t.leg) filter (where t.kind = 'RECEIVED'), 0)
                + coalesce(max(t.leg) filter (where t.kind = 'CAPITAL'), 0)
                + coalesce(max(t.leg) filter (where t.kind = 'REFUND'), 0)
                + coalesce(max(t.leg) filter (where t.kind = 'REFUND_PAID'), 0)
                + coalesce(max(t.leg) filter (where t.kind = 'WITHDRAWAL_PAID'), 0)
                + coalesce(max(t.leg) filter (where t.kind = 'CLAIM_PAID'), 0)
                + coalesce(max(t.leg) filter (where t.kind = 'PAID_OUT'), 0) <> count(*) as gap
        from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
        where t.kind in ({LOG_KINDS}) and length(t.ref) = 36
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
