"""An insured position on its tape, all that the exchange shows of it, and a verdict in a few words."""

from collections.abc import Callable
from typing import Any

from liqpass.claims.case import Answer, Outcome, Verdict
from liqpass.claims.verdict import decide
from liqpass.money import usd
from tests.claims.tape import (
    BILLS,
    END_MS,
    FILLS,
    HISTORY,
    INSTRUMENTS,
    OPENED_MS,
    ORDERS,
    POSITIONS,
    START_MS,
    Row,
    Tape,
    answer,
    case,
    instrument,
)

MIDDLE = START_MS + 3_600_000
Happens = Callable[[Tape], Any]


def insured(side: str = "long", *, net: bool = False, liq_px: str | None = None) -> tuple[Tape, Row]:
    """Ten contracts of a tenth of a coin at 3000, liquidated at 2700 (a short: 3300): q is one coin."""
    tape = Tape(net=net, liq_px=liq_px or ("2700" if side == "long" else "3300"))
    tape.open(OPENED_MS, 10, 3000, side)
    return tape, tape.position()


def shown(tape: Tape, *, without: str = "", at_ms: int = END_MS) -> list[Answer]:
    """All that the exchange has of the slot, but for what these endpoints would say."""
    rows: dict[str, list[Row]] = {
        HISTORY: tape.histories(),
        ORDERS: tape.orders,
        BILLS: tape.bills,
        FILLS: tape.fills,
        POSITIONS: [tape.position()] if tape.now.pos else [],
        INSTRUMENTS: [instrument()],
    }
    return [answer(path, found, at_ms=at_ms) for path, found in rows.items() if path not in without.split()]


def told(verdict: Verdict) -> str:
    """A verdict in a few words."""
    if verdict.outcome is Outcome.PAYABLE and verdict.amount is not None:
        return f"pays {usd(verdict.amount)}"
    if verdict.reason is not None:
        return verdict.reason.value
    return "waits for " + " ".join(verdict.missing)


def after(happens: Happens, side: str = "long", **cover: Any) -> Verdict:
    """The verdict when this happened to the insured position, and all of it is shown."""
    tape, position = insured(side)
    happens(tape)
    return decide(case(position, shown(tape), **cover))
