"""The trader's pages. They read through the slices; what a trader does, scripts do through the JSON API."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Redirect

from liqpass import hexes
from liqpass.db import Connection, Database
from liqpass.market.reading import volatilities
from liqpass.orders import reading
from liqpass.orders.priced import PricedPosition
from liqpass.orders.views import OrderView
from liqpass.positions.bindings import READING_MAX_AGE
from liqpass.positions.readings import PositionReader
from liqpass.pricing.premium import Price
from liqpass.problems import Problem
from liqpass.review.reading import claim_of_order, receipts
from liqpass.vault.api_accounts import own_accounts
from liqpass.watching.own_cover import own_cover
from liqpass.web import claim_sight, price_sight, texts, timeline
from liqpass.web.price_page import show_price
from liqpass.web.refusals import answer_page
from liqpass.web.rendering import page, preference
from liqpass.web.reserve_page import show_reserve
from liqpass.web.rules_page import what_is_covered
from liqpass.web.site import Site
from liqpass.web.viewing import THEME_COOKIE, THEMES, Admins, Viewer, viewer_of

Looking = NamedDependency[Viewer]
Of = NamedDependency[Site]
PER_PAGE = 20
UNFINISHED = (timeline.Phase.UNPAID, timeline.Phase.CONFIRMING)


@get("/")
async def buy(
    viewer: Looking,
    site: Of,
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    back: FromQuery[str] = "",
) -> Response[str]:
    """Steps 1 to 3: sign in, key, position and product."""
    accounts, unfinished = [], []
    if viewer.user is not None:
        async with db.pool.acquire() as conn:
            accounts = await own_accounts(conn, viewer.user)
            found = await reading.open_orders(conn, viewer.user, PER_PAGE)
        unfinished = [each for each in found if timeline.phase_of(each, now) in UNFINISHED]
    return page(
        viewer,
        "buy.html",
        here="/",
        site=site,
        now=now,
        accounts=accounts,
        unfinished=unfinished,
        back=own_path(back),
    )


@get("/prices/picture")
async def picture(
    viewer: Looking,
    site: Of,
    reader: NamedDependency[PositionReader],
    api_account_id: Annotated[UUID, QueryParameter(name="apiAccountId")],
    inst_id: Annotated[str, QueryParameter(name="instId")],
    mgn_mode: Annotated[str, QueryParameter(name="mgnMode")],
    pos_side: Annotated[str, QueryParameter(name="posSide")],
) -> Response[str]:
    """Part of step 3: how the prices of a position change with distance and time; nothing without any."""
    account = await reader.recent(_signed_in(viewer), api_account_id, READING_MAX_AGE)
    now, sight = reader.clock(), None
    position = account.reading.open_position(inst_id, mgn_mode, pos_side)
    if position is not None:
        async with reader.db.pool.acquire() as conn:
            known = await volatilities(conn, [inst_id], now)
        sight = price_sight.of_position(site.products, position, known.get(inst_id), now)
    return page(viewer, "offers_picture.html", sight=sight)


@get("/orders/{purchase_order_id:str}")
async def order(
    viewer: Looking,
    site: Of,
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    purchase_order_id: FromPath[str],
) -> Response[str]:
    """Steps 4 and 5, and for ever after: one order."""
    user, order_id = _signed_in(viewer), _order_id(purchase_order_id)
    async with db.transaction() as conn:
        found, priced = await _found(conn, user, order_id, site)
        claim = await claim_of_order(conn, user, order_id)
        cover = await own_cover(conn, user, order_id)
    held = claim_sight.position_of(priced)
    return page(
        viewer,
        "order.html",
        here="/cover",
        site=site,
        now=now,
        order=found,
        calls=msgspec.to_builtins(found.calls),
        position=held,
        phase=timeline.phase_of(found, now),
        timeline=timeline.timeline_of(found, now),
        next_change=timeline.next_change(found, now),
        sight=_how_priced(site, priced, found),
        **claim_sight.sight(found, claim, cover, held, now),
    )


@get("/orders/{purchase_order_id:str}/receipt")
async def receipt(
    viewer: Looking, site: Of, db: NamedDependency[Database], purchase_order_id: FromPath[str]
) -> Response[str]:
    """What was paid for what, to print."""
    user, order_id = _signed_in(viewer), _order_id(purchase_order_id)
    async with db.transaction() as conn:
        found, priced = await _found(conn, user, order_id, site)
    if found.paid_at is None:
        raise NotFoundException
    held = claim_sight.position_of(priced)
    return page(viewer, "receipt.html", here="/cover", site=site, order=found, position=held)


@get("/orders/{purchase_order_id:str}/payouts/{number:int}")
async def payout(
    viewer: Looking,
    site: Of,
    db: NamedDependency[Database],
    purchase_order_id: FromPath[str],
    number: FromPath[int],
) -> Response[str]:
    """What a claim was paid, to print: the first payout is number 1."""
    user, order_id = _signed_in(viewer), _order_id(purchase_order_id)
    async with db.transaction() as conn:
        found, priced = await _found(conn, user, order_id, site)
        claim = await claim_of_order(conn, user, order_id)
    paid = receipts(claim) if claim else []
    if not 0 < number <= len(paid):
        raise NotFoundException
    return page(
        viewer,
        "payout.html",
        here="/cover",
        site=site,
        order=found,
        position=claim_sight.position_of(priced),
        claim=claim,
        receipt=paid[number - 1],
        number=number,
        count=len(paid),
    )


@get("/cover")
async def cover(
    viewer: Looking,
    site: Of,
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    before: Annotated[UUID, QueryParameter()] = reading.NEWEST,
) -> Response[str]:
    """What is not over, and all orders, newest first."""
    user = _signed_in(viewer)
    is_first = before == reading.NEWEST
    async with db.pool.acquire() as conn:
        found = await reading.listed(conn, user, before, PER_PAGE)
        unfinished = await reading.open_orders(conn, user, PER_PAGE) if is_first else []
    return page(
        viewer,
        "cover.html",
        here="/cover",
        site=site,
        now=now,
        is_first=is_first,
        running=[(each, timeline.phase_of(each, now)) for each in unfinished],
        orders=[(each, timeline.phase_of(each, now)) for each in found.orders],
        next=found.next,
    )


@get("/keys")
async def keys(viewer: Looking, site: Of, db: NamedDependency[Database]) -> Response[str]:
    """The exchange keys that we keep."""
    user = _signed_in(viewer)
    async with db.pool.acquire() as conn:
        accounts = await own_accounts(conn, user)
    return page(viewer, "keys.html", here="/keys", site=site, accounts=accounts)


@get("/preferences")
async def preferences(
    site: Of, back: FromQuery[str] = "/", lang: FromQuery[str] = "", theme: FromQuery[str] = ""
) -> Redirect:
    """Keep a choice of language or colours, and go back."""
    secure = site.public_url.startswith("https:")
    cookies = []
    if lang in texts.languages():
        cookies.append(preference(texts.COOKIE, lang, secure=secure))
    if theme:
        cookies.append(preference(THEME_COOKIE, theme if theme in THEMES else "", secure=secure))
    return Redirect(own_path(back), status_code=303, cookies=cookies)


def own_path(path: str) -> str:
    """The path if it is one of ours; / otherwise: nobody is sent to another site from here."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours else "/"


async def _found(
    conn: Connection, user: bytes, order_id: bytes, site: Site
) -> tuple[OrderView, PricedPosition]:
    """The user's own order, and what it was priced from. Raises ORDER_NOT_FOUND."""
    found = await reading.shown(conn, user, order_id, site.chain)
    return found, await reading.priced_position(conn, user, order_id)


def _how_priced(site: Site, priced: PricedPosition, order: OrderView) -> price_sight.PriceSight | None:
    if order.chance_ppm is None:
        return None
    sold = Price(int(order.premium_amount), int(order.payout_amount), order.chance_ppm)
    return price_sight.of_order(site.products, priced, sold)


def _order_id(text: str) -> bytes:
    try:
        return hexes.bytes32(text, "purchaseOrderId")
    except Problem:
        raise NotFoundException from None


def _signed_in(viewer: Viewer) -> bytes:
    if viewer.user is None:
        raise Problem("NOT_SIGNED_IN", "")
    return viewer.user


def pages_router(*, site: Site, admins: Admins, reader: PositionReader) -> Router:
    """For everybody; `db`, `now` and `session_cookie` are provided by the app."""
    return Router(
        path="/",
        route_handlers=[
            *(buy, picture, order, receipt, payout, cover, keys, preferences),
            *(what_is_covered, show_price, show_reserve),
        ],
        dependencies={
            "site": Provide(lambda: site, sync_to_thread=False),
            "admins": Provide(lambda: admins, sync_to_thread=False),
            "reader": Provide(lambda: reader, sync_to_thread=False),
            "viewer": Provide(viewer_of),
        },
        exception_handlers={Exception: answer_page},
        include_in_schema=False,
    )
