"""Binding: one open position, as it was read, tied to a product."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from liqpass.combining import Combining, in_place
from liqpass.db import Connection, Database
from liqpass.exchange.records import Position
from liqpass.market.volatility import Volatility
from liqpass.positions import sql
from liqpass.positions.readings import AccountReading
from liqpass.positions.refusals import Refusal, not_insurable, unread_refusal
from liqpass.problems import Problem

READING_MAX_AGE = timedelta(seconds=30)
UNORDERED_MAX_AGE = timedelta(minutes=30)
BATCH = 500

# (position, sku or None for any, how its instrument moves, when) → why it is not insurable, None when it
# is. Raises Problem SKU_NOT_FOUND. The products know; they stand above this slice, so the judgement comes in
# as an argument.
Appraise = Callable[[Position, str | None, Volatility | None, datetime], Refusal | None]


class Slot(msgspec.Struct, frozen=True):
    """Which position of which account, for which product."""

    api_account_id: UUID
    inst_id: str
    mgn_mode: str
    pos_side: str
    sku: str


def position_to_bind(
    account: AccountReading, slot: Slot, appraise: Appraise, volatility: Volatility | None, now: datetime
) -> Position:
    """The open position of the slot. Raises POSITION_NOT_FOUND, POSITION_NOT_INSURABLE, PRICE_UNAVAILABLE,
    SKU_NOT_FOUND."""
    position = account.reading.open_position(slot.inst_id, slot.mgn_mode, slot.pos_side)
    hidden = account.reading.hidden(slot.inst_id, slot.mgn_mode, slot.pos_side)
    if position is None and hidden is not None:
        raise not_insurable(unread_refusal(hidden), "instId")
    if position is None:
        raise Problem(
            "POSITION_NOT_FOUND",
            f"The account has no open {slot.mgn_mode} {slot.pos_side} position in {slot.inst_id}.",
            field="instId",
        )
    refusal = account.refusal or appraise(position, slot.sku, volatility, now)
    if refusal is not None:
        raise not_insurable(refusal, "instId")
    return position


def binding(db: Database) -> Combining[sql.NewBinding, sql.Bound | None]:
    """The living bindings of slots, made now or there already, for requests that come in at the same time;
    none is checked yet (`bound_as_asked`). None where what it was made from no longer stands."""

    async def alone(one: sql.NewBinding) -> sql.Bound | None:
        return await db.run(lambda conn: sql.bind(conn, one), one_statement=True)

    async def together(several: Sequence[sql.NewBinding]) -> list[sql.BoundAt | None]:
        found = await db.at_hand.use(lambda conn: sql.bind_many(conn, list(several)))
        return in_place(found, len(several))

    return Combining(db.turns, alone, together, keys=lambda one: [_position(one)])


def _position(of: sql.NewBinding) -> tuple[str, ...]:
    return of.exchange, of.exchange_uid, of.inst_id, of.mgn_mode, of.pos_side


def new_binding(
    now: datetime,
    token_sha256: bytes,
    new_id: UUID,
    slot: Slot,
    account: AccountReading,
    position: Position,
    volatility: Volatility | None,
) -> sql.NewBinding:
    """What is asked for: this position, as it was read, for this product."""
    return sql.NewBinding(
        token_sha256,
        new_id,
        slot.api_account_id,
        account.exchange,
        account.uid,
        slot.inst_id,
        slot.mgn_mode,
        slot.pos_side,
        slot.sku,
        position.pos_id,
        position.c_time_ms,
        position.row_json,
        position.row_sha256,
        account.read_at,
        now,
        volatility.read_at if volatility else None,
    )


def bound_as_asked(bound: sql.Bound, asked: sql.NewBinding) -> UUID:
    """The binding's id, if it is what was asked for.

    Raises POSITION_ALREADY_INSURED when another account or wallet holds the position,
    BINDING_HAS_OTHER_SKU when its order is of another product, POSITION_CHANGED when its order covers an
    earlier position of the same slot.
    """
    if not bound.mine:
        raise Problem(
            "POSITION_ALREADY_INSURED",
            "This position is bound by another wallet, or by another key of yours for the same OKX account.",
            field="instId",
        )
    if bound.id is None:
        raise not_bound()
    if bound.sku != asked.sku:
        raise Problem(
            "BINDING_HAS_OTHER_SKU",
            f"This position has an open order for {bound.sku}. Cancel it first, or let it end.",
            field="sku",
            bindId=str(bound.id),
        )
    if (bound.pos_id, bound.pos_created_ms) != (asked.pos_id, asked.pos_created_ms):
        raise Problem(
            "POSITION_CHANGED",
            "An open order covers an earlier position in this slot. Cancel it first, or let it end.",
            field="instId",
            bindId=str(bound.id),
        )
    return bound.id


def not_bound() -> Problem:
    """What it was to be made from changed again and again."""
    return Problem("BIND_CREATE_FAILED", "The position was not bound. Try again.")


async def give_up_unordered(
    conn: Connection, now: datetime, *, at_most: int = BATCH, passing_over: int = 0
) -> int:
    """Cancel bindings without an order after half an hour, so that they do not hold a position for ever."""
    return await sql.give_up_unordered(conn, now - UNORDERED_MAX_AGE, at_most, passing_over)
