"""A position and all that may happen to it after it was insured, what the exchange shows of that, and what is
owed: a model that knows what happened, and has never heard of rows that are missing."""

import random
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from liqpass.claims.case import Answer, Case, Watched
from tests.claims.tape import (
    BILLS,
    CT_VAL,
    FILLS,
    HISTORY,
    INSTRUMENTS,
    ORDERS,
    POSITIONS,
    Row,
    Tape,
    answer,
    case,
    instrument,
    seen,
)

FIRST_MS = 1_764_500_000_000
SETTLE_MS = 30_000
STEPS_MS = [2, 3, 1_000, 3_600_000, 40_000_000]
# About the bound of a long that is liquidated at 2700, with funding and without; a short has 6000 less these.
PRICES: list[int | Fraction] = [
    2400,
    2600,
    2690,
    2700,
    Fraction("2704.05"),
    Fraction("2704.06"),
    2710,
    2725,
    2800,
    3000,
    3100,
]
KINDS = (
    "add add close close liquidate liquidate liquidate adl fund fund "
    "close-all liquidate-all liquidate-all adl-all"
)


@dataclass(frozen=True)
class Happening:
    """One thing that happened to the insured episode. `before` and `after`: contracts; `money`: the order as
    the exchange booked it."""

    at_ms: int
    kind: str
    before: Fraction
    after: Fraction
    trigger: Fraction
    funding: Fraction
    penalty: Fraction
    money: Row


@dataclass(frozen=True)
class Glance:
    """What the exchange has at a moment, when so many things had happened."""

    read_ms: int
    happened: int
    history: list[Row]
    position: Row | None
    orders: int
    bills: int


@dataclass
class Town:
    """An insured position, its story, the glances that one could have taken, and a cover."""

    tape: Tape
    side: str
    position: Row
    story: list[Happening] = field(default_factory=list)
    glances: list[Glance] = field(default_factory=list)
    payout: int = 100_000_000
    start_us: int = 0
    end_us: int = 0

    @property
    def settled_ms(self) -> int:
        return -(-self.end_us // 1000) + SETTLE_MS

    def look(self, read_ms: int) -> None:
        position = self.tape.position() if self.tape.now.pos else None
        counts = len(self.story), self.tape.histories(), position, len(self.tape.orders), len(self.tape.bills)
        self.glances.append(Glance(read_ms, *counts))

    def case(self, evidence: list[Answer], watched: list[Watched]) -> Case:
        return case(
            self.position, evidence, watched, payout=self.payout, start_us=self.start_us, end_us=self.end_us
        )


def mirrored(side: str, price: Fraction | int) -> Fraction:
    return Fraction(price) if side == "long" else 6000 - Fraction(price)


@st.composite
def towns(draw: st.DrawFn) -> Town:
    """A position of some size, in either mode and direction; up to eight things happen to it."""
    side, net = draw(st.sampled_from(["long", "short"])), draw(st.booleans())
    tape, now_ms = Tape(net=net, liq_px="2700" if side == "long" else "3300"), FIRST_MS
    if draw(st.booleans()):  # the slot has lived before
        tape.open(now_ms - 20_000, 3, 3000, draw(st.sampled_from(["long", "short"])) if net else side)
        tape.close(now_ms - 10_000, 3000)
    tape.open(now_ms, draw(st.integers(2, 12)), 3000, side)
    if draw(st.booleans()):
        now_ms += 2
        tape.liquidate(now_ms, 2950, 1, penalty=-1)
    town = Town(tape, side, tape.position(), payout=draw(st.sampled_from([100_000_000, 33_333_333, 10**9])))
    town.look(now_ms)
    sign, times = draw(st.sampled_from([-1, -1, 1])), [now_ms]
    for _ in range(draw(st.integers(1, 8))):
        times.append(times[-1] + draw(st.sampled_from(STEPS_MS)))
        if not tape.now.pos and draw(st.booleans()):
            break
        _something(draw, town, sign, times[-1])
        town.look(times[-1])
    _insure(draw, town, times)
    town.look(max(times[-1], town.settled_ms))
    return town


def _insure(draw: st.DrawFn, town: Town, times: list[int]) -> None:
    """From pricing on until long after, or to the microsecond about something that happens."""
    moments = st.sampled_from([one.at_ms for one in town.story if one.kind == "liquidate"] or times)
    about = st.integers(-1, 1)
    town.start_us = times[0] * 1000
    town.end_us = times[-1] * 1000 + 10**12
    if draw(st.booleans()):
        town.start_us = max(town.start_us, draw(moments) * 1000 + draw(about))
    if draw(st.booleans()):
        town.end_us = draw(moments) * 1000 + draw(about)
    town.end_us = max(town.start_us + 1, town.end_us)


def _something(draw: st.DrawFn, town: Town, sign: int, at_ms: int) -> None:
    tape, held = town.tape, int(town.tape.now.pos)
    price, trigger = (mirrored(town.side, draw(st.sampled_from(PRICES))) for _ in range(2))
    shown_px, shown_trigger = f"{float(price):.2f}", f"{float(trigger):.2f}"
    if not held:
        side = draw(st.sampled_from(["long", "short"])) if tape.net else town.side
        tape.open(at_ms, draw(st.integers(1, 9)), shown_px, side)
        return
    insured = int(tape.now.c_time_ms) == int(town.position["cTime"])
    kind, _, whole = draw(st.sampled_from(KINDS.split())).partition("-")
    size = held if whole else min(held, draw(st.sampled_from([1, 1, 2, 5])))
    penalty, funding, money = -draw(st.integers(1, 40)), sign * draw(st.sampled_from([1, 4, 10])), Row()
    if kind == "add":
        money = tape.open(at_ms, size, shown_px, tape.now.side)
    elif kind == "close":
        money = tape.close(at_ms, shown_px, size)
    elif kind == "adl":
        money = tape.deleverage(at_ms, shown_px, size)
    elif kind == "fund":
        tape.fund(at_ms, funding)
    else:
        fills = draw(st.integers(1, 2)) if size > 1 else 1
        money = tape.liquidate(at_ms, shown_px, size, trigger=shown_trigger, penalty=penalty, fills=fills)
    if insured:
        happened = Happening(
            at_ms,
            kind,
            Fraction(held),
            Fraction(tape.now.pos),
            trigger,
            Fraction(funding if kind == "fund" else 0),
            Fraction(penalty if kind == "liquidate" else 0),
            money,
        )
        town.story.append(happened)


# What is owed.


def owed(town: Town, glance: Glance) -> int | str:
    """Micro-USDC that are owed by what had happened then; the reason why nothing ever will be; or "open"."""
    story = town.story[: glance.happened]
    parts = [one for one in story if one.kind == "liquidate"]
    counted = [one for one in parts if _why_not(town, story, one) is None]
    amount = _amount(town, story, counted, _taken(counted)) if counted else 0
    if amount:
        return amount
    over = bool(story) and not story[-1].after
    if not over and glance.read_ms < town.settled_ms:
        return "open"
    if counted:
        return "NO_LOSS"
    whys = {_why_not(town, story, one) for one in parts}
    for why in ("SHORT_OF_PRICE", "AFTER_END", "BEFORE_START"):
        if why in whys:
            return why
    if not over:
        return "NOT_LIQUIDATED"
    return "AUTO_DELEVERAGED" if story[-1].kind == "adl" else "CLOSED_BY_OWNER"


def shared_out(town: Town, amount: int) -> bool:
    """Whether it may be owed where some parts do not count, and nobody read in between what was taken for
    which: no less than without any penalty, no more than with all of it."""
    for glance in town.glances:
        story = town.story[: glance.happened]
        parts = [one for one in story if one.kind == "liquidate"]
        counted = [one for one in parts if _why_not(town, story, one) is None]
        if 0 < len(counted) < len(parts):
            least, most = (_amount(town, story, counted, taken) for taken in (Fraction(), _taken(parts)))
            if least <= amount <= most:
                return True
    return False


def _taken(parts: list[Happening]) -> Fraction:
    return sum((one.penalty for one in parts), Fraction())


def _priced(town: Town) -> Fraction:
    return abs(Fraction(town.position["pos"]))


def _why_not(town: Town, story: list[Happening], part: Happening) -> str | None:
    if part.at_ms * 1000 < town.start_us:
        return "BEFORE_START"
    if part.at_ms * 1000 >= town.end_us:
        return "AFTER_END"
    # what one coin of the position would have paid, if nobody had changed its size: so far the price moves
    paid_a_coin = sum(
        (-one.funding / (one.before * Fraction(CT_VAL)) for one in story if one.at_ms < part.at_ms),
        Fraction(),
    )
    liq_px = Fraction(town.position["liqPx"])
    room = paid_a_coin + liq_px * 15 / 10_000
    short_of = part.trigger - liq_px if town.side == "long" else liq_px - part.trigger
    return "SHORT_OF_PRICE" if short_of > room else None


def _amount(town: Town, story: list[Happening], counted: list[Happening], taken: Fraction) -> int:
    size = {id(one): one.before - one.after for one in counted}
    total = sum(size[id(one)] for one in counted)
    penalty_each = taken / total
    money = sum((Fraction(one.money["pnl"]) + Fraction(one.money["fee"]) for one in counted), Fraction())
    loss: Fraction = -money - penalty_each * total
    if any(one.kind == "add" for one in story):
        sign, left, as_priced = (1 if town.side == "long" else -1), _priced(town), Fraction()
        for one in counted:
            used = min(left, size[id(one)])
            left -= used
            fall = sign * (Fraction(town.position["avgPx"]) - Fraction(one.money["avgPx"]))
            fee_each = Fraction(one.money["fee"]) / size[id(one)]
            as_priced += used * (fall * Fraction(CT_VAL) - fee_each - penalty_each)
        loss = min(loss, as_priced)
    most = town.payout * min(Fraction(1), total / _priced(town))
    return max(0, int(min(most, max(loss, Fraction(0)) * 1_000_000)))


# What is shown.


def everything(town: Town) -> tuple[list[Answer], list[Watched]]:
    """All that the exchange has at last, and all that was watched on the way."""
    last, tape = town.glances[-1], town.tape
    watched = [seen(one.position, one.read_ms) for one in town.glances]
    rows = {HISTORY: last.history, ORDERS: tape.orders, BILLS: tape.bills, FILLS: tape.fills}
    rows |= {POSITIONS: [last.position] if last.position else [], INSTRUMENTS: [instrument()]}
    return [answer(path, found, at_ms=last.read_ms) for path, found in rows.items()], watched


def something(town: Town, chance: random.Random) -> tuple[list[Answer], list[Watched]]:
    """What may be shown: each endpoint as it was at some moment, and not all of it; with what is somebody
    else's, or of another account, or no answer at all."""
    evidence: list[Answer] = []
    hides = chance.choice([0.0, 0.0, 0.0, 0.1, 0.4])
    ids = [row["ordId"] for row in town.tape.orders]
    nowhere = set(chance.sample(ids, min(len(ids), chance.choice([0, 1, 2, 2, 3]))))

    def some(rows: list[Row]) -> list[Row]:
        return [row for row in rows if row.get("ordId") not in nowhere and chance.random() >= hides]

    for _ in range(chance.randint(1, 3)):
        late = chance.random() < 0.5
        ages = [town.glances[-1] if late else chance.choice(town.glances) for _ in range(4)]
        at_ms = town.glances[-1].read_ms + len(evidence)
        found: dict[str, list[Any]] = {
            HISTORY: some(ages[0].history),
            ORDERS: some(town.tape.orders[: ages[1].orders]),
            BILLS: some(town.tape.bills[: ages[2].bills]),
            FILLS: some(town.tape.fills[: ages[2].bills]),
            INSTRUMENTS: some([instrument()]),
        }
        evidence += [answer(path, rows, at_ms=at_ms) for path, rows in found.items() if chance.random() < 0.9]
        shown = ages[3]
        evidence.append(answer(POSITIONS, [shown.position] if shown.position else [], at_ms=shown.read_ms))
    evidence += _not_its_own(town)
    watched = [seen(one.position, one.read_ms) for one in town.glances if chance.random() >= hides]
    return evidence, watched


def _not_its_own(town: Town) -> list[Answer]:
    """A position beside it, liquidated too; answers of another account, and answers that are none."""
    net = town.tape.net
    beside = Tape(mgn_mode="cross" if net else "isolated", net=net, last_id=7 * 10**18)
    side = town.side if net else "short" if town.side == "long" else "long"
    beside.open(FIRST_MS, 5, 3000, side)
    at_ms = town.story[-1].at_ms if town.story else FIRST_MS + 10
    beside.liquidate(at_ms, 2500)
    rows = {ORDERS: beside.orders, BILLS: beside.bills, FILLS: beside.fills}
    own = Tape(net=net, last_id=8 * 10**18)
    own.open(FIRST_MS, 5, 3000, town.side)
    own.liquidate(at_ms, 2500)
    return [
        *(answer(path, found) for path, found in rows.items()),
        answer(ORDERS, own.orders, uid="7002"),
        answer(BILLS, own.bills, status=500),
        answer(HISTORY, own.histories(), code="50011"),
    ]
