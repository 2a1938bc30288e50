"""How many orders a second are settled, ended, cancelled, freed and earned when they are due, with few and
with many others there, beside bare SQL that writes the same rows: `python -m bench.moving`. See README.md."""

import argparse
import asyncio
import json
import re
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg

from bench.books import SET_BALANCES, Chain, end_at, position, write_books
from bench.kept import RESULTS, commit, console, machine, tell
from bench.processes import cpu_sec
from liqpass.batches import in_batches
from liqpass.claims import settling
from liqpass.db import open_database
from liqpass.embedded import embedded_postgres
from liqpass.logs import configure_logs
from liqpass.migrate import migrate, migrations_of
from liqpass.payments import settle
from liqpass.sandbox.children import end_with_parent

CHAIN = Chain(31337, b"\x01" * 20, b"\x02" * 20, 10_000_000)
STEPS = {
    "settle": settle.settle_changed,
    "cancel": settle.cancel_late,
    "expire": settle.expire_over,
    "free": settling.settle_covers,
}
WHAT = {
    "settle": "payments settled",
    "cancel": "late orders cancelled",
    "expire": "covers ended",
    "free": "covers settled: capital free",
    "earn": "running covers earned for a day",
}
_GIVEN = """
    create temp table given_due as
    select $1::int as number, $2::timestamptz as at, $3::bigint as chain_id, $4::bytea as checkout,
        $5::bytea as treasury, $6::text as position
"""
_PAID = """
    insert into premium_payments (chain_id, tx_hash, log_index, block_number, block_hash, block_time,
        purchase_order_id, payer, amount, stage, changed_at)
    select chain_id, tx, 1, 9999999, tx, block_time, poid, user_id, premium, 'FINAL', at from due where paid
"""
_TAKEN_BY_BARE = "delete from settle_queue q using due d where q.tx_hash = d.tx and not d.ours"
ALIVE = """
    update watched_covers w set alive_after_end_at = ends_at + interval '30 s'
    from due d where d.paid and w.user_id = d.user_id and w.order_id = d.id
"""
_EARNABLE = """
    create temp table earnable as
    select t.ref, max(t.leg) + 1 as leg, 1::bigint as amount, now() as at, row_number() over () as place
    from ledger_transfers t join purchase_orders o on o.purchase_order_id = t.ref
    where t.kind = 'EARNED' and o.status = 'ACTIVE' and o.duration_sec > 86400 group by t.ref
"""
_ORDERS = "select count(*) from purchase_orders o join due d on d.id = o.id and o.status = "
_DONE = {
    "settle": f"{_ORDERS} 'ACTIVE'",
    "cancel": f"{_ORDERS} 'CANCELLED'",
    "expire": f"{_ORDERS} 'EXPIRED'",
    "free": "select count(*) from watched_covers w join due d on d.id = w.order_id"
    " where w.settled_at is not null",
}


async def as_worker(url: str, name: str, now: datetime) -> None:
    """One task of `liqpass work` until nothing is left to do for it; what that took, as JSON on stdout."""
    configure_logs()
    db, done = await open_database(url, name="bench"), 0

    async def counted(conn: Any, **part: int) -> int:
        nonlocal done
        done += (number := await STEPS[name](conn, now, CHAIN.chain_id, **part))
        return number

    began, cpu = time.perf_counter(), time.process_time()
    if name == "earn":
        done = await settle.earn_daily(db, now, CHAIN.chain_id)
    else:
        await in_batches(db, counted, settle.BATCH)
    print(
        json.dumps({"done": done, "sec": time.perf_counter() - began, "cpu_sec": time.process_time() - cpu})
    )
    await db.close()


async def moved(url: str, pid: int, name: str, now: datetime) -> dict[str, float]:
    """The product's step, in a process of its own; what it logs goes to a file, as a worker's does."""
    with TemporaryDirectory(prefix="liqpass-bench-log-") as folder, (Path(folder) / "log").open("w+") as log:
        before = cpu_sec(pid)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bench.moving", "--as-worker", url, name, now.isoformat()),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            preexec_fn=end_with_parent,
        )
        said, _ = await process.communicate()
        if process.returncode:
            log.seek(0)
            sys.exit(log.read()[-2000:])
        return {**json.loads(said), "postgres_cpu_sec": cpu_sec(pid) - before}


async def bare(owner: asyncpg.Connection, pid: int, statements: list[str], number: int) -> dict[str, float]:
    """Bare SQL, as many to a transaction as the product takes."""
    prepared = [await owner.prepare(statement) for statement in statements]
    began, before = time.perf_counter(), cpu_sec(pid)
    for first in range(1, number + 1, settle.BATCH):
        async with owner.transaction():
            for statement in prepared:
                await statement.fetch(first, first + settle.BATCH - 1)
    took = time.perf_counter() - began
    return {"done": number, "sec": took, "postgres_cpu_sec": cpu_sec(pid) - before}


def bare_statements() -> dict[str, list[str]]:
    """What bare.sql says, by name."""
    text = Path(__file__).with_name("bare.sql").read_text(encoding="utf-8")
    _, *parts = re.split(r"^-- (\w+)$", text, flags=re.MULTILINE)
    return {
        name: [one.strip() for one in said.split(";") if one.strip()]
        for name, said in zip(parts[::2], parts[1::2], strict=True)
    }


async def write_due(owner: asyncpg.Connection, number: int, at: datetime) -> None:
    """Four times so many orders, see due.sql, and the payments of the paid ones, safe and queued."""
    text = Path(__file__).with_name("due.sql").read_text(encoding="utf-8")
    await owner.execute(_GIVEN, number, at, CHAIN.chain_id, CHAIN.checkout, CHAIN.treasury, position())
    async with owner.transaction():
        await owner.execute("set local session_replication_role = replica")
        await owner.execute(text)
        await owner.execute(SET_BALANCES)
    await owner.execute(_PAID)
    await owner.execute(_TAKEN_BY_BARE)
    await owner.execute("create index on due (place) where not ours; analyze due")
    await owner.execute("vacuum analyze")
    await owner.execute("checkpoint")


async def in_turn(
    owner: asyncpg.Connection, url: str, pid: int, number: int, at: datetime
) -> dict[str, dict[str, Any]]:
    """Every step: the bare SQL of its moves, and the product's own. `at`: when the covers of the paid end."""
    found, statements = {}, bare_statements()
    now = at + timedelta(minutes=2)
    await owner.execute("update chain_cursors set safe_time = $1, latest_time = $1", now)
    for name in WHAT:
        many = number
        if name == "free":
            await owner.execute(ALIVE)
        if name == "earn":
            now += timedelta(days=1)
            await owner.execute("update chain_cursors set safe_time = $1, latest_time = $1", now)
            ours = await moved(url, pid, name, now)
            await owner.execute(_EARNABLE)
            await owner.execute("create index on earnable (place); analyze earnable")
            many = int(ours["done"])
            found[name] = {"ours": ours, "bare": await bare(owner, pid, statements[name], many)}
            continue
        if name == "settle":  # the bare one's covers must not be ended by ours, nor the other way round
            ours = await moved(url, pid, name, now)
            plain = await bare(owner, pid, statements[name], many)
        else:
            plain = await bare(owner, pid, statements[name], many)
            ours = await moved(url, pid, name, now)
        done = await owner.fetchval(_DONE[name])
        if (done, ours["done"]) != (2 * number, number):
            sys.exit(f"{name}: {done} moved, {ours['done']} of them by the product, instead of {number} each")
        found[name] = {"ours": ours, "bare": plain}
    return found


async def measured(sizes: list[int], number: int, rounds: int) -> dict[str, Any]:
    """All steps at each size, as often as there are rounds, each on books of its own."""
    found: dict[str, Any] = {"commit": commit(), "machine": machine(), "sizes": {size: [] for size in sizes}}
    for size in sizes * rounds:
        tell(f"{size:,} orders and {4 * number:,} for which something is due …")
        with (
            TemporaryDirectory(prefix="liqpass-bench-data-") as data,
            embedded_postgres(Path(data), lambda _: None) as server,
        ):
            await migrate(server.url, migrations_of())
            owner = await asyncpg.connect(server.url)
            at = datetime.now(UTC).replace(microsecond=0)
            await write_books(owner, CHAIN, at, size)
            await end_at(owner, CHAIN.chain_id, CHAIN.tip, bytes(32), at)
            await write_due(owner, number, at)
            found["sizes"][size].append(await in_turn(owner, server.url, server.pid() or 0, number, at))
            await owner.close()
    return found


def told(found: dict[str, Any]) -> dict[str, Any]:
    """Of each step and size, the middle round by the ratio: orders a second, bare SQL's, their ratio, and the
    processor's time that PostgreSQL spent on an order."""
    lines: dict[str, Any] = {}
    for name, what in WHAT.items():
        for size, rounds in found["sizes"].items():
            ordered = sorted(rounds, key=lambda one: one[name]["bare"]["sec"] / one[name]["ours"]["sec"])
            ours, plain = (ordered[len(ordered) // 2][name][of] for of in ("ours", "bare"))
            lines.setdefault(what, {})[size] = {
                "orders": ours["done"],
                "a_sec": round(ours["done"] / ours["sec"]),
                "bare_a_sec": round(plain["done"] / plain["sec"]),
                "ratio": round(plain["sec"] / ours["sec"], 2),
                "postgres_cpu_ms": round(1000 * ours["postgres_cpu_sec"] / ours["done"], 3),
                "bare_cpu_ms": round(1000 * plain["postgres_cpu_sec"] / plain["done"], 3),
                "worker_cpu_ms": round(1000 * ours["cpu_sec"] / ours["done"], 3),
            }
    return lines


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,100000", help="orders that are there")
    parser.add_argument("--due", type=int, default=2_000, help="so many are due for each step")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--as-worker", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.as_worker:
        url, name, now = given.as_worker
        asyncio.run(as_worker(url, name, datetime.fromisoformat(now)))
        return
    sizes = [int(size) for size in given.sizes.split(",")]
    found = asyncio.run(measured(sizes, given.due, given.rounds))
    found["told"] = told(found)
    RESULTS.mkdir(exist_ok=True)
    kept = RESULTS / f"moving-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    kept.write_text(json.dumps(found, indent=2))
    console.print_json(data=found["told"])


if __name__ == "__main__":
    main()
