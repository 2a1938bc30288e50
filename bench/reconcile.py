"""`liqpass reconcile` on books of growing size, beside a bare SQL join of the same tables."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import msgspec
import typer
from rich.console import Console
from rich.table import Table

from bench.at_size import BooksAtSize, RunFailedError, books_at_size, breaks_of
from bench.growth import Curve, Panel, picture
from bench.kept import RESULTS, commit, console, machine, tell
from bench.peaks import Took, watched
from liqpass.embedded import EmbeddedPostgres, embedded_postgres
from liqpass.migrate import migrate, migrations_of
from liqpass.reconcile.runs import WORK_MEM

ORDERS_PER_PAYMENT = 1.06  # not every order is paid: so many make at least one payment each
PICTURE = Path(__file__).parents[1] / "docs" / "reconcile-at-size.svg"
# Nothing here has to survive a crash; what is measured reads.
OPTIONS = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "8GB"}
# Orders, chain, ledger and bindings, each row beside those that it belongs to: no comparison can do without.
BARE_JOIN = """
    select count(*)
    from purchase_orders o
    full join premium_payments p on p.purchase_order_id = o.purchase_order_id
    full join ledger_transfers l on l.ref = coalesce(o.purchase_order_id, p.purchase_order_id)
    full join insured_bindings b on b.user_id = o.user_id and b.id = o.binding_id
"""
# The same, and the rest of what a reconciliation compares, once each: transfers beside payments, histories,
# positions.
ALL_JOINS = (
    BARE_JOIN,
    """
    select count(*) from usdc_transfers t
    full join premium_payments p
        on p.chain_id = t.chain_id and p.tx_hash = t.tx_hash and p.log_index = t.log_index + 1
    """,
    """
    select count(*) from purchase_orders o
    full join order_events e on e.user_id = o.user_id and e.order_id = o.id
    """,
    """
    select count(*) from insured_bindings b
    full join insured_positions p on p.user_id = b.user_id and p.binding_id = b.id
    """,
)
COUNTS = """
    select (select count(*) from purchase_orders) as orders,
        (select count(*) from premium_payments) as payments,
        (select count(*) from ledger_transfers) as ledger_rows,
        pg_database_size(current_database()) / 1000000 as database_mb
"""


class AtSize(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured at one size. `reconciled`, `joined` (BARE_JOIN) and `all_joined` (ALL_JOINS): in
    turn, warm; `clean`: before anything was damaged. `missed` and `invented`: how many breaks were found too
    few and too many, by type."""

    orders: int
    payments: int
    ledger_rows: int
    database_mb: int
    faults: int
    missed: dict[str, int]
    invented: dict[str, int]
    invented_in_clean: dict[str, int]
    clean: Took
    first: Took
    reconciled: list[Took]
    joined: list[Took]
    all_joined: list[Took]
    spilled_mb: float
    joined_spilled_mb: float

    @property
    def ratio(self) -> float:
        """The quickest reconciliation, the whole command, to the quickest join."""
        return best(self.reconciled).seconds / best(self.joined).seconds

    @property
    def ratio_to_all(self) -> float:
        """The same, to all the joins."""
        return best(self.reconciled).seconds / best(self.all_joined).seconds


def best(rounds: list[Took]) -> Took:
    """The quickest."""
    return min(rounds, key=lambda took: took.seconds)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a run."""

    at: str
    commit: str
    machine: dict[str, Any]
    load_at_start: float
    load_at_end: float
    work_mem: str
    sizes: list[AtSize]


def main(
    sizes: Annotated[
        str, typer.Option(help="How many payments, sizes parted by commas.")
    ] = "10000,100000,1000000",
    rounds: Annotated[int, typer.Option(help="How often both sides are measured, in turn.", min=1)] = 3,
    draw: Annotated[bool, typer.Option(help="Write the picture in docs/ anew.")] = False,
) -> None:
    """Measure `liqpass reconcile` beside a bare SQL join of the same tables, on a throwaway server.

    One in a thousand orders is damaged in each way that has a type of its own; every one of them has to be
    found, and nothing else. The result is also kept in bench/results/. A million take half an hour and 20 GB.
    """
    try:
        result = asyncio.run(bench([int(size) for size in sizes.split(",")], rounds))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(130) from None
    except (OSError, RunFailedError) as error:
        console.print(f"bench: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    RESULTS.mkdir(exist_ok=True)
    kept = RESULTS / f"reconcile-{result.at.replace(':', '')}.json"
    kept.write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    show(Console(highlight=False, soft_wrap=True), result.sizes)
    if draw:
        PICTURE.write_text(picture(curves(result.sizes)), encoding="utf-8")
    typer.echo(f"kept in bench/results/{kept.name}")
    if any(size.missed or size.invented or size.invented_in_clean for size in result.sizes):
        raise typer.Exit(1)


async def bench(sizes: list[int], rounds: int) -> Result:
    """Everything from start to stop; SIGTERM stops it as tidily as Ctrl-C."""
    if (task := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    load = os.getloadavg()[0]
    with (
        TemporaryDirectory(prefix="liqpass-bench-data-") as data,
        embedded_postgres(Path(data), tell, OPTIONS) as server,
    ):
        found = [await at_size(server, size, rounds) for size in sizes]
    return Result(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit(),
        machine=machine(),
        load_at_start=round(load, 2),
        load_at_end=round(os.getloadavg()[0], 2),
        work_mem=WORK_MEM,
        sizes=found,
    )


async def at_size(server: EmbeddedPostgres, payments: int, rounds: int) -> AtSize:
    """Books of one size: written, found to be clean, damaged, measured, gone."""
    name, orders = f"books_{payments}", round(payments * ORDERS_PER_PAYMENT)
    postgres = await asyncpg.connect(server.url)
    await postgres.execute(f"create database {name}")
    url = urlunsplit(urlsplit(server.url)._replace(path=f"/{name}"))
    await migrate(url, migrations_of())
    tell(f"writing the books of {orders} orders …")
    try:
        with TemporaryDirectory(prefix="liqpass-bench-") as folder:
            async with books_at_size(url, Path(folder), orders) as books:
                return await measured(server, books, rounds)
    finally:
        await postgres.execute(f"drop database {name} with (force)")
        await postgres.close()


async def measured(server: EmbeddedPostgres, books: BooksAtSize, rounds: int) -> AtSize:
    """Both sides in turn, after a round that warms up."""
    postmaster = server.pid() or 0

    async def reconcile() -> tuple[bytes, Took]:
        return await watched(books.reconcile, postmaster, lambda: books.client)

    async def join(*statements: str) -> Took:
        return (await watched(lambda: bare_joins(books, statements), postmaster))[1]

    counted = await books.owner.fetchrow(COUNTS)
    out, clean = await reconcile()
    invented_in_clean = breaks_of(out)
    tell(f"clean: {clean.seconds:.1f} s, {len(invented_in_clean)} breaks; damaging them …")
    wanted = await books.strike()
    out, first = await reconcile()
    await join(*ALL_JOINS)
    reconciled, joined, all_joined, spilled, joined_spilled = [], [], [], 0, 0
    for _ in range(rounds):
        was = await spilled_bytes(books)
        joined.append(await join(BARE_JOIN))
        between = await spilled_bytes(books)
        out, took = await reconcile()
        reconciled.append(took)
        joined_spilled, spilled = between - was, await spilled_bytes(books) - between
        all_joined.append(await join(*ALL_JOINS))
        seconds = (run.seconds for run in (took, joined[-1], all_joined[-1]))
        tell("reconcile {:.2f} s, bare join {:.2f} s, all joins {:.2f} s".format(*seconds))
    found = breaks_of(out)
    return AtSize(
        **dict(counted or {}),
        faults=len(wanted),
        missed=Counter(kind for kind, _ in wanted - found),
        invented=Counter(kind for kind, _ in found - wanted),
        invented_in_clean=Counter(kind for kind, _ in invented_in_clean),
        clean=clean,
        first=first,
        reconciled=reconciled,
        joined=joined,
        all_joined=all_joined,
        spilled_mb=round(spilled / 1e6, 1),
        joined_spilled_mb=round(joined_spilled / 1e6, 1),
    )


async def bare_joins(books: BooksAtSize, statements: Sequence[str]) -> None:
    """On a connection of its own, as the command has its; with as much memory for each step."""
    conn = await asyncpg.connect(books.env["DATABASE_URL"], server_settings={"work_mem": WORK_MEM})
    try:
        for statement in statements:
            await conn.fetchval(statement)
    finally:
        await conn.close()


async def spilled_bytes(books: BooksAtSize) -> int:
    """What all queries on these books have written to temporary files so far."""
    await asyncio.sleep(1)  # a backend reports when it ends
    spilled: int = await books.owner.fetchval(
        "select temp_bytes from pg_stat_database where datname = current_database()"
    )
    return spilled


def show(console: Console, sizes: list[AtSize]) -> None:
    """A column for each size."""
    table = Table(title="liqpass reconcile beside a bare join", title_justify="left")
    table.add_column("")
    for size in sizes:
        table.add_column(f"{size.orders:,} orders", justify="right")

    def row(name: str, value: Callable[[AtSize], float], shown: str = "{:,.0f}") -> None:
        table.add_row(name, *(shown.format(value(size)) for size in sizes))

    row("payments", lambda size: size.payments)
    row("faults", lambda size: size.faults)
    row("  missed", lambda size: sum(size.missed.values()))
    row("  invented", lambda size: sum(size.invented.values()) + sum(size.invented_in_clean.values()))
    row("seconds: reconcile, best of the rounds", lambda size: best(size.reconciled).seconds, "{:.2f}")
    row("  in books without faults", lambda size: size.clean.seconds, "{:.2f}")
    row("  bare join, best of the rounds", lambda size: best(size.joined).seconds, "{:.2f}")
    row("  ratio", lambda size: size.ratio, "{:.2f}")
    row("  all joins, best of the rounds", lambda size: best(size.all_joined).seconds, "{:.2f}")
    row("  ratio", lambda size: size.ratio_to_all, "{:.2f}")
    row("CPU seconds: reconcile", lambda size: best(size.reconciled).cpu, "{:.2f}")
    row("  bare join", lambda size: best(size.joined).cpu, "{:.2f}")
    row("  all joins", lambda size: best(size.all_joined).cpu, "{:.2f}")
    row("peak MB: the command", lambda size: best(size.reconciled).client)
    row("  in books without faults", lambda size: size.clean.client)
    row("  its server processes, own", lambda size: best(size.reconciled).backends_own)
    row("  its server processes, PSS", lambda size: best(size.reconciled).backends_pss)
    row("  the join's, own", lambda size: best(size.joined).backends_own)
    row("temporary files, MB: reconcile", lambda size: size.spilled_mb)
    row("  bare join", lambda size: size.joined_spilled_mb)
    console.print(table)


def curves(sizes: list[AtSize]) -> list[Panel]:
    """Time and memory against orders."""

    def curve(name: str, value: Callable[[AtSize], float]) -> Curve:
        points = [(size.orders, value(size)) for size in sizes]
        # a join that was over before its memory was looked at has none to show
        return Curve(name, [(orders, measured) for orders, measured in points if measured > 0])

    seconds = [
        curve("liqpass reconcile", lambda size: best(size.reconciled).seconds),
        curve("bare join of orders, payments, ledger, bindings", lambda size: best(size.joined).seconds),
        curve("bare joins of all that is compared", lambda size: best(size.all_joined).seconds),
    ]
    megabytes = [
        curve("the command", lambda size: best(size.reconciled).client),
        curve("its server processes", lambda size: best(size.reconciled).backends_own),
        curve("the bare join's server processes", lambda size: best(size.joined).backends_own),
    ]
    return [Panel("seconds", "s", seconds), Panel("peak memory", "MB", megabytes)]


if __name__ == "__main__":
    cli = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    cli.command(epilog="Example: make bench-reconcile ARGS='--sizes 10000,100000'")(main)
    cli()
