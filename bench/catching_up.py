"""The watcher catching up a chain that ran on without it, beside COPY of the same rows into the same tables:
`python -m bench.catching_up`. See README.md."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import asyncpg

from bench.kept import RESULTS, commit, console, machine, tell
from bench.processes import cpu_sec
from bench.wire import CHAIN_ID, CHECKOUT, TREASURY, USDC, Made, wire
from liqpass.chain.rpc import LONGEST_STRIDE, Node
from liqpass.chain.watcher import Outcome, step
from liqpass.clock import system_clock
from liqpass.db import Connection, Database, open_database
from liqpass.embedded import EmbeddedPostgres, embedded_postgres
from liqpass.migrate import migrate, migrations_of
from liqpass.sandbox.children import end_with_parent
from liqpass.settings import ChainSettings

PER_BLOCK = 4
TABLES = ("premium_payments", "usdc_transfers")
QUEUES = ("settle_queue", "transfer_queue")
CHAIN = ChainSettings(
    chain_id=CHAIN_ID,
    rpc_urls=(),
    usdc=USDC,
    checkout=CHECKOUT,
    treasury=TREASURY,
    quote_signer_key=bytes(32),
    confirmation="safe",
    start_block=1,
)
T = TypeVar("T")


class Timed(Database):
    """The product's own, which tells how long its transactions took."""

    took = spent = 0.0

    async def run(self, work: Callable[[Connection], Awaitable[T]], *, one_statement: bool = False) -> T:
        began, cpu = time.perf_counter(), time.process_time()
        try:
            return await super().run(work, one_statement=one_statement)
        finally:
            self.took += time.perf_counter() - began
            self.spent += time.process_time() - cpu


async def as_watcher(url: str, endpoints: list[str]) -> None:
    """Step after step, as `liqpass work` does, until nothing is left; what it took, as JSON on stdout."""
    opened = await open_database(url, name="bench")
    db, nodes = Timed(opened.pool, opened.way), [Node(endpoint) for endpoint in endpoints]
    began, cpu, steps = time.perf_counter(), time.process_time(), 0
    while True:
        report = await step(db, nodes, CHAIN, system_clock)
        if report.outcome is not Outcome.GOOD:
            sys.exit(f"{report.outcome}: {report.detail}")
        steps += 1
        if not report.blocks_left:
            break
    took, spent = time.perf_counter() - began, time.process_time() - cpu
    storing = {"storing_sec": db.took, "storing_cpu_sec": db.spent}
    print(json.dumps({"sec": took, "cpu_sec": spent, **storing, "steps": steps}))
    for node in nodes:
        await node.close()
    await db.close()


async def caught_up(server: EmbeddedPostgres, pid: int, made: Made, endpoints: int) -> dict[str, float]:
    """One watcher in a process of its own; with the CPU of the server and of the wire."""
    async with wire(made) as (url, wire_pid):
        before = cpu_sec(pid), cpu_sec(wire_pid)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench.catching_up",
            "--as-watcher",
            server.url,
            *([url] * endpoints),
            stdout=asyncio.subprocess.PIPE,
            preexec_fn=end_with_parent,
        )
        said, _ = await process.communicate()
        if process.returncode:
            sys.exit("the watcher did not come to its end")
        after = cpu_sec(pid), cpu_sec(wire_pid)
    return {
        **json.loads(said),
        "postgres_cpu_sec": after[0] - before[0],
        "wire_cpu_sec": after[1] - before[1],
    }


async def copied(server: EmbeddedPostgres, pid: int, folder: Path, last: int, ways: str) -> dict[str, float]:
    """COPY of files that hold what one step of the watcher stored, both tables of a step in a transaction.
    `ways`: "origin", or "replica" for the tables without their triggers."""
    conn = await asyncpg.connect(server.url)
    await conn.execute(f"set session_replication_role = {ways}")
    began, cpu = time.perf_counter(), cpu_sec(pid)
    for first in range(1, last + 1, LONGEST_STRIDE):
        async with conn.transaction():
            for table in TABLES:
                await conn.copy_to_table(table, source=folder / f"{table}-{first}", format="binary")
    took = time.perf_counter() - began
    spent = cpu_sec(pid) - cpu
    await conn.close()
    return {"sec": took, "postgres_cpu_sec": spent}


async def write_files(owner: asyncpg.Connection, folder: Path, last: int) -> None:
    """What the watcher stored, a file a step and table."""
    for first in range(1, last + 1, LONGEST_STRIDE):
        for table in TABLES:
            await owner.copy_from_query(
                f"select * from {table} where block_number between $1 and $2 order by block_number",
                first,
                first + LONGEST_STRIDE - 1,
                output=folder / f"{table}-{first}",
                format="binary",
            )


async def what_is_there(owner: asyncpg.Connection) -> dict[str, Any]:
    """Numbers and sums by which two fillings of the tables are held against each other."""
    found = {
        table: await owner.fetchrow(
            f"select count(*), sum(amount)::bigint, min(stage), max(stage),"
            f" sum(hashtext(tx_hash::text || log_index || block_hash::text)) from {table}"
        )
        for table in TABLES
    }
    return found | {q: await owner.fetchval(f"select count(*) from {q}") for q in QUEUES}


async def afresh(owner: asyncpg.Connection) -> None:
    """Empty tables, and nothing left to write of what was in them."""
    await owner.execute(f"truncate {', '.join((*TABLES, *QUEUES))}, chain_cursors cascade")
    await owner.execute("checkpoint")


def expected(made: Made) -> tuple[int, int]:
    """Payments and transfers."""
    return made.events, made.events + made.strays


async def measured(made: Made, rounds: int, endpoints: int) -> dict[str, Any]:
    """The watcher, COPY, and COPY without triggers, in turn."""
    found: dict[str, Any] = {"commit": commit(), "machine": machine(), "rounds": []}
    with (
        TemporaryDirectory(prefix="liqpass-bench-data-") as data,
        TemporaryDirectory(prefix="liqpass-bench-rows-") as files,
        embedded_postgres(Path(data), tell) as server,
    ):
        await migrate(server.url, migrations_of(), tell)
        owner = await asyncpg.connect(server.url)
        pid = server.pid() or 0
        for number in range(rounds):
            tell(f"round {number + 1} of {rounds}: the watcher …")
            await afresh(owner)
            one: dict[str, Any] = {"watcher": await caught_up(server, pid, made, endpoints)}
            there = await what_is_there(owner)
            if tuple(there[table][0] for table in TABLES) != expected(made):
                sys.exit(f"not all of {expected(made)} was stored: {there}")
            if not number:
                await write_files(owner, Path(files), made.blocks)
            for name, ways in (("copy", "origin"), ("copy_alone", "replica")):
                tell(f"round {number + 1} of {rounds}: {name} …")
                await afresh(owner)
                one[name] = await copied(server, pid, Path(files), made.blocks, ways)
                same = await what_is_there(owner)
                if any(
                    same[of] != there[of] for of in (*TABLES, *QUEUES) if ways == "origin" or of in TABLES
                ):
                    sys.exit(f"COPY left something else: {same} instead of {there}")
            found["rounds"].append(one)
        await owner.close()
    return found


def told(made: Made, rounds: list[dict[str, Any]]) -> dict[str, float]:
    """Medians of the rounds; a ratio is made within its round. Rows are those of both tables."""
    rows = sum(expected(made))

    def middle(of: Callable[[dict[str, Any]], float], digits: int = 2) -> float:
        return round(median(map(of, rounds)), digits)

    def storing_cpu(one: dict[str, Any]) -> float:
        spent: float = one["watcher"]["storing_cpu_sec"] + one["watcher"]["postgres_cpu_sec"]
        return spent

    return {
        "rows": rows,
        "rows_a_sec": middle(lambda one: rows / one["watcher"]["sec"], 0),
        "storing_rows_a_sec": middle(lambda one: rows / one["watcher"]["storing_sec"], 0),
        "copy_rows_a_sec": middle(lambda one: rows / one["copy"]["sec"], 0),
        "copy_alone_rows_a_sec": middle(lambda one: rows / one["copy_alone"]["sec"], 0),
        "whole_of_copy": middle(lambda one: one["copy"]["sec"] / one["watcher"]["sec"]),
        "storing_of_copy": middle(lambda one: one["copy"]["sec"] / one["watcher"]["storing_sec"]),
        "storing_of_copy_alone": middle(lambda one: one["copy_alone"]["sec"] / one["watcher"]["storing_sec"]),
        "storing_of_copy_by_cpu": middle(lambda one: one["copy"]["postgres_cpu_sec"] / storing_cpu(one)),
        "cpu_us_a_row_reading": middle(
            lambda one: 1e6 * (one["watcher"]["cpu_sec"] - one["watcher"]["storing_cpu_sec"]) / rows, 1
        ),
        "cpu_us_a_row_storing": middle(lambda one: 1e6 * one["watcher"]["storing_cpu_sec"] / rows, 1),
        "cpu_us_a_row_postgres": middle(lambda one: 1e6 * one["watcher"]["postgres_cpu_sec"] / rows, 1),
        "cpu_us_a_row_wire": middle(lambda one: 1e6 * one["watcher"]["wire_cpu_sec"] / rows, 1),
        "cpu_us_a_row_copy": middle(lambda one: 1e6 * one["copy"]["postgres_cpu_sec"] / rows, 1),
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="payments; each has its transfer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--endpoints", type=int, default=2, help="how many have to agree")
    parser.add_argument("--as-watcher", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.as_watcher:
        asyncio.run(as_watcher(given.as_watcher[0], given.as_watcher[1:]))
        return
    made = Made(blocks=given.events // PER_BLOCK, payments=PER_BLOCK)
    found = asyncio.run(measured(made, given.rounds, given.endpoints))
    RESULTS.mkdir(exist_ok=True)
    kept = RESULTS / f"catching-up-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    found["told"] = told(made, found["rounds"])
    kept.write_text(json.dumps(found, indent=2))
    console.print_json(data=found["told"])


if __name__ == "__main__":
    main()
