"""What is known of an episode since it was priced, and what is missing before anything can be said of it."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from liqpass.claims.case import Missing
from liqpass.claims.facts import By, Facts, Standing, Told
from liqpass.claims.flow import Trade, adds_up, trades_of, until
from liqpass.exchange.records import CloseType


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """The episode as far as `now`, how it stood last; None where it is gone and no row says how. `end`: the
    row of positions-history that says it is over. `trades` and `told` are those until then. `complete`: the
    trades explain how it stands now. `shut`: nothing that comes later can be inside the cover."""

    facts: Facts
    end: Told | None
    now: Standing | None
    told: list[Told]
    trades: list[Trade]
    complete: bool
    shut: bool

    @property
    def parts(self) -> list[Trade]:
        """What the exchange has liquidated of it, in the order of time."""
        return [trade for trade in self.trades if trade.by is By.LIQUIDATION]

    @property
    def unharmed(self) -> bool:
        """Whether it is open, and nothing says that anything of it was liquidated since pricing."""
        priced = self.facts.priced.standing
        return (
            self.end is None
            and self.now is not None
            and self.now.penalty == priced.penalty
            and not self.parts
            and not _told_of(self)
        )

    @property
    def penalty(self) -> Fraction:
        """The penalty that is known of last."""
        known = [self.facts.priced.standing, *(one.standing for one in self.told), *self.facts.lives]
        return (self.now or max(known, key=lambda one: (one.at_ms, one.read_at_ms))).penalty

    @property
    def standings(self) -> list[Standing]:
        """How it is known to have stood since pricing, in the order of time, up to `now`."""
        if self.now is None:
            return []
        known = [one.standing for one in self.told] + self.facts.lives
        before = [one for one in known if one.at_ms <= self.now.at_ms and one is not self.now]
        return [*sorted(before, key=lambda one: (one.at_ms, one.read_at_ms)), self.now]


def episodes_of(facts: Facts, cover_over_ms: int) -> Iterator[Episode]:
    """The episode as it is known, then as it was when it was first read after the cover (`cover_over_ms`):
    where that decides, it does not matter what cannot be known of the time since."""
    trades = trades_of(facts)
    end = next((one for one in reversed(facts.told) if one.over), None) or _spent(facts, trades)
    live = facts.lives[-1] if facts.lives else None
    seen_ms = max((one.read_at_ms for one in facts.lives), default=-1)
    if facts.gone_at_ms is not None and facts.gone_at_ms >= seen_ms:
        live = None
    after = min(
        (one for one in facts.lives if one.read_at_ms >= cover_over_ms),
        key=lambda one: (one.read_at_ms, one.at_ms),
        default=None,
    )
    if end is not None:
        yield _made(
            facts, end.standing, facts.told, until(trades, facts.priced, end.standing), end=end, shut=True
        )
    elif live is None or live is not after:
        shut = live is not None and after is not None
        yield _made(facts, live, facts.told, trades, end=None, shut=shut)
    if after is not None:
        told = [one for one in facts.told if one.standing.at_ms <= after.read_at_ms]
        before = [trade for trade in trades if trade.at_ms <= after.read_at_ms]
        yield _made(facts, after, told, before, end=None, shut=True)


def _spent(facts: Facts, trades: list[Trade]) -> Told | None:
    """A row that does not say that the episode is over, though it is: the position is gone, and all of its
    contracts were closed until then. So a whole auto-deleveraging may be told (type 5)."""
    last = facts.told[-1] if facts.told else None
    seen_ms = max((one.read_at_ms for one in facts.lives), default=-1)
    if last is None or last.close_type is CloseType.UNKNOWN or facts.gone_at_ms is None:
        return None
    if facts.gone_at_ms < max(seen_ms, last.standing.at_ms):
        return None
    over = replace(last.standing, contracts=Fraction())
    complete = adds_up(facts.priced.standing, until(trades, facts.priced, over), over)
    return replace(last, standing=over) if complete else None


def missing_of(episode: Episode) -> set[Missing]:
    """What is not shown, or shown in two ways, of how it stands and of what was liquidated."""
    facts, parts = episode.facts, episode.parts
    found = set[Missing]()
    if episode.now is None:
        found.add(Missing.HISTORY_ROW)
    elif not episode.complete:
        found.add(Missing.ALL_FILLS)
    if parts and (not episode.told or episode.told[-1].standing.at_ms < parts[-1].at_ms):
        found.add(Missing.HISTORY_ROW)
    elif parts and not _told_of(episode):
        found.add(Missing.AGREEMENT)
    if not parts and (_told_of(episode) or _penalized(episode.now, facts)):
        found.discard(Missing.ALL_FILLS)
        found.add(Missing.ORDERS_OR_BILLS)
        found |= set() if _told_of(episode) else {Missing.HISTORY_ROW}
    if _torn(episode):
        found.add(Missing.AGREEMENT)
    return found | _unclear(episode)


def _made(
    facts: Facts, now: Standing | None, told: list[Told], trades: list[Trade], *, end: Told | None, shut: bool
) -> Episode:
    complete = now is not None and adds_up(facts.priced.standing, trades, now)
    return Episode(facts=facts, end=end, now=now, told=told, trades=trades, complete=complete, shut=shut)


def _penalized(standing: Standing | None, facts: Facts) -> bool:
    return standing is not None and standing.penalty < facts.priced.standing.penalty


def _told_of(episode: Episode) -> bool:
    """Whether positions-history says that something was liquidated since pricing: only the latest way of
    closing is shown there, the penalty stays. A partial liquidation before pricing is in the penalty then."""
    before = episode.facts.priced.standing
    return any(
        one.close_type is CloseType.LIQUIDATED
        or _penalized(one.standing, episode.facts)
        or (one.close_type is CloseType.PARTLY_LIQUIDATED and not before.penalty)
        for one in episode.told
    )


def _torn(episode: Episode) -> bool:
    """Whether two answers say different things."""
    parts, told, end = episode.parts, episode.told, episode.end
    told_ms, closed = (told[-1].standing.at_ms, told[-1].closed) if told else (0, None)
    liquidated = sum((part.contracts for part in parts if part.at_ms <= told_ms), Fraction())
    return (
        not all(trade.agrees for trade in episode.trades)
        or any(part.opens for part in parts)
        or (closed is not None and liquidated > closed)
        or (end is not None and told_ms > end.standing.at_ms)
        or (end is not None and any(one.at_ms > end.standing.at_ms for one in episode.facts.lives))
        or _penalty_shrinks(episode)
        or any(one != other and _same_moment(one, other) for one, other in pairwise(told))
    )


def _penalty_shrinks(episode: Episode) -> bool:
    """What the exchange has taken it never gives back: not even by a row of the same change, read later."""
    known = [one.standing for one in episode.told] + ([episode.now] if episode.now else [])
    known.sort(key=lambda one: (one.at_ms, one.read_at_ms))
    penalties = [one.penalty for one in (episode.facts.priced.standing, *known)]
    return any(after > before for before, after in pairwise(penalties))


def _same_moment(one: Told, other: Told) -> bool:
    """Whether both are of one change, read at once."""
    return (one.standing.at_ms, one.standing.read_at_ms) == (other.standing.at_ms, other.standing.read_at_ms)


def _unclear(episode: Episode) -> set[Missing]:
    since_ms = episode.facts.priced.standing.at_ms
    end_ms = episode.end.standing.at_ms if episode.end else None
    found = {
        Missing.READABLE_ROWS if one.what == "UNREADABLE" else Missing.UNKNOWN_CLOSING
        for one in episode.facts.unclear
        if one.at_ms is None or (one.at_ms > since_ms and (end_ms is None or one.at_ms <= end_ms))
    }
    strange = any(trade.by is By.UNKNOWN and not trade.opens for trade in episode.trades)
    if strange or any(one.close_type is CloseType.UNKNOWN for one in episode.told):
        found.add(Missing.UNKNOWN_CLOSING)
    return found
