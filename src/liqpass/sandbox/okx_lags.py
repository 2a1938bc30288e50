"""Rows of the sandbox exchange that come late: each endpoint shows what happened after a delay of its own."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

from liqpass.sandbox.okx_margin import Account, Position

# Whether a row is not shown yet: the ids by which it can be named, and the time in ms of what it tells.
Hidden = Callable[[tuple[str, ...], int], bool]

LAGGING = (
    "/api/v5/account/positions",
    "/api/v5/account/positions-history",
    "/api/v5/account/bills",
    "/api/v5/account/bills-archive",
    "/api/v5/trade/orders-history",
    "/api/v5/trade/orders-history-archive",
    "/api/v5/trade/fills",
    "/api/v5/trade/fills-history",
)


@dataclass
class Delay:
    """Rows of the endpoints whose path ends in `path` are hidden until they are so old; None is for good.

    `row_id` names the only rows that it is about, "" is all; `left` requests are still hit, None means until
    healed. Up to `spread_sec` more is drawn for each row, the same whenever it is asked for.
    """

    path: str
    seconds: float | None
    spread_sec: float
    row_id: str
    left: int | None

    def hides(self, asked: str, ids: tuple[str, ...], age_ms: int) -> bool:
        """Whether this row of that endpoint is too young to be shown."""
        if self.row_id and self.row_id not in ids:
            return False
        if self.seconds is None:
            return True
        drawn = zlib.crc32(f"{asked} {ids[0]}".encode()) / 2**32
        return age_ms < (self.seconds + drawn * self.spread_sec) * 1000


class Delays:
    """What comes late where, beside what it is that goes wrong otherwise."""

    def __init__(self) -> None:
        self._delays: list[Delay] = []

    def delay(self, path: str, seconds: float, *, spread: float = 0, count: int | None = None) -> None:
        """Show what happens at endpoints whose path ends in `path` ("" for all) only `seconds` later by the
        exchange's clock, each row by up to `spread` more, so that rows come in another order.

        With `count`, for so many requests. Positions and their history are shown as they were. Of several
        delays of an endpoint the longest counts.
        """
        self._add(Delay(path, float(seconds), float(spread), "", count))

    def hide(self, row_id: str, *, path: str = "", count: int | None = None) -> None:
        """Show no row that has this billId, ordId or posId at endpoints whose path ends in `path` ("" for
        all), for `count` requests or until heal(). Of a posId no episode is shown there."""
        self._add(Delay(path, None, 0, row_id, count))

    def hidden_at(self, path: str, now_ms: int) -> Hidden | None:
        """What this request is not shown, None where it is shown everything; its delays are used up by being
        asked for."""
        met = [delay for delay in self._delays if path.endswith(delay.path) and path in LAGGING]
        for delay in met:
            if delay.left is not None:
                delay.left -= 1
                if delay.left <= 0:
                    self._delays.remove(delay)
        if not met:
            return None
        return lambda ids, ms: any(delay.hides(path, ids, now_ms - ms) for delay in met)

    def _add(self, delay: Delay) -> None:
        if not any(path.endswith(delay.path) for path in LAGGING):
            raise ValueError(
                f"no endpoint that can lag ends in {delay.path!r}; there are {', '.join(LAGGING)}"
            )
        self._delays.append(delay)


def shown_slots(account: Account, hidden: Hidden | None) -> list[Position]:
    """The slots of an account as far as they are shown: each as the last of its episodes was."""
    if hidden is None:
        return list(account.slots.values())
    latest: list[Position] = []
    for slot, current in account.slots.items():
        episodes = [each for each in account.episodes if each is not current and each.slot == slot]
        shown = [past for each in (*episodes, current) for past in _shown(each, hidden)]
        latest += shown[-1:]
    return latest


def shown_episodes(account: Account, hidden: Hidden | None) -> list[Position]:
    """The episodes that were closed at least in part, as far as that is shown."""
    if hidden is None:
        return account.episodes
    latest: list[Position] = []
    for episode in account.episodes:
        latest += [past for past in _shown(episode, hidden) if past.close_type][-1:]
    return latest


def _shown(episode: Position, hidden: Hidden) -> list[Position]:
    return [past for past in episode.past if not hidden((past.pos_id,), past.u_time_ms)]
