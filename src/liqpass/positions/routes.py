"""GET /api/okx/positions and POST /api/insurance/bind-position."""

import os
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from liqpass import ids
from liqpass.exchange.fields import NAME
from liqpass.exchange.records import Position, Side
from liqpass.exchange.rows import Unread
from liqpass.market.reading import volatilities
from liqpass.money import MICRO, usd
from liqpass.positions import bindings, readings
from liqpass.positions.asking import asking_to_bind, found_out
from liqpass.positions.bindings import Appraise, Slot
from liqpass.positions.refusals import Refusal, Values, WhyNot, unread_refusal
from liqpass.positions.remembered import JustBound, Known, Remembered, made_from
from liqpass.positions.sql import AskingToBind, NewBinding
from liqpass.problems import Problem
from liqpass.signin.sessions import Session, Token, User

Reader = NamedDependency[readings.PositionReader]
Judge = NamedDependency[Appraise]


class PositionView(msgspec.Struct, frozen=True, rename="camel"):
    """One open position as the exchange shows it; numbers are decimal strings, "" where it shows none.

    `distance_bps`: from the mark price to the liquidation price, in basis points of the mark price. Of one
    that cannot be read there is only what it is called (`reason_code` UNREADABLE or SHOWN_TWICE, `side`
    null); what of that cannot be printed is escaped.
    """

    inst_id: str
    mgn_mode: str
    pos_side: str
    side: Side | None
    ccy: str
    lever: str
    pos: str
    avg_px: str
    mark_px: str
    liq_px: str
    margin: str
    notional_usd: str
    distance_bps: int | None
    upl_ratio: str
    pos_id: str
    c_time: str
    insurable: bool
    reason: str | None
    reason_code: WhyNot | None
    reason_values: Values


class PositionList(msgspec.Struct, frozen=True, rename="camel"):
    """An account's open positions, and when they were read."""

    positions: list[PositionView]
    read_at: str


class BindRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Which position, and which product it is to be covered by."""

    api_account_id: UUID
    inst_id: Annotated[str, Meta(min_length=1, max_length=NAME)]
    mgn_mode: Literal["cross", "isolated"]
    pos_side: Literal["long", "short", "net"]
    sku: Annotated[str, Meta(min_length=1, max_length=32)]


class BindAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The binding that is now there; the same for the same request."""

    bind_id: str
    status: str
    sku: str


Binding = Callable[[Token, BindRequest], Awaitable[BindAnswer]]


@get("/api/okx/positions", summary="The open positions of one of your exchange accounts")
async def list_positions(
    user: User,
    reader: Reader,
    appraise: Judge,
    api_account_id: Annotated[UUID, QueryParameter(name="apiAccountId")],
    inst_id: Annotated[str | None, QueryParameter(name="instId", min_length=1, max_length=NAME)] = None,
) -> PositionList:
    """Asks the exchange anew; what it answers is what can be bound for the next 30 seconds."""
    if inst_id is not None:
        _refuse_unprintable(inst_id)
    account = await reader.anew(user, api_account_id)
    now = reader.clock()
    async with reader.db.pool.acquire() as conn:
        known = await volatilities(conn, account.inst_ids, now)
    shown = [
        _view(p, account.refusal or appraise(p, None, known.get(p.inst_id), now))
        for p in account.reading.positions
        if not p.closed
    ]
    shown += [_unread_view(one, account.refusal or unread_refusal(one)) for one in account.reading.unread]
    return PositionList(
        positions=[view for view in shown if inst_id is None or view.inst_id in ("", inst_id)],
        read_at=account.read_at.isoformat(),
    )


@post("/api/insurance/bind-position", status_code=200, summary="Tie a position to a product")
async def bind_position(
    token: Session,
    binding: NamedDependency[Binding],
    data: JSONBody[BindRequest],
) -> BindAnswer:
    """The position as last seen (at most 30 seconds ago, else it is read anew) is what gets bound."""
    return await binding(token, data)


def binding_with(reader: readings.PositionReader, appraise: Appraise, remembered: Remembered) -> Binding:
    """What binds: requests that come in at the same time together."""
    asking, together = asking_to_bind(reader.db, reader.clock), bindings.binding(reader.db)

    async def bind(token: Token, data: BindRequest) -> BindAnswer:
        _refuse_unprintable(data.inst_id)
        slot = Slot(data.api_account_id, data.inst_id, data.mgn_mode, data.pos_side, data.sku)

        async def find_out() -> Known:
            asked = await asking(AskingToBind(token.sha256, slot.api_account_id, slot.inst_id))
            of = slot.api_account_id, slot.inst_id
            return await found_out(reader, remembered, token.sha256, asked, *of, bindings.READING_MAX_AGE)

        def wanted(known: Known) -> NewBinding:
            now, moves = reader.clock(), known.volatility
            position = bindings.position_to_bind(known.account, slot, appraise, moves, now)
            new_id = ids.uuid7(now, os.urandom(ids.RANDOM_BYTES))
            return bindings.new_binding(now, token.sha256, new_id, slot, known.account, position, moves)

        async def make(asked: NewBinding) -> BindAnswer | None:
            if (found := await together(asked)) is None:
                return None
            bind_id, status = bindings.bound_as_asked(found, asked), str(found.status)
            if found.order_id is None:
                newly = JustBound(status, slot, asked.pos_id, asked.pos_created_ms)
                remembered.just_bound.keep((token.sha256, bind_id), newly)
            return BindAnswer(bind_id=str(bind_id), status=status, sku=slot.sku)

        max_age = bindings.READING_MAX_AGE
        known = remembered.known(token.sha256, slot.api_account_id, slot.inst_id, reader.clock(), max_age)
        answer = await made_from(known, find_out, wanted, make)
        if answer is None:
            raise bindings.not_bound()
        return answer

    return bind


def _view(position: Position, refusal: Refusal | None) -> PositionView:
    return PositionView(
        inst_id=position.inst_id,
        mgn_mode=position.mgn_mode,
        pos_side=position.pos_side,
        side=position.side,
        ccy=position.ccy,
        lever=_shown(position.lever),
        pos=_shown(position.pos),
        avg_px=_shown(position.avg_px),
        mark_px=_shown(position.mark_px),
        liq_px=_shown(position.liq_px),
        margin=_shown(position.margin),
        notional_usd=_usd(position.notional_usd),
        distance_bps=position.distance_bps,
        upl_ratio=_shown(position.upl_ratio),
        pos_id=position.pos_id,
        c_time=str(position.c_time_ms),
        insurable=refusal is None,
        reason=refusal.words if refusal else None,
        reason_code=refusal.code if refusal else None,
        reason_values=refusal.values if refusal else {},
    )


def _unread_view(of: Unread, refusal: Refusal) -> PositionView:
    return PositionView(
        inst_id=of.inst_id,
        mgn_mode=of.mgn_mode,
        pos_side=of.pos_side,
        side=None,
        ccy="",
        lever="",
        pos="",
        avg_px="",
        mark_px="",
        liq_px="",
        margin="",
        notional_usd="",
        distance_bps=None,
        upl_ratio="",
        pos_id="",
        c_time="",
        insurable=False,
        reason=refusal.words,
        reason_code=refusal.code,
        reason_values=refusal.values,
    )


def _refuse_unprintable(inst_id: str) -> None:
    """No instrument is called so: what is in such a name would not be seen."""
    if not inst_id.isprintable():
        raise Problem("INVALID_FIELD", "instId holds characters that cannot be printed.", field="instId")


def _usd(number: Decimal | None) -> str:
    """As every amount of dollars is written here; the exchange's has more digits than money has."""
    return "" if number is None else usd(int(number * MICRO))


def _shown(number: Decimal | None) -> str:
    return "" if number is None else f"{number:f}"


def positions_router(*, reader: readings.PositionReader, appraise: Appraise, binding: Binding) -> Router:
    """For signed-in users; `user` and `token` are provided by the app."""
    return Router(
        path="/",
        route_handlers=[list_positions, bind_position],
        dependencies={
            "reader": Provide(lambda: reader, sync_to_thread=False),
            "appraise": Provide(lambda: appraise, sync_to_thread=False),
            "binding": Provide(lambda: binding, sync_to_thread=False),
        },
        tags=["positions"],
    )
