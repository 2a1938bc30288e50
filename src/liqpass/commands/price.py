"""`liqpass price`: how the price does on candles of the past, and prices of orders computed again."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liqpass.commands.opened import counted, database
from liqpass.terminal import compute, fail, run, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from liqpass.backtest.fitting import Fitted
    from liqpass.pricing.skus import Products

price_cli = typer.Typer(
    name="price",
    help="The price, held against the past and what was sold.",
    no_args_is_help=True,
    epilog="Example: liqpass price backtest candles/ --out report/",
)
TOLD_EVERY = 10_000
Folder = Annotated[
    Path,
    typer.Argument(
        metavar="FOLDER",
        help="A .parquet or .csv file for each instrument, with the columns time (UTC), open, high, low, "
        "close; an hour or less a candle.",
    ),
]
SkusFile = Annotated[
    Path | None, typer.Option("--skus", metavar="FILE", help="The products; LiqPass's own if left away.")
]


@price_cli.command(epilog="Example: liqpass price backtest candles/ --out report/")
def backtest(
    folder: Folder,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where to write report.json, report.html and its pictures; nothing if left away.",
        ),
    ] = None,
    skus: SkusFile = None,
    unseen_from: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            formats=["%Y-%m-%d"],
            metavar="DAY",
            help="Where the part begins that the numbers have not seen; 2023-01-01 if left away.",
        ),
    ] = None,
) -> None:
    """Hold the price against the past.

    Chances against what was seen, premiums against payouts, also for those who choose when to buy.
    The same candles and products give the same bytes.
    """
    compute(lambda: _backtest(folder, out, skus, unseen_from))


@price_cli.command(epilog="Example: liqpass price calibrate candles/ --until 2023-01-01")
def calibrate(
    folder: Folder,
    skus: SkusFile = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="DAY",
            help="Covers that ended before it are fitted, later ones looked at; 2023-01-01 if left away.",
        ),
    ] = None,
) -> None:
    """Fit the model of each product.

    On the older candles; reports on the newer ones, and prints the lines for skus.toml.
    """
    compute(lambda: _calibrate(folder, skus, until))


@price_cli.command(epilog="Example: liqpass price again --all")
def again(
    order: Annotated[
        str | None, typer.Argument(metavar="ORDER", help="An order's public id, 0x…", show_default=False)
    ] = None,
    all_orders: Annotated[
        bool, typer.Option("--all", help="All of them; told are those that differ.")
    ] = False,
) -> None:
    """Compute the price of an order again. Or of all: exit status 1 when one differs.

    From what is stored with the order, and the numbers of its product's version, which liqpass serve keeps.
    """
    if (order is None) != all_orders:
        fail("name an ORDER by its public id, 0x…, or type --all")
    run(lambda: _again(order))


async def _again(order: str | None) -> None:
    from liqpass.hexes import bytes32, to_hex
    from liqpass.orders.again import Outcome
    from liqpass.orders.again import again as computed
    from liqpass.problems import Problem

    order_id = None if order is None else bytes32(order, "ORDER")
    count = dict.fromkeys(Outcome, 0)
    async with database("liqpass price") as db, db.one_moment() as conn:
        async for found in computed(conn, order_id):
            for one in found:
                count[one.outcome] += 1
                if order_id or one.outcome is Outcome.DIFFERENT:
                    typer.echo(f"{to_hex(one.order_id)}: {one.words}")
            done = sum(count.values())
            if done % TOLD_EVERY == 0:
                tell(f"{done:,} orders")
    if order_id is None:
        typer.echo(
            f"{counted(sum(count.values()), 'order')}: {count[Outcome.EQUAL]} equal, "
            f"{count[Outcome.BEFORE]} priced by the table before, {count[Outcome.DIFFERENT]} different."
        )
    elif not any(count.values()):
        raise Problem("ORDER_NOT_FOUND", f"There is no order {order}.", field="ORDER")
    if count[Outcome.DIFFERENT]:
        raise typer.Exit(1)


def _backtest(folder: Path, out: Path | None, skus: Path | None, unseen_from: datetime | None) -> None:
    from liqpass.backtest import page, report
    from liqpass.backtest.files import Unusable

    if out:
        _writable(out)  # said now, and not when all is done
    first = unseen_from.date() if unseen_from else report.UNSEEN_FROM
    try:
        document = report.report(folder, _products(skus), tell, unseen_from=first)
    except Unusable as error:
        fail(str(error))
    for line in page.table(document):
        typer.echo(line)
    for path in page.write(document, out) if out else ():
        tell(f"written: {path}")


def _calibrate(folder: Path, skus: Path | None, until: datetime | None) -> None:
    from liqpass.backtest.files import Unusable
    from liqpass.backtest.fitting import fit
    from liqpass.backtest.report import UNSEEN_FROM

    try:
        for found in fit(folder, _products(skus), until.date() if until else UNSEEN_FROM, tell):
            for line in _fitted(found):
                typer.echo(line)
    except Unusable as error:
        fail(str(error))


def _fitted(found: "Fitted") -> "Iterator[str]":
    """What was found for a product: remarks, and the lines for its file."""
    was = found.sku.model
    lost, brier = found.fitted
    yield f"# {found.sku.id}, fitted on {found.samples:,} covers: log loss {lost:.5f}, Brier {brier:.4f}"
    if found.unseen and found.delivered_unseen:
        yield (
            f"# unseen: log loss {found.unseen[0]:.5f}, Brier {found.unseen[1]:.4f}; "
            f"with {was.short_weight_bps}, {was.scale_bps}, {was.spread_bps}: "
            f"{found.delivered_unseen[0]:.5f}, {found.delivered_unseen[1]:.4f}"
        )
    yield "[sku.model]"
    for name in ("short_weight_bps", "scale_bps", "spread_bps"):
        yield f"{name} = {getattr(found.model, name):_}"


def _writable(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"--out: {out} cannot be a folder ({error.strerror}). Name another one")


def _products(path: Path | None) -> "Products":
    from liqpass.pricing.skus import load_products
    from liqpass.settings import SettingError

    try:
        return load_products(path)
    except SettingError as error:
        if path is None:
            raise
        fail(str(error).replace(error.name, "--skus", 1))
