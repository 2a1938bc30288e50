"""What the exchange's answers of a case say of one episode: typed facts, exact numbers, times in ms by the
exchange's clock."""

from enum import StrEnum
from fractions import Fraction
from typing import Literal

import msgspec

from liqpass.exchange.records import CloseType, Side

OVER = frozenset({CloseType.WHOLLY, CloseType.LIQUIDATED, CloseType.ADL})
"""The ways of closing after which nothing is open."""


class By(StrEnum):
    """Who or what made a trade."""

    OWNER = "OWNER"
    """An order of its owner's, whatever made it for him."""
    LIQUIDATION = "LIQUIDATION"
    ADL = "ADL"
    UNKNOWN = "UNKNOWN"
    """The exchange, in a way that we do not know: delivery is one."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How the episode stood at `at_ms` (its last change then) when it was read at `read_at_ms`. Money counts
    from its opening; None where it is not shown. `contracts` is 0 when it is over, None where a history row
    does not say."""

    at_ms: int
    read_at_ms: int
    contracts: Fraction | None
    pnl: Fraction | None
    fee: Fraction | None
    funding: Fraction | None
    penalty: Fraction


class PricedPosition(msgspec.Struct, frozen=True, kw_only=True):
    """The position as it was insured. `direction`: long or short, in net mode too. `penalty_shown`: its row
    said what the penalty was, as rows of OKX do; where it did not, none is taken for 0."""

    inst_id: str
    mgn_mode: str
    pos_side: str
    pos_id: str
    c_time_ms: int
    direction: Side
    contracts: Fraction
    entry_px: Fraction
    liq_px: Fraction
    ccy: str
    penalty_shown: bool
    standing: Standing


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A row of positions-history of the episode."""

    close_type: CloseType
    trigger_px: Fraction | None
    closed: Fraction | None
    standing: Standing

    @property
    def over(self) -> bool:
        """Whether it says that the episode has ended."""
        return self.close_type in OVER


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A finished order of the slot, of which something was filled; `at_ms` is its last fill, None where it
    does not say."""

    ord_id: str
    by: By
    opens: bool
    contracts: Fraction
    px: Fraction | None
    pnl: Fraction | None
    fee: Fraction | None
    made_at_ms: int
    at_ms: int | None


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One fill of an order. `mark_px`: the mark price then."""

    bill_id: str
    ord_id: str
    contracts: Fraction
    px: Fraction | None
    pnl: Fraction | None
    fee: Fraction | None
    mark_px: Fraction | None
    at_ms: int


class Leg(Fill, frozen=True, kw_only=True):
    """One fill as the account's own ledger has it: a bill, which says what it was for."""

    by: By
    opens: bool


class Unclear(msgspec.Struct, frozen=True):
    """A row that may be of this episode: one that cannot be read, or a bill of a kind that we do not know.
    `at_ms`: its time, where that can be read."""

    what: Literal["UNREADABLE", "UNKNOWN"]
    at_ms: int | None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that was read. `told` and `lives` are in the order of their times; `lives` are readings of the open
    position, `gone_at_ms` when it was last read and not there. `contract_value` is that of one contract, in
    coins."""

    priced: PricedPosition
    told: list[Told]
    lives: list[Standing]
    gone_at_ms: int | None
    orders: dict[str, Order]
    legs: list[Leg]
    fills: list[Fill]
    unclear: list[Unclear]
    contract_value: Fraction | None
