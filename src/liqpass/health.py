"""/healthz, /readyz, /metrics, /api/policy and /openapi.json: for operators and for programs."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from math import inf
from typing import Any, Literal

import msgspec
import structlog
from litestar import MediaType, Request, Response, Router, get, route
from litestar.di import NamedDependency, Provide
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest

from liqpass import apidocs
from liqpass.chain.heads import HeadsShown, Kept, Shown, waiting
from liqpass.chain.stored import cursor_of
from liqpass.chain.view import Cursor
from liqpass.claims.states import ClaimStatus
from liqpass.clock import Clock
from liqpass.connecting import LOST, WrongSession, look, read_only, trouble
from liqpass.db import Connection, Database
from liqpass.exposure import told
from liqpass.exposure.reading import Exposure, shown
from liqpass.gauges import SEEN, seen_gauge
from liqpass.ledger.book import Account
from liqpass.ledger.posting import balances
from liqpass.market import standing as market
from liqpass.market.standing import Market
from liqpass.migrate import MigrationError, migrations_of, pending_migrations
from liqpass.orders.orders import count_by_status
from liqpass.orders.states import OrderStatus
from liqpass.reads import Replica
from liqpass.reconcile import book_checks
from liqpass.reconcile.book_checks import Books
from liqpass.reconcile.rules import INVARIANTS
from liqpass.reconcile.standing import Standing, standing
from liqpass.settings import ChainSettings
from liqpass.watching import alarms
from liqpass.watching.alarms import Alarms

log = structlog.get_logger()

NAN = float("nan")  # Prometheus's word for unknown: 0 would look healthy
PROBED_BY: tuple[Literal["GET"], Literal["HEAD"]] = ("GET", "HEAD")
WATCHER_LATE = timedelta(minutes=2)
KEPT = timedelta(seconds=15)
DATABASE_SEC = 3.0

orders_gauge = seen_gauge("liqpass_orders", "Orders by status.", ("status",))
lag_gauge = seen_gauge(
    "liqpass_watcher_lag_seconds", "Seconds since the last good view, or its newest block."
)
remark_gauge = seen_gauge(
    "liqpass_chain_remark", "1 while an endpoint is away, behind or of another opinion."
)
waited_gauge = seen_gauge(
    "liqpass_chain_waited_seconds",
    "For how long a block that an endpoint shows as this head has not been reached.",
    ("head",),
)
answers_gauge = seen_gauge("liqpass_endpoint_answers", "0 while the endpoint does not answer.", ("endpoint",))
halt_gauge = seen_gauge("liqpass_chain_halted", "1 when what was final is not: an operator has to look.")
doubt_gauge = seen_gauge("liqpass_chain_view_doubtful", "Views of the chain that were dropped as doubtful.")
broken_gauge = seen_gauge(
    "liqpass_books_broken", "Rows that break a rule of the books, when last checked.", ("check",)
)
late_gauge = seen_gauge("liqpass_books_late_seconds", "For how long a rule of the books has been due.")
balance_gauge = seen_gauge("liqpass_ledger_balance_micro_usdc", "Balances of the ledger.", ("account",))
breaks_gauge = seen_gauge("liqpass_reconciliation_breaks", "Open breaks of reconciliation.", ("type",))
watched_gauge = seen_gauge("liqpass_covers_watched", "Covers whose positions are watched.")
unseen_gauge = seen_gauge("liqpass_covers_unseen", "Those that were not seen for fifteen minutes or more.")
sight_gauge = seen_gauge(
    "liqpass_cover_unseen_seconds", "For how long the one was not seen that waits longest."
)
unread_gauge = seen_gauge(
    "liqpass_accounts_unread", "Accounts of the exchange that cannot be read at present."
)
claims_gauge = seen_gauge("liqpass_claims", "Claims by status.", ("status",))
claim_age_gauge = seen_gauge(
    "liqpass_claim_oldest_seconds", "For how long the claim is in this status that is longest.", ("status",)
)
closing_gauge = seen_gauge(
    "liqpass_claims_closing", "Claims without all evidence that can come for three days more at most."
)
replica_gauge = seen_gauge(
    "liqpass_replica_age_seconds",
    "How old what the replica has is at most; infinite while it is not read, unknown where there is none.",
)
reads_counter = Counter(
    "liqpass_reads_total", "Reads that may be seconds old, by the server that answered.", ("server",)
)
run_gauge = seen_gauge("liqpass_reconciliation_age_seconds", "Seconds since the last reconciliation ended.")

# What is in the way of taking money at present, one sentence each (asks a node).
Obstacles = Callable[[], Awaitable[list[str]]]


class Readiness(msgspec.Struct, frozen=True):
    """Each check by name: "ok", or what is wrong. Remarks: what holds up payments or transfers, and what is
    not known of the books. `replica`: how old the one of LIQPASS_READ_URL is at most, or why it is not read
    from (in whose words, only `liqpass check` and the log tell); null without one."""

    ready: bool
    checks: dict[str, str]
    remarks: list[str]
    replica: str | None = None


class Seen(msgspec.Struct, frozen=True):
    """What the metrics tell of the database's contents, when it answers."""

    orders: dict[OrderStatus, int]
    cursor: Cursor | None
    balances: dict[Account, int]
    books: Books
    reconciled: Standing
    alarms: Alarms
    exposure: Exposure
    market: Market


class Policy(msgspec.Struct, frozen=True, rename="camel"):
    """When a payment counts: `safe`, `finalized`, or that many blocks below the latest."""

    chain_id: int
    confirmation: str
    endpoints: int
    coverage_begins: str = "the time of the payment's block plus coverageDelaySec of the order"


class Watched:
    """What is asked of the node is kept for some seconds: probes come often, nodes are slow."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        chain: ChainSettings,
        obstacles: Obstacles,
        heads: HeadsShown,
        replica: Replica | None,
    ) -> None:
        self.db = db
        self.replica = replica
        self.clock = clock
        self.chain = chain
        self.heads = heads
        self._obstacles = obstacles
        self._answer: tuple[datetime, str] | None = None
        self._asking, self._looking = asyncio.Lock(), asyncio.Lock()
        self._counted: tuple[datetime, dict[OrderStatus, int]] | None = None
        self._alarmed: tuple[datetime, Alarms] | None = None
        self._exposed: tuple[datetime, Exposure] | None = None

    async def sale(self) -> str:
        """ "ok", or why no premium can be paid at present."""
        async with self._asking:
            now = self.clock()
            if self._answer is None or now - self._answer[0] > KEPT:
                try:
                    found = " ".join(await self._obstacles()) or "ok"
                except Exception as error:
                    found = f"the node does not answer: {error}"
                self._answer = (now, found)
            return self._answer[1]

    async def seen(self) -> Seen | None:
        """None while the database does not answer. One look at a time: whoever asks often waits."""
        try:
            async with self._looking, self.db.pool.acquire(timeout=DATABASE_SEC) as conn:
                return Seen(
                    orders=await self._count(conn),
                    cursor=await cursor_of(conn, self.chain.chain_id),
                    balances=await balances(conn),
                    books=await book_checks.books(conn),
                    reconciled=await standing(conn),
                    alarms=await self.alarms(conn),
                    exposure=await self.exposure(conn),
                    market=await market.standing(conn, self.clock()),
                )
        except LOST as error:
            log.warning("metrics_without_database", error=type(error).__name__)
            return None

    async def alarms(self, conn: Connection) -> Alarms:
        """It looks at all open covers and all claims: at most every fifteen seconds."""
        now = self.clock()
        if self._alarmed is None or now - self._alarmed[0] > KEPT:
            self._alarmed = (now, await alarms.alarms(conn, now))
        return self._alarmed[1]

    async def exposure(self, conn: Connection) -> Exposure:
        """It looks at the sums of all accounts and wallets: as often."""
        now = self.clock()
        if self._exposed is None or now - self._exposed[0] > KEPT:
            self._exposed = (now, await shown(conn, now))
        return self._exposed[1]

    async def _count(self, conn: Connection) -> dict[OrderStatus, int]:
        """It reads the whole table: at most every fifteen seconds, however often it is asked for."""
        now = self.clock()
        if self._counted is None or now - self._counted[0] > KEPT:
            self._counted = (now, await count_by_status(conn))
        return self._counted[1]


@route("/healthz", http_method=PROBED_BY, media_type=MediaType.TEXT, summary="Whether the process answers")
async def healthz() -> str:
    """Says ok."""
    return "ok"


@route("/readyz", http_method=PROBED_BY, summary="Whether orders can be taken and paid")
async def readyz(watched: NamedDependency[Watched]) -> Response[Readiness]:
    """503 and the reasons when not."""
    checks = {"database": "ok", "migrations": "ok", "watcher": "ok", "books": "ok"}
    checks["sale"] = await watched.sale()
    remarks: list[str] = []
    cursor = None
    try:
        async with watched.db.pool.acquire(timeout=DATABASE_SEC) as conn:
            checks["database"] = await _takes_changes(watched.db, conn)
            missing = await pending_migrations(conn, migrations_of())
            if missing:
                checks["migrations"] = f"{len(missing)} missing: liqpass migrate"
            else:
                now = watched.clock()
                cursor = await cursor_of(conn, watched.chain.chain_id)
                checks["watcher"] = watcher_trouble(cursor, now)
                books = await book_checks.books(conn)
                checks["books"] = book_checks.trouble(books)
                remarks += book_checks.remarks(books, now)
                remarks += alarms.remarks(await watched.alarms(conn), now)
                remarks += told.remarks(await watched.exposure(conn))
                remarks += market.remarks(await market.standing(conn, now), now)
    except MigrationError as error:
        checks["migrations"] = str(error)
    except WrongSession as wrong:
        checks["database"] = str(wrong)
    except LOST:
        checks["database"] = "does not answer"
    now, shown = watched.clock(), await watched.heads.compared(cursor)
    if checks["watcher"] == "ok" and (late := late_heads(cursor, shown, now)):
        checks["watcher"] = late[0]
    remarks = chain_remarks(cursor, shown, now) + remarks
    ready = all(said == "ok" for said in checks.values())
    said = watched.replica.standing(to_all=True) if watched.replica else None
    return Response(Readiness(ready, checks, remarks, said), status_code=200 if ready else 503)


async def _takes_changes(db: Database, conn: Connection) -> str:
    """ "ok", or why nothing can be written."""
    seen = await look(conn)
    said = trouble(seen) or read_only(seen)
    if said:
        await db.connect_anew()
    return said or "ok"


def watcher_trouble(cursor: Cursor | None, now: datetime) -> str:
    """ "ok", or what is wrong by what it has kept alone."""
    if cursor is None:
        return "has not begun: is liqpass work running?"
    if cursor.halted:
        return f"halted: {cursor.halted}"
    late = int(lag(cursor, now).total_seconds())
    if late <= WATCHER_LATE.total_seconds():
        return "ok"
    if now - cursor.read_at > WATCHER_LATE:
        return f"last good view of the chain {late} s ago: {_in_the_way(cursor, now)}"
    return f"the endpoints show no block younger than {late} s"


def late_heads(cursor: Cursor | None, shown: Shown, now: datetime) -> list[str]:
    """Each head for which a block that an endpoint showed has been waited for too long. What waits to become
    final holds up no payment (decision 6): that is a remark."""
    return [
        waiting(one, now, _in_the_way(cursor, now))
        for one in shown.behind
        if cursor and now - one.since > WATCHER_LATE and one.head is not Kept.FINALIZED
    ]


def chain_remarks(cursor: Cursor | None, shown: Shown, now: datetime) -> list[str]:
    """What is in the way at present, in the endpoints' own words where they said any."""
    said = [cursor.doubt] if cursor and cursor.doubt else []
    said += [words for name, words in shown.silent.items() if name not in "".join(said)]
    return said + [
        waiting(one, now, _in_the_way(cursor, now))
        for one in shown.behind
        if cursor and now - one.since > WATCHER_LATE and one.head is Kept.FINALIZED
    ]


def _in_the_way(cursor: Cursor, now: datetime) -> str:
    if cursor.doubt:
        return cursor.doubt
    late = now - cursor.read_at > WATCHER_LATE
    return "is liqpass work running?" if late else "liqpass work is catching up, or that endpoint is wrong"


def lag(cursor: Cursor, now: datetime) -> timedelta:
    """Since the last good view, or since the newest block in it: a node that stands still answers readily."""
    return max(now - cursor.read_at, now - cursor.latest_time)


@get("/metrics", summary="Prometheus metrics")
async def metrics(watched: NamedDependency[Watched]) -> Response[bytes]:
    """Request times and exchange errors are there even while the database is not."""
    now, seen = watched.clock(), await watched.seen()
    cursor = seen.cursor if seen else None
    for status in OrderStatus:
        orders_gauge.labels(status).set(seen.orders.get(status, 0) if seen else NAN)
    lag_gauge.set(lag(cursor, now).total_seconds() if cursor else NAN)
    doubt_gauge.set(cursor.doubtful_views if cursor else NAN)
    remark_gauge.set(cursor.doubt is not None if cursor else NAN)
    _tell_heads(cursor, await watched.heads.compared(cursor), now)
    halt_gauge.set(cursor.halted is not None if cursor else NAN)
    _tell_books(seen, now)
    _tell_claims(seen.alarms if seen else None, now)
    told.tell(seen.exposure if seen else None)
    market.tell(seen.market if seen else None, now)
    age_sec = watched.replica.age_sec if watched.replica else NAN
    replica_gauge.set(inf if age_sec is None else age_sec)
    return Response(generate_latest() + generate_latest(SEEN), headers={"content-type": CONTENT_TYPE_LATEST})


def _tell_heads(cursor: Cursor | None, shown: Shown, now: datetime) -> None:
    since = {one.head: one.since for one in shown.behind}
    for head in Kept:
        waited_gauge.labels(head).set((now - since.get(head, now)).total_seconds() if cursor else NAN)
    for name in shown.asked:
        answers_gauge.labels(name).set(name not in shown.silent)


def _tell_books(seen: Seen | None, now: datetime) -> None:
    for account in Account:
        balance_gauge.labels(account).set(seen.balances.get(account, NAN) if seen else NAN)
    for invariant in INVARIANTS:
        rows = seen.books.broken.get(invariant.name) if seen else None
        broken_gauge.labels(invariant.name).set(NAN if rows is None else rows)
    late_gauge.set(max(_age(seen.books.due_at if seen else None, now), 0))  # NaN stays: unknown is not 0
    breaks_gauge.clear()
    for type_, breaks in seen.reconciled.open_breaks.items() if seen else ():
        breaks_gauge.labels(type_).set(breaks)
    run_gauge.set(_age(seen.reconciled.last_run if seen else None, now))


def _tell_claims(found: Alarms | None, now: datetime) -> None:
    sight = found.sight if found else None
    watched_gauge.set(sight.watched if sight else NAN)
    unseen_gauge.set(sight.unseen if sight else NAN)
    oldest = sight.oldest if sight else None
    sight_gauge.set(max(0.0, (now - oldest).total_seconds()) if oldest else 0.0 if sight else NAN)
    unread_gauge.set(sum(one.accounts for one in found.troubles) if found else NAN)
    closing_gauge.set(len(found.closing) if found else NAN)
    ages = alarms.ages(found.claims, now) if found else {}
    for status in ClaimStatus:
        number, age = ages.get(status, (NAN, NAN))
        claims_gauge.labels(status).set(number)
        claim_age_gauge.labels(status).set(age)


def _age(moment: datetime | None, now: datetime) -> float:
    return (now - moment).total_seconds() if moment else NAN


@get("/api/policy", summary="When a payment counts")
async def policy(watched: NamedDependency[Watched]) -> Policy:
    """And from when on it covers."""
    chain = watched.chain
    return Policy(chain.chain_id, chain.confirmation, len(chain.rpc_urls))


@get("/openapi.json", include_in_schema=False)
async def openapi(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """The API as OpenAPI 3.1; /docs shows the same to people."""
    return apidocs.with_problems(request.app.openapi_schema.to_schema())


def health_router(
    *,
    db: Database,
    clock: Clock,
    chain: ChainSettings,
    obstacles: Obstacles,
    heads: HeadsShown,
    replica: Replica | None = None,
) -> Router:
    """Public; nothing here tells of a user."""
    watched = Watched(db, clock, chain, obstacles, heads, replica)
    return Router(
        path="/",
        route_handlers=[healthz, readyz, metrics, policy, openapi],
        dependencies={"watched": Provide(lambda: watched, sync_to_thread=False)},
        tags=["operation"],
    )
