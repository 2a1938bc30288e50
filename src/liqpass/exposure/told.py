"""What metrics and remarks say of exposure."""

from datetime import UTC, datetime

from liqpass.exposure.limits import Cause, Direction, Scope
from liqpass.exposure.reading import Exposure
from liqpass.exposure.sql import StoredStop
from liqpass.gauges import seen_gauge
from liqpass.money import usd

NAN = float("nan")  # Prometheus's word for unknown
# Wallets and accounts are as many as there are traders, and nobody's business: of these the largest.
NAMED = (Scope.DIRECTION, Scope.INSTRUMENT)

open_gauge = seen_gauge(
    "liqpass_exposure_micro_usdc",
    "What stands behind open covers, of each direction and of the largest instruments.",
    ("scope", "key"),
)
largest_gauge = seen_gauge(
    "liqpass_exposure_largest_micro_usdc",
    "What stands behind the open covers of the one direction, instrument, account or wallet with most.",
    ("scope",),
)
most_gauge = seen_gauge(
    "liqpass_exposure_most_micro_usdc",
    "What may stand behind one of them, or be claimed in a day.",
    ("scope",),
)
claimed_gauge = seen_gauge(
    "liqpass_claimed_24h_micro_usdc",
    "What claims of the last 24 hours take, or may take while they are not decided.",
    ("direction",),
)
stopped_gauge = seen_gauge(
    "liqpass_sale_stopped", "1 while no cover of the direction is sold.", ("direction",)
)


def tell(found: Exposure | None) -> None:
    """Set the metrics; None: nothing is known."""
    open_gauge.clear()
    for one in found.sums if found else ():
        if one.scope in NAMED:
            open_gauge.labels(one.scope, one.key).set(one.open_sum)
    for scope in Scope:
        most_gauge.labels(scope).set(found.limit(scope).most if found else NAN)
        if scope is not Scope.CLAIMS:
            sums = [one.open_sum for one in found.sums if one.scope is scope] if found else [NAN]
            largest_gauge.labels(scope).set(max(sums, default=0))
    for direction in Direction:
        claimed = {one.direction: one.last_24h for one in found.claimed_24h} if found else {}
        claimed_gauge.labels(direction).set(claimed.get(direction, NAN))
        stopped = any(stop.direction is direction for stop in found.stops) if found else NAN
        stopped_gauge.labels(direction).set(stopped)


def remarks(found: Exposure) -> list[str]:
    """Which directions are not sold, why, and until when; which have no room left. A sentence each."""
    said = [stopped_words(stop) for stop in found.stops]
    for one in found.sums:
        if one.scope is Scope.DIRECTION and one.room == 0 and found.pool:
            said.append(
                f"Covers of {one.key}s are sold out: {usd(one.open_sum)} USDC stand behind them, and "
                f"{usd(one.most)} USDC are the most: liqpass pool limits."
            )
    return said


def tripped(found: Exposure) -> list[StoredStop]:
    """The stops that nobody asked for."""
    return [stop for stop in found.stops if stop.cause is Cause.CLAIMS]


def stopped_words(stop: StoredStop) -> str:
    """A stop in one sentence, and how it ends."""
    until, before = "until somebody resumes", "To sell again"
    if stop.until_at is not None:
        until, before = f"until {moment(stop.until_at)}", "To sell again before that"
    return (
        f"No cover of {stop.direction}s is sold {until}: {stop.reason} ({stop.stopped_by}, "
        f"{moment(stop.from_at)}). {before}: liqpass pool resume {stop.direction} --by NAME --reason TEXT."
    )


def moment(at: datetime) -> str:
    """To the minute."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
