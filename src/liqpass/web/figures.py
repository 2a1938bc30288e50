"""What the operator's overview says: everything of one moment, from one read transaction."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from liqpass.chain.stored import cursor_of
from liqpass.chain.view import Cursor
from liqpass.db import Connection
from liqpass.exposure import reading as exposure
from liqpass.exposure.reading import Exposure
from liqpass.ledger.book import Account
from liqpass.ledger.posting import balances
from liqpass.orders.states import OrderStatus
from liqpass.reconcile.standing import overview
from liqpass.reconcile.views import Overview
from liqpass.review.reading import WAITING
from liqpass.settings import ChainSettings
from liqpass.treasury import disbursements, suspense
from liqpass.treasury.holding import Held
from liqpass.treasury.records import Disbursement
from liqpass.treasury.views import DueView, SuspenseItem, due_view, item_view
from liqpass.web import sql

DAYS = 30
KEPT = timedelta(minutes=1)


class Payouts(msgspec.Struct, frozen=True):
    """To be paid out, the oldest first: held back, ready for a batch file, in an earlier one, or seen on
    chain."""

    held: list[DueView]
    ready: list[DueView]
    batched: list[DueView]
    on_their_way: list[DueView]

    @property
    def ready_amount(self) -> int:
        """What a batch file would pay, in micro-USDC."""
        return sum(int(due.amount) for due in self.ready)


class Day(msgspec.Struct, frozen=True):
    """The orders made on one day, UTC, by the status that they have now."""

    first: datetime
    orders: Mapping[OrderStatus, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.orders.values())


class Month:
    """The orders of the last days by status. Counting reads every one of them, so it is done once a minute at
    most, however many look."""

    def __init__(self) -> None:
        self._counted: tuple[datetime, list[Day]] | None = None

    async def counted(self, conn: Connection, now: datetime) -> tuple[datetime, list[Day]]:
        """When they were counted, and each day, the first one first; the last is today."""
        today = _midnight(now)
        kept = self._counted
        if kept is None or now - kept[0] >= KEPT or kept[1][-1].first < today:
            first = today - timedelta(days=DAYS - 1)
            self._counted = kept = now, _days(first, await sql.by_day(conn, first))
        return kept


class Figures(msgspec.Struct, frozen=True):
    """The overview. Money in micro-USDC; today begins at 00:00 UTC."""

    today: sql.Today
    cover: sql.OpenCover
    balances: Mapping[Account, int]
    reconciliation: Overview
    suspended: list[SuspenseItem]
    dues: list[Disbursement]
    by_hand: disbursements.ByHand
    cursor: Cursor | None
    keys: sql.Keys
    claims_to_decide: int
    exposure: Exposure
    days: list[Day]
    counted_at: datetime
    """The days are not of the same moment as the rest: see `Month`."""

    @property
    def pool(self) -> int:
        """The capital, free or not."""
        return self.balances[Account.POOL_FREE] + self.balances[Account.POOL_LOCKED]


async def figures(conn: Connection, now: datetime, chain: ChainSettings, month: Month) -> Figures:
    """All of it."""
    counted_at, days = await month.counted(conn, now)
    dues = await disbursements.dues(conn, chain)
    return Figures(
        today=await sql.since(conn, _midnight(now)),
        cover=await sql.open_cover(conn),
        balances=await balances(conn),
        reconciliation=await overview(conn),
        suspended=await suspended(conn, chain),
        dues=dues,
        by_hand=await disbursements.paid_by_hand(conn, chain, dues),
        cursor=await cursor_of(conn, chain.chain_id),
        keys=await sql.keys(conn),
        claims_to_decide=sum(one.claims for one in await sql.claims_by_status(conn) if one.status in WAITING),
        exposure=await exposure.shown(conn, now),
        days=days,
        counted_at=counted_at,
    )


async def suspended(conn: Connection, chain: ChainSettings) -> list[SuspenseItem]:
    """What is in suspense, the oldest first."""
    return [item_view(found, chain) for found in await suspense.items(conn, chain)]


def payouts(
    dues: Sequence[Disbursement], held: Mapping[UUID, Held], by_hand: disbursements.ByHand
) -> Payouts:
    """What is to be paid out, as a batch file would part it; `held`: why what cannot be paid now; `by_hand`:
    what may have paid it already."""
    found = disbursements.parted(dues)

    def shown(due: Disbursement) -> DueView:
        return due_view(due, held.get(due.id), by_hand.get(due.recipient, ()))

    return Payouts(
        held=[shown(due) for due in found.ready if due.id in held],
        ready=[shown(due) for due in found.ready if due.id not in held],
        batched=[shown(due) for due in found.batched],
        on_their_way=[shown(due) for due in found.on_their_way],
    )


def _midnight(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _days(first: datetime, counts: Sequence[sql.DayCount]) -> list[Day]:
    found: dict[datetime, dict[OrderStatus, int]] = {first + timedelta(days=n): {} for n in range(DAYS)}
    for count in counts:
        # made in the second in which the day changed here, and is another there
        found.setdefault(count.day, {})[count.status] = count.orders
    return [Day(day, found[day]) for day in sorted(found)]
