"""The order loop with few and with many orders there, on two servers of one run, in turn:
`python -m bench.growing`. See README.md."""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import msgspec

from bench.books import TABLES, Chain, write_books
from bench.counters import REPORTED_SEC
from bench.earlier import HERE
from bench.kept import RESULTS, commit, console, machine, tell
from bench.place import SKU
from bench.processes import family
from bench.rounds import Loop
from bench.servers import Server, running_server
from bench.slots import INSTRUMENTS
from liqpass.reconcile.rules import INVARIANTS

MOST_LOOPS_PER_SEC = 3000
OTHER_CHAIN = Chain(31338, b"\x01" * 20, b"\x02" * 20, 10_000_000)
"""Of the orders that are there: so the worker, which looks after the place's own chain, leaves them alone."""
# What a round's traders have left, so that the next one begins as it did. The ledger and what stands behind
# open covers stay: they are append-only, and grow on both servers alike.
_FORGET = [
    "delete from order_refs r using purchase_orders o, sessions s"
    " where o.user_id = s.user_id and r.purchase_order_id = o.purchase_order_id",
    *(
        f"delete from {table} t using sessions s where t.user_id = s.user_id"
        for table in (
            "order_events",
            "submitted_txs",
            "purchase_orders",
            "insured_positions",
            "insured_bindings",
        )
    ),
]
# Each by its key: to read ten million orders for that would leave nothing of the rounds in memory.
_BY_KEY = "set local enable_seqscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off"
_VACUUM = (
    "vacuum order_events, submitted_txs, order_refs, purchase_orders, insured_positions, insured_bindings"
)
# Of these a loop writes rows, or there is one for each order.
_LARGE = [
    "insured_bindings",
    "purchase_orders",
    "order_refs",
    "submitted_txs",
    "order_events",
    "ledger_transfers",
    "watched_covers",
    "order_risks",
]
_INDEXES_SLEEP = """
    update pg_index set indisready = false, indisvalid = false where indrelid = any($1::text[]::regclass[])
"""
SLICE = 2_500_000
# What the server does after the filling, and the worker's tasks that have become due meanwhile.
_BUSY = """
    select count(*) from pg_stat_activity
    where pid <> pg_backend_pid() and (backend_type = 'autovacuum worker'
        or state = 'active' and now() - query_start > interval '1 second')
"""
CALM_SEC = 15
TIDY_SEC = 1800
IDLE_SEC = 20
WARM_UP = "warming up, "
# A round's orders are forgotten, and what the ledger has of them is not: the rules of the books would find
# that, and what is broken is asked every minute.
_RULES_REST = """
    insert into book_checks (name, broken, findings, checked_at, due_at)
    select name, 0, '[]', now(), now() + interval '1 day' from unnest($1::text[]) name
    on conflict (name) do update set broken = 0, findings = '[]', due_at = excluded.due_at
"""
_MADE = """
    select count(*) from purchase_orders o join sessions s on s.user_id = o.user_id
    where o.status = 'PAID_PENDING_CONFIRM'
"""


async def grown(server: Server, users: int, orders: int, *, lean: bool) -> None:
    """Traders for all rounds, and beside them the books of so many orders of others."""
    await server.seed(users)
    with standing_still(family(server.told.pids["worker"])):  # without indexes it would read whole tables
        await filled(server.owner, orders, lean=lean)


@contextmanager
def standing_still(pids: Sequence[int]) -> Iterator[None]:
    """These processes do nothing meanwhile."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def filled(owner: asyncpg.Connection, orders: int, *, lean: bool) -> None:
    """Slice by slice, each on a chain of its own; indexes are built when all rows are there."""
    at = datetime.now(UTC).replace(microsecond=0)
    await owner.execute(_INDEXES_SLEEP, _LARGE)
    for n, begin in enumerate(range(0, orders, SLICE)):
        chain = msgspec.structs.replace(OTHER_CHAIN, chain_id=OTHER_CHAIN.chain_id + n)
        some = min(SLICE, orders - begin)
        await write_books(owner, chain, at, some, seed=f"{orders} orders, {n}", lean=lean)
        tell(f"{begin + some:,} of {orders:,} orders")
    await owner.execute("set maintenance_work_mem = '1GB'")
    for table in _LARGE:
        await owner.execute(f"reindex table {table}")
        tell(f"indexes of {table}")
    await owner.execute(f"analyze {TABLES}")


async def by_itself(server: Server) -> float:
    """Cores that PostgreSQL uses while nobody trades, once it has tidied up after the filling: the worker's
    looking, every second, and what the server does for itself. From now on no rule of the books is asked."""
    began, calm = time.perf_counter(), 0
    while calm < CALM_SEC and time.perf_counter() - began < TIDY_SEC:
        calm = 0 if await server.owner.fetchval(_BUSY) else calm + 1
        await asyncio.sleep(1)
    tell(f"calm after {time.perf_counter() - began:.0f} s")
    await server.owner.execute(_RULES_REST, [rule.name for rule in INVARIANTS])
    before, began = server.cpu()["PostgreSQL"], time.perf_counter()
    await asyncio.sleep(IDLE_SEC)
    return (server.cpu()["PostgreSQL"] - before) / (time.perf_counter() - began)


async def afresh(server: Server) -> None:
    """As before the first round; all accounts have been read just now."""
    async with server.owner.transaction():
        await server.owner.execute(f"set local session_replication_role = replica; {_BY_KEY}")
        for statement in _FORGET:
            await server.owner.execute(statement)
    await server.owner.execute(_VACUUM)
    await server.owner.execute(
        "update position_readings r set read_at = $1 from sessions s where s.user_id = r.user_id",
        datetime.now(UTC),
    )
    await server.owner.execute("vacuum position_readings")


async def written(server: Server) -> tuple[int, int]:
    """Bytes of the log, and pages asked of the kernel, so far."""
    row = await server.owner.fetchrow(
        "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint as wal,"
        " (select sum(blks_read)::bigint from pg_stat_database) as pages"
    )
    return (row["wal"], row["pages"]) if row else (0, 0)


async def loops(server: Server, traders: int, seconds: float) -> dict[str, float]:
    """One round over HTTP: loops a second, and what each took of waiting, processors (`cpu_ms` is both
    sides' together), log and pages. Raises OSError when not every loop that was counted has left an order
    with a submitted payment."""
    await afresh(server)
    before, wrote = server.cpu(), await written(server)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.traders"),
        *(str(server.told.port), SKU, str(traders), str(seconds), "0"),
        env={**os.environ},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise OSError("the traders did not come to their end")
    spent = {name: now - before[name] for name, now in server.cpu().items()}
    await asyncio.sleep(REPORTED_SEC)
    wal, pages = (now - was for now, was in zip(await written(server), wrote, strict=True))
    took = [sum(loop.calls_ms) for loop in msgspec.json.decode(said, type=list[Loop])]
    number, made = len(took), await server.owner.fetchval(_MADE)
    if number != made:
        raise OSError(f"{number} loops were counted, and {made} orders have a submitted payment")
    return {
        "a_sec": number / seconds,
        "p50_ms": median(took),
        "postgres_cpu_ms": 1000 * spent["PostgreSQL"] / number,
        "api_cpu_ms": 1000 * spent["API"] / number,
        "cpu_ms": 1000 * (spent["PostgreSQL"] + spent["API"]) / number,
        "wal_kb": wal / 1024 / number,
        "pages_read": pages / number,
    }


async def sizes_of(owner: asyncpg.Connection) -> dict[str, Any]:
    """What is there: orders, ledger transfers, megabytes, and whether memory is in huge pages."""
    row = await owner.fetchrow(
        "select (select count(*) from purchase_orders) as orders,"
        " (select count(*) from ledger_transfers) as transfers,"
        " pg_database_size(current_database()) / 1048576 as mb,"
        " current_setting('huge_pages_status') as huge_pages"
    )
    return dict(row or {})


async def measured(
    sizes: Sequence[int],
    traders: Sequence[int],
    seconds: float,
    rounds: int,
    *,
    warm_up: int,
    options: Sequence[str] = (),
    lean: bool = False,
) -> dict[str, Any]:
    """All sizes in turn, each on a server of its own with these options, at every number of traders."""
    users = ceil(seconds * MOST_LOOPS_PER_SEC / len(INSTRUMENTS)) + max(traders)
    found: dict[str, Any] = {"commit": commit(), "machine": machine(), "options": list(options), "lean": lean}
    found |= {"there": {}, "idle_cores": {}, "rounds": {}}
    async with AsyncExitStack() as stack:
        servers = {}
        for size in sizes:
            words = [f"--set={option}" for option in options]
            servers[size] = await stack.enter_async_context(running_server(HERE, f"{size:,}", *words))
            tell(f"writing {size:,} orders …")
            began = time.perf_counter()
            await grown(servers[size], users, size, lean=lean)
            await servers[size].owner.execute("checkpoint")
            found["there"][size] = await sizes_of(servers[size].owner)
            tell(f"{size:,} orders in {time.perf_counter() - began:.0f} s: {found['there'][size]['mb']} MB")
        for size, server in servers.items():
            found["idle_cores"][size] = round(await by_itself(server), 3)
            tell(f"{size:,} orders: PostgreSQL uses {found['idle_cores'][size]} cores while nobody trades")
        # Nobody has read books that were just written, and each page's first change is in the log whole.
        found["warm_up"] = await in_turn(servers, max(traders), seconds, warm_up, WARM_UP)
        for number in traders:
            await in_turn(servers, number, seconds, 1, WARM_UP)
            found["rounds"][number] = await in_turn(servers, number, seconds, rounds)
    return found


async def in_turn(
    servers: Mapping[int, Server], traders: int, seconds: float, rounds: int, what: str = ""
) -> list[dict[int, dict[str, float]]]:
    """So many rounds, each on all servers; `what` is told before the figures of each."""
    found = []
    for _ in range(rounds):
        one = {size: await loops(server, traders, seconds) for size, server in servers.items()}
        found.append(one)
        said = ", ".join(f"{size:,}: {of['a_sec']:.0f} /s {of['cpu_ms']:.2f} ms" for size, of in one.items())
        tell(f"{what}{traders} traders: {said}")
    return found


def told(found: dict[str, Any], sizes: Sequence[int]) -> dict[str, Any]:
    """Medians at each size and number of traders; beside each, what it is of that at the first size, as the
    median of the rounds' ratios."""
    lines: dict[str, Any] = {"cores while nobody trades": found["idle_cores"]}
    for number, rounds in found["rounds"].items():
        for size in sizes:
            line = lines.setdefault(f"{number} traders", {})[f"{size:,} orders"] = {}
            for name in rounds[0][size]:
                line[name] = round(median(one[size][name] for one in rounds), 2)
                if name in ("wal_kb", "pages_read"):  # with few orders there are none that are read
                    continue
                line[f"{name}_ratio"] = round(
                    median(one[size][name] / one[sizes[0]][name] for one in rounds), 3
                )
    return lines


def option(given: str) -> str:
    """NAME=VALUE. Raises argparse.ArgumentTypeError."""
    name, there, value = given.partition("=")
    if not (name and there and value):
        raise argparse.ArgumentTypeError(f"{given!r} is not NAME=VALUE, as shared_buffers=4GB is")
    return given


def whole(given: str) -> int:
    """A whole number above zero. Raises argparse.ArgumentTypeError."""
    if not (given.isascii() and given.isdecimal() and int(given)):
        raise argparse.ArgumentTypeError(f"{given!r} is no whole number above zero")
    return int(given)


def numbers(given: str) -> list[int]:
    """Several, with commas. Raises argparse.ArgumentTypeError."""
    return [whole(part) for part in given.split(",")]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sizes",
        type=numbers,
        default="10000,100000",
        help="orders that are there (10000,100000); a million take 7.5 GB and three minutes",
    )
    parser.add_argument("--users", type=numbers, default="16,64", help="traders at the same time (16,64)")
    parser.add_argument("--seconds", type=float, default=5, help="of a round (5)")
    parser.add_argument("--rounds", type=whole, default=5, help="(5)")
    parser.add_argument(
        "--warm-up", type=whole, default=2, help="rounds before these, told and not counted (2)"
    )
    parser.add_argument(
        "--set",
        type=option,
        dest="options",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of PostgreSQL, as who has so many orders sets it: --set shared_buffers=4GB",
    )
    parser.add_argument(
        "--lean",
        action="store_true",
        help="orders that are there have no payment on the chain, positions but a name: half the disk",
    )
    given = parser.parse_args()
    found = asyncio.run(
        measured(
            given.sizes,
            given.users,
            given.seconds,
            given.rounds,
            warm_up=given.warm_up,
            options=given.options,
            lean=given.lean,
        )
    )
    found["told"] = told(found, given.sizes)
    RESULTS.mkdir(exist_ok=True)
    kept = Path(RESULTS) / f"growing-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    kept.write_text(json.dumps(found, indent=2))
    console.print_json(data=found["told"])


if __name__ == "__main__":
    main()
