"""What a verdict is made from, and the verdict. Plain data: all of it stands in a bundle as JSON, and
nothing else decides."""

from enum import StrEnum
from typing import Literal

import msgspec

from liqpass.claims.policy import Policy


class Priced(msgspec.Struct, frozen=True, rename="camel"):
    """The position that was insured: `row` is the row of GET /account/positions from which the order was
    priced, canonical JSON; `pos_id` and `c_time_ms` name the episode. `read_at`: ISO 8601."""

    exchange_uid: str
    inst_id: str
    mgn_mode: str
    pos_side: str
    pos_id: str
    c_time_ms: int
    row: str
    row_sha256: str
    read_at: str


class CoveredOrder(msgspec.Struct, frozen=True, rename="camel"):
    """What was promised: payout in micro-USDC, the cover's times in microseconds since 1970 (start
    included, end not)."""

    purchase_order_id: str
    payout: int
    coverage_start_us: int
    coverage_end_us: int


class Watched(msgspec.Struct, frozen=True, rename="camel"):
    """One change that was seen while the cover ran. `read_at_ms` by our clock, the exchange's is
    `clock_offset_ms` ahead. `what` names what changed: pos, margin, lever, avgPx, liqPx, fundingFee,
    liqPenalty, or gone (`row` is then ""), other (another episode stands in the slot), back (it is there
    again: the answer before was wrong), alive_after_end (a reading after the cover's end)."""

    seq: int
    read_at_ms: int
    clock_offset_ms: int
    what: list[str]
    row: str
    row_sha256: str


class Answer(msgspec.Struct, frozen=True, rename="camel"):
    """One answer of the exchange as it came. `endpoint` is the path, `request` path and query. `body` is text
    where the bytes are UTF-8, base64 where they are not (`encoding`)."""

    seq: int
    exchange_uid: str
    endpoint: str
    request: str
    http_status: int
    asked_at_ms: int
    clock_offset_ms: int
    body: str
    encoding: Literal["utf-8", "base64"]
    sha256: str


class Case(msgspec.Struct, frozen=True, rename="camel"):
    """All that decides a claim."""

    order: CoveredOrder
    priced: Priced
    watched: list[Watched]
    evidence: list[Answer]
    policy: Policy


class Outcome(StrEnum):
    """What a verdict says."""

    PAYABLE = "PAYABLE"
    """An amount is owed."""
    NOT_COVERED = "NOT_COVERED"
    """It is shown that nothing is."""
    NOT_YET_KNOWN = "NOT_YET_KNOWN"
    """Not shown either way: unknown is no refusal."""


class Reason(StrEnum):
    """Why nothing is owed. Stable: pages have words for each."""

    CLOSED_BY_OWNER = "CLOSED_BY_OWNER"
    """The position was closed by its owner; the exchange liquidated nothing of it."""
    AUTO_DELEVERAGED = "AUTO_DELEVERAGED"
    """The exchange closed it by auto-deleveraging, which is no liquidation."""
    NOT_LIQUIDATED = "NOT_LIQUIDATED"
    """A reading after the cover's end shows it alive, with the penalty that it had."""
    BEFORE_START = "BEFORE_START"
    """Liquidated before the cover began."""
    AFTER_END = "AFTER_END"
    """Liquidated when the cover was over."""
    SHORT_OF_PRICE = "SHORT_OF_PRICE"
    """Liquidated before the price that was insured was reached: something was changed after pricing."""
    NO_LOSS = "NO_LOSS"
    """Nothing was lost in the liquidation."""


class Missing(StrEnum):
    """What a verdict waits for. Stable: pages have words for each."""

    EPISODE_RUNS = "EPISODE_RUNS"
    """The position is open and not liquidated: there is nothing to decide yet."""
    HISTORY_ROW = "HISTORY_ROW"
    """positions-history does not show this episode yet."""
    ORDERS_OR_BILLS = "ORDERS_OR_BILLS"
    """No order of the liquidation, nor a bill of it, is shown yet."""
    ALL_FILLS = "ALL_FILLS"
    """What was opened and closed since pricing does not add up yet: something is not shown."""
    AGREEMENT = "AGREEMENT"
    """Two endpoints say different things of it."""
    TRIGGER_PRICE = "TRIGGER_PRICE"
    """Neither the trigger price nor the mark price at the fill is shown."""
    CONTRACT_VALUE = "CONTRACT_VALUE"
    """What a contract is worth is not known."""
    FUNDING = "FUNDING"
    """It depends on funding of which it is not certain how much the priced position would have paid before
    it was liquidated: an operator decides."""
    READABLE_ROWS = "READABLE_ROWS"
    """A row that may be the position's cannot be read."""
    UNKNOWN_CLOSING = "UNKNOWN_CLOSING"
    """The exchange closed it in a way that we do not know."""


class Part(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One liquidation order of the episode. Numbers are decimal strings as OKX writes them. `why_not`: why it
    counts for nothing; None where it counts."""

    ord_id: str
    at_ms: int
    contracts: str
    px: str
    trigger_px: str | None
    bound_px: str | None
    pnl: str
    fee: str
    why_not: Reason | None


class Verdict(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """`amount` in micro-USDC where PAYABLE: all that is owed for the order, with what was paid before.
    `penalty`: the liqPenalty of the episode that this verdict knows of. `episode_over`: the evidence shows
    that the position has ended. `liquidated_at_ms` and `trigger_px`: of the first part that counts."""

    outcome: Outcome
    amount: int | None = None
    reason: Reason | None = None
    missing: list[Missing] = []
    parts: list[Part] = []
    episode_over: bool = False
    penalty: str | None = None
    liquidated_at_ms: int | None = None
    trigger_px: str | None = None
    share: str | None = None
    loss: str | None = None
