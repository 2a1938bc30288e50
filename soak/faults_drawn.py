"""Which faults begin in a round, and when each is over: drawn, nothing else."""

import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

Drawn = tuple[str, dict[str, Any]]
ENDPOINTS, PROCESSES = 2, 4
PATHS = (
    "",
    "",
    "account/positions",
    "account/config",
    "account/bills",
    "trade/orders-history",
    "trade/fills",
    "positions-history",
    "public",
)
REFUSALS = ("an object", "413", "500", "each", "the rest")
MOODS = (0.1, 0.2, 0.5, 1.0, 3.2)
# Of each kind so many of a thousand.
KINDS = {
    "endpoint": 665,
    "exchange": 190,
    "connections": 84,
    "process": 16,
    "clock": 25,
    "token": 8,
    "server": 12,
}


class Faults:
    """Those that last are over after one to four rounds."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._ends: dict[int, list[Drawn]] = defaultdict(list)

    def drawn(self, round_: int, often: float) -> Iterator[Drawn]:
        """Those of this round: in most of them few, so that something goes on, in some a great many."""
        often *= self._draw.choice(MOODS)
        number = int(often) + (self._draw.random() < often % 1)
        for kind in self._draw.choices(list(KINDS), list(KINDS.values()), k=number):
            do, of, ends = getattr(self, f"_{kind}")()
            yield do, of
            if ends is not None:
                self._ends[round_ + self._draw.choice((1, 1, 2, 4))].append((ends, of))

    def over(self, round_: int) -> list[Drawn]:
        """Those that end now."""
        return self._ends.pop(round_, [])

    def all_over(self) -> list[Drawn]:
        """Whatever was begun ends."""
        ends = [one for some in self._ends.values() for one in some]
        self._ends.clear()
        return [*ends, ("calm", {})]

    def _endpoint(self) -> tuple[str, dict[str, Any], str | None]:
        draw = self._draw
        ways: list[dict[str, Any]] = [
            {"lag": draw.randrange(1, 7)},
            {"lag": draw.randrange(1, 3)},
            {"unavailable": True},
            {"html": True},
            {"rate_limited": True},
            {"too_many": True, "retry_after": draw.choice((None, "1"))},
            {"empty_logs": True},
            {"max_batch": draw.randrange(1, 6), "batch_refusal": draw.choice(REFUSALS)},
            {"max_range": draw.randrange(1, 20)},
            {"max_logs": draw.randrange(1, 4)},
            {"max_body": draw.randrange(300, 2000)},
            {"no_receipts": True},
            {"no_old_state": True},
            {"string_ids": True},
            {"delay_sec": draw.choice((0.05, 0.2, 0.6))},
            {"gone": True},
            {"lie": draw.choice(("payments", "amounts", "hashes"))},
        ]
        return "endpoint", {"at": draw.randrange(ENDPOINTS), "how": draw.choice(ways)}, "endpoint_well"

    def _exchange(self) -> tuple[str, dict[str, Any], None]:
        draw = self._draw
        where = {"path": draw.choice(PATHS), "count": draw.randrange(1, 8)}
        name, more = draw.choice(
            (
                ("lag", {"seconds": draw.choice((0.1, 0.3, 1.0))}),
                ("html", {}),
                ("rate_limit", {}),
                ("fail", {"code": "50001", "status": 503}),
                ("fail", {"code": "50026", "status": 500}),
                ("fail", {"code": "50011", "status": 200}),
                ("fail", {"code": "", "status": 200}),
                ("answer", {"body": "{"}),
                ("answer", {"body": '{"code":"0","data":[],"msg":""}'}),
                ("answer", {"body": '{"code":"0","data":[{"instId":"?"}],"msg":""}'}),
            )
        )
        # a config that shows nothing but rubbish would be no fault of OKX that anybody has seen
        luck = draw.random()
        if luck < 0.08:
            path = draw.choice(("bills", "positions-history", "orders-history", "fills"))
            late = {"path": f"/{path}", "seconds": draw.choice((20, 300, 1200)), "spread": 600}
            return "rows_late", late | {"count": draw.randrange(3, 40)}, None
        if luck < 0.12:
            return "exchange", {"name": "outage", "seconds": draw.randrange(60, 3600), "path": ""}, None
        return "exchange", {"name": name, **more, **where}, None

    def _connections(self) -> tuple[str, dict[str, Any], None]:
        way = self._draw.choice(("cut", "cut", "deaf", "backends"))
        return "connections", {"way": way, "seed": self._draw.randrange(2**31)}, None

    def _process(self) -> tuple[str, dict[str, Any], str | None]:
        who = self._draw.randrange(PROCESSES)
        if self._draw.random() < 0.5:
            return "kill", {"who": who}, None
        return "freeze", {"who": who}, "thaw"

    def _clock(self) -> tuple[str, dict[str, Any], str]:
        off = self._draw.choice((-2, 2, -20, 20, -90, 90, 600, -600, 3600))
        return "clock", {"who": self._draw.randrange(PROCESSES), "off": off}, "clock_right"

    def _token(self) -> tuple[str, dict[str, Any], str]:
        return "pause_usdc", {}, "unpause_usdc"

    def _server(self) -> tuple[str, dict[str, Any], str | None]:
        way = self._draw.choice(("immediate", "immediate", "kill", "fast"))
        if self._draw.random() < 0.15:
            return "disk_full", {}, "disk_free"
        return "server", {"way": way}, None
