"""`liqpass reconcile`: orders, chain and ledger held against each other."""

import csv
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

import typer

from liqpass.commands.opened import By, Form, FormOption, database, endpoints, opened, text, to_read
from liqpass.terminal import run, tell

if TYPE_CHECKING:
    from liqpass.db import Connection, Database
    from liqpass.reconcile.kept import Kept, Page

NAME = "liqpass reconcile"
NUMBER_MOST = 10**12  # of a run or a break: no database comes that far, and some numbers fit into none
reconcile_cli = typer.Typer(name="reconcile")


@reconcile_cli.callback(
    invoke_without_command=True, epilog="Example: liqpass reconcile --date 2026-11-22 --format csv"
)
def reconcile(
    ctx: typer.Context,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="From this day or moment on, in UTC.")
    ] = None,
    last: Annotated[
        str | None,
        typer.Option("--to", metavar="DAY", help="Up to this day, included, or this moment, in UTC."),
    ] = None,
    date: Annotated[
        str | None, typer.Option("--date", metavar="DAY", help="One whole day, 2026-11-22, in UTC.")
    ] = None,
    form: FormOption = Form.TABLE,
) -> None:
    """Hold orders, chain and ledger against each other. Item by item; exit status 1 when breaks are open.

    Without days: everything. The run is kept, and added to the chain of runs.
    """
    if ctx.invoked_subcommand is None:
        run(lambda: _reconcile(first, last, date, form))


@reconcile_cli.command(epilog="Example: liqpass reconcile runs --limit 24")
def runs(
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1, max=1000)] = 20,
) -> None:
    """List the runs."""
    run(lambda: _runs(limit))


@reconcile_cli.command(epilog="Example: liqpass reconcile breaks --format csv > breaks.csv")
def breaks(form: FormOption = Form.TABLE) -> None:
    """List the breaks that are open now. Exit status 1 when there are any."""
    run(lambda: _breaks(form))


@reconcile_cli.command(epilog="Example: liqpass reconcile show 17 --format json")
def show(
    run_id: Annotated[
        int, typer.Argument(metavar="RUN", help="Its number, as in the list of runs.", min=1, max=NUMBER_MOST)
    ],
    form: FormOption = Form.TABLE,
) -> None:
    """Show a run, and the breaks that were open after it."""
    run(lambda: _show(run_id, form))


@reconcile_cli.command(
    epilog="Example: liqpass reconcile close 17 --by Ada --reason 'the treasury paid its auditor'"
)
def close(
    break_id: Annotated[int, typer.Argument(metavar="BREAK", help="Its number.", min=1, max=NUMBER_MOST)],
    by: By,
    reason: Annotated[str, typer.Option(help="Why it is none any more.", metavar="TEXT", callback=text)],
) -> None:
    """Close a break as it is. It is open again when its amounts change, or when it goes and comes back."""
    run(lambda: _close(break_id, by, reason))


@reconcile_cli.command(epilog="Example: liqpass reconcile verify")
def verify() -> None:
    """Walk the chain of runs and say where it is broken. Exit status 1 when it is."""
    run(_verify)


async def _reconcile(first: str | None, last: str | None, date: str | None, form: Form) -> None:
    from liqpass.clock import system_clock
    from liqpass.logs import configure_logs
    from liqpass.reconcile.periods import period_of
    from liqpass.reconcile.runs import reconcile as make_run

    configure_logs(level="ERROR")
    period = period_of(system_clock(), first, last, date)
    async with opened(NAME) as (db, chain), endpoints(chain) as nodes:
        run_id = await make_run(db, nodes, chain, system_clock, period, tell)
        still_open = await _print_run(db, run_id, form)
    if still_open:
        raise typer.Exit(1)


async def _show(run_id: int, form: Form) -> None:
    async with database(NAME) as db:
        await _print_run(db, run_id, form)


async def _print_run(db: "Database", run_id: int, form: Form) -> int:
    """Write a run as it was kept; how many breaks were open after it. Raises Problem RUN_NOT_FOUND."""
    from liqpass.reconcile import kept

    async with db.pool.acquire() as conn:
        found, pages = await kept.kept(conn, run_id), kept.pages(conn, run_id)
        if form is Form.JSON:
            await _print_json(found, pages)
        elif form is Form.CSV:
            await _print_csv(pages)
        else:
            await _print_table(found, pages)
    return found.row.breaks_open


async def _print_table(found: "Kept", pages: "AsyncIterator[Page]") -> None:
    from liqpass.reconcile import report

    sample = await report.sampled(pages)
    for line in report.run_lines(found.row, found.document):
        typer.echo(line)
    typer.echo("")
    for line in report.break_lines(sample, found.row.finished_at, report.none_open(found.row)):
        typer.echo(line)
    typer.echo(f"\nSHA-256 of the run: {found.row.sha256.hex()}")


async def _print_json(found: "Kept", pages: "AsyncIterator[Page]") -> None:
    """One object, written page by page."""
    from liqpass.reconcile.checks import NEXT_STEPS
    from liqpass.reconcile.documents import canonical
    from liqpass.reconcile.views import run_view

    head = {"run": run_view(found.row), "document": found.document, "nextSteps": NEXT_STEPS}
    sys.stdout.write(canonical(head)[:-1] + ',"breaks":')
    await _print_list(pages)
    sys.stdout.write("}\n")


async def _print_list(pages: "AsyncIterator[Page]") -> None:
    from liqpass.reconcile.documents import canonical

    opening = "["
    async for page in pages:
        for one in page:
            sys.stdout.write(f"{opening}\n{canonical(one)}")
            opening = ","
    sys.stdout.write("[]" if opening == "[" else "]")


async def _print_csv(pages: "AsyncIterator[Page]") -> None:
    from liqpass.reconcile.report import CSV_COLUMNS, csv_row

    writer = csv.DictWriter(sys.stdout, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    async for page in pages:
        writer.writerows(csv_row(one) for one in page)


async def _runs(limit: int) -> None:
    from liqpass.reconcile import kept, report

    async with database(NAME) as db, db.pool.acquire() as conn:
        listed = await kept.newest(conn, limit)
    for line in report.run_rows(listed):
        typer.echo(line)


async def _breaks(form: Form) -> None:
    from liqpass.clock import system_clock
    from liqpass.reconcile import kept, report

    async with database(NAME) as db, db.pool.acquire() as conn:
        standing = await report.sampled(kept.open_pages(conn))
        whole = await kept.newest_whole(conn)
        if form is Form.JSON:
            await _print_list(kept.open_pages(conn))
            typer.echo("")
        elif form is Form.CSV:
            await _print_csv(kept.open_pages(conn))
        else:
            for line in report.break_lines(standing, system_clock(), report.none_now(whole)):
                typer.echo(line)
    if standing.counts:
        raise typer.Exit(1)


async def _close(break_id: int, by: str, reason: str) -> None:
    from liqpass.clock import system_clock
    from liqpass.reconcile import closing

    async with database(NAME) as db:
        closed = await db.run(
            lambda conn: closing.close(conn, system_clock(), break_id, by=by, reason=reason)
        )
    typer.echo(f"Closed: break {closed.id}, {closed.type}, {closed.subject}: {closed.said}.")
    typer.echo("It is open again when a run finds other amounts, or misses it once and then finds it.")


async def _verify() -> None:
    from liqpass.reconcile import documents, kept, report

    async def found(conn: "Connection") -> tuple[list[str], str]:
        faults = [fault async for fault in documents.verify(conn)]
        ends = await kept.newest(conn, 1)
        holds = f"The chain of {ends[0].id} runs holds; its end is {ends[0].sha256.hex()}." if ends else ""
        return faults, holds or report.NO_RUN

    async with to_read(NAME) as reads:
        (faults, holds), _ = await reads.look(found)
    for fault in faults:
        typer.echo(f"FAIL  {fault}")
    if faults:
        raise typer.Exit(1)
    typer.echo(holds)
