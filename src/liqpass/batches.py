"""Many in one transaction; and when that fails, each in one of its own, so that one that cannot be done holds
up no other. It stays where it is, and why in the log."""

from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from liqpass.db import DATABASE_AWAY, Database

log = structlog.get_logger()

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
