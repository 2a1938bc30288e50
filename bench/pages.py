"""How long each page takes, and what it weighs, with many orders in the database."""

import asyncio
import gzip
import os
import re
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from urllib.parse import urljoin

import aiohttp
import asyncpg
import msgspec
import typer
from rich.console import Console
from rich.table import Table

from bench.at_size import BooksAtSize, books_at_size
from bench.kept import RESULTS, commit, console, machine, tell
from liqpass.clock import system_clock
from liqpass.embedded import embedded_postgres
from liqpass.hexes import checksum
from liqpass.migrate import migrate, migrations_of
from liqpass.place import Progress
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.world import command, last_words
from liqpass.serving import free_port
from liqpass.signin.sessions import COOKIE, Token

READY_SEC = 60
AIM_MS, AIM_KB = 100, 100
OPERATOR = wallet("operator").address
BUSIEST = """
    select user_id from purchase_orders group by user_id
    order by bool_or(status = 'DRAFT') and bool_or(status = 'ACTIVE') desc, count(*) desc, user_id limit 1
"""
NEWEST = """
    select '0x' || encode(purchase_order_id, 'hex') from purchase_orders
    where user_id = $1 and status = $2 order by id desc limit 1
"""
OLDER = "select id from purchase_orders where user_id = $1 order by id desc offset 20 limit 1"
OPEN_SESSION = """
    insert into sessions (token_sha256, user_id, created_at, expires_at) values ($1, $2, $3, $4)
"""
LINKED = re.compile(r'(?:<script[^>]* src|<link rel="(?:stylesheet|icon)" href)="([^"]+)"')
IMPORTED = re.compile(r'^(?:import|export) .*?from "([^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class PagesAtSize:
    """`user` has an order to pay, and cover. `cookies`: by who looks: user, operator."""

    api: str
    books: BooksAtSize
    user: bytes
    cookies: Mapping[str, Mapping[str, str]]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A page. `sent`, `unpacked`: bytes of it with all its parts, as they come the first time."""

    name: str
    status: int
    median_ms: float
    worst_ms: float
    sent: int
    unpacked: int


@asynccontextmanager
async def pages_at_size(
    orders: int, tell: Progress, spoil: Callable[[BooksAtSize], Awaitable[object]] = BooksAtSize.strike
) -> AsyncIterator[PagesAtSize]:
    """`liqpass serve` over books of so many orders, damaged by `spoil` and then reconciled."""
    port = free_port()
    with (
        TemporaryDirectory(prefix="liqpass-bench-") as name,
        TemporaryDirectory(prefix="liqpass-bench-data-") as data,
        embedded_postgres(Path(data), tell) as server,
    ):
        await migrate(server.url, migrations_of())
        tell(f"writing the books of {orders:,} orders …")
        async with books_at_size(server.url, Path(name), orders) as books:
            await spoil(books)
            await books.reconcile()
            api = f"http://127.0.0.1:{port}"
            env = {**books.env, "LIQPASS_PUBLIC_URL": api, "LIQPASS_ADMIN_WALLETS": checksum(OPERATOR)}
            async with command(env, Path(name), "serve", "--port", str(port)):
                await _answers(api, Path(name))
                user = await books.owner.fetchval(BUSIEST)
                cookies = {"user": await _session(books.owner, user)}
                cookies["operator"] = await _session(books.owner, OPERATOR)
                yield PagesAtSize(api, books, user, cookies)


async def _answers(api: str, folder: Path) -> None:
    async with aiohttp.ClientSession() as http:
        for _ in range(READY_SEC * 10):
            try:
                async with http.get(f"{api}/healthz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise OSError(f"the API does not answer\n{last_words(folder)}")


async def _session(owner: asyncpg.Connection, user: bytes) -> Mapping[str, str]:
    token, now = Token(os.urandom(32)), system_clock()
    await owner.execute(OPEN_SESSION, token.sha256, user, now, now + timedelta(days=1))
    return {COOKIE: token.cookie}


async def pages(at: PagesAtSize) -> list[tuple[str, str, str]]:
    """What it is, where it is, who looks."""
    user, fetch = at.user, at.books.owner.fetchval
    active, draft = await fetch(NEWEST, user, "ACTIVE"), await fetch(NEWEST, user, "DRAFT")
    orders = [("order to pay", f"/orders/{draft}", "user")] if draft else []
    return [
        ("welcome", "/", ""),
        ("positions", "/", "user"),
        *orders,
        ("cover", f"/orders/{active}", "user"),
        ("receipt", f"/orders/{active}/receipt", "user"),
        ("my cover", "/cover", "user"),
        ("older orders", f"/cover?before={await fetch(OLDER, user)}", "user"),
        ("keys", "/keys", "user"),
        ("operator", "/operator", "operator"),
        ("breaks", "/operator/breaks", "operator"),
        ("suspense", "/operator/suspense", "operator"),
        ("not found", "/nowhere", ""),
    ]


async def measure(at: PagesAtSize, name: str, path: str, who: str, times: int, language: str) -> Measured:
    """One after the other, on one connection; the first one is not counted."""
    headers = {"accept": "text/html", "accept-encoding": "gzip", "accept-language": language}
    cookies = at.cookies.get(who, {})
    async with aiohttp.ClientSession(auto_decompress=False, headers=headers) as http:
        took_ms = []
        for _ in range(times + 1):
            began = time.perf_counter()
            async with http.get(at.api + path, cookies=cookies) as answer:
                body = await answer.read()
            took_ms.append(1000 * (time.perf_counter() - began))
        text = _unpacked(answer, body)
        sent, unpacked = len(body), len(text)
        for _, part in (await _parts(http, at.api + path, text.decode())).items():
            sent, unpacked = sent + part[0], unpacked + part[1]
    return Measured(
        name=name, status=answer.status, median_ms=statistics.median(took_ms[1:]),
        worst_ms=max(took_ms[1:]), sent=sent, unpacked=unpacked,
    )  # fmt: skip


async def _parts(http: aiohttp.ClientSession, url: str, page: str) -> dict[str, tuple[int, int]]:
    """Stylesheet, icon and scripts with all that they import: bytes sent and unpacked, by address."""
    found: dict[str, tuple[int, int]] = {}
    wanted = [urljoin(url, link) for link in LINKED.findall(page)]
    while wanted:
        if (part := wanted.pop()) in found:
            continue
        async with http.get(part) as answer:
            body = await answer.read()
        text = _unpacked(answer, body)
        found[part] = len(body), len(text)
        if part.endswith(".js"):
            wanted += [urljoin(part, name) for name in IMPORTED.findall(text.decode())]
    return found


def _unpacked(answer: aiohttp.ClientResponse, body: bytes) -> bytes:
    return gzip.decompress(body) if answer.headers.get("content-encoding") == "gzip" else body


def show(to: Console, orders: int, found: list[Measured]) -> None:
    """The table."""
    table = Table(title=f"Pages with {orders:,} orders in the database")
    for heading in ("page", "status", "median, ms", "worst, ms", "sent, KB", "unpacked, KB"):
        table.add_column(heading, justify="left" if heading == "page" else "right")
    for one in found:
        table.add_row(
            one.name, str(one.status), f"{one.median_ms:.1f}", f"{one.worst_ms:.1f}",
            f"{one.sent / 1000:.1f}", f"{one.unpacked / 1000:.1f}",
        )  # fmt: skip
    to.print(table)
    slow = [one.name for one in found if one.worst_ms > AIM_MS]
    heavy = [one.name for one in found if one.unpacked > AIM_KB * 1000]
    to.print(f"over {AIM_MS} ms: {', '.join(slow) or 'none'}; over {AIM_KB} KB: {', '.join(heavy) or 'none'}")


def main(
    orders: Annotated[int, typer.Option(help="So many in the database.")] = 100_000,
    times: Annotated[int, typer.Option(help="So often each page is asked for.")] = 20,
    language: Annotated[str, typer.Option(help="As browsers ask for it.")] = "en",
) -> None:
    """Measure every page, print a table, keep the result."""
    found = asyncio.run(_measured(orders, times, language))
    show(Console(), orders, found)
    RESULTS.mkdir(exist_ok=True)
    kept = {"commit": commit(), "machine": machine(), "orders": orders, "language": language, "pages": found}
    path = RESULTS / f"pages-{system_clock():%Y%m%dT%H%M%S}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(kept)))
    console.print(f"kept in {path.relative_to(Path.cwd())}", style="dim")


async def _measured(orders: int, times: int, language: str) -> list[Measured]:
    async with pages_at_size(orders, tell) as at:
        return [await measure(at, *one, times, language) for one in await pages(at)]


if __name__ == "__main__":
    typer.run(main)
