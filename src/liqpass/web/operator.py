"""The operator's pages, for the wallets of LIQPASS_ADMIN_WALLETS. For everybody else they do not exist."""

from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import groupby
from typing import Annotated, Any

from litestar import Request, Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.params import QueryParameter

from liqpass.chain.heads import HeadsShown
from liqpass.clock import Clock
from liqpass.db import Database
from liqpass.health import WATCHER_LATE, lag, late_heads, watcher_trouble
from liqpass.orders.states import OrderStatus
from liqpass.reads import Reads
from liqpass.reconcile import book_checks, runs
from liqpass.reconcile.checks import NEXT_STEPS
from liqpass.reconcile.kept import NEWEST
from liqpass.reconcile.rules import INVARIANTS
from liqpass.reconcile.standing import breaks_by_type, overview
from liqpass.reconcile.views import RuleView
from liqpass.settings import ClaimLimits
from liqpass.signin.admins import only
from liqpass.treasury import disbursements
from liqpass.treasury.disbursements import BATCH_MOST
from liqpass.treasury.holding import Nodes, seen
from liqpass.vault.api_accounts import CHECK_EVERY
from liqpass.web import charts
from liqpass.web.figures import Figures, Month, figures, payouts, suspended
from liqpass.web.operator_claims import show_claim, show_claims
from liqpass.web.operator_words import (
    SAID_OF_ACCOUNT,
    SAID_OF_BREAK,
    SAID_OF_HELD,
    SAID_OF_PURPOSE,
    SAID_OF_SCOPE,
    SAID_OF_WHY,
    coded,
)
from liqpass.web.refusals import answer, answer_page
from liqpass.web.rendering import number, page
from liqpass.web.site import Site
from liqpass.web.viewing import Admins, Viewer, viewer_of
from liqpass.web.words import N_, SAID_OF_STATUS

HERE = "/operator"
PER_PAGE = 20
RUN_LATE, KEYS_LATE = 2 * runs.EVERY, 2 * CHECK_EVERY
LABEL = N_(
    "Orders by the day on which they were made and their present status, %(first)s to %(last)s. "
    "All: %(counts)s. Most on one day: %(most)s, on %(day)s."
)

ErrorCounts = Callable[[], Mapping[str, int]]
"""Failed requests to the exchange by its code, since this process began."""

Looking = NamedDependency[Viewer]
Of = NamedDependency[Site]


@get("/")
async def show_overview(
    viewer: Looking,
    site: Of,
    reads: NamedDependency[Reads],
    now: NamedDependency[datetime],
    nodes: NamedDependency[Nodes],
    heads: NamedDependency[HeadsShown],
    exchange_errors: NamedDependency[ErrorCounts],
    month: NamedDependency[Month],
) -> Response[str]:
    """Everything at a glance."""
    found, source = await reads.look(lambda conn: figures(conn, now, site.chain, month))
    held = await seen(nodes, site.chain, found.dues)
    shown = await heads.compared(found.cursor)
    return _page(
        viewer, "operator.html", site, now,
        source=source,
        of=found, chart=_chart(viewer, found), silent=shown.silent,
        lag=lag(found.cursor, now).total_seconds() if found.cursor else None,
        sound=watcher_trouble(found.cursor, now) == "ok" and not late_heads(found.cursor, shown, now),
        waited_for={one.head: one for one in shown.behind if now - one.since > WATCHER_LATE},
        errors=sorted(exchange_errors().items()), rules=_rules(found),
        payouts=payouts(found.dues, held, found.by_hand),
        overdue=_overdue(found, now),
    )  # fmt: skip


@get("/breaks")
async def show_breaks(
    viewer: Looking,
    site: Of,
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    after: Annotated[int, QueryParameter(ge=0, le=NEWEST)] = 0,
    closed_too: Annotated[bool, QueryParameter(name="all")] = False,
) -> Response[str]:
    """Breaks by type, the oldest first."""
    async with db.one_moment(whole=True) as conn:
        found = await breaks_by_type(conn, after, PER_PAGE + 1, closed_too=closed_too)
        stands = await overview(conn)
    shown = found[:PER_PAGE]
    return _page(
        viewer, "operator_breaks.html", site, now,
        groups=[(type_, list(breaks)) for type_, breaks in groupby(shown, lambda one: one.type)],
        open=sum(one.breaks for one in stands.open_breaks), closed_too=closed_too, after=after,
        next=shown[-1].id if len(found) > len(shown) else None,
    )  # fmt: skip


@get("/suspense")
async def show_suspense(
    viewer: Looking,
    site: Of,
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    nodes: NamedDependency[Nodes],
    skip: Annotated[int, QueryParameter(ge=0, le=NEWEST)] = 0,
) -> Response[str]:
    """What is in suspense, the oldest first, and what is to be paid out."""
    async with db.one_moment(whole=True) as conn:
        items, dues = await suspended(conn, site.chain), await disbursements.dues(conn, site.chain)
        by_hand = await disbursements.paid_by_hand(conn, site.chain, dues)
    held = await seen(nodes, site.chain, dues)
    until = skip + PER_PAGE
    return _page(
        viewer, "operator_suspense.html", site, now,
        items=items[skip:until], all=len(items), skip=skip, payouts=payouts(dues, held, by_hand),
        next=until if until < len(items) else None,
    )  # fmt: skip


def _page(viewer: Viewer, name: str, site: Site, now: datetime, **shown: Any) -> Response[str]:
    return page(
        viewer, name, here=HERE, site=site, now=now, coded=coded, charts=charts, batch_most=BATCH_MOST,
        said_of_break=SAID_OF_BREAK, said_of_account=SAID_OF_ACCOUNT, said_of_why=SAID_OF_WHY,
        said_of_purpose=SAID_OF_PURPOSE, said_of_held=SAID_OF_HELD, said_of_scope=SAID_OF_SCOPE,
        next_steps=NEXT_STEPS, **shown,
    )  # fmt: skip


def _chart(viewer: Viewer, of: Figures) -> Mapping[str, Any]:
    """The orders of the last days: picture, end of its axis, and the sums of its table."""
    say = viewer.language.translations.gettext
    most = max(of.days, key=lambda day: day.total)
    sums = {status: sum(day.orders.get(status, 0) for day in of.days) for status in charts.STACK}
    label = say(LABEL) % {
        "first": f"{of.days[0].first:%Y-%m-%d}",
        "last": f"{of.days[-1].first:%Y-%m-%d}",
        "counts": _counts(viewer, sums),
        "most": number(viewer.language, most.total),
        "day": f"{most.first:%Y-%m-%d}",
    }
    said = [f"{day.first:%Y-%m-%d}: {_counts(viewer, day.orders)}" for day in of.days]
    return {
        "picture": charts.stacked([day.orders for day in of.days], said, label),
        "end": charts.axis_end(most.total),
        "sums": sums,
    }


def _overdue(of: Figures, now: datetime) -> frozenset[str]:
    """What was not looked at for so long that its last good result says nothing of now."""
    rules, run = of.reconciliation.books, of.reconciliation.run
    looked = (
        ("books", min((rule.due_at for rule in rules), default=None), book_checks.LATE),
        ("run", run and run.finished_at, RUN_LATE),
        ("keys", of.keys.oldest_check, KEYS_LATE),
    )
    return frozenset(name for name, at, late in looked if at and now - at > late)


def _rules(of: Figures) -> Mapping[str, list[tuple[RuleView, str]]]:
    """The rules of the books, each with what a broken one means: those that are broken, where something does
    not get on, that were not answered, and that hold."""
    known = {invariant.name: invariant for invariant in INVARIANTS}
    parted: dict[str, list[tuple[RuleView, str]]] = {"broken": [], "delayed": [], "unread": [], "ok": []}
    for rule in of.reconciliation.books:
        invariant = known.get(rule.name)
        late = "delayed" if invariant and invariant.delay else "broken"
        state = "unread" if rule.broken is None else late if rule.broken else "ok"
        parted[state].append((rule, invariant.broken if invariant else ""))
    return parted


def _counts(viewer: Viewer, orders: Mapping[OrderStatus, int]) -> str:
    say = viewer.language.translations.gettext
    return (
        "; ".join(
            f"{say(SAID_OF_STATUS[status])} {number(viewer.language, orders[status])}"
            for status in charts.STACK
            if orders.get(status)
        )
        or "0"
    )


def _refused(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Who may not look gets what an unknown path gives, whatever they asked for."""
    return (answer if isinstance(error, NotFoundException) else answer_page)(request, error)


def operator_router(
    *,
    site: Site,
    admins: Admins,
    db: Database,
    clock: Clock,
    cookie: str,
    nodes: Nodes,
    heads: HeadsShown,
    exchange_errors: ErrorCounts,
    limits: ClaimLimits,
) -> Router:
    """For `admins`, addresses of 20 bytes; `reads`, `db`, `now` and `session_cookie` are the app's."""
    month = Month()
    return Router(
        path=HERE,
        route_handlers=[show_overview, show_breaks, show_suspense, show_claims, show_claim],
        guards=[only(admins, db, clock, cookie)],
        dependencies={
            "site": Provide(lambda: site, sync_to_thread=False),
            "admins": Provide(lambda: admins, sync_to_thread=False),
            "viewer": Provide(viewer_of),
            "nodes": Provide(lambda: nodes, sync_to_thread=False),
            "heads": Provide(lambda: heads, sync_to_thread=False),
            "month": Provide(lambda: month, sync_to_thread=False),
            "limits": Provide(lambda: limits, sync_to_thread=False),
            "exchange_errors": Provide(lambda: exchange_errors, sync_to_thread=False),
        },
        exception_handlers={Exception: _refused},
        include_in_schema=False,
    )
