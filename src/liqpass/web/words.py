"""Words for what the code names by a constant: marked for the catalogs here, translated where shown."""

from collections.abc import Mapping

from liqpass.orders.states import OrderStatus


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
