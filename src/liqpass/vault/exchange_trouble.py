"""What the user is told when the exchange refuses a key, or gives no answer."""

from liqpass.exchange.errors import MEANINGS, ExchangeError, Kind
from liqpass.problems import Problem

# What OKX says of this very key or its owner: certain, and waiting does not help. Everything else may pass by
# itself, so nothing is known.
ABOUT_THE_KEY = frozenset(
    {
        Kind.KEY_REJECTED,
        Kind.KEY_UNKNOWN,
        Kind.IP_NOT_ALLOWED,
        Kind.ENVIRONMENT_MISMATCH,
        Kind.NO_PERMISSION,
        Kind.RESTRICTED,
    }
)
# The words for all of that.
SAID_OF_KEYS = frozenset(it.message_for_user for it in MEANINGS.values() if it.kind in ABOUT_THE_KEY)
_RETRY_AFTER_SEC = 5


def problem_of(error: ExchangeError) -> Problem:
    """API_KEY_UNKNOWN or API_KEY_REJECTED when OKX speaks of the key, else EXCHANGE_UNAVAILABLE."""
    if error.kind in ABOUT_THE_KEY:
        code = "API_KEY_UNKNOWN" if error.kind is Kind.KEY_UNKNOWN else "API_KEY_REJECTED"
        return Problem(code, error.message_for_user, exchangeCode=error.code)
    return Problem(
        "EXCHANGE_UNAVAILABLE",
        error.message_for_user,
        exchangeCode=error.code,
        retryAfterSec=_RETRY_AFTER_SEC,
    )
