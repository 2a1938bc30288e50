"""Queries of the treasury: the outbox of transfers, the opening, suspense, disbursements, the pool."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.chain.view import Stage
from liqpass.db import Connection, query
from liqpass.ledger.book import LOG_INDEX, SIGNED, STANDING
from liqpass.treasury.pairing import Due, Made, Premium, Purpose, Transfer
from liqpass.treasury.records import Disbursement, Outflow, Suspended

# Booking ------------------------------------------------------------------------------------------------


@query("""
    select q.tx_hash from transfer_queue q
    where q.chain_id = $1
      and not exists (select from settle_queue s where s.chain_id = q.chain_id and s.tx_hash = q.tx_hash)
    order by q.tx_hash
    limit $2 offset $3
    for update of q skip locked
""")
async def take_queue(conn: Connection, chain_id: int, at_most: int, passing_over: int) -> list[bytes]:
    """Transactions to book, locked: a change that comes meanwhile waits and queues itself again. Those whose
    payments wait to be settled come after that: the two may speak of the same place in the chain."""
    ...


@query("delete from transfer_queue where chain_id = $1 and tx_hash = any($2)")
async def leave_queue(conn: Connection, chain_id: int, tx_hashes: list[bytes]) -> None:
    """These are booked."""
    ...


@query("""
    insert into transfer_queue (chain_id, tx_hash)
    select distinct t.chain_id, t.tx_hash
    from disbursements d
    join usdc_transfers t on t.chain_id = d.chain_id and t.recipient = d.recipient and t.amount = d.amount
    where d.chain_id = $1 and d.cancelled_at is null and t.stage in ('SAFE', 'FINAL')
      and not exists (select from disbursements_made m where m.disbursement_id = d.id)
      and not exists (
        select from disbursements_made m
        where m.chain_id = t.chain_id and m.tx_hash = t.tx_hash and m.log_index = t.log_index)
    on conflict do nothing
""")
async def queue_what_may_be_due(conn: Connection, chain_id: int) -> None:
    """Book once more what left the treasury and would make an open disbursement: one asked for after the
    transfer, or one whose own transfer is gone."""
    ...


@query("""
    select tx_hash, log_index, block_number, block_hash, sender, recipient, amount, stage
    from usdc_transfers where chain_id = $1 and tx_hash = any($2)
""")
async def transfers_of(conn: Connection, chain_id: int, tx_hashes: list[bytes]) -> list[Transfer]:
    """All transfers of these transactions, dropped ones among them."""
    ...


@query("""
    select tx_hash, log_index, block_hash, payer, amount, stage
    from premium_payments where chain_id = $1 and tx_hash = any($2)
""")
async def premiums_of(conn: Connection, chain_id: int, tx_hashes: list[bytes]) -> list[Premium]:
    """All payments of these transactions, dropped ones among them."""
    ...


@query("""
    select m.tx_hash, m.log_index, m.disbursement_id, d.purpose, d.recipient, d.amount
    from disbursements_made m join disbursements d on d.id = m.disbursement_id
    where m.chain_id = $1 and m.tx_hash = any($2)
""")
async def made_by(conn: Connection, chain_id: int, tx_hashes: list[bytes]) -> list[Made]:
    """The disbursements that these transactions were found to make."""
    ...


@query("""
    delete from disbursements_made m using unnest($2::bytea[], $3::int[]) as gone (tx_hash, log_index)
    where m.chain_id = $1 and m.tx_hash = gone.tx_hash and m.log_index = gone.log_index
""")
async def unmake(conn: Connection, chain_id: int, tx_hashes: list[bytes], log_indexes: list[int]) -> None:
    """These disbursements are open again."""
    ...


@query("""
    select d.id, d.purpose, d.recipient, d.amount from disbursements d
    where d.chain_id = $1 and d.cancelled_at is null
      and (d.recipient, d.amount) in (select * from unnest($2::bytea[], $3::bigint[]))
      and not exists (select from disbursements_made m where m.disbursement_id = d.id)
    order by d.asked_at, d.id
    for update of d
""")
async def lock_dues(
    conn: Connection, chain_id: int, recipients: list[bytes], amounts: list[int]
) -> list[Due]:
    """Disbursements that may be open, the oldest first. Whether they are is asked again under the lock: what
    was waited for may have been the one that made them."""
    ...


@query("select disbursement_id from disbursements_made where disbursement_id = any($1)")
async def made_among(conn: Connection, disbursement_ids: list[UUID]) -> list[UUID]:
    """Those of these that are made."""
    ...


@query("""
    insert into disbursements_made
        (chain_id, tx_hash, log_index, disbursement_id, made_at, adopted_by, adopt_reason)
    select $1, tx_hash, log_index, disbursement_id, $5, $6, $7
    from unnest($2::bytea[], $3::int[], $4::uuid[]) as m (tx_hash, log_index, disbursement_id)
""")
async def make(
    conn: Connection,
    chain_id: int,
    tx_hashes: list[bytes],
    log_indexes: list[int],
    disbursement_ids: list[UUID],
    now: datetime,
    by: str | None,
    reason: str | None,
) -> None:
    """These transfers make these disbursements: found so, or, with a name and a reason, said to be so."""
    ...


@query("""
    insert into transfer_queue (chain_id, tx_hash) values ($1, $2)
    on conflict (chain_id, tx_hash) do update set bumps = transfer_queue.bumps + 1
""")
async def hold_back(conn: Connection, chain_id: int, tx_hash: bytes) -> None:
    """Nobody else books this transaction until ours ends; then it is booked again, which changes nothing."""
    ...


# Opening ------------------------------------------------------------------------------------------------


@query("select exists (select from ledger_openings where chain_id = $1)")
async def is_open(conn: Connection, chain_id: int) -> bool:
    """Whether this chain's books have begun."""
    ...


class Moved(msgspec.Struct, frozen=True):
    """What is stored of the treasury up to a block, in micro-USDC."""

    came_in: int
    went_out: int


@query(
    """
    select coalesce(sum(amount) filter (where recipient is null), 0)::bigint as came_in,
        coalesce(sum(amount) filter (where recipient is not null), 0)::bigint as went_out
    from usdc_transfers where chain_id = $1 and block_number <= $2 and stage <> 'DROPPED'
    """,
    patience_sec=300,
)
async def moved_upto(conn: Connection, chain_id: int, block_number: int) -> Moved:
    """The sums of all transfers up to this block."""
    ...


@query("""
    insert into ledger_openings (chain_id, block_number, block_hash, treasury_balance, opening, opened_at)
    values ($1, $2, $3, $4, $5, $6)
    on conflict (chain_id) do nothing
    returning true
""")
async def keep_opening(
    conn: Connection,
    chain_id: int,
    block_number: int,
    block_hash: bytes,
    treasury_balance: int,
    opening: int,
    now: datetime,
) -> bool | None:
    """Begin the books. None: somebody else has."""
    ...


# Suspense -----------------------------------------------------------------------------------------------

_STANDS = f"coalesce(sum({SIGNED}) filter ({{}}), 0)::bigint"
_CAME_IN = _STANDS.format("where t.kind in ('RECEIVED', 'OPENING')")
_GIVEN = _STANDS.format("where t.kind in ('CAPITAL', 'REFUND')")


class Remaining(msgspec.Struct, frozen=True):
    """What came in under a ref, and what of it was given to the pool or is given back. Micro-USDC."""

    came_in: int
    capital: int
    refund: int


@query(f"""
    select {_CAME_IN} as came_in, {_STANDS.format("where t.kind = 'CAPITAL'")} as capital,
        {_STANDS.format("where t.kind = 'REFUND'")} as refund
    from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
    where t.kind in ('RECEIVED', 'OPENING', 'CAPITAL', 'REFUND') and t.ref = $1
""")
async def remaining(conn: Connection, ref: bytes) -> Remaining:
    """What of one item is in suspense. Its row has to be locked by who wants to take of it."""
    ...


@query(f"""
    with items as (
        select t.ref, {_CAME_IN} as amount, {_CAME_IN} - {_GIVEN} as remaining,
            case when length(t.ref) = 36 then substring(t.ref for 32) end as tx_hash,
            case when length(t.ref) = 36 then {LOG_INDEX.format("t.ref")} end as log_index
        from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
        where t.kind in ('RECEIVED', 'OPENING', 'CAPITAL', 'REFUND')
        group by t.ref
    )
    select i.ref, i.amount, i.remaining, i.tx_hash, i.log_index, coalesce(p.payer, u.sender) as sender,
        coalesce(p.block_time, u.block_time, o.opened_at) as at, coalesce(p.stage, u.stage) as stage,
        p.purchase_order_id, s.outcome
    from items i
    left join premium_payments p on p.chain_id = $1 and p.tx_hash = i.tx_hash and p.log_index = i.log_index
        and p.stage <> 'DROPPED'
    left join payment_settlements s
        on s.chain_id = p.chain_id and s.tx_hash = p.tx_hash and s.log_index = p.log_index
    left join usdc_transfers u on u.chain_id = $1 and u.tx_hash = i.tx_hash and u.log_index = i.log_index
        and u.stage <> 'DROPPED' and p.tx_hash is null
    left join ledger_openings o on o.chain_id = $1 and i.ref = int8send(o.chain_id)
    where i.remaining > 0
    order by o.chain_id is null, at, i.ref
""")
async def suspended(conn: Connection, chain_id: int) -> list[Suspended]:
    """All that is in suspense, the oldest first."""
    ...


class Log(msgspec.Struct, frozen=True):
    """Whoever sent it, and how sure it is."""

    sender: bytes
    stage: Stage


@query("""
    select payer as sender, stage from premium_payments
    where chain_id = $1 and tx_hash = $2 and log_index = $3 and stage <> 'DROPPED'
    for no key update
""")
async def lock_payment(conn: Connection, chain_id: int, tx_hash: bytes, log_index: int) -> Log | None:
    """The payment under which an item came in: who takes of the item waits here for whoever else does."""
    ...


@query("""
    select sender, stage from usdc_transfers
    where chain_id = $1 and tx_hash = $2 and log_index = $3 and stage <> 'DROPPED' and recipient is null
    for no key update
""")
async def lock_transfer(conn: Connection, chain_id: int, tx_hash: bytes, log_index: int) -> Log | None:
    """The same for a transfer."""
    ...


@query("select opening from ledger_openings where chain_id = $1 for no key update")
async def lock_opening(conn: Connection, chain_id: int) -> int | None:
    """The same for the opening balance."""
    ...


# Disbursements ------------------------------------------------------------------------------------------


@query("""
    insert into disbursements (id, chain_id, purpose, ref, recipient, amount, reason, asked_by, asked_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
""")
async def ask(
    conn: Connection,
    disbursement_id: UUID,
    chain_id: int,
    purpose: Purpose,
    ref: bytes,
    recipient: bytes,
    amount: int,
    reason: str,
    by: str,
    now: datetime,
) -> None:
    """Something is to be paid out."""
    ...


_DISBURSEMENTS = """
    select d.id, d.purpose, d.ref, d.recipient, d.amount, d.reason, d.asked_by, d.asked_at, d.batched_at,
        d.cancelled_at, m.tx_hash as made_by,
        d.purpose = 'CLAIM' and exists (
            select from order_refs r join purchase_orders o on o.user_id = r.user_id and o.id = r.order_id
            where r.purchase_order_id = d.ref and o.status not in ('ACTIVE', 'EXPIRED')) as uncovered,
        (select t.tx_hash from usdc_transfers t
         where t.chain_id = d.chain_id and t.recipient = d.recipient and t.amount = d.amount
           and t.stage <> 'DROPPED' and m.tx_hash is null and d.cancelled_at is null and not exists (
            select from disbursements_made o
            where o.chain_id = t.chain_id and o.tx_hash = t.tx_hash and o.log_index = t.log_index)
         order by t.block_number, t.log_index limit 1) as shown
    from disbursements d left join disbursements_made m on m.disbursement_id = d.id
"""


@query(f"{_DISBURSEMENTS} where d.chain_id = $1 and d.id = $2")
async def disbursement(conn: Connection, chain_id: int, disbursement_id: UUID) -> Disbursement | None:
    """One disbursement."""
    ...


@query(f"""{_DISBURSEMENTS}
    where d.chain_id = $1 and d.cancelled_at is null and m.tx_hash is null
    order by d.asked_at, d.id
""")
async def dues(conn: Connection, chain_id: int) -> list[Disbursement]:
    """All that is still to be paid out, the oldest first."""
    ...


@query(f"""
    select e.ref, u.recipient, was.stands as amount, u.block_time as at
    from usdc_transfers u
    cross join lateral (select 'PAID_OUT'::ledger_kind as kind, u.tx_hash || int4send(u.log_index) as ref) e
    cross join lateral ({STANDING}) was
    where u.chain_id = $1 and u.recipient = any($2) and was.stands > 0
    order by u.block_number, u.log_index
""")
async def unexplained(conn: Connection, chain_id: int, recipients: list[bytes]) -> list[Outflow]:
    """What left the treasury without a reason to these wallets, the oldest first."""
    ...


@query("select id from disbursements where chain_id = $1 and id = any($2) order by asked_at, id for update")
async def lock_disbursements(conn: Connection, chain_id: int, disbursement_ids: list[UUID]) -> list[UUID]:
    """Nobody else makes, cancels or batches these until the transaction ends."""
    ...


@query(f"""
    select e.id from (
        select purpose::text::ledger_kind as kind, ref, sum(amount) as amount, min(id::text) as id
        from disbursements where chain_id = $1 and cancelled_at is null
        group by purpose, ref
        having bool_or(id = any($2))
    ) e
    cross join lateral ({STANDING}) was
    where was.stands <> e.amount
    order by e.id limit 1
""")
async def not_booked(conn: Connection, chain_id: int, disbursement_ids: list[UUID]) -> str | None:
    """One of these of whose item, or of which, the ledger does not say that so much is given away."""
    ...


@query("update disbursements set batched_at = $2 where id = any($1)")
async def mark_batched(conn: Connection, disbursement_ids: list[UUID], now: datetime) -> None:
    """They stand in a batch file."""
    ...


@query("update disbursements set cancelled_at = $2, cancelled_by = $3, cancel_reason = $4 where id = $1")
async def cancel(conn: Connection, disbursement_id: UUID, now: datetime, by: str, reason: str) -> None:
    """It is not to be paid out after all."""
    ...


# Pool ---------------------------------------------------------------------------------------------------


@query("""
    insert into pool_deposits (id, chain_id, ref, amount, deposited_by, deposited_at)
    values ($1, $2, $3, $4, $5, $6)
""")
async def keep_deposit(
    conn: Connection, deposit_id: UUID, chain_id: int, ref: bytes, amount: int, by: str, now: datetime
) -> None:
    """Who made money in suspense the pool's."""
    ...
