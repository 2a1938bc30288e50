"""What is limited, and by how much: shares of the pool, which is the capital that is free and that is locked.

Pure: the limits stand in the database (`exposure_limits`), which also holds them (`keep_exposures`).
"""

from enum import StrEnum

CAPITAL = "CAPITAL"  # the limit that is no share: what is free
SHARE = 10_000  # a share of the pool is in basis points


class Direction(StrEnum):
    """The way of the market that a cover is sold against."""

    LONG = "long"
    """Ends when the price falls."""
    SHORT = "short"
    """Ends when the price rises."""


class Scope(StrEnum):
    """What a limit is of. The comment says what its key is."""

    DIRECTION = "DIRECTION"
    """All longs, or all shorts: long or short."""
    INSTRUMENT = "INSTRUMENT"
    """One instrument, longs and shorts together: its instId."""
    ACCOUNT = "ACCOUNT"
    """One main account of the exchange, with all its sub-accounts, over all wallets: its mainUid."""
    WALLET = "WALLET"
    """One wallet, with all its accounts: 0x and 40 hex digits in lower case."""
    CLAIMS = "CLAIMS"
    """Claims of 24 hours in one direction; past it none of that direction is sold for a day."""


class Cause(StrEnum):
    """Why a sale stopped."""

    CLAIMS = "CLAIMS"
    """Claims passed their share of the pool."""
    OPERATOR = "OPERATOR"
    """Somebody stopped it by hand."""


def most_of(pool: int, share_bps: int) -> int:
    """The most that may stand, in micro-USDC: the database holds that sum × 10,000 ≤ pool × share."""
    return pool * share_bps // SHARE


def percent(share_bps: int) -> str:
    """A share as people write it: 25 %, 0.5 %."""
    whole, rest = divmod(share_bps, 100)
    return f"{whole}{f'.{rest:02}'.rstrip('0') if rest else ''} %"
