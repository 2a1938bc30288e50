"""From the bytes of a case to facts: each answer is read by its endpoint, one that failed says nothing, and a
row that came in several answers counts once, as it was told last.

What is the episode's: history rows name it (posId and cTime). Orders, bills and fills do not: theirs is the
slot (instrument, margin mode, side), and flow.py tells by their times which are of this episode.
"""

from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple, TypeVar

from liqpass.claims.case import Answer, Case
from liqpass.claims.exact import exact, number_of
from liqpass.claims.facts import OVER, Facts, Leg, PricedPosition, Standing, Told, Unclear
from liqpass.claims.slot import Slot
from liqpass.exchange.errors import ExchangeError, judge
from liqpass.exchange.fields import Row, UnreadableRow, canonical_json, decoded, present, text
from liqpass.exchange.pace import (
    BILLS,
    FILLS,
    FILLS_HISTORY,
    INSTRUMENTS,
    ORDERS_HISTORY,
    POSITIONS,
    POSITIONS_HISTORY,
)
from liqpass.exchange.records import CloseType, Position, Reading, history_row, position
from liqpass.exchange.rows import Unread, read_each

_ORDERS = {ORDERS_HISTORY, f"{ORDERS_HISTORY}-archive"}
_BILLS = {BILLS, f"{BILLS}-archive"}
_FILLS = {FILLS, FILLS_HISTORY}
_LIQUIDATED = {CloseType.LIQUIDATED, CloseType.PARTLY_LIQUIDATED}

T = TypeVar("T")


class _Read(NamedTuple):
    """A successful answer: its rows, and when it was asked for by the exchange's clock."""

    endpoint: str
    raw: bytes
    rows: list[Any]
    at_ms: int


def body_of(answer: Answer) -> bytes:
    """The bytes as they came. Raises ValueError where they are not what the encoding says."""
    if answer.encoding == "base64":
        return b64decode(answer.body, validate=True)
    return answer.body.encode()


def facts_of(case: Case) -> Facts:
    """What the case's answers say. Raises UnreadableRow when the priced position itself cannot be read."""
    priced = _priced(case)
    slot = Slot(priced.inst_id, priced.mgn_mode, priced.pos_side, priced.direction)
    answers = list(_successful(case))
    told, dark_history = _history(priced, answers)
    orders, dark_orders = _newest(answers, _ORDERS, "ordId", slot.order)
    bills, dark_bills = _newest(answers, _BILLS, "billId", slot.bill)
    fills, _ = _newest(answers, _FILLS, "billId", slot.fill)
    lives, gone_at_ms = _readings(case, priced, answers)
    unclear = [one for one in bills if isinstance(one, Unclear)]
    unclear += [*dark_history, *filter(None, map(slot.unclear_order, dark_orders))]
    unclear += filter(None, map(slot.unclear_bill, dark_bills))
    return Facts(
        priced=priced,
        told=told,
        lives=lives,
        gone_at_ms=gone_at_ms,
        orders={one.ord_id: one for one in orders},
        legs=[one for one in bills if isinstance(one, Leg)],
        fills=fills,
        unclear=unclear,
        contract_value=_contract_value(priced, answers),
    )


def _priced(case: Case) -> PricedPosition:
    said = case.priced
    read = position(_row_of(said.row))
    if read.closed or read.liq_px is None or not read.avg_px:
        raise UnreadableRow("liqPx" if read.liq_px is None else "pos", None)
    return PricedPosition(
        inst_id=said.inst_id,
        mgn_mode=said.mgn_mode,
        pos_side=said.pos_side,
        pos_id=said.pos_id,
        c_time_ms=said.c_time_ms,
        direction=read.side,
        contracts=abs(exact(read.pos)),
        entry_px=exact(read.avg_px),
        liq_px=exact(read.liq_px),
        ccy=read.ccy,
        penalty_shown=number_of(read.row, "liqPenalty") is not None,
        standing=_live(read, read.u_time_ms),
    )


def _row_of(text: str) -> Row:
    row = decoded(text.encode())
    if not isinstance(row, dict):
        raise UnreadableRow("data", row)
    return row


def _successful(case: Case) -> Iterator[_Read]:
    """Rule 1: what was read with a key of another account is none of this position's; what the exchange tells
    everybody is true of all."""
    for answer in case.evidence:
        public = answer.endpoint == INSTRUMENTS
        if answer.exchange_uid != case.priced.exchange_uid and not public:
            continue
        body = body_of(answer)
        try:
            rows = judge(answer.http_status, body)
        except ExchangeError:
            continue
        yield _Read(answer.endpoint, body, rows, answer.asked_at_ms + answer.clock_offset_ms)


def _of(answers: Iterable[_Read], endpoints: set[str]) -> Iterator[_Read]:
    return (answer for answer in answers if answer.endpoint in endpoints)


def _newest(
    answers: Iterable[_Read], endpoints: set[str], key: str, read: Callable[[Row], T | None]
) -> tuple[list[T], list[Unread]]:
    """What `read` makes of each row, as it was told last, by their key; and the rows that were never read."""
    newest: dict[str, tuple[int, str, T | None]] = {}
    dark: list[Unread] = []
    for answer in _of(answers, endpoints):

        def keyed(row: Row, at_ms: int = answer.at_ms) -> tuple[str, tuple[int, str, T | None]]:
            return present(row, key), (at_ms, canonical_json(row), read(row))

        rows, rest = read_each(keyed, answer.rows)
        dark += rest
        for name, one in rows:
            if name not in newest or one[:2] > newest[name][:2]:
                newest[name] = one
    kept = [one for _, (_, _, one) in sorted(newest.items()) if one is not None]
    return kept, [one for one in dark if _key_of(one, key) not in newest]


def _key_of(one: Unread, key: str) -> object:
    value = one.row.get(key) if isinstance(one.row, dict) else None
    return value if isinstance(value, str) else None


def _history(priced: PricedPosition, answers: list[_Read]) -> tuple[list[Told], list[Unclear]]:
    """The rows of the episode in the order of their times. One that cannot be read and may be the episode's
    is forgotten when one of the episode was read after it."""
    found: list[Told] = []
    dark: list[int] = []
    for answer in _of(answers, {POSITIONS_HISTORY}):
        rows, rest = read_each(partial(_told, priced, answer.at_ms), answer.rows)
        found += filter(None, rows)
        dark += [answer.at_ms for one in rest if _may_be(priced, one)]
    newest = max((one.standing.read_at_ms for one in found), default=-1)
    unclear = [Unclear("UNREADABLE", None) for at_ms in dark if at_ms >= newest]
    return sorted(found, key=lambda one: _in_time(one.standing, one)), unclear


def _told(priced: PricedPosition, read_at_ms: int, row: Row) -> Told | None:
    read = history_row(row)
    of_episode = (
        (read.inst_id, read.mgn_mode, read.pos_id) == (priced.inst_id, priced.mgn_mode, priced.pos_id)
        and (read.c_time_ms, read.direction) == (priced.c_time_ms, priced.direction)
        and read.pos_side in (None, priced.pos_side)
    )
    if not of_episode:
        return None
    if read.liq_penalty is None and read.close_type in _LIQUIDATED:
        raise UnreadableRow("liqPenalty", None)  # what was lost is not known without it
    return Told(
        close_type=read.close_type,
        trigger_px=exact(read.trigger_px) or None,
        closed=exact(read.close_total_pos),
        standing=Standing(
            at_ms=read.u_time_ms,
            read_at_ms=read_at_ms,
            contracts=Fraction(0) if read.close_type in OVER else None,
            pnl=exact(read.pnl),
            fee=exact(read.fee),
            funding=exact(read.funding_fee),
            penalty=exact(read.liq_penalty) or Fraction(0),
        ),
    )


def _may_be(priced: PricedPosition, one: Unread) -> bool:
    """Whether a history row that cannot be read may be the episode's: what it says is nothing else."""
    row = one.row if isinstance(one.row, dict) else {}
    named = {
        "instId": priced.inst_id,
        "mgnMode": priced.mgn_mode,
        "posId": priced.pos_id,
        "cTime": str(priced.c_time_ms),
    }
    said = ((row.get(name), value) for name, value in named.items() if name != one.field)
    return all(not isinstance(told, str) or told in ("", value) for told, value in said)


def _readings(case: Case, priced: PricedPosition, answers: list[_Read]) -> tuple[list[Standing], int | None]:
    """The readings of the open position in the order of their times, and when its slot was last seen without
    it."""
    lives: list[Standing] = []
    gone: list[int] = []
    for at_ms, reading in _positions(case, answers):
        found = reading.open_position(priced.inst_id, priced.mgn_mode, priced.pos_side)
        if found is None:
            hidden = reading.hidden(priced.inst_id, priced.mgn_mode, priced.pos_side)
            gone += [] if hidden else [at_ms]
        elif (found.pos_id, found.c_time_ms, found.side) != (
            priced.pos_id,
            priced.c_time_ms,
            priced.direction,
        ):
            gone.append(at_ms)
        else:
            lives += _lives(priced, found, at_ms)
    return sorted(lives, key=lambda one: _in_time(one, one)), max(gone, default=None)


def _positions(case: Case, answers: list[_Read]) -> Iterator[tuple[int, Reading]]:
    for answer in _of(answers, {POSITIONS}):
        yield answer.at_ms, Reading.of_rows(answer.raw, answer.rows)
    for change in case.watched:
        rows = [decoded(change.row.encode())] if change.row else []
        yield change.read_at_ms + change.clock_offset_ms, Reading.of_rows(b"", rows)


def _lives(priced: PricedPosition, found: Position, read_at_ms: int) -> list[Standing]:
    """Nothing where it cannot be read, or says nothing any more of its penalty: that it has none is shown, or
    not known."""
    try:
        known = number_of(found.row, "liqPenalty") is not None or not priced.penalty_shown
        return [_live(found, read_at_ms)] if known else []
    except UnreadableRow:
        return []


def _live(found: Position, read_at_ms: int) -> Standing:
    row = found.row
    return Standing(
        at_ms=found.u_time_ms,
        read_at_ms=read_at_ms,
        contracts=abs(exact(found.pos)),
        pnl=number_of(row, "pnl"),
        fee=number_of(row, "fee"),
        funding=number_of(row, "fundingFee"),
        penalty=number_of(row, "liqPenalty") or Fraction(0),
    )


def _in_time(standing: Standing, one: object) -> tuple[int, int, str]:
    return standing.at_ms, standing.read_at_ms, repr(one)


def _contract_value(priced: PricedPosition, answers: list[_Read]) -> Fraction | None:
    """What one contract is worth in coins: only of linear contracts, settled in the coin of the margin."""
    found: list[tuple[int, Fraction]] = []
    for answer in _of(answers, {INSTRUMENTS}):
        values, _ = read_each(partial(_value_of, priced), answer.rows)
        found += [(answer.at_ms, value) for value in values if value]
    return max(found)[1] if found else None


def _value_of(priced: PricedPosition, row: Row) -> Fraction | None:
    named = (text(row, "instId"), text(row, "settleCcy"), text(row, "ctType"))
    if named != (priced.inst_id, priced.ccy, "linear"):
        return None
    value, multiplier = number_of(row, "ctVal"), number_of(row, "ctMult")
    return value * (1 if multiplier is None else multiplier) if value else None
