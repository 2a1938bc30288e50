"""Why the exchange could not be asked, in words: they stand on the claim, for its owner and for operators."""

from enum import StrEnum

from liqpass.exchange.errors import ExchangeError, Kind
from liqpass.vault.exchange_trouble import ABOUT_THE_KEY, SAID_OF_KEYS


class Trouble(StrEnum):
    """What is wrong; of a key, OKX's own reason is told instead."""

    NO_KEY = "No key of this account can be used: give one that can read it."
    VAULT = "The key cannot be opened here. The operators of LiqPass have been told."
    UNANSWERED = "OKX does not answer as it should."
    TOO_OFTEN = "OKX wants this account to be asked about less often."
    STRANGE = "OKX answers in a way that LiqPass does not know. Its operators have been told."
    SLOW = "It takes OKX too long to show all that happened."
    TOO_MANY_PAGES = "More was traded in this instrument since the order was priced than LiqPass reads."
    OUT_OF_REACH = "The order was priced longer ago than OKX shows."
    FAULT = "What OKX shows cannot be judged here. The operators of LiqPass have been told."


WITHOUT_KEY = sorted({Trouble.NO_KEY, *SAID_OF_KEYS})
"""What another key of the same account would mend."""

UNANSWERED = (Trouble.UNANSWERED, Trouble.TOO_OFTEN)
"""What passes by itself, in minutes or hours."""

_OF_KINDS = {
    Kind.UNAVAILABLE: Trouble.UNANSWERED,
    Kind.CLOCK: Trouble.UNANSWERED,
    Kind.RATE_LIMITED: Trouble.TOO_OFTEN,
}


def trouble_of(error: ExchangeError) -> str:
    """The words for a failed question."""
    if error.kind in ABOUT_THE_KEY:
        return error.message_for_user
    return _OF_KINDS.get(error.kind, Trouble.STRANGE)
