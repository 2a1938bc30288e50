"""How reconciliation looks to admins: amounts as strings of micro-USDC, times in ISO 8601, hashes in
lower-case hexadecimal, addresses in EIP-55."""

from datetime import datetime
from typing import Any

import msgspec

from liqpass.hexes import checksum, to_hex
from liqpass.reconcile import sql
from liqpass.reconcile.checks import NEXT_STEPS, BreakType


class RunView(msgspec.Struct, frozen=True, rename="camel"):
    """A run: what it was made from, its counts and sums. Its breaks are in its document's pages."""

    id: int
    started_at: datetime
    finished_at: datetime
    period_from: datetime | None
    period_to: datetime | None
    chain_id: int
    from_block: int
    to_block: int | None
    block_hash: str | None
    ledger_seq: int
    ledger_rows: int
    ledger_balance: str
    chain_balance: str | None
    chain_unknown: str | None
    orders: int
    payments: int
    transfers: int
    breaks_found: int
    breaks_open: int
    sha256: str
    previous_sha256: str | None


class RunList(msgspec.Struct, frozen=True):
    """One page of runs, newest first; `next` is the `before` of the following page."""

    runs: list[RunView]
    next: int | None


class OpenType(msgspec.Struct, frozen=True):
    """How many breaks of a type are open, and since when the oldest is."""

    type: str
    breaks: int
    oldest: datetime | None


class RuleView(msgspec.Struct, frozen=True, rename="camel"):
    """A rule of the books: how many rows broke it when it was last checked (null: not answered), the first of
    them, and when it is checked again."""

    name: str
    broken: int | None
    findings: list[dict[str, Any]]
    checked_at: datetime
    due_at: datetime


class Overview(msgspec.Struct, frozen=True, rename="camel"):
    """The latest run (null before the first), what is open, and the books' own rules."""

    run: RunView | None
    open_breaks: list[OpenType]
    books: list[RuleView]


class ClosingView(msgspec.Struct, frozen=True, rename="camel"):
    """That a break was closed before it was open again."""

    first_run: int
    closed_at: datetime
    closed_by: str
    reason: str
    expected: str | None
    found: str | None


class BreakView(msgspec.Struct, frozen=True, rename="camel"):
    """What is or was broken, and what to do; `closings` only where one break is asked for. `accepted`: it
    stays as it is, and is no break until its amounts change."""

    id: int
    type: str
    subject: str
    purchase_order_id: str | None
    tx_hash: str | None
    log_index: int | None
    wallet: str | None
    accounts: list[str]
    expected: str | None
    found: str | None
    said: str
    since: datetime | None
    first_run: int
    last_run: int
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    close_reason: str | None
    accepted: bool
    next_step: str
    closings: list[ClosingView] | None = None


class BreakList(msgspec.Struct, frozen=True):
    """One page of breaks, newest first; `next` is the `before` of the following page."""

    breaks: list[BreakView]
    next: int | None


def run_view(run: sql.Run) -> RunView:
    """A run for its reader."""
    return msgspec.convert(told(run), RunView)


def rule_view(check: sql.KeptCheck) -> RuleView:
    """A rule's last check for its reader."""
    found = msgspec.json.decode(check.findings)
    return RuleView(check.name, check.broken, found, check.checked_at, check.due_at)


def break_view(found: sql.StoredBreak, closings: list[sql.Closing] | None = None) -> BreakView:
    """A break for its reader."""
    shown = told(found) | {"nextStep": NEXT_STEPS[BreakType(found.type)]}
    if closings is not None:
        shown["closings"] = [told(closing) for closing in closings]
    return msgspec.convert(shown, BreakView)


AMOUNTS = ("ledger_balance", "chain_balance", "expected", "found")


def told(row: msgspec.Struct) -> dict[str, Any]:
    """A row by the names of JSON: amounts as strings, bytes in hexadecimal."""
    return {camel(name): _shown(name, value) for name, value in msgspec.structs.asdict(row).items()}


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return checksum(value) if name == "wallet" else to_hex(value)
    return str(value) if name in AMOUNTS and value is not None else value


def camel(name: str) -> str:
    """A column as JSON names it."""
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
