"""However few files a process may open: `liqpass serve` keeps one for whoever still has to be answered."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from liqpass.serving import free_port
from tests.commands.cli import ended, hear, start

CALLERS = 400


def with_files(limit: int, kind: str = "") -> tuple[str, ...]:
    """The shell's `ulimit -n` before a command: `-S` the soft one alone."""
    return ("sh", "-c", f'ulimit {kind} -n {limit}; exec "$@"', "sh")


@asynccontextmanager
async def serving(env: dict[str, str], around: tuple[str, ...]) -> AsyncIterator[tuple[int, int, str]]:
    """Process id, port, and what it said at its start."""
    port = free_port()
    serve = await start("serve", "--port", str(port), env=env, around=around)
    yield serve.pid, port, await hear(serve.stderr, "Ctrl-C")
    serve.terminate()
    assert (await ended(serve)).status == 0


@asynccontextmanager
async def idle(port: int, count: int) -> AsyncIterator[None]:
    """Callers who say nothing."""
    writers = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(count)]
    yield
    for writer in writers:
        writer.close()


async def healthz(port: int) -> int:
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/healthz") as answer:
        return answer.status


async def test_a_low_soft_limit_is_raised_and_four_hundred_idle_callers_keep_nobody_out(
    env: dict[str, str],
) -> None:
    async with serving(env, with_files(256, "-S")) as (pid, port, said), idle(port, CALLERS):
        assert said.count("\n") == 1
        assert await until_open(pid, CALLERS) > CALLERS
        assert await healthz(port) == 200


async def test_connections_are_fitted_to_a_low_hard_limit_and_files_are_left_for_other_work(
    env: dict[str, str],
) -> None:
    async with serving(env, with_files(256)) as (pid, port, said):
        fitted = re.match(
            r"No more than 256 files may be open \(ulimit -n\): (\d+) connections at once, not 800\n", said
        )
        assert fitted
        before = open_files(pid)
        async with idle(port, CALLERS):
            assert await until_open(pid, before + int(fitted[1]) - 1) < 200
        assert await healthz(port) == 200


async def until_open(pid: int, count: int) -> int:
    """How many files the process has open, once there are so many; or after long waiting."""
    for _ in range(400):
        if open_files(pid) > count:
            break
        await asyncio.sleep(0.05)
    return open_files(pid)


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208  (a count, not paths)


async def test_a_limit_under_which_nothing_works_is_said_in_one_line(env: dict[str, str]) -> None:
    done = await ended(await start("serve", env=env, around=with_files(64)))
    assert (done.status, done.err) == (
        1,
        "liqpass: no more than 64 files may be open (ulimit -n): 220 are needed\n",
    )
