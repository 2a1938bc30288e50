"""How many accounts one worker watches a minute, what its query for due accounts costs, and what it holds in
memory: `python -m bench.watching`. See README.md."""

import argparse
import asyncio
import importlib
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, cast

import asyncpg

from bench.covers import open_accounts, write_covers
from bench.kept import RESULTS, commit, machine, tell
from bench.processes import cpu_sec, memory
from liqpass.clock import system_clock
from liqpass.db import QUERIES as DECLARED
from liqpass.db import Connection, open_database
from liqpass.embedded import embedded_postgres
from liqpass.exchange.okx import OkxGateway
from liqpass.migrate import migrate, migrations_of
from liqpass.sandbox.children import end_with_parent
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.vault.cipher import KeyRing
from liqpass.watching import sql
from liqpass.watching.alarms import alarms
from liqpass.watching.pace import Memory
from liqpass.watching.step import AT_ONCE, TAKEN, watch_due

KEY = bytes(range(32))
BARE = "select user_id, exchange_uid from watched_accounts where due_at <= $1 order by due_at limit $2"
PER_SEC = 20
AS_MANY_AS_COME = 1_000
ROUNDS = 5
QUERIES = 200


async def as_worker(given: dict[str, Any]) -> None:
    """The task of the worker alone, in a process of its own, until it is ended. What else a worker imports is
    in its memory, too."""
    importlib.import_module("liqpass.worker")
    db = await open_database(given["database"], name="bench")
    gateway = OkxGateway(given["hosts"], system_clock, per_sec=given["per_sec"])
    remembered, keyring = Memory(), KeyRing({"k1": KEY})
    while True:
        await watch_due(db, gateway, keyring, system_clock, memory=remembered)
        await asyncio.sleep(1)


@asynccontextmanager
async def one_worker(url: str, hosts: dict[str, str], per_sec: int) -> AsyncIterator[int]:
    """A worker's process; its id."""
    given = json.dumps({"database": url, "hosts": hosts, "per_sec": per_sec})
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.watching", "--worker", given, preexec_fn=end_with_parent
    )
    try:
        yield process.pid
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def due_query(owner: asyncpg.Connection, due: bool) -> dict[str, float]:
    """Milliseconds of the query that takes due accounts, and of the bare index scan, in turn. `due`: whether
    all accounts are."""
    now = datetime.now(UTC) if due else datetime.now(UTC) - timedelta(days=1)
    ours, bare = await owner.prepare(_take_sql()), await owner.prepare(BARE)
    took: dict[str, list[float]] = {"take_due": [], "bare": []}
    for _ in range(QUERIES):
        began = time.perf_counter()
        await bare.fetch(now, AT_ONCE)
        between = time.perf_counter()
        transaction = owner.transaction()
        await transaction.start()
        asked = time.perf_counter()
        await ours.fetch(now, now + TAKEN, AT_ONCE)
        took["take_due"].append(time.perf_counter() - asked)
        await transaction.rollback()
        took["bare"].append(between - began)
    found = {name: 1000 * median(times) for name, times in took.items()}
    return {**found, "ratio": found["take_due"] / found["bare"]}


def _take_sql() -> str:
    return next(one.sql for one in DECLARED if one.name == f"{sql.__name__}.take_due")


async def alarms_ms(owner: asyncpg.Connection) -> float:
    """How long what /metrics and /readyz tell of claims takes; they keep it for fifteen seconds."""
    began = time.perf_counter()
    await alarms(cast(Connection, owner), datetime.now(UTC))
    return 1000 * (time.perf_counter() - began)


async def read_since(owner: asyncpg.Connection, moment: datetime) -> int:
    """How many accounts were read since."""
    count: int = await owner.fetchval("select count(*) from watched_accounts where read_at >= $1", moment)
    return count


async def watched(
    owner: asyncpg.Connection, url: str, hosts: dict[str, str], per_sec: int, seconds: float, keys: list[str]
) -> dict[str, float]:
    """One worker for so long: accounts a minute, beside what the limit allows, CPU and memory."""
    await owner.execute("update watched_accounts set due_at = now() + interval '1 day', read_at = null")
    async with one_worker(url, hosts, per_sec) as pid:
        await asyncio.sleep(5)
        idle, cpu = memory([pid]), cpu_sec(pid)
        began = datetime.now(UTC)
        await owner.execute(
            "update watched_accounts set due_at = $2 where exchange_uid = any($1)", keys, began
        )
        done = 0
        while done < len(keys) and (datetime.now(UTC) - began).total_seconds() < seconds:
            await asyncio.sleep(0.05)
            done = await read_since(owner, began)
        took = (datetime.now(UTC) - began).total_seconds()
        spent = cpu_sec(pid) - cpu
        return {
            "per_sec": per_sec,
            "accounts_a_minute": 60 * done / took,
            "of_the_limit": done / took / per_sec,
            "cpu_ms_an_account": 1000 * spent / done,
            "idle_pss_mb": idle.pss,
            "pss_mb": memory([pid]).pss,
        }


async def measured(sizes: list[int], accounts: int, seconds: float) -> dict[str, Any]:
    """All of it, for each number of covers."""
    found: dict[str, Any] = {"commit": commit(), "machine": machine(), "sizes": {}}
    with (
        TemporaryDirectory(prefix="liqpass-bench-data-") as data,
        embedded_postgres(Path(data), tell) as server,
    ):
        await migrate(server.url, migrations_of(), tell)
        async with SandboxExchange(system_clock, regions=("global",)) as exchange:
            keys = open_accounts(exchange, accounts)
            owner = await asyncpg.connect(server.url)
            for size in sizes:
                tell(f"{size} open covers …")
                at = datetime.now(UTC) - timedelta(minutes=10)
                await write_covers(owner, exchange, keys, KeyRing({"k1": KEY}), size, at)
                uids = [key.uid for key in keys]
                rounds = [
                    (await due_query(owner, True), await due_query(owner, False)) for _ in range(ROUNDS)
                ]
                found["sizes"][size] = {
                    "all_due": _middle([one for one, _ in rounds]),
                    "none_due": _middle([one for _, one in rounds]),
                    "alarms_ms": round(median([await alarms_ms(owner) for _ in range(ROUNDS)]), 1),
                    "limited": await watched(owner, server.url, dict(exchange.hosts), PER_SEC, seconds, uids),
                    "unlimited": await watched(
                        owner, server.url, dict(exchange.hosts), AS_MANY_AS_COME, seconds, uids
                    ),
                }
            await owner.close()
    return found


def _middle(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(median(one[name] for one in rounds), 3) for name in rounds[0]}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--covers", default="10000,100000")
    parser.add_argument("--accounts", type=int, default=1_500, help="so many of them are at the exchange")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        asyncio.run(as_worker(json.loads(given.worker)))
        return
    sizes = [int(size) for size in given.covers.split(",")]
    found = asyncio.run(measured(sizes, given.accounts, given.seconds))
    RESULTS.mkdir(exist_ok=True)
    kept = RESULTS / f"watching-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    kept.write_text(json.dumps(found, indent=2))
    print(json.dumps(found["sizes"], indent=2))


if __name__ == "__main__":
    main()
