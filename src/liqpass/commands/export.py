"""`liqpass export`: the books in a form that other programs read."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liqpass.commands.opened import to_read
from liqpass.exports.formats import JOURNALS, Format, Table
from liqpass.terminal import fail, run, tell

if TYPE_CHECKING:
    from liqpass.exports.books import Period

export_cli = typer.Typer()


@export_cli.command(epilog="Example: liqpass export --format hledger --out books.journal")
def export(
    form: Annotated[Format, typer.Option("--format", help="What to write.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file to write, once it is whole; stdout if left away."),
    ] = None,
    first: Annotated[
        datetime | None,
        typer.Option(
            "--from", formats=["%Y-%m-%d"], metavar="DAY", help="The first day, 2026-07-01; in UTC."
        ),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], metavar="DAY", help="The last day, included; in UTC."),
    ] = None,
    table: Annotated[
        Table, typer.Option(help="One row a transfer of the ledger, or one a claim (csv, parquet).")
    ] = Table.TRANSFERS,
    bom: Annotated[
        bool | None,
        typer.Option(
            "--bom/--no-bom",
            help="Begin a CSV with a byte order mark, without which Excel misreads what is not ASCII; "
            "unless you say, where LC_ALL or LANG is Chinese.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write the books for other programs. hledger check and bean-check hold them against the chain.

    A journal ends with what the treasury held on chain after a final block, as the nodes say.
    """
    from liqpass.exports.books import Period

    if form is Format.PARQUET and out is None:
        fail("Parquet is written into a file: give its name with --out")
    if table is Table.CLAIMS and form in JOURNALS:
        fail("--table claims is for --format csv and parquet: journals hold transfers")
    if bom and form is not Format.CSV:
        fail("--bom is for --format csv: other formats are UTF-8 by themselves")
    if first and last and first > last:
        fail("--from lies after --to")
    if first and first.date() > datetime.now(UTC).date():
        fail(f"--from lies in the future: {first:%Y-%m-%d} is yet to come, in UTC")
    period = Period(first.date() if first else None, last.date() if last else None)
    mark = reads_chinese(os.environ) if bom is None else bom
    run(lambda: _export(form, table, out, period, mark))


def reads_chinese(env: Mapping[str, str]) -> bool:
    """Whether this process's user has a Chinese locale, by the variables in the order in which they count."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    return next((env[name] for name in names if env.get(name)), "").lower().startswith("zh")


async def _export(form: Format, table: Table, out: Path | None, period: "Period", mark: bool) -> None:
    from liqpass.exports import books, claims, files
    from liqpass.settings import chain_from_env

    chain = chain_from_env(os.environ)
    with files.to_file(out) if out else files.to_stdout() as path:
        async with to_read("liqpass export") as reads:
            if table is Table.CLAIMS:
                await claims.export_claims(reads, chain, period, path, form, mark=mark, progress=tell)
                return
            today = datetime.now(UTC).date()
            await books.export(
                reads, chain, period.up_to(today), path, form, mark=mark, today=today, progress=tell
            )
