"""The HTTP server inside a process, the settings it starts from, and its end by signal."""

import asyncio
import gc
import os
import random
import resource
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from liqpass.app import AsgiApp
from liqpass.edge import refusal
from liqpass.http1.accepting import accept
from liqpass.http1.connection import HEAD_SEC
from liqpass.http1.house import House
from liqpass.pricing.skus import load_products
from liqpass.settings import Settings
from liqpass.vault.cipher import KeyRing

BELOW_CLIENTS = range(20_000, 32_768)  # Linux gives clients ports from 32768 on
# Each page that follows an order holds one for a quarter of an hour, idle ones are kept for half a minute:
# whoever comes after the last of them waits, /healthz too.
CONNECTIONS = 800
# What else is open: libraries, the database's pool, requests to the exchange and to nodes.
OTHER_FILES = 200
FEWEST_CONNECTIONS = 20
WAITING = 1024
END_SEC = 5.0  # for answers that are under way when the server ends


def well_formed(env: Mapping[str, str]) -> Settings:
    """All settings, the key ring's and the products' own rules included. Raises SettingError."""
    settings = Settings.from_env(env)
    KeyRing.from_env(settings.api_keys_enc_key)
    load_products(settings.skus_path)
    return settings


def room_for_connections(tell: Callable[[str], None]) -> int:
    """How many connections may be taken so that a file is left for each, and for what each asks of others.

    The soft limit is raised to the hard one. Fewer than CONNECTIONS are said: a process without a free file
    answers nobody. Raises OSError where not even a few fit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft == resource.RLIM_INFINITY or soft >= OTHER_FILES + CONNECTIONS:
        return CONNECTIONS
    fitting = soft - OTHER_FILES
    if fitting < FEWEST_CONNECTIONS:
        least = OTHER_FILES + FEWEST_CONNECTIONS
        raise OSError(f"no more than {soft} files may be open (ulimit -n): {least} are needed")
    tell(
        f"No more than {soft} files may be open (ulimit -n): {fitting} connections at once, not {CONNECTIONS}"
    )
    return fitting


def free_port(host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago, and that the kernel gives to no client before it is used."""
    for port in random.SystemRandom().sample(BELOW_CLIENTS, 100):
        with socket.socket() as sock, suppress(OSError):
            sock.bind((host, port))
            return port
    raise OSError(f"no port of {host} is free")


class Listening(NamedTuple):
    """Where a server answers, and the task that ends with it."""

    url: str
    task: "asyncio.Task[None]"

    async def until_it_ends(self) -> None:
        """Raises OSError: a process whose server has ended must not go on living deaf."""
        await asyncio.wait([self.task])
        raise OSError("the HTTP server ended by itself")


@asynccontextmanager
async def listening(
    app: AsgiApp, host: str, port: int, connections: int = CONNECTIONS, head_sec: float = HEAD_SEC
) -> AsyncIterator[Listening]:
    """Serve an ASGI application inside this event loop, to so many `connections` at once; each has `head_sec`
    to send a request's head. Ends after the answers that are under way.

    Raises OSError where it cannot listen.
    """
    listener = _bound(host, port)
    room = asyncio.Semaphore(connections)
    house = House(app, refusal, room.release, head_sec)
    task = asyncio.create_task(accept(listener, house, room))
    try:
        yield Listening(f"http://{f'[{host}]' if ':' in host else host}:{port}", task)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        listener.close()
        await house.end(END_SEC)


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens there, alone. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=WAITING)
    except OSError as error:
        # below zero it is the resolver's number, not the system's
        why = os.strerror(number) if (number := error.errno or 0) >= 0 else "no address has this name"
        raise OSError(f"cannot listen at {host}:{port}: {why}") from None
    listener.setblocking(False)
    return listener


async def until_stopped(*work: Awaitable[object]) -> None:
    """Run `work` until SIGINT or SIGTERM; an error in any part ends all of it and is raised."""
    gc.freeze()  # what a start has made stays: a full collection need not go through its 150,000 objects
    gc.enable()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    tasks = [asyncio.ensure_future(part) for part in work]
    waiter = asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait([*tasks, waiter], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (*tasks, waiter):
            task.cancel()
        await asyncio.gather(*tasks, waiter, return_exceptions=True)
