"""Fifty browsers of one user, each with connections and a session of its own, and what they are told."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from liqpass.sandbox.trader import Refused, Trader
from tests.flows.newcomers import Newcomer
from tests.world import TestWorld

CROWD = 50


@asynccontextmanager
async def crowd_of(world: TestWorld, who: Newcomer, size: int = CROWD) -> AsyncIterator[list[Newcomer]]:
    """The same person, signed in `size` times."""
    async with AsyncExitStack() as stack:
        traders = [await stack.enter_async_context(Trader(world.api, who.trader.wallet)) for _ in range(size)]
        await asyncio.gather(*(trader.sign_in() for trader in traders))
        assert len({c.value for t in traders for c in t.http.cookie_jar}) == size
        yield [Newcomer(trader, who.okx, who.key, who.account) for trader in traders]


async def told(call: Awaitable[dict[str, Any]]) -> dict[str, Any] | str:
    """The answer, or the code of the refusal; a failure of the server is no refusal."""
    try:
        return await call
    except Refused as refused:
        assert refused.status < 500, refused
        return refused.code


async def all_told(calls: Iterable[Awaitable[dict[str, Any]]]) -> list[dict[str, Any] | str]:
    """All at once."""
    return await asyncio.gather(*(told(call) for call in calls))


def counted(answers: Iterable[dict[str, Any] | str], field: str = "status") -> Counter[str]:
    """How often each status or code was answered."""
    return Counter(answer if isinstance(answer, str) else str(answer[field]) for answer in answers)
