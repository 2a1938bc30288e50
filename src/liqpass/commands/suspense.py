"""`liqpass suspense`: money that pays no order, and what is to be paid out."""

import csv
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from liqpass.commands.opened import By, Form, FormOption, endpoints, opened, text
from liqpass.commands.payouts import moment, show_dues, tell_adopted, tell_batch, tell_next
from liqpass.terminal import run

if TYPE_CHECKING:
    from liqpass.settings import ChainSettings
    from liqpass.treasury.records import Suspended

CSV_COLUMNS = (
    "item",
    "receivedAt",
    "sender",
    "amountUsd",
    "remainingUsd",
    "final",
    "why",
    "orderId",
    "nextStep",
)
suspense_cli = typer.Typer(
    name="suspense",
    help="Money that pays no order, and refunds.",
    no_args_is_help=True,
    epilog="Example: liqpass suspense list",
)

Reason = Annotated[
    str, typer.Option(help="Why, for those who read the books later.", metavar="TEXT", callback=text)
]


@suspense_cli.command("list", epilog="Example: liqpass suspense list --format csv > suspense.csv")
def list_items(form: FormOption = Form.TABLE) -> None:
    """List what came in and pays no order. From whom, why it is there, and what to do; then what is due."""
    run(lambda: _list(form))


@suspense_cli.command(
    epilog="Example: liqpass suspense refund 0x…:3 --by Ada --reason 'sent by mistake, asked on 3 May'"
)
def refund(
    item: Annotated[str, typer.Argument(metavar="ITEM", help="Which, as liqpass suspense list names it.")],
    by: By,
    reason: Reason,
    to: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where to; its sender unless you say so.")
    ] = None,
    amount: Annotated[
        str | None, typer.Option(metavar="USDC", help="How much; all that remains of it unless you say so.")
    ] = None,
) -> None:
    """Give money back. Nothing is sent: the refund is due, and goes into the next batch for the Safe."""
    run(lambda: _refund(item, by, reason, to, amount))


@suspense_cli.command(epilog="Example: liqpass suspense cancel 0197… --by Ada --reason 'wrong address'")
def cancel(
    disbursement: Annotated[
        str, typer.Argument(metavar="ID", help="Which, as liqpass suspense list names it.")
    ],
    by: By,
    reason: Reason,
) -> None:
    """Take back a payout that is not paid yet. A refund, a withdrawal, or a claim's."""
    run(lambda: _cancel(disbursement, by, reason))


@suspense_cli.command(
    epilog="Example: liqpass suspense adopt 0x…:3 --due 0197… --by Ada --reason 'paid by hand, less a fee'"
)
def adopt(
    transfer: Annotated[str, typer.Argument(metavar="TRANSFER", help="Which, as the break names it: 0x…:3.")],
    due: Annotated[
        list[str],
        typer.Option(metavar="ID", help="What it pays, as liqpass suspense list names it; again for more."),
    ],
    by: By,
    reason: Reason,
    write_off: Annotated[
        bool, typer.Option("--write-off", help="What the last due is short of is not to be paid any more.")
    ] = False,
) -> None:
    """Say that money which left unexplained paid what is due. Both have to be of one wallet.

    It may be less than the due, whose rest stays due, or more, or for several. One of exactly a due's amount
    is taken for it without a word.
    """
    run(lambda: _adopt(transfer, due, by, reason, write_off))


@suspense_cli.command(epilog="Example: liqpass suspense batch --out payouts.json")
def batch(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write; it must not exist.")],
    again: Annotated[bool, typer.Option("--again", help="Also what stands in an earlier batch.")] = False,
) -> None:
    """Write all that is to be paid out as a batch for the Safe. It is for Safe{Wallet}'s Transaction Builder.

    The owners of the treasury import the file there, look at it, and sign. LiqPass itself sends no money.
    """
    run(lambda: _batch(out, again))


@suspense_cli.command(
    "after-restore",
    epilog="Example: liqpass suspense after-restore --by Ada --reason 'the one file since is sent in 0x…'",
)
def after_restore(by: By, reason: Reason) -> None:
    """Say that no file since the backup can be signed. Until then no batch is made.

    Files that were written after the backup are not known to a restored database, which would pay once more
    what they pay. Each has to be on chain, and read, or thrown away by all owners of the treasury.
    """
    run(lambda: _after_restore(by, reason))


async def _list(form: Form) -> None:
    from liqpass.treasury import disbursements, suspense
    from liqpass.treasury.holding import seen

    async with opened("liqpass suspense") as (db, chain):
        async with db.one_moment() as conn:
            items, dues = await suspense.items(conn, chain), await disbursements.dues(conn, chain)
            by_hand = await disbursements.paid_by_hand(conn, chain, dues)
        if form is Form.TABLE:
            async with endpoints(chain) as nodes:
                held = await seen(nodes, chain, dues)
            _show_items(items, chain)
            show_dues(dues, held, by_hand)
            return
    rows = [_row(item, chain) for item in items]
    if form is Form.JSON:
        typer.echo(json.dumps(rows, indent=2))
        return
    writer = csv.DictWriter(sys.stdout, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({**row, "receivedAt": row["at"], "final": "yes" if row["final"] else "no"})


def _row(item: "Suspended", chain: "ChainSettings") -> dict[str, object]:
    from liqpass.hexes import checksum, to_hex
    from liqpass.money import usd
    from liqpass.treasury import suspense

    return {
        "item": suspense.key_of(item.ref),
        "at": moment(item.at),
        "sender": checksum(item.sender) if item.sender else None,
        "amount": str(item.amount),
        "amountUsd": usd(item.amount),
        "remaining": str(item.remaining),
        "remainingUsd": usd(item.remaining),
        "final": suspense.is_final(item, chain),
        "why": suspense.why(item, chain),
        "said": suspense.said(item, chain),
        "orderId": to_hex(item.purchase_order_id) if item.purchase_order_id else None,
        "nextStep": " or ".join(suspense.next_steps(item, chain)),
    }


def _show_items(items: "list[Suspended]", chain: "ChainSettings") -> None:
    from liqpass.money import usd
    from liqpass.treasury.suspense import next_steps

    if not items:
        typer.echo("Nothing is in suspense.")
        return
    for item in items:
        row = _row(item, chain)
        of = "" if item.amount == item.remaining else f" of {row['amountUsd']}"
        typer.echo(f"{row['item']}\n    {row['remainingUsd']} USDC{of}, {row['at'] or 'no block'}")
        typer.echo(f"    from   {row['sender'] or 'nobody in particular'}")
        typer.echo(f"    why    {row['said']}")
        for word, step in zip(("to do", "or   "), next_steps(item, chain), strict=False):
            typer.echo(f"    {word}  {step}")
    typer.echo(f"{len(items)} in suspense, {usd(sum(item.remaining for item in items))} USDC.")


async def _refund(item: str, by: str, reason: str, to: str | None, amount: str | None) -> None:
    from liqpass.clock import system_clock
    from liqpass.hexes import address, checksum
    from liqpass.ids import RANDOM_BYTES
    from liqpass.money import micro, usd
    from liqpass.treasury import disbursements, suspense

    goes_to = address(to, "--to") if to is not None else None
    taken = micro(amount, "--amount") if amount is not None else None
    now, random = system_clock(), os.urandom(RANDOM_BYTES)
    async with opened("liqpass suspense") as (db, chain), endpoints(chain) as nodes:
        ref = suspense.ref_of(item, chain, "ITEM")
        said = await disbursements.token_says_of_refund(db, nodes, chain, ref, to=goes_to)
        asked = await db.run(
            lambda conn: disbursements.refund(
                conn, now, random, chain, ref, by=by, reason=reason, to=goes_to, amount=taken
            )
        )
    typer.echo(f"A refund of {usd(asked.amount)} USDC to {checksum(asked.recipient)} is due: {asked.id}")
    typer.echo(f"Posted: {usd(asked.amount)} USDC from suspense to refunds due.")
    typer.echo(f"Of {suspense.key_of(ref)} there remain {usd(asked.left)} USDC in suspense.")
    if to is None and asked.shown is None:
        typer.echo(
            "That address is its sender; if it is an exchange's, cancel, and ask its owner for another."
        )
    tell_next(asked, said)


async def _cancel(disbursement: str, by: str, reason: str) -> None:
    from liqpass.clock import system_clock
    from liqpass.money import usd
    from liqpass.treasury import disbursements
    from liqpass.treasury.pairing import Purpose

    now = system_clock()
    async with opened("liqpass suspense") as (db, chain):
        gone = await db.run(
            lambda conn: disbursements.cancel(conn, now, chain, disbursement, by=by, reason=reason)
        )
    back = {Purpose.REFUND: "are in suspense again", Purpose.CLAIM: "are owed for the claim no more"}
    typer.echo(
        f"Cancelled: {gone.id}. Posted: {usd(gone.amount)} USDC "
        f"{back.get(gone.purpose, 'are free capital again')}."
    )
    if gone.purpose == Purpose.CLAIM:
        typer.echo("Next: the claim is in review again, where an operator approves or refuses it once more.")
    if gone.batched_at is not None:
        typer.echo(
            f"It stands in a batch file of {moment(gone.batched_at)}: see that nobody signs that file."
        )


async def _adopt(transfer: str, names: list[str], by: str, reason: str, write_off: bool) -> None:
    from liqpass.clock import system_clock
    from liqpass.treasury import adopting, suspense

    now, random = system_clock(), os.urandom(adopting.RANDOM)
    async with opened("liqpass suspense") as (db, chain):
        ref = suspense.ref_of_outflow(transfer, "TRANSFER")
        done = await db.run(
            lambda conn: adopting.adopt(
                conn, now, random, chain, ref, names, by=by, reason=reason, write_off=write_off
            )
        )
    tell_adopted(done, transfer)


async def _after_restore(by: str, reason: str) -> None:
    from liqpass.clock import system_clock
    from liqpass.treasury.before_batches import settle_restore
    from liqpass.treasury.disbursements import words

    now, name, why = system_clock(), words(by, "--by"), words(reason, "--reason")
    async with opened("liqpass suspense") as (db, chain), endpoints(chain) as nodes:
        settled = await settle_restore(db, nodes, chain, now, by=name, reason=why)
    if not settled:
        typer.echo("Nothing to do: this database was not restored, or that is settled.")
    for one in settled:
        of = f"{moment(one.restored_at)} from the backup of {moment(one.backup_made_at)}"
        typer.echo(f"Settled: the restore of {of}.")
        typer.echo(
            "Next: liqpass suspense list shows what is due, liqpass suspense batch writes files again."
        )


async def _batch(out: Path, again: bool) -> None:
    from liqpass.clock import system_clock
    from liqpass.treasury import disbursements
    from liqpass.treasury.batch_file import content_of, file_of

    now = system_clock()
    async with opened("liqpass suspense") as (db, chain), endpoints(chain) as nodes:
        with _new_file(out) as file:
            made = await disbursements.make_batch(db, nodes, chain, now, again=again)
            if made.included:
                _write(file, content_of(file_of(made.included, chain, now)))
    tell_batch(made, out, chain.treasury)


@contextmanager
def _new_file(path: Path) -> Iterator[IO[str]]:
    """Open before anything is marked as batched; gone again if nothing is written."""
    from liqpass.problems import Problem

    try:
        file = path.open("x", encoding="utf-8")
    except FileExistsError:
        what = f"{path} is there already, and an earlier batch may be in it"
        raise Problem("INVALID_FIELD", f"{what}: name another file with --out.", field="--out") from None
    except OSError as error:
        raise OSError(f"--out {path} cannot be written: {error.strerror}") from None
    try:
        with file:
            yield file
    finally:
        if path.stat().st_size == 0:
            path.unlink()


def _write(file: IO[str], content: str) -> None:
    try:
        file.write(content)
        file.flush()
    except OSError as error:
        what = f"{file.name} could not be written ({error.strerror})"
        raise OSError(f"{what}; what should be in it counts as batched: type it again with --again") from None
