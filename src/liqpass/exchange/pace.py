"""OKX's endpoints that we read, and how often an OKX user may be asked about at each."""

from collections import OrderedDict, deque

CONFIG = "/api/v5/account/config"
POSITIONS = "/api/v5/account/positions"
POSITIONS_HISTORY = "/api/v5/account/positions-history"
ORDERS_HISTORY = "/api/v5/trade/orders-history"
BILLS = "/api/v5/account/bills"
FILLS = "/api/v5/trade/fills"
FILLS_HISTORY = "/api/v5/trade/fills-history"
INSTRUMENTS = "/api/v5/public/instruments"
TIME = "/api/v5/public/time"
MARK_CANDLES = "/api/v5/market/mark-price-candles"
PUBLIC = frozenset({INSTRUMENTS, TIME, MARK_CANDLES})
OF_LISTS = frozenset({MARK_CANDLES})  # their rows are lists, not objects

# Requests and seconds: OKX's documented limits, per OKX user (of what is public: per address).
LIMITS: dict[str, tuple[int, float]] = {
    CONFIG: (5, 2.0),
    POSITIONS: (10, 2.0),
    POSITIONS_HISTORY: (10, 2.0),
    ORDERS_HISTORY: (40, 2.0),
    f"{ORDERS_HISTORY}-archive": (20, 2.0),
    BILLS: (5, 1.0),
    f"{BILLS}-archive": (5, 2.0),
    FILLS: (60, 2.0),
    FILLS_HISTORY: (10, 2.0),
    INSTRUMENTS: (20, 2.0),
    TIME: (10, 2.0),
    MARK_CANDLES: (20, 2.0),
}
# Requests spread on their way to OKX; a little more room keeps two of our windows out of one of theirs.
_SLACK = 1.1
REMEMBERED_USERS = 20_000


class Pace:
    """At most so many requests in so many seconds, per OKX user and endpoint: an exact sliding window."""

    def __init__(self) -> None:
        self._sent: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def wait_sec(self, who: str, path: str, now: float, at_most: float) -> float | None:
        """How long to wait before sending, and the place is taken; None, and no place, beyond `at_most`."""
        count, window_sec = LIMITS[path]
        sent = self._sent.setdefault((who, path), deque(maxlen=count))
        self._sent.move_to_end((who, path))
        if len(self._sent) > REMEMBERED_USERS:
            self._sent.popitem(last=False)
        wait = max(0.0, sent[0] + window_sec * _SLACK - now) if len(sent) == count else 0.0
        if wait > at_most:
            return None
        sent.append(now + wait)
        return wait


class Evenly:
    """At most so many requests a second from this address, evenly spread; `per_sec` None: no limit."""

    def __init__(self, per_sec: int | None) -> None:
        self._apart_sec = 1 / per_sec if per_sec else 0.0
        self._next = 0.0

    def wait_sec(self, now: float, at_most: float) -> float | None:
        """How long to wait before sending, and the place is taken; None, and no place, beyond `at_most`."""
        at = max(now, self._next)
        if at - now > at_most:
            return None
        self._next = at + self._apart_sec
        return at - now
