"""Queries of disclosure: sums over all users, of which none is told that is of a few."""

from datetime import date, datetime

import msgspec

from liqpass.db import Connection, query
from liqpass.exposure.limits import Direction
from liqpass.orders.states import SETTLED

PATIENCE_SEC = 300.0

# Covers `o` of a chain $1 that were over before $2, and the bucket of chances (edges $3) in which each is.
_ENDED = """
    from purchase_orders o
    left join watched_covers w on w.user_id = o.user_id and w.order_id = o.id
    left join claims c on c.user_id = o.user_id and c.order_id = o.id
    where o.chain_id = $1 and o.status in ('ACTIVE', 'EXPIRED') and o.coverage_end_at < $2
"""
_BUCKET = "width_bucket(o.chance_ppm, $3::int[])"


class EndedCell(msgspec.Struct, frozen=True):
    """Covers of a product that ended, with chances between two edges. `liquidated`: something was approved
    for their claims; `undecided`: not known yet. Chances and their variances added up, in millionths; money
    in micro-USDC."""

    sku: str
    bucket: int
    ended: int
    liquidated: int
    undecided: int
    expected_ppm: int
    variance_ppm: int
    premiums: int
    payouts: int


@query(
    f"""
    select o.sku, {_BUCKET} as bucket, count(*) as ended,
        count(*) filter (where c.approved_amount > 0) as liquidated,
        count(*) filter (where coalesce(c.approved_amount, 0) = 0 and not {SETTLED}) as undecided,
        sum(o.chance_ppm)::bigint as expected_ppm,
        (sum(o.chance_ppm::bigint * (1000000 - o.chance_ppm)) / 1000000)::bigint as variance_ppm,
        sum(o.premium_amount)::bigint as premiums,
        coalesce(sum(c.approved_amount), 0)::bigint as payouts
    {_ENDED} and o.chance_ppm is not null
    group by 1, 2
    """,
    patience_sec=PATIENCE_SEC,
)
async def ended(conn: Connection, chain_id: int, until: datetime, edges: list[int]) -> list[EndedCell]:
    """By product and bucket of chances."""
    ...


class Holders(msgspec.Struct, frozen=True):
    """Wallets whose covers of a product that ended were in just these buckets (`mask`: a bit each), and those
    that ended since the product was last told of in just these (`fresh_mask`; 0: none did)."""

    sku: str
    mask: int
    fresh_mask: int
    wallets: int


@query(
    f"""
    select of.sku, of.mask, of.fresh_mask, count(*) as wallets
    from (
        select ended.sku, ended.user_id, bit_or(1 << ended.bucket) as mask,
            coalesce(bit_or(1 << ended.bucket)
                filter (where told.since is null or ended.coverage_end_at >= told.since), 0) as fresh_mask
        from (
            select o.sku, o.user_id, o.coverage_end_at, {_BUCKET} as bucket
            {_ENDED} and o.chance_ppm is not null
        ) ended
        left join unnest($4::text[], $5::timestamptz[]) as told (sku, since) on told.sku = ended.sku
        group by 1, 2
    ) of
    group by 1, 2, 3
    """,
    patience_sec=PATIENCE_SEC,
)
async def holders(
    conn: Connection,
    chain_id: int,
    until: datetime,
    edges: list[int],
    skus: list[str],
    since: list[datetime],
) -> list[Holders]:
    """By product and sets of buckets; `since`: of each of `skus`, until when it was told of."""
    ...


class OpenSum(msgspec.Struct, frozen=True):
    """What covers that run may still cost in one direction, in micro-USDC, and how many wallets have them."""

    direction: Direction
    wallets: int
    payouts: int


@query(
    f"""
    select r.direction, count(distinct o.user_id) as wallets,
        sum(o.payout_amount - coalesce(c.approved_amount, 0))::bigint as payouts
    from purchase_orders o
    join order_risks r on r.purchase_order_id = o.purchase_order_id
    left join watched_covers w on w.user_id = o.user_id and w.order_id = o.id
    left join claims c on c.user_id = o.user_id and c.order_id = o.id
    where o.chain_id = $1 and o.status = 'ACTIVE' and not {SETTLED}
    group by 1
    """,
    patience_sec=PATIENCE_SEC,
)
async def open_by_direction(conn: Connection, chain_id: int) -> list[OpenSum]:
    """Of the directions in which there is any."""
    ...


class Totals(msgspec.Struct, frozen=True):
    """Covers ever sold, those that ended and were priced before chances were kept, and what was approved for
    claims (micro-USDC)."""

    sold: int
    older: int
    payouts: int


@query(
    """
    select count(*) as sold, count(*) filter (where o.coverage_end_at < $2 and o.chance_ppm is null) as older,
        coalesce(sum(c.approved_amount), 0)::bigint as payouts
    from purchase_orders o
    left join claims c on c.user_id = o.user_id and c.order_id = o.id
    where o.chain_id = $1 and o.status in ('ACTIVE', 'EXPIRED')
    """,
    patience_sec=PATIENCE_SEC,
)
async def totals(conn: Connection, chain_id: int, until: datetime) -> Totals:
    """Of all covers."""
    ...


class Published(msgspec.Struct, frozen=True):
    """A day's figures as they were told."""

    day: date
    document: str
    sha256: bytes
    made_at: datetime


@query("select day, document, sha256, made_at from published_figures order by day desc limit 1")
async def newest(conn: Connection) -> Published | None:
    """Of the last day."""
    ...


@query("select day, document, sha256, made_at from published_figures where day = $1")
async def of_day(conn: Connection, day: date) -> Published | None:
    """Of this day."""
    ...


@query("""
    insert into published_figures (day, document, sha256, made_at) values ($1, $2, $3, $4)
    on conflict (day) do nothing
""")
async def keep(conn: Connection, day: date, document: str, sha256: bytes, made_at: datetime) -> None:
    """Once a day, whoever comes first."""
    ...
