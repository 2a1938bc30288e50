"""What can go wrong at OKX: one table from its codes to the kind of trouble, whether reading again may help,
and what the user is told.

Answers are matched on `code`, never on text. OKX's own text is kept nowhere: that of 50110 carries an address
and a part of the key's name.
"""

import re
from enum import StrEnum
from typing import Any, NamedTuple

from liqpass.exchange.fields import UnreadableRow, decoded, rows_of


class Kind(StrEnum):
    """What sort of trouble it is: callers decide on this, never on a single code."""

    UNAVAILABLE = "UNAVAILABLE"
    """No usable answer: down, slow, not JSON. Nothing is known, so nothing may change."""
    RATE_LIMITED = "RATE_LIMITED"
    """Too many requests for this OKX user."""
    KEY_REJECTED = "KEY_REJECTED"
    """Key, secret or passphrase is wrong: ask for them again."""
    KEY_UNKNOWN = "KEY_UNKNOWN"
    """Deleted, or it belongs to another region: OKX answers both alike."""
    IP_NOT_ALLOWED = "IP_NOT_ALLOWED"
    """The key is bound to addresses that are not ours."""
    ENVIRONMENT_MISMATCH = "ENVIRONMENT_MISMATCH"
    """A demo key used as a production key, or the reverse."""
    NO_PERMISSION = "NO_PERMISSION"
    """The key may not read this."""
    RESTRICTED = "RESTRICTED"
    """OKX has frozen or restricted this user or this API."""
    CLOCK = "CLOCK"
    """Our clock and OKX's disagree by more than 30 seconds, after asking OKX for the time."""
    UNREADABLE = "UNREADABLE"
    """It answered, and a field that we need cannot be read."""
    UNEXPECTED = "UNEXPECTED"
    """A code that we do not know."""
    OUR_BUG = "OUR_BUG"
    """The request itself was wrong."""


class Meaning(NamedTuple):
    """One row of the table."""

    kind: Kind
    retryable: bool
    message_for_user: str


class ExchangeError(Exception):
    """A reading failed. `code` is OKX's, or ours in words (timeout, network, html, …). No secret is in it."""

    def __init__(self, code: str, kind: Kind, message_for_user: str, retryable: bool) -> None:
        super().__init__(f"{kind} ({code}): {message_for_user}")
        self.code = code
        self.kind = kind
        self.message_for_user = message_for_user
        self.retryable = retryable


_DOWN = Meaning(
    Kind.UNAVAILABLE, True, "OKX does not answer as it should. Nothing was changed; try again soon."
)
_SLOW = Meaning(Kind.UNAVAILABLE, False, "OKX took too long to answer. Nothing was changed; try again soon.")
_BUSY = Meaning(
    Kind.RATE_LIMITED, True, "Too many requests to OKX for this account. Try again in a few seconds."
)
_CREDENTIALS = Meaning(
    Kind.KEY_REJECTED, False, "OKX rejects this key, secret or passphrase. Enter them again."
)
_PASSPHRASE = Meaning(Kind.KEY_REJECTED, False, "The passphrase is not this key's. Enter it again.")
_UNKNOWN_KEY = Meaning(
    Kind.KEY_UNKNOWN,
    False,
    "OKX does not know this key: it was deleted, or it belongs to another region of OKX.",
)
_ENVIRONMENT = Meaning(
    Kind.ENVIRONMENT_MISMATCH,
    False,
    "A demo trading key is not a production key. Say which of the two this is.",
)
_ADDRESS = Meaning(
    Kind.IP_NOT_ALLOWED, False, "This key is bound to IP addresses that are not ours. Add ours to it at OKX."
)
_MUST_BE_BOUND = Meaning(Kind.NO_PERMISSION, False, "OKX answers this only for keys bound to IP addresses.")
_PERMISSION = Meaning(
    Kind.NO_PERMISSION, False, "This key may not read this. Make one with the permission Read."
)
_RESTRICTED = Meaning(
    Kind.RESTRICTED, False, "OKX has restricted this account or its API access. OKX's support can say why."
)
_REGION = Meaning(Kind.RESTRICTED, False, "OKX does not serve this account from here.")
_CLOCK = Meaning(Kind.CLOCK, False, "Our clock and OKX's disagree. Nothing was changed; try again soon.")
_BUG = Meaning(
    Kind.OUR_BUG, False, "We asked OKX in a way that it refuses. This is our fault and has been noted."
)
_STRANGE = Meaning(Kind.UNEXPECTED, False, "OKX refused with a reason unknown to us. Nothing was changed.")
_UNREADABLE = Meaning(
    Kind.UNREADABLE, False, "OKX's answer cannot be read with certainty. Nothing was changed."
)

MEANINGS: dict[str, Meaning] = {
    # busy, or out of service
    "50001": _DOWN,
    "50004": _DOWN,
    "50005": _DOWN,
    "50013": _DOWN,
    "50026": _DOWN,
    "51030": _DOWN,  # funding fees are being settled
    "50011": _BUSY,
    # the clock: asked for and tried once more before this is told
    "50102": _CLOCK,
    "50112": _CLOCK,
    # the key
    "50105": _PASSPHRASE,
    "50111": _CREDENTIALS,
    "50113": _CREDENTIALS,
    "50114": _CREDENTIALS,
    "50119": _UNKNOWN_KEY,
    "50101": _ENVIRONMENT,
    "50110": _ADDRESS,
    "50035": _MUST_BE_BOUND,
    "50030": _PERMISSION,
    "50120": _PERMISSION,
    # the user
    "50007": _RESTRICTED,
    "50027": _RESTRICTED,
    "50029": _RESTRICTED,
    "50060": _RESTRICTED,
    "50100": _RESTRICTED,
    "50051": _REGION,
    "50067": _REGION,
    "50121": _REGION,
    # our request: empty headers, parameters, counts
    "50103": _BUG,
    "50104": _BUG,
    "50106": _BUG,
    "50107": _BUG,
    "50014": _BUG,
    "50025": _BUG,
    "50076": _BUG,
    "50077": _BUG,
    "51000": _BUG,
    "51001": _BUG,
    "404": _BUG,
    # ours, where no code of OKX arrived
    "empty": _DOWN,
    "html": _DOWN,
    "not_json": _DOWN,
    "too_large": _DOWN,
    "network": _DOWN,
    "http_error": _DOWN,
    "repeats_the_key": _DOWN,
    "timeout": _SLOW,
    "http_429": _BUSY,
    "busy": Meaning(
        Kind.RATE_LIMITED, False, _BUSY.message_for_user
    ),  # our own limit, before anything was sent
    "unsendable": _CREDENTIALS,
    "no_host": _BUG,
    "unreadable": _UNREADABLE,
    "unknown_code": _STRANGE,
}

_CODE = re.compile(r"[0-9]{1,6}")


def error_for(code: str) -> ExchangeError:
    """The error of a code, OKX's or ours. A number that is not in the table is UNEXPECTED."""
    meaning = MEANINGS.get(code, _STRANGE)
    return ExchangeError(code, meaning.kind, meaning.message_for_user, meaning.retryable)


def judge(status: int, body: bytes, row_type: type = dict) -> list[Any]:
    """The rows of OKX's answer, if it is one, whatever each row is. Raises ExchangeError for all else.

    Both shapes of an error are read (the authentication class has no `data`). The HTTP status decides only
    where there is no code: OKX sends errors with 200, and its documented statuses are not those it sends.
    """
    answer = decoded(body)
    code = str(answer["code"]) if isinstance(answer, dict) and "code" in answer else None
    if code is None:
        raise error_for(_shape(status, body))
    if code != "0":
        raise error_for(code if _CODE.fullmatch(code) else "unknown_code")
    if status != 200:
        raise error_for("http_error")
    try:
        return rows_of(answer, row_type)
    except UnreadableRow:
        raise error_for("unreadable") from None


def _shape(status: int, body: bytes) -> str:
    """A name for an answer that is none."""
    if status == 429:
        return "http_429"
    if not body.strip():
        return "empty"
    return "html" if body.lstrip().startswith(b"<") else "not_json"
