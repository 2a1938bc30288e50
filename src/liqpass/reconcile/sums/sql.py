"""Queries of counts and sums, each over one table. Money in micro-USDC; a period that is None has no end."""

from datetime import datetime

import msgspec

from liqpass.chain.view import Stage
from liqpass.db import Connection, query
from liqpass.ledger.book import Account, Kind
from liqpass.orders.states import OrderStatus

PATIENCE_SEC = 3600.0

_IN = "({1}::timestamptz is null or {0} >= {1}) and ({2}::timestamptz is null or {0} < {2})"


class OrdersSum(msgspec.Struct, frozen=True):
    """The orders of one status."""

    status: OrderStatus
    orders: int
    premium: int
    payout: int


@query(
    f"""
    select status, count(*) as orders, micro_sum(premium_amount) as premium,
        micro_sum(payout_amount) as payout
    from purchase_orders where chain_id = $1 and {_IN.format("created_at", "$2", "$3")}
    group by status order by status
    """,
    patience_sec=PATIENCE_SEC,
)
async def orders(
    conn: Connection, chain_id: int, first: datetime | None, until: datetime | None
) -> list[OrdersSum]:
    """The orders made in the period."""
    ...


class PaymentsSum(msgspec.Struct, frozen=True):
    """The payments at one stage."""

    stage: Stage
    payments: int
    amount: int


@query(
    f"""
    select stage, count(*) as payments, micro_sum(amount) as amount
    from premium_payments where chain_id = $1 and {_IN.format("block_time", "$2", "$3")}
    group by stage order by stage
    """,
    patience_sec=PATIENCE_SEC,
)
async def payments(
    conn: Connection, chain_id: int, first: datetime | None, until: datetime | None
) -> list[PaymentsSum]:
    """The payments in blocks of the period."""
    ...


class TransfersSum(msgspec.Struct, frozen=True):
    """The transfers into the treasury, or out of it, at one stage; `upto`: the amount of all periods in
    blocks up to the one that the balance is of."""

    out: bool
    stage: Stage
    transfers: int
    amount: int
    upto: int


@query(
    f"""
    select recipient is not null as out, stage,
        count(*) filter (where {_IN.format("block_time", "$3", "$4")}) as transfers,
        coalesce(micro_sum(amount) filter (where {_IN.format("block_time", "$3", "$4")}), 0) as amount,
        coalesce(micro_sum(amount) filter (where block_number <= $2), 0) as upto
    from usdc_transfers where chain_id = $1
    group by 1, 2 order by 1, 2
    """,
    patience_sec=PATIENCE_SEC,
)
async def transfers(
    conn: Connection, chain_id: int, block_number: int, first: datetime | None, until: datetime | None
) -> list[TransfersSum]:
    """The transfers in blocks of the period."""
    ...


class LedgerSum(msgspec.Struct, frozen=True):
    """The ledger's transfers of one kind in one direction; `amount_in`, `rows_in`: those of the period."""

    kind: Kind
    debit: Account
    credit: Account
    forward: bool
    rows: int
    amount: int
    rows_in: int
    amount_in: int


@query(
    f"""
    select s.kind, s.debit, s.credit, coalesce(k.forward, true) as forward, s.rows, s.amount, s.rows_in,
        s.amount_in
    from (
        select kind, debit, credit, count(*) as rows, micro_sum(amount) as amount,
            count(*) filter (where {_IN.format("at", "$1", "$2")}) as rows_in,
            coalesce(micro_sum(amount) filter (where {_IN.format("at", "$1", "$2")}), 0) as amount_in
        from ledger_transfers group by kind, debit, credit
    ) s
    left join ledger_kinds k using (kind, debit, credit)
    order by s.kind, forward desc
    """,
    patience_sec=PATIENCE_SEC,
)
async def ledger(conn: Connection, first: datetime | None, until: datetime | None) -> list[LedgerSum]:
    """All that was posted, and what of it in the period."""
    ...


@query(
    """
    with paid as (
        select purchase_order_id, tx_hash || int4send(log_index) as ref
        from premium_payments where chain_id = $1 and block_number > $2 and stage in ('SAFE', 'FINAL')
    ),
    above as (
        select 'RECEIVED'::ledger_kind as kind, ref from paid
        union
        select 'PREMIUM', purchase_order_id from paid
        where coalesce((
            select micro_sum(case debit when 'TREASURY' then amount else -amount end)
            from ledger_transfers t where t.kind = 'RECEIVED' and t.ref = paid.ref), 0) = 0
        union
        select one.kind, tx_hash || int4send(log_index)
        from usdc_transfers
        cross join unnest(array['RECEIVED', 'REFUND_PAID', 'WITHDRAWAL_PAID', 'CLAIM_PAID',
            'PAID_OUT']::ledger_kind[]) as one (kind)
        where chain_id = $1 and block_number > $2 and stage in ('SAFE', 'FINAL')
    )
    select coalesce(micro_sum(
        case when t.debit = 'TREASURY' then t.amount when t.credit = 'TREASURY' then -t.amount end), 0)
    from above join ledger_transfers t using (kind, ref)
    """,
    patience_sec=PATIENCE_SEC,
)
async def posted_above(conn: Connection, chain_id: int, block_number: int) -> int:
    """By how much the treasury grew in the ledger through logs above this block."""
    ...


@query(
    """
    select count(*) from (
        select tx_hash from settle_queue where chain_id = $1
        union select tx_hash from transfer_queue where chain_id = $1
    ) q
    where exists (
        select from usdc_transfers t
        where t.chain_id = $1 and t.tx_hash = q.tx_hash and t.changed_at > $2
        union all
        select from premium_payments p
        where p.chain_id = $1 and p.tx_hash = q.tx_hash and p.changed_at > $2)
    """,
    patience_sec=PATIENCE_SEC,
)
async def waiting(conn: Connection, chain_id: int, waiting_since: datetime) -> int:
    """How many transactions changed lately and are not settled or booked yet."""
    ...
