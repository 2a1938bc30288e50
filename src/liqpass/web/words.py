"""Words for what the code names by a constant: marked for the catalogs here, translated where shown."""

from collections.abc import Mapping

from liqpass.orders.states import OrderStatus
from liqpass.web.timeline import Phase


def N_(text: str) -> str:  # noqa: N802, gettext's name for a text that is translated later
    """The text itself; pybabel finds it by this name."""
    return text


SAID_OF_STATUS: Mapping[str, str] = {
    OrderStatus.DRAFT: N_("Waiting for payment"),
    OrderStatus.PAID_PENDING_CONFIRM: N_("Payment on its way"),
    OrderStatus.ACTIVE: N_("Covered"),
    OrderStatus.EXPIRED: N_("Cover ended"),
    OrderStatus.CANCELLED: N_("Cancelled"),
}

SAID_OF_PHASE: Mapping[str, str] = {
    Phase.UNPAID: N_("Waiting for payment"),
    Phase.LAPSED: N_("Price has run out"),
    Phase.CONFIRMING: N_("Payment on its way"),
    Phase.WAITING: N_("Paid, cover not begun"),
    Phase.COVERED: N_("Covered"),
    Phase.ENDED: N_("Cover ended"),
    Phase.CANCELLED: N_("Cancelled"),
}

# Classes of .state in style.css: each has a mark of its own.
MARK_OF_PHASE: Mapping[str, str] = {
    Phase.UNPAID: "waiting",
    Phase.LAPSED: "bad",
    Phase.CONFIRMING: "waiting",
    Phase.WAITING: "waiting",
    Phase.COVERED: "good",
    Phase.ENDED: "over",
    Phase.CANCELLED: "",
}

# Why an order moved: orders/states.py and payments/ write these into its history.
SAID_OF_REASON: Mapping[str, str] = {
    "ORDERED": N_("The order was made."),
    "CANCELLED_BY_USER": N_("You cancelled the order."),
    "HASH_SUBMITTED": N_("A transaction was sent to pay it."),
    "PAYMENT_SEEN": N_("The chain shows the payment."),
    "PAYMENT_SAFE": N_("The payment is safe: the cover is confirmed."),
    "PAYMENT_REORGED_AWAY": N_("The chain took the payment's block back: the order waits for it again."),
    "TX_REVERTED": N_("The transaction failed: nothing was paid, and the order can be paid again."),
    "TX_NOT_FOUND": N_("The transaction never reached the chain: the order can be paid again."),
    "TX_PAYS_SOMETHING_ELSE": N_("The transaction did not pay this order: it can be paid again."),
    "NOT_PAID_IN_TIME": N_("The order was not paid in time."),
    "COVER_OVER": N_("The cover ended."),
}

# Of an exchange key, as OKX names them.
SAID_OF_RIGHT: Mapping[str, str] = {
    "read_only": N_("Read"),
    "trade": N_("Trade"),
    "withdraw": N_("Withdraw"),
}

SAID_OF_ACTOR: Mapping[str, str] = {
    "USER": N_("You"),
    "CHAIN": N_("Chain"),
    "CLOCK": N_("Automatic"),
    "OPERATOR": N_("Operator"),
}

# Of a payment, by chain/view.py: Stage.
SAID_OF_STAGE: Mapping[str, str] = {
    "SEEN": N_("Seen"),
    "SAFE": N_("Safe"),
    "FINAL": N_("Final"),
    "DROPPED": N_("Left the chain"),
}
