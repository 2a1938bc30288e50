"""What happens, round by round: a pure function of the seed. Nothing here knows what comes of it."""

import heapq
import random
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import msgspec

from soak import lives
from soak.faults_drawn import Faults

HOUR, DAY = 3600, 86_400
FINAL = 12  # blocks behind the head; the safe head is half as far
CALM_OF, STORMY_OF = 8, 22  # so many rounds with no fault after so many with


class Action(msgspec.Struct, frozen=True):
    """One thing that somebody does, or that goes wrong. `of` says to whom and how."""

    round: int
    do: str
    of: dict[str, Any] = {}


class Scale(msgspec.Struct, frozen=True):
    """How large a soak is. `lives` and `faults`: so many begin in a round, on average; `reorgs`: in how many
    of a hundred rounds there is one; a quiet point is reached every `quiet_every` rounds."""

    accounts: int = 60
    lives: float = 3.2
    faults: float = 6.0
    reorgs: int = 120
    quiet_every: int = 120
    longest: bool = True  # covers of thirty days, too
    tail_step: int = 6 * HOUR  # seconds that pass at least, in the weeks after


SMALL = Scale(
    accounts=6, lives=1.5, faults=4.0, reorgs=100, quiet_every=24, longest=False, tail_step=6 * HOUR
)


class Schedule:
    """`next_round` until it is enough, then `tail`: the weeks until no claim can come any more."""

    def __init__(self, seed: int, scale: Scale) -> None:
        self.seed, self.scale = seed, scale
        self._draw = random.Random(seed)  # noqa: S311
        self._faults = Faults(random.Random(seed + 1))  # noqa: S311
        self._due: list[tuple[int, int, str, dict[str, Any]]] = []
        self._number = count()
        self._free = [(a, *slot) for a in range(scale.accounts) for slot in lives.SLOTS]
        self._lives = 0
        self._round = 0
        self._now = 0  # seconds since the beginning, by everybody's clock

    def next_round(self) -> list[Action]:
        """Time passes; what is due is done, people come, things break, blocks are mined."""
        step, stormy = self._step(), self._round % (CALM_OF + STORMY_OF) < STORMY_OF
        doing = list(self._undone(0.5, 1) if stormy else self._undone(0.8, FINAL // 2 + 1))
        doing += self._passed(step)
        doing += self._began()
        if stormy:
            doing += [self._act(do, **of) for do, of in self._faults.drawn(self._round, self.scale.faults)]
        doing += [self._act(do, **of) for do, of in self._faults.over(self._round)]
        doing += self._chain()
        if self._draw.random() < 0.25:
            doing.append(self._act("operate", seed=self._seed()))
        doing += self._people()
        if not stormy:
            doing.append(self._act("seen"))
        self._round += 1
        if self._round % self.scale.quiet_every == 0:
            doing += [self._act(do, **of) for do, of in self._faults.all_over()]
            doing.append(self._act("quiet"))
        return doing

    def tail(self) -> Iterator[list[Action]]:
        """No more faults; every account has a key that reads, and four to seven weeks pass."""
        healed = [self._act(do, **of) for do, of in self._faults.all_over()]
        healed += [self._act("key_new", account=a) for a in range(self.scale.accounts)]
        self._round += 1
        yield [*healed, self._act("quiet")]
        over = self._now + (47 if self.scale.longest else 17) * DAY
        while self._now < over:
            nearest = self._due[0][0] - self._now if self._due else DAY
            step = max(self.scale.tail_step, min(nearest, self._draw.choice((3, 6, 12, 24)) * HOUR))
            doing = list(self._passed(step))
            doing += [self._act("mine", blocks=3), self._act("work"), self._act("operate", seed=self._seed())]
            self._round += 1
            yield doing
        for _ in range(6):
            self._round += 1
            yield [
                self._act("time", sec=HOUR),
                self._act("mine", blocks=10),
                self._act("work"),
                self._act("operate", seed=self._seed(), last=True),
            ]
        self._round += 1
        yield [self._act("time", sec=HOUR), self._act("mine", blocks=10), self._act("end")]

    def _act(self, do: str, **of: Any) -> Action:
        return Action(self._round, do, of)

    def _seed(self) -> int:
        return self._draw.randrange(2**31)

    def _step(self) -> int:
        luck = self._draw.random()
        if luck < 0.6:
            return self._draw.randrange(60, 300)
        return self._draw.randrange(300, 1200) if luck < 0.9 else self._draw.randrange(1200, 3500)

    def _passed(self, step: int) -> Iterable[Action]:
        self._now += step
        yield self._act("time", sec=step)
        while self._due and self._due[0][0] <= self._now:
            _, _, do, of = heapq.heappop(self._due)
            if do == "free":
                self._free.append((of["account"], of["inst"], of["side"]))
            else:
                yield self._act(do, **of)

    def _later(self, at: int, do: str, **of: Any) -> None:
        heapq.heappush(self._due, (self._now + at, next(self._number), do, of))

    def _began(self) -> Iterable[Action]:
        often = int(self.scale.lives) + (self._draw.random() < self.scale.lives % 1)
        for _ in range(often):
            if not self._free:
                return
            slot = self._free.pop(self._draw.randrange(len(self._free)))
            life, later = lives.drawn(self._lives, slot, self._draw, longest=self.scale.longest)
            self._lives += 1
            yield self._act("open", **life)
            for at, do, of in later:
                self._later(at, do, **of)

    def _undone(self, often: float, least: int) -> Iterable[Action]:
        """A reorg before anything else: of blocks that the workers have had time to see, also safe ones."""
        if self._draw.random() * 100 < self.scale.reorgs * often:
            yield self._act("reorg", depth=self._draw.randint(least, FINAL), seed=self._seed())

    def _chain(self) -> Iterable[Action]:
        yield self._act("mine", blocks=self._draw.randrange(1, 5))
        if self._draw.random() * 100 < self.scale.reorgs / 2:
            depth = min(self._draw.randint(1, FINAL), self._draw.randint(1, FINAL))
            yield self._act("reorg", depth=depth, seed=self._seed())
            if self._draw.random() < 0.7:
                yield self._act("come_back", seed=self._seed())
        if self._draw.random() < 0.3:
            yield self._act("mine", blocks=1)

    def _people(self) -> Iterable[Action]:
        draw, account = self._draw, self._draw.randrange(self.scale.accounts)
        if draw.random() < 0.05:
            yield self._act("sign_out", account=account)
        if draw.random() < 0.06:
            yield self._act("look", account=account)
        if draw.random() < 0.03:
            way = draw.choice(("deleted", "grown", "revoked"))
            yield self._act(f"key_{way}", account=account)
            self._later(draw.randrange(HOUR, 60 * HOUR), "key_new", account=account)
        if draw.random() < 0.04:
            yield self._act("stray", account=account, amount=draw.randrange(1, 50) * 10**5)
        if draw.random() < 0.03:
            yield self._act("wrong_token", account=account, amount=draw.randrange(1, 50) * 10**5)
        if draw.random() < 0.03:
            yield self._act("by_hand", seed=self._seed())
        if draw.random() < 0.02:
            yield self._act("cancel_due", seed=self._seed())
        if draw.random() < 0.02:
            yield self._act("withdraw", amount=draw.randrange(1, 20) * 10**6)
        if draw.random() < 0.02:
            coin, rate = draw.choice((("BTC", "0.0003"), ("ETH", "-0.0002")))
            yield self._act("fund", coin=coin, rate=rate)
        if draw.random() < 0.01:
            yield self._act("blacklist", account=account)
            self._later(draw.randrange(HOUR, 20 * HOUR), "unblacklist", account=account)
