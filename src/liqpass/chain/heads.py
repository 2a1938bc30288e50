"""Whether what we keep of the chain gets as far as endpoints show it, and what an endpoint gives at once.

A head jumps: finality comes for hundreds of blocks at once, and a moment later the watcher is there. So what
counts is not how far a head is behind, but for how long a block that somebody showed has been waited for.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from liqpass.chain.failures import NodeError
from liqpass.chain.reading import read_heads, try_batch
from liqpass.chain.reading_logs import read_payments, read_transfers
from liqpass.chain.rpc import WIDEST_RANGE, Node
from liqpass.chain.view import Cursor
from liqpass.clock import Clock
from liqpass.settings import ChainSettings

ASKED_EVERY = timedelta(seconds=15)
PATIENCE_SEC = 3.0


class Kept(StrEnum):
    """The heads that we keep."""

    FINALIZED = "finalized"  # up to it everything is read and agreed
    SAFE = "safe"  # up to it payments count
    READ = "read"  # the newest block of the last good view


class Behind(Struct, frozen=True):
    """A block that an endpoint showed as this head, and that ours has not reached since."""

    head: Kept
    number: int
    endpoint: str
    since: datetime


class Shown(Struct, frozen=True):
    """What the endpoints that were asked last showed: what is behind, and the last words of each that did not
    answer, by its host."""

    asked: Sequence[str]
    behind: Sequence[Behind]
    silent: dict[str, str]


class HeadsShown:
    """Asks every endpoint for its heads, at most every fifteen seconds however often somebody wants to know.
    Remembers a block that was shown as each head until ours is there, or who showed it takes it back."""

    def __init__(self, nodes: Sequence[Node], chain: ChainSettings, clock: Clock) -> None:
        self.nodes, self.chain, self.clock = nodes, chain, clock
        self._asked: datetime | None = None
        self._asking = asyncio.Lock()
        self._waited_for: dict[Kept, tuple[Node, Behind]] = {}
        self._silent: dict[str, str] = {}

    async def compared(self, cursor: Cursor | None) -> Shown:
        """What they show, held against how far we are. Raises nothing: a node that fails is `silent`."""
        reached = {} if cursor is None else _reached(cursor)
        async with self._asking:
            now = self.clock()
            for head, (_, behind) in list(self._waited_for.items()):
                if behind.number <= reached.get(head, 0):
                    del self._waited_for[head]
            if self._asked is None or now - self._asked > ASKED_EVERY:
                self._asked = now
                answers = await asyncio.gather(*(self._ask(node) for node in self.nodes))
                for node, heads in zip(self.nodes, answers, strict=True):
                    for head in heads.keys() & reached.keys():
                        self._note(node, Behind(head, heads[head], node.name, now), reached[head])
            waited = [self._waited_for[head][1] for head in Kept if head in self._waited_for]
            return Shown([node.name for node in self.nodes], waited, dict(self._silent))

    def _note(self, node: Node, shown: Behind, reached: int) -> None:
        """Wait for what is shown now; for less, when who showed more than that takes it back."""
        by, waited = self._waited_for.get(shown.head, (node, shown))
        if by is not node:
            return
        if shown.number <= reached:
            self._waited_for.pop(shown.head, None)
        else:
            lower = min(waited.number, shown.number)
            self._waited_for[shown.head] = node, replace(waited, number=lower)

    async def _ask(self, node: Node) -> dict[Kept, int]:
        self._silent.pop(node.name, None)
        try:
            async with asyncio.timeout(PATIENCE_SEC):
                heads = await read_heads(node, self.chain)
        except NodeError as error:
            self._silent[node.name] = error.detail
        except TimeoutError:
            self._silent[node.name] = f"{node.name} gave no answer within {PATIENCE_SEC:g} seconds"
        else:
            return {Kept.FINALIZED: heads.finalized, Kept.SAFE: heads.safe, Kept.READ: heads.latest}
        return {}


def _reached(cursor: Cursor) -> dict[Kept, int]:
    return {
        Kept.FINALIZED: cursor.finalized_number,
        Kept.SAFE: cursor.safe_number,
        Kept.READ: cursor.latest_number,
    }


def waiting(behind: Behind, now: datetime, words: str) -> str:
    """The sentence for operators. `words`: what is in the way."""
    seconds = int((now - behind.since).total_seconds())
    name = {Kept.READ: "the newest block read"}.get(behind.head, f"the {behind.head} head")
    return (
        f"{name} has not reached block {behind.number:,}, which {behind.endpoint} showed {seconds} s ago: "
        f"{words}"
    )


async def what_it_gives(node: Node, chain: ChainSettings) -> str:
    """Ask an endpoint what the product asks at most: a full batch, a full range of logs. In words, what it
    gives at once. Raises NodeError."""
    heads = await read_heads(node, chain)
    await try_batch(node, heads.latest)
    first = max(0, heads.latest - WIDEST_RANGE + 1)
    await read_payments(node, chain, first, heads.latest)
    transfers = await read_transfers(node, chain, first, heads.latest)
    said = f"block {heads.latest:,}; gives {node.calls.size} calls, {node.blocks.size:,} blocks at once"
    return f"{said}; {transfers.waits}" if transfers.waits else said
