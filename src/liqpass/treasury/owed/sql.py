"""Queries of what claims are owed: below claims, but in the same transaction as what is approved."""

from uuid import UUID

import msgspec

from liqpass.db import Connection, query
from liqpass.ledger.book import STANDING
from liqpass.orders.states import SETTLED
from liqpass.treasury.records import OpenCover


class Cover(msgspec.Struct, frozen=True):
    """What an order pays at most, and what of it is approved as its claim's, in micro-USDC. `settled`: beyond
    that nothing is held for it."""

    payout: int
    claim: int
    settled: bool


@query("""
    select c.id from order_refs r join claims c on c.user_id = r.user_id and c.order_id = r.order_id
    where r.purchase_order_id = $1
    for update of c
""")
async def lock_claim(conn: Connection, purchase_order_id: bytes) -> UUID | None:
    """The claim of an order, which nobody else changes until the transaction ends."""
    ...


@query("""
    select w.order_id from order_refs r
    join watched_covers w on w.user_id = r.user_id and w.order_id = r.order_id
    where r.purchase_order_id = $1
    for no key update of w
""")
async def lock_cover(conn: Connection, purchase_order_id: bytes) -> UUID | None:
    """The cover of an order, which nobody settles until the transaction ends."""
    ...


@query(f"""
    select o.payout_amount as payout, claimed.stands as claim,
        {SETTLED} as settled
    from (select 'CLAIM'::ledger_kind as kind, $1::bytea as ref) e
    cross join lateral ({STANDING}) claimed
    join order_refs r on r.purchase_order_id = e.ref
    join purchase_orders o on o.user_id = r.user_id and o.id = r.order_id
    left join watched_covers w on w.user_id = o.user_id and w.order_id = o.id
""")
async def cover(conn: Connection, purchase_order_id: bytes) -> Cover:
    """What stands for an order, under the locks. Raises LookupError: there is no such order."""
    ...


@query(f"""
    select sku, count(*) as orders, sum(payout_amount - coalesce(approved_amount, 0))::bigint as payout
    from purchase_orders o
    left join watched_covers w on w.user_id = o.user_id and w.order_id = o.id
    left join claims c on c.user_id = o.user_id and c.order_id = o.id
    where o.status in ('DRAFT', 'PAID_PENDING_CONFIRM', 'ACTIVE') and o.chain_id = $1 and not {SETTLED}
    group by sku order by sku
""")
async def open_cover(conn: Connection, chain_id: int) -> list[OpenCover]:
    """Open orders by product, without those that are settled while their cover runs."""
    ...


class Waiting(msgspec.Struct, frozen=True):
    """Covers that have ended and are not settled: their payouts, less what was approved of their claims."""

    covers: int
    locked: int


@query(f"""
    select count(*) as covers, coalesce(sum(o.payout_amount - claimed.stands), 0)::bigint as locked
    from watched_covers w
    join purchase_orders o on o.user_id = w.user_id and o.id = w.order_id
    cross join lateral (select 'CLAIM'::ledger_kind as kind, o.purchase_order_id as ref) e
    cross join lateral ({STANDING}) claimed
    where w.settled_at is null and o.status = 'EXPIRED' and o.chain_id = $1
""")
async def waiting(conn: Connection, chain_id: int) -> Waiting:
    """What is locked although no cover runs."""
    ...


@query("""
    update claims c set approved_amount = $2 from order_refs r
    where r.purchase_order_id = $1 and c.user_id = r.user_id and c.order_id = r.order_id
""")
async def approved_for(conn: Connection, purchase_order_id: bytes, amount: int) -> None:
    """So much of a claim is approved after all."""
    ...
