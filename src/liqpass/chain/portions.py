"""How much an endpoint gives at once: found out by asking, not by reading what it says (decision 15)."""

from collections.abc import Awaitable, Callable

from liqpass.chain.failures import NodeError, NodeErrorKind

STEPS_BEFORE_MORE = 100  # of a watcher; or requests, for calls of a batch

# What less may cure, at once or only when the endpoint has had time. No words are needed to tell whether it
# does: the smallest question is asked, and when that is refused too, size was not the reason.
LESS_MAY_DO = frozenset(
    {
        NodeErrorKind.REFUSED,
        NodeErrorKind.RANGE_TOO_WIDE,
        NodeErrorKind.TOO_LARGE,
        NodeErrorKind.BAD_STATUS,
        NodeErrorKind.BAD_ANSWER,
        NodeErrorKind.RATE_LIMITED,
    }
)
LESS_NEXT_TIME = frozenset({NodeErrorKind.TIMEOUT, NodeErrorKind.BROKEN})


class Portion:
    """How much of something an endpoint gives at once: calls of a batch, blocks of a range, blocks of a step.

    `size` begins at `most`, is halved by refusals that less cures, and doubles again after a hundred good
    steps. What was only tried comes back when one alone is refused as well: then size was not the reason. Of
    a size that was given before, a single refusal says nothing: gateways fail now and then.
    """

    def __init__(self, most: int) -> None:
        self.most = self.size = self._worked = most
        self._given = 0  # at most this much it has given; 0 when that is not so any more
        self._doubted = False  # what it has given was refused once, and is asked for again
        self._sized = False  # the refusals of now were shown to come of the size
        self._steps = 0

    async def less(self, asked: int, error: NodeError, ask_one: Callable[[], Awaitable[object]]) -> None:
        """`asked` at once were refused: ask again for as much as `size` says now. Raises where that is of no
        use, what `ask_one`, the smallest question of the kind, raises, or `error` itself."""
        if asked > 1 and (error.kind in LESS_NEXT_TIME or error.rest_sec is not None):
            self.halve(asked)
            raise error
        if asked == 1 or error.kind not in LESS_MAY_DO:
            if error.kind is not NodeErrorKind.RESTING:
                self.size, self._sized = self._worked, False
            raise error
        if not self._sized:
            await ask_one()
            if asked <= self._given and not self._doubted:
                self._doubted = True
                return
            self._sized = True
        self.halve(asked)

    def halve(self, asked: int) -> None:
        """Half of what was asked, until it is known to work no more than a trial."""
        self.size = max(1, min(self.size, asked // 2))
        self._given, self._doubted = 0, False
        self._steps = 0

    def gave(self, asked: int) -> None:
        """It gave that much at once. As much as it is asked for at most: that is known now."""
        self._given, self._doubted = max(self._given, asked), False
        if asked >= self.size:
            self._worked, self._sized = self.size, False

    def step(self) -> None:
        """A step went well; after enough of them the limit may have been a passing one."""
        self._steps += 1
        if self._steps >= STEPS_BEFORE_MORE:
            self.more()

    def more(self) -> None:
        """Twice as much is tried next."""
        self.size = min(2 * self.size, self.most)
        self._steps = 0
