"""What is tested here runs on both loops: on uvloop, as `liqpass serve`, and on asyncio's own."""

import asyncio
from collections.abc import Callable, Mapping

import uvloop

Loops = Mapping[str, Callable[[], asyncio.AbstractEventLoop]]


def pytest_asyncio_loop_factories() -> Loops:
    """pytest-asyncio's."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
