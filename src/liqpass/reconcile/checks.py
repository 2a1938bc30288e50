"""What reconciliation calls broken, and what to do about it. Pure, as `order_checks`, `money_checks`."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from liqpass.hexes import to_hex
from liqpass.ledger.book import Account

IN_FLIGHT = timedelta(minutes=10)
"""What changed since then and waits to be settled or booked is on its way, and no break."""
STUCK_AFTER = timedelta(hours=1)
CLAIM_OVERDUE_AFTER = timedelta(days=3)
"""So long the treasury's owners may take to sign a batch."""
EARN_SLACK = timedelta(hours=1)
"""The worker earns the days of long covers within this time."""


# Subjects of breaks of balances; behind the second stands the account's name.
OF_TREASURY, OF_ACCOUNT = "treasury", "account "
# In SQL: whether a break `b` has the amounts of another row. A balance moves with every payment, on both
# sides: of the treasury's and of an account's it is the difference that counts.
SAME_AMOUNTS = f"""case when b.subject = '{OF_TREASURY}' or b.subject like '{OF_ACCOUNT}%'
    then (b.found - b.expected) is not distinct from ({{0}}.found - {{0}}.expected)
    else (b.expected, b.found) is not distinct from ({{0}}.expected, {{0}}.found) end"""


class BreakType(StrEnum):
    """What can be broken."""

    ORDER_PAID_WITHOUT_EVENT = "ORDER_PAID_WITHOUT_EVENT"
    """An order is or was covered, and no confirmed payment is stored for it."""
    EVENT_WITHOUT_ORDER = "EVENT_WITHOUT_ORDER"
    """A confirmed payment names an order that does not exist."""
    AMOUNT_DIFFERS = "AMOUNT_DIFFERS"
    """Two of order, event and ledger have it with different amounts."""
    LEDGER_WITHOUT_EVENT = "LEDGER_WITHOUT_EVENT"
    """The ledger has money that no confirmed event brought or took."""
    EVENT_WITHOUT_LEDGER = "EVENT_WITHOUT_LEDGER"
    """A confirmed event is not in the ledger, or not where it belongs."""
    BALANCE_DIFFERS = "BALANCE_DIFFERS"
    """The treasury holds another amount than the ledger says."""
    COVER_WITHOUT_CAPITAL = "COVER_WITHOUT_CAPITAL"
    """What is held is not the payout of an order that is not settled, or not what the claim of a settled one
    takes."""
    ORDER_STUCK = "ORDER_STUCK"
    """An order has been too long in a state that ought to pass."""
    BINDING_DISAGREES = "BINDING_DISAGREES"
    """The binding is not where its order is, or its position is not held, or still."""
    MONEY_IN_SUSPENSE = "MONEY_IN_SUSPENSE"
    """Money came in that no order explains: it waits to be deposited or refunded."""
    MONEY_LEFT_UNEXPLAINED = "MONEY_LEFT_UNEXPLAINED"
    """Money went out, and no refund or withdrawal asked for it."""
    PREMIUM_EARNED_WRONG = "PREMIUM_EARNED_WRONG"
    """What is earned is not what the cover has given by now."""
    HISTORY_BROKEN = "HISTORY_BROKEN"
    """The status is not what the last event says, or an event is missing."""
    LEDGER_INCONSISTENT = "LEDGER_INCONSISTENT"
    """A balance is not the sum of its transfers, or the legs of a fact have a gap."""
    CLAIM_WITHOUT_PAYOUT = "CLAIM_WITHOUT_PAYOUT"
    """A claim was approved, and nothing is to be paid out for it, or another amount."""
    PAYOUT_WITHOUT_CLAIM = "PAYOUT_WITHOUT_CLAIM"
    """Something was paid, or is to be paid, as a claim's that no approval explains."""
    CLAIM_PAID_TWICE = "CLAIM_PAID_TWICE"
    """More was paid for an order than its claim was approved for."""
    CLAIM_PAID_TO_ANOTHER = "CLAIM_PAID_TO_ANOTHER"
    """A claim's payout goes, or went, to somebody whom nobody named."""
    CLAIM_OVERDUE = "CLAIM_OVERDUE"
    """A claim was approved long ago, and its payout is not seen on chain."""


_HAND = "somebody's hand was in the database: compare with a backup"
NEXT_STEPS: dict[BreakType, str] = {
    BreakType.ORDER_PAID_WITHOUT_EVENT: "Look the transaction up in a block explorer. If it never paid, "
    f"{_HAND}; if it did, the watcher has lost a payment.",
    BreakType.EVENT_WITHOUT_ORDER: "Find out which order the payer meant, and send it back with "
    "`liqpass suspense refund`.",
    BreakType.AMOUNT_DIFFERS: "Hold all three against the transaction in a block explorer: the chain is "
    f"right. Then {_HAND}.",
    BreakType.LEDGER_WITHOUT_EVENT: "Look the transaction up in a block explorer. If it is there, the "
    f"watcher has lost it; if not, {_HAND}.",
    BreakType.EVENT_WITHOUT_LEDGER: "See that `liqpass work` runs and logs no error of settling or booking. "
    f"If it does run, a posting is gone: {_HAND}.",
    BreakType.BALANCE_DIFFERS: "Look at the breaks that name a transaction first. With none of them, compare "
    "the treasury's transfers in a block explorer with `liqpass export --format csv`.",
    BreakType.COVER_WITHOUT_CAPITAL: "Only an order's own moves, its claim and its settling hold and free "
    f"capital: {_HAND}.",
    BreakType.ORDER_STUCK: "See that `liqpass work` runs and that its node is not behind (`liqpass check` "
    "says both), and that it logs no error.",
    BreakType.BINDING_DISAGREES: f"An order takes its binding and position along: {_HAND}.",
    BreakType.MONEY_IN_SUSPENSE: "`liqpass suspense list` says what may be done: refund it, or give it to "
    "the pool with `liqpass pool deposit`.",
    BreakType.MONEY_LEFT_UNEXPLAINED: "Ask the treasury's owners who signed it and what for. If it pays "
    "what is due to that wallet, say so with `liqpass suspense adopt`; else close the break with the reason.",
    BreakType.PREMIUM_EARNED_WRONG: "See that `liqpass work` runs: it earns what is due. What it does not "
    f"put right itself, {_HAND}.",
    BreakType.HISTORY_BROKEN: f"Orders move only together with an event: {_HAND}.",
    BreakType.LEDGER_INCONSISTENT: f"The ledger is only added to: {_HAND}.",
    BreakType.CLAIM_WITHOUT_PAYOUT: "`liqpass claims show` says who approved it. A claim is approved only "
    f"together with its payout: {_HAND}.",
    BreakType.PAYOUT_WITHOUT_CLAIM: "Send no batch in which it stands, and cancel it with `liqpass suspense "
    f"cancel` if it is not paid yet. Only an approval asks for a claim's payout: {_HAND}.",
    BreakType.CLAIM_PAID_TWICE: "Look for both transfers in a block explorer, and ask the treasury's owners "
    "which batch they sent twice. What was paid too much only its recipient can send back.",
    BreakType.CLAIM_PAID_TO_ANOTHER: "Send no batch in which it stands, and ask who named the recipient. If "
    f"nobody did, {_HAND}.",
    BreakType.CLAIM_OVERDUE: "Make a batch with `liqpass suspense batch` and have the treasury's owners sign "
    "it. `liqpass suspense list` says whether it stands in one already, or is held back.",
}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is broken. `subject` names the same thing over all runs; `at` is when that happened
    (None: it is of no time). Amounts in micro-USDC."""

    type: BreakType
    subject: str
    said: str
    purchase_order_id: bytes | None = None
    tx_hash: bytes | None = None
    log_index: int | None = None
    wallet: bytes | None = None
    accounts: tuple[Account, ...] = ()
    expected: int | None = None
    found: int | None = None
    at: datetime | None = None


def order_subject(purchase_order_id: bytes) -> str:
    """How a break names an order."""
    return f"order {to_hex(purchase_order_id)}"


def log_subject(tx_hash: bytes, log_index: int) -> str:
    """How a break names a log, as `liqpass suspense` does."""
    return f"{to_hex(tx_hash)}:{log_index}"
