"""Work that is due. What the database does: many in one transaction, and when that fails each in one of its
own, so that one that cannot be done holds up no other; it stays where it is, and why in the log. What the
outside world is asked: some at a time, so that a slow one holds up no other."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

import structlog
from prometheus_client import Counter

from liqpass.db import DATABASE_AWAY, Database

LOOK_AGAIN_SEC = 1.0
# Where all fails, whatever comes next, and not this or that one: the longest pause between two tries.
TRY_AGAIN_SEC = 1.0
SLOWER_BY_SEC = 0.01

log = structlog.get_logger()
failures = Counter("liqpass_task_failures_total", "Steps of a task, or parts of one, that failed.", ("task",))
T = TypeVar("T")

Step = Callable[..., Awaitable[int]]
"""(conn, at_most=, passing_over=) → how many were done, of those after the first so many; what is not
done keeps its place in their order."""


def _never(_error: Exception) -> bool:
    return False


async def in_batches(
    db: Database, step: Step, at_most: int, *, passes: Callable[[Exception], bool] = _never
) -> None:
    """Until nothing is left but what cannot be done. `passes`: nobody's fault, and no error in the log."""
    try:
        while await db.run(partial(step, at_most=at_most, passing_over=0)):
            pass
    except DATABASE_AWAY:
        raise
    except Exception as error:
        if not passes(error):
            log.exception("batch_cannot_be_done")
        await _one_by_one(db, step, passes)


async def _one_by_one(db: Database, step: Step, passes: Callable[[Exception], bool]) -> None:
    failed = 0
    while True:
        try:
            if not await db.run(partial(step, at_most=1, passing_over=failed)):
                return
        except DATABASE_AWAY:
            raise
        except Exception as error:
            failed += 1
            if passes(error):
                log.warning("one_has_to_wait", in_the_way=failed)
            else:
                log.exception("one_cannot_be_done", in_the_way=failed)
                failures.labels(structlog.contextvars.get_contextvars().get("task", "")).inc()
                await asyncio.sleep(min(TRY_AGAIN_SEC, failed * SLOWER_BY_SEC))


async def some_at_a_time(
    take: Callable[[int], Awaitable[list[T]]], do: Callable[[T], Coroutine[Any, Any, None]], at_once: int
) -> int:
    """Do what `take` gives, which is asked for as many as there is room for, until it gives none and all are
    done; how many were begun.

    A slow one holds up no other: its place is one of many. Raises what `do` raises first; the others are
    cancelled then.
    """
    running, begun = set[asyncio.Task[None]](), 0
    try:
        while True:
            for taken in await take(at_once - len(running)):
                running.add(asyncio.create_task(do(taken)))
                begun += 1
            if not running:
                return begun
            ended, running = await asyncio.wait(
                running, timeout=LOOK_AGAIN_SEC, return_when=asyncio.FIRST_COMPLETED
            )
            failed = [error for one in ended if (error := one.exception()) is not None]
            if failed:  # each was asked for: of one that nobody asks for, asyncio says so beside our log
                raise failed[0]
    finally:
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
