"""What our own books say of our prices, once a day: predicted against seen, and nothing about one trader.

Premiums and payouts are on chain, with their wallets. Which of them is of which product, chance or direction
is not, and a figure of few would tell it; so would the difference of a figure to that of the day before. So a
product is told of, anew too, only once covers of five wallets more have ended in it, and chances are put
together until that is so in each bucket; a direction's open sum is rounded up, and hidden below five wallets.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from liqpass.clock import Clock
from liqpass.db import Connection, Database
from liqpass.disclosure import sql
from liqpass.exposure.limits import Direction, Scope
from liqpass.exposure.reading import shown
from liqpass.hexes import to_hex
from liqpass.ledger.book import Account
from liqpass.ledger.posting import balances
from liqpass.money import MICRO, ceil_div
from liqpass.reconcile.documents import canonical, digest

FORMAT = 1
FEWEST = 5
"""Wallets behind a figure, and behind its change."""
EDGES_PPM = (20_000, 50_000, 100_000, 200_000)
STEP = 1_000 * MICRO
"""To how much open sums are rounded up: more than most payouts, so that one order is not seen in them."""


class Cell(msgspec.Struct, frozen=True, rename="camel"):
    """Covers that ended, with chances from `from_ppm` to below `to_ppm`: how many were liquidated, of how
    many it is not known yet, their chances and the variances of these added up, in millionths of a cover.
    Money in micro-USDC."""

    from_ppm: int
    to_ppm: int
    ended: int
    liquidated: int
    undecided: int
    expected_ppm: int
    variance_ppm: int
    premiums: str
    payouts: str


class OfProduct(msgspec.Struct, frozen=True, rename="camel"):
    """A product's covers that ended until the end of the day `upto`; None, without cells: of too few
    wallets."""

    sku: str
    upto: date | None
    cells: list[Cell]


class Open(msgspec.Struct, frozen=True, rename="camel"):
    """What covers that run may cost in a direction, in micro-USDC, rounded up to whole thousands of USDC;
    None: of too few wallets."""

    direction: Direction
    payouts: str | None


class Figures(msgspec.Struct, frozen=True, rename="camel"):
    """Of a day, which ends at 24:00 UTC. `sold`, `premiums`, `payouts` (approved for claims), `capital` and
    `open` are of the moment `made_at`; a direction may be `direction_share_bps` of the capital. `older`:
    covers that ended and were priced before chances were kept."""

    format: int
    day: date
    made_at: datetime
    previous_sha256: str | None
    fewest_wallets: int
    sold: int
    premiums: str
    payouts: str
    capital: str
    direction_share_bps: int
    open: list[Open]
    products: list[OfProduct]
    older: int


class Told(msgspec.Struct, frozen=True):
    """The figures, and the SHA-256 of their document, in hexadecimal."""

    figures: Figures
    sha256: str


async def publish_due(db: Database, clock: Clock, chain_id: int) -> None:
    """Write the figures of yesterday, unless they are there. Days on which nobody worked stay without."""
    now = clock()
    day = now.astimezone(UTC).date() - timedelta(days=1)
    async with db.one_moment() as conn:
        last = await sql.newest(conn)
        if last is not None and last.day >= day:
            return
        document = canonical(await _made(conn, now, day, last, chain_id))
    await db.run(lambda conn: sql.keep(conn, day, document, digest(document), now), one_statement=True)


async def newest(conn: Connection) -> Told | None:
    """The last ones; None before the first."""
    found = await sql.newest(conn)
    return _told(found) if found else None


async def document_of(conn: Connection, day: date) -> str | None:
    """A day's figures, byte for byte what their SHA-256 is of."""
    found = await sql.of_day(conn, day)
    return found.document if found else None


def _told(found: sql.Published) -> Told:
    return Told(msgspec.json.decode(found.document, type=Figures), to_hex(found.sha256))


async def _made(
    conn: Connection, now: datetime, day: date, last: sql.Published | None, chain_id: int
) -> Figures:
    before = _told(last).figures.products if last else []
    until = _end_of(day)
    totals = await sql.totals(conn, chain_id, until)
    books = await balances(conn)
    sums = {one.direction: one for one in await sql.open_by_direction(conn, chain_id)}
    return Figures(
        format=FORMAT,
        day=day,
        made_at=now,
        previous_sha256=to_hex(last.sha256) if last else None,
        fewest_wallets=FEWEST,
        sold=totals.sold,
        premiums=str(books[Account.UNEARNED_PREMIUM] + books[Account.EARNED_PREMIUM]),
        payouts=str(totals.payouts),
        capital=str(books[Account.POOL_FREE] + books[Account.POOL_LOCKED]),
        direction_share_bps=(await shown(conn, now, largest=0)).limit(Scope.DIRECTION).share_bps,
        open=[Open(direction, _rounded(sums.get(direction))) for direction in Direction],
        products=await _products(conn, chain_id, day, before),
        older=totals.older,
    )


async def _products(
    conn: Connection, chain_id: int, day: date, before: Sequence[OfProduct]
) -> list[OfProduct]:
    """Each as it is at the end of the day, or as it was told last."""
    until, edges = _end_of(day), list(EDGES_PPM)
    told = {one.sku: one for one in before}
    since = {sku: _end_of(one.upto) for sku, one in told.items() if one.upto}
    cells = await sql.ended(conn, chain_id, until, edges)
    holders = await sql.holders(conn, chain_id, until, edges, list(since), list(since.values()))
    return [
        product(
            [one for one in cells if one.sku == sku],
            [one for one in holders if one.sku == sku],
            sku,
            day,
            told.get(sku),
        )
        for sku in sorted({one.sku for one in cells} | told.keys())
    ]


def product(
    cells: Sequence[sql.EndedCell],
    holders: Sequence[sql.Holders],
    sku: str,
    day: date,
    told: OfProduct | None,
) -> OfProduct:
    """What to tell of a product: what was told before, until a cover of five wallets more has ended."""
    if sum(one.wallets for one in holders if one.fresh_mask) < FEWEST:
        return told or OfProduct(sku, None, [])
    of = {cell.bucket: cell for cell in cells}
    return OfProduct(sku, day, [_cell(group, of) for group in _groups(holders)])


def _groups(holders: Sequence[sql.Holders]) -> list[range]:
    """All buckets, neighbours together until covers of five wallets that are not told of yet are in each."""
    groups: list[range] = []
    first = 0
    for bucket in range(len(EDGES_PPM) + 1):
        group = range(first, bucket + 1)
        if _wallets(holders, group) >= FEWEST:
            groups.append(group)
            first = bucket + 1
    if groups and first <= len(EDGES_PPM):  # what is left over is too few by itself
        groups[-1] = range(groups[-1].start, len(EDGES_PPM) + 1)
    return groups


def _wallets(holders: Iterable[sql.Holders], group: range) -> int:
    mask = sum(1 << bucket for bucket in group)
    return sum(one.wallets for one in holders if one.fresh_mask & mask)


def _cell(group: range, of: dict[int, sql.EndedCell]) -> Cell:
    there = [of[bucket] for bucket in group if bucket in of]
    ends = (0, *EDGES_PPM, 1_000_000)
    return Cell(
        from_ppm=ends[group.start],
        to_ppm=ends[group.stop],
        ended=sum(one.ended for one in there),
        liquidated=sum(one.liquidated for one in there),
        undecided=sum(one.undecided for one in there),
        expected_ppm=sum(one.expected_ppm for one in there),
        variance_ppm=sum(one.variance_ppm for one in there),
        premiums=str(sum(one.premiums for one in there)),
        payouts=str(sum(one.payouts for one in there)),
    )


def _rounded(found: sql.OpenSum | None) -> str | None:
    if found is None or found.wallets < FEWEST:
        return None
    return str(ceil_div(found.payouts, STEP) * STEP)


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC) + timedelta(days=1)
