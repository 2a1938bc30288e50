"""Requests of one kind that come in while the database works on others, of any kind, are done together, by
one statement and one commit, as soon as one of those is done. A request that comes alone goes at once, alone.

So rows that everybody needs are locked once for many, and the log is flushed once for many; and a statement,
which costs more than any row of it, is paid for once for many.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Hashable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Generic, Protocol, TypeVar

AT_MOST = 64  # in one statement
# A statement takes milliseconds. One that takes longer waits for a row that somebody holds, or for a database
# that does not answer: what it waits for is no reason for others to wait.
PATIENCE_SEC = 0.25

R = TypeVar("R")
A = TypeVar("A")


class Placed(Protocol):
    """What came of one of several, counted from 1."""

    @property
    def place(self) -> int: ...


P = TypeVar("P", bound=Placed)


def in_place(found: Sequence[P], how_many: int) -> list[P | None]:
    """Each at its place; None where nothing was found."""
    answers: list[P | None] = [None] * how_many
    for one in found:
        answers[one.place - 1] = one
    return answers


@dataclass(frozen=True)
class _Waiting(Generic[R, A]):
    request: R
    answer: "asyncio.Future[A]"
    context: Context


class Turns:
    """What is under way at one database, of all kinds: what comes meanwhile goes when any of it ends. For a
    kind whose last statement took too long only its own requests wait, until one is done in time again."""

    def __init__(self) -> None:
        self.kinds: list[Combining[Any, Any]] = []

    @cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Kept: before Python 3.12, who asks asyncio for it asks the kernel, too."""
        return asyncio.get_running_loop()

    def are_free_for(self, asking: "Combining[Any, Any]") -> bool:
        """Whether who comes now need not wait."""
        return not any(kind.is_under_way and (kind is asking or not kind.is_late) for kind in self.kinds)

    def end(self, of: "Combining[Any, Any]") -> None:
        """Whoever waits goes on, but those whose own kind is under way."""
        of.go_on()
        for kind in self.kinds:
            if not kind.is_under_way:
                kind.go_on()


class Combining(Generic[R, A]):
    """One kind of request to one database.

    `alone` does one, and raises what the requester is to be told. `together` does several in one transaction
    and answers in their order, with None for each that it did nothing for: these are done alone, and so are
    all when it raises: doing one again is harmless. Where it raises one of `of_one`, which tell that a single
    one of them is refused, the two halves are done instead, and so on: who asks for what he cannot have costs
    the others a few statements, not the gain of being together. `keys`: what a request may have in common
    with another one; two that share a key are never done together (no statement meets one row twice), and are
    begun in the order of their coming.
    """

    def __init__(
        self,
        turns: Turns,
        alone: Callable[[R], Awaitable[A]],
        together: Callable[[Sequence[R]], Awaitable[Sequence[A | None]]],
        keys: Callable[[R], Collection[Hashable]] = lambda _: (),
        of_one: tuple[type[Exception], ...] = (),
    ) -> None:
        self._turns, self.is_under_way, self.is_late = turns, False, False
        self._alone, self._together, self._keys, self._of_one = alone, together, keys, of_one
        self._waiting: list[_Waiting[R, A]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        turns.kinds.append(self)

    async def __call__(self, request: R) -> A:
        """The answer, or what `alone` raises. Whoever is cancelled meanwhile harms nobody else."""
        if self._turns.are_free_for(self):
            end = self._begin_turn()
            try:
                return await self._alone(request)
            finally:
                end()
        waiting = _Waiting[R, A](request, self._turns.loop.create_future(), copy_context())
        self._waiting.append(waiting)
        return await waiting.answer

    def _begin_turn(self) -> Callable[[], None]:
        """Whoever comes from now on waits until what this returns is called, or until it takes too long."""
        self.is_under_way, over = True, False

        def end(*, late: bool = False) -> None:
            nonlocal over
            if not over:
                over, self.is_late = True, late
                timer.cancel()
                self._turns.end(self)

        timer = self._turns.loop.call_later(PATIENCE_SEC, partial(end, late=True))
        return end

    def go_on(self) -> None:
        """Begin what waits."""
        taken = self._take()
        self.is_under_way = bool(taken)
        if taken:
            end = self._begin_turn()
            # its end, too, where it is cancelled before it has begun
            self._start(self._answer(taken, end), taken).add_done_callback(lambda _: end())

    def _take(self) -> list[_Waiting[R, A]]:
        """Those that have waited longest, as many as share no key."""
        taken: list[_Waiting[R, A]] = []
        left: list[_Waiting[R, A]] = []
        seen: set[Hashable] = set()
        for one in self._waiting:
            if one.answer.done():  # cancelled while it waited
                continue
            keys = self._keys(one.request)
            fits = len(taken) < AT_MOST and seen.isdisjoint(keys)
            (taken if fits else left).append(one)
            seen.update(keys)
        self._waiting = left
        return taken

    async def _answer(self, taken: list[_Waiting[R, A]], end: Callable[[], None] = lambda: None) -> None:
        """`end`: of their turn."""
        if len(taken) == 1:
            await self._answer_alone(taken[0])
            return
        try:
            answers = await self._together([one.request for one in taken])
            await asyncio.sleep(0)  # who has come by now is read, and goes with those who wait
            end()
            await asyncio.sleep(0)  # what goes on is sent before these are told: the database works meanwhile
        except Exception as error:
            answers = [None] * len(taken)
            if isinstance(error, self._of_one) and len(taken) > 2:
                half = len(taken) // 2
                for part in (taken[:half], taken[half:]):
                    self._start(self._answer(part), part)
                return
        for one, answer in zip(taken, answers, strict=True):
            if answer is None:
                self._start(self._answer_alone(one), [one])
            elif not one.answer.done():
                one.answer.set_result(answer)

    async def _answer_alone(self, one: _Waiting[R, A]) -> None:
        try:
            answer = await self._alone(one.request)
        except Exception as error:
            if not one.answer.done():
                one.answer.set_exception(error)
        else:
            if not one.answer.done():
                one.answer.set_result(answer)

    def _start(self, work: Coroutine[None, None, None], of: Sequence[_Waiting[R, A]]) -> "asyncio.Task[None]":
        """In a task; where that is cancelled, so are those that it was to answer."""
        task = self._turns.loop.create_task(work, context=of[0].context)
        self._tasks.add(task)

        def over(_: "asyncio.Task[None]") -> None:
            self._tasks.discard(task)
            if task.cancelled():
                for one in of:
                    one.answer.cancel()

        task.add_done_callback(over)
        return task
