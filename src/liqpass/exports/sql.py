"""Queries of the exports. They run in one snapshot, and only read."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.claims.states import ClaimStatus, Opener
from liqpass.db import Connection, query
from liqpass.ledger.book import LOG_INDEX, Account, Kind


class Transfer(msgspec.Struct, frozen=True):
    """A transfer of the ledger with what is known of its order, its log and its disbursement."""

    seq: int
    at: datetime
    kind: Kind
    leg: int
    reversal: bool
    debit: Account
    credit: Account
    amount: int
    order_id: bytes | None
    tx_hash: bytes | None
    log_index: int | None
    block_number: int | None
    counterparty: bytes | None
    disbursement_id: str | None
    reason: str | None


class Sum(msgspec.Struct, frozen=True):
    """An account and an amount in micro-USDC, debits positive."""

    account: Account
    amount: int


class Block(msgspec.Struct, frozen=True):
    """A finalized block."""

    number: int
    hash: bytes


class Difference(msgspec.Struct, frozen=True):
    """By how much the books are ahead of the chain in one transaction, in micro-USDC; negative: behind."""

    tx_hash: bytes
    amount: int


PATIENCE_SEC = 600  # for what adds up whole tables
# Of the payments that name an order: the one that pays it first, then what is on chain, then the newest.
_BEST = (
    "s.outcome is not distinct from 'MATCHED' desc, p.stage <> 'DROPPED' desc, p.changed_at desc, p.tx_hash"
)


@query(
    """
    select account, sum(amount)::bigint as amount
    from (
        select debit as account, amount, at from ledger_transfers
        union all
        select credit, -amount, at from ledger_transfers
    ) as sides
    where at < $1
    group by account having sum(amount) <> 0 order by account
""",
    patience_sec=PATIENCE_SEC,
)
async def sums_before(conn: Connection, first: datetime) -> list[Sum]:
    """What every account stood at, by its transfers alone."""
    ...


@query(
    f"""
    with page as (
        select t.*, not k.forward as reversal,
            case when length(t.ref) = 36 then substring(t.ref for 32) end as tx_hash,
            case when length(t.ref) = 36 then {LOG_INDEX.format("t.ref")} end as log_index
        from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
        where t.seq > $2 and ($3::timestamptz is null or t.at >= $3)
          and ($4::timestamptz is null or t.at < $4)
        order by t.seq limit $5
    )
    select t.seq, t.at, t.kind, t.leg, t.reversal, t.debit, t.credit, t.amount,
        case when t.kind in ('PREMIUM', 'EARNED', 'HELD', 'CLAIM') then t.ref
            else coalesce(named.purchase_order_id, made.of_order) end as order_id,
        coalesce(t.tx_hash, paid.tx_hash) as tx_hash, coalesce(t.log_index, paid.log_index) as log_index,
        coalesce(moved.block_number, named.block_number, paid.block_number) as block_number,
        coalesce(moved.counterparty, named.payer, paid.payer) as counterparty,
        coalesce(made.ids, d.id::text) as disbursement_id, coalesce(made.reasons, d.reason) as reason
    from page t
    -- By `limit 1` each of these is looked up row by row: hashing whole tables for every page would cost the
    -- square of their size.
    left join lateral (
        select u.block_number, coalesce(u.recipient, u.sender) as counterparty from usdc_transfers u
        where t.tx_hash is not null
          and u.chain_id = $1 and u.tx_hash = t.tx_hash and u.log_index = t.log_index
        limit 1
    ) as moved on true
    left join lateral (
        select p.block_number, p.payer, p.purchase_order_id from premium_payments p
        where t.tx_hash is not null
          and p.chain_id = $1 and p.tx_hash = t.tx_hash and p.log_index = t.log_index
        limit 1
    ) as named on true
    left join lateral (
        select p.tx_hash, p.log_index, p.block_number, p.payer
        from premium_payments p left join payment_settlements s using (chain_id, tx_hash, log_index)
        where t.kind = 'PREMIUM' and p.chain_id = $1 and p.purchase_order_id = t.ref
          and coalesce(s.outcome in ('MATCHED', 'DROPPED'), true)
        -- What was booked and taken back again was paid by what has left the chain, if anything has.
        order by (p.stage = 'DROPPED') = (t.reversal or exists (
            select from ledger_transfers later join ledger_kinds k using (kind, debit, credit)
            where later.kind = t.kind and later.ref = t.ref and later.leg > t.leg and not k.forward)) desc,
            {_BEST}
        limit 1
    ) as paid on true
    left join lateral (
        select string_agg(d.id::text, ' ' order by d.id) as ids,
            string_agg(d.reason, '; ' order by d.id) as reasons,
            case when count(distinct d.ref) = 1
                then (array_agg(d.ref) filter (where d.purpose = 'CLAIM'))[1] end as of_order
        from disbursements_made m join disbursements d on d.id = m.disbursement_id
        where m.chain_id = $1 and m.tx_hash = t.tx_hash and m.log_index = t.log_index
          and t.kind::text = d.purpose || '_PAID'
    ) as made on true
    left join lateral (
        select r.id from disbursements r
        where t.kind in ('REFUND', 'CLAIM') and r.purpose::text = t.kind::text and r.ref = t.ref
          and r.amount = t.amount
          and t.at = case when t.reversal then r.cancelled_at else r.asked_at end
        order by r.id limit 1
    ) as asked on true
    left join disbursements d
        on d.id = coalesce(asked.id,
            case when t.kind = 'WITHDRAWAL' and length(t.ref) = 16 then encode(t.ref, 'hex')::uuid end)
    order by t.seq
"""
)
async def transfers(
    conn: Connection, chain_id: int, after: int, first: datetime | None, until: datetime | None, at_most: int
) -> list[Transfer]:
    """The next transfers in the ledger's order, posted from `first` on and before `until`."""
    ...


@query("""
    select c.finalized_number as number, c.finalized_hash as hash
    from chain_cursors c join ledger_openings o using (chain_id)
    where c.chain_id = $1
""")
async def finalized(conn: Connection, chain_id: int) -> Block | None:
    """The newest block of which all is known for good; None before the books of this chain were opened."""
    ...


@query("""
    select t.block_number as number, t.block_hash as hash
    from usdc_transfers t join ledger_openings o using (chain_id)
    where t.chain_id = $1 and t.stage = 'FINAL' and t.block_time < $2 and o.opened_at < $2
    order by t.block_number desc limit 1
""")
async def last_transfer_before(conn: Connection, chain_id: int, until: datetime) -> Block | None:
    """The block of the last final transfer before a moment; None before the books were opened."""
    ...


@query(
    f"""
    with paid as (
        select distinct on (p.purchase_order_id) p.purchase_order_id as ref, p.tx_hash
        from premium_payments p left join payment_settlements s using (chain_id, tx_hash, log_index)
        where p.chain_id = $1
        order by p.purchase_order_id, {_BEST}
    ),
    booked as (
        select tx_hash, coalesce(sum(amount) filter (where not later), 0) as amount, bool_or(later) as later
        from (
            select case when length(t.ref) = 36 then substring(t.ref for 32) else paid.tx_hash end as tx_hash,
                case when t.debit = 'TREASURY' then t.amount else -t.amount end as amount,
                coalesce(t.at >= $3, false) as later
            from ledger_transfers t left join paid on t.kind = 'PREMIUM' and paid.ref = t.ref
            where 'TREASURY' in (t.debit, t.credit) and length(t.ref) <> 8  -- that is the opening
        ) as sides
        group by tx_hash
    ),
    shown as (
        select tx_hash,
            coalesce(sum(case when recipient is null then amount else -amount end)
                filter (where stage = 'FINAL' and block_number <= $2), 0) as amount
        from usdc_transfers where chain_id = $1 group by tx_hash
    ),
    -- A payment is booked whether or not its transfer is stored: either may be what is newer.
    newer as (
        select tx_hash from usdc_transfers
        where chain_id = $1 and (stage in ('SEEN', 'SAFE') or stage = 'FINAL' and block_number > $2)
        union select tx_hash from premium_payments
        where chain_id = $1 and (stage in ('SEEN', 'SAFE') or stage = 'FINAL' and block_number > $2)
        union select tx_hash from transfer_queue where chain_id = $1
        union select tx_hash from settle_queue where chain_id = $1
    )
    select tx_hash, (coalesce(b.amount, 0) - coalesce(s.amount, 0))::bigint as amount
    from booked b full join shown s using (tx_hash) left join newer n using (tx_hash)
    where coalesce(b.amount, 0) <> coalesce(s.amount, 0) and (b.later or n.tx_hash is not null)
    order by tx_hash
""",
    patience_sec=PATIENCE_SEC,
)
async def in_transit(
    conn: Connection, chain_id: int, block_number: int, until: datetime | None
) -> list[Difference]:
    """What time explains of the difference between the books before `until` and the chain at a final block:
    a log that is newer than the block, a booking that came later, a transaction that waits to be booked.
    What nothing explains is not among them."""
    ...


class ClaimRow(msgspec.Struct, frozen=True):
    """A claim. `amount`: all that is owed by its newest verdict, None while unknown; `approved`: all that was
    approved; `paid` by the transfers in `tx_hashes`, as the chain shows them now."""

    id: UUID
    order_id: bytes
    status: ClaimStatus
    opened_at: datetime
    opened_by: Opener
    liquidated_at: datetime | None
    trigger_px: str | None
    amount: int | None
    approved: int
    paid: int
    recipient: bytes
    tx_hashes: list[bytes]
    policy_version: str
    bundle_sha256: bytes | None


NO_CLAIM = UUID(int=0)
"""Before the first."""


@query("""
    select c.id, c.purchase_order_id as order_id, c.status, c.opened_at, c.opened_by, c.liquidated_at,
        c.trigger_px, c.amount, c.approved_amount as approved, p.paid, c.recipient, p.tx_hashes,
        o.claims_policy as policy_version, c.bundle_sha256
    from claims c
    join purchase_orders o on o.user_id = c.user_id and o.id = c.order_id and o.chain_id = $1
    cross join lateral (
        select coalesce(sum(d.amount), 0)::bigint as paid,
            coalesce(array_agg(m.tx_hash order by t.block_number, t.log_index), '{}') as tx_hashes
        from disbursements d
        join disbursements_made m on m.disbursement_id = d.id
        join usdc_transfers t
            on t.chain_id = m.chain_id and t.tx_hash = m.tx_hash and t.log_index = m.log_index
        where d.ref = c.purchase_order_id and d.purpose = 'CLAIM' and m.chain_id = $1
    ) p
    where c.id > $2 and ($3::timestamptz is null or c.opened_at >= $3)
      and ($4::timestamptz is null or c.opened_at < $4)
    order by c.id limit $5
""")
async def claims(
    conn: Connection, chain_id: int, after: UUID, first: datetime | None, until: datetime | None, at_most: int
) -> list[ClaimRow]:
    """The next claims (ids are sorted by time), opened from `first` on and before `until`."""
    ...
