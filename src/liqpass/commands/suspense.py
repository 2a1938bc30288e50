"""`liqpass suspense`: money that pays no order, and what is to be paid out."""

import csv
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from liqpass.commands.opened import By, Form, FormOption, endpoints, opened, text
from liqpass.terminal import run

if TYPE_CHECKING:
    from liqpass.chain.outgoing import Outgoing
    from liqpass.settings import ChainSettings
    from liqpass.treasury.adopting import Adopted
    from liqpass.treasury.disbursements import Asked, Batch
    from liqpass.treasury.holding import Held
    from liqpass.treasury.records import Disbursement, Suspended

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
suspense_cli = typer.Typer(help="Money that pays no order, and refunds.", no_args_is_help=True)

Reason = Annotated[
    str, typer.Option(help="Why, for those who read the books later.", metavar="TEXT", callback=text)
]


@suspense_cli.command("list", epilog="Example: liqpass suspense list --format csv > suspense.csv")
def list_items(form: FormOption = Form.TABLE) -> None:
    """What came into the treasury and pays no order: from whom, why it is there, and what to do."""
    run(lambda: _list(form))


@suspense_cli.command(
    epilog="Example: liqpass suspense refund 0x…:3 --by Ada --reason 'sent by mistake, asked on 3 May'"
)
def refund(
    item: Annotated[str, typer.Argument(help="Which, as liqpass suspense list names it.")],
    by: By,
    reason: Reason,
    to: Annotated[str | None, typer.Option(help="Where to; its sender unless you say so.")] = None,
    amount: Annotated[
        str | None, typer.Option(help="USDC; all that remains of it unless you say so.")
    ] = None,
) -> None:
    """Give money back. Nothing is sent: the refund is due, and goes into the next batch for the Safe."""
    run(lambda: _refund(item, by, reason, to, amount))


@suspense_cli.command(epilog="Example: liqpass suspense cancel 0197… --by Ada --reason 'wrong address'")
def cancel(
    disbursement: Annotated[str, typer.Argument(help="Which, as liqpass suspense list names it.")],
    by: By,
    reason: Reason,
) -> None:
    """Take back a refund, or a withdrawal of the pool, that was not paid yet."""
    run(lambda: _cancel(disbursement, by, reason))


@suspense_cli.command(
    epilog="Example: liqpass suspense adopt 0x…:3 --due 0197… --by Ada --reason 'paid by hand, less a fee'"
)
def adopt(
    transfer: Annotated[str, typer.Argument(help="Which, as the break that names it: 0x…:3.")],
    due: Annotated[
        list[str], typer.Option(help="What it pays, as liqpass suspense list names it; again for more.")
    ],
    by: By,
    reason: Reason,
    write_off: Annotated[
        bool, typer.Option("--write-off", help="What the last due is short of is not to be paid any more.")
    ] = False,
) -> None:
    """Say that money which left the treasury unexplained was for what is due to the same wallet.

    It may be less than the due, whose rest stays due, or more, or for several. One of exactly a due's amount
    is taken for it without a word.
    """
    run(lambda: _adopt(transfer, due, by, reason, write_off))


@suspense_cli.command(epilog="Example: liqpass suspense batch --out refunds.json")
def batch(
    out: Annotated[Path, typer.Option(help="The file to write; it must not exist.")],
    again: Annotated[bool, typer.Option("--again", help="Also what stands in an earlier batch.")] = False,
) -> None:
    """Write all that is to be paid out as a batch for the Transaction Builder of Safe{Wallet}.

    The owners of the treasury import the file there, look at it, and sign. LiqPass itself sends no money.
    """
    run(lambda: _batch(out, again))


async def _list(form: Form) -> None:
    from liqpass.treasury import disbursements, suspense
    from liqpass.treasury.holding import seen

    async with opened("liqpass suspense") as (db, chain):
        async with db.one_moment() as conn:
            items, dues = await suspense.items(conn, chain), await disbursements.dues(conn, chain)
        if form is Form.TABLE:
            async with endpoints(chain) as nodes:
                held = await seen(nodes, chain, dues)
            _show_items(items, chain)
            _show_dues(dues, held)
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
        "at": _moment(item.at),
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


def _show_dues(dues: "list[Disbursement]", held: "Mapping[UUID, Held]") -> None:
    from liqpass.hexes import checksum, to_hex
    from liqpass.money import usd

    if not dues:
        return
    typer.echo("\nTo be paid out:")
    for due in dues:
        state = "not in a batch yet: liqpass suspense batch --out FILE"
        if due.batched_at:
            state = f"in a batch since {_moment(due.batched_at)}: the treasury's owners have to sign it"
        if due.shown:
            state = f"on its way in {to_hex(due.shown)}"
        typer.echo(
            f"{due.id}\n    {due.purpose.lower()} of {usd(due.amount)} USDC to {checksum(due.recipient)}"
        )
        typer.echo(f"    asked for by {due.asked_by}, {_moment(due.asked_at)}: {due.reason}\n    {state}")
        if due.id in held:
            typer.echo(f"    held back: {held[due.id].detail}")
    if held:
        typer.echo(HELD_BACK)


HELD_BACK = (
    "What is held back would make a Safe refuse a whole batch (GS013): it is in none until USDC takes it,\n"
    "and then by itself. A file that holds it already fails: write it again with --again, without it."
)


def _moment(at: datetime | None) -> str | None:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


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


def tell_next(asked: "Asked", said: "Outgoing") -> None:
    """What to do about a new disbursement, by what the token `said` of its recipient."""
    from liqpass.hexes import to_hex
    from liqpass.treasury.holding import refusal

    shown = asked.shown
    if shown is None and (why := refusal(asked.recipient, said)) is not None:
        typer.echo(f"Held back: {why.detail}. It is in no batch until USDC takes it, and then by itself.")
        typer.echo(f"Next: nothing, or liqpass suspense cancel {asked.id} and another address.")
    elif shown is None:
        typer.echo("Next: liqpass suspense batch --out FILE writes what the treasury's owners have to sign.")
    else:
        typer.echo(f"Next: nothing. The transfer in {to_hex(shown)} is of this amount to this address,")
        typer.echo("and liqpass work takes it for the payment.")


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
    back = "in suspense" if gone.purpose == Purpose.REFUND else "free capital"
    typer.echo(f"Cancelled: {gone.id}. Posted: {usd(gone.amount)} USDC are {back} again.")
    if gone.batched_at is not None:
        typer.echo(
            f"It stands in a batch file of {_moment(gone.batched_at)}: see that nobody signs that file."
        )


async def _adopt(transfer: str, names: list[str], by: str, reason: str, write_off: bool) -> None:
    from liqpass.clock import system_clock
    from liqpass.treasury import adopting, suspense

    now, random = system_clock(), os.urandom(adopting.RANDOM)
    async with opened("liqpass suspense") as (db, chain):
        ref = suspense.ref_of(transfer, chain, "TRANSFER")
        done = await db.run(
            lambda conn: adopting.adopt(
                conn, now, random, chain, ref, names, by=by, reason=reason, write_off=write_off
            )
        )
    _tell_adopted(done, transfer)


def _tell_adopted(done: "Adopted", transfer: str) -> None:
    from liqpass.money import usd

    for due, part in zip(done.dues, done.paid, strict=True):
        of = "" if part.id == due.id else f", a part of {due.id}"
        typer.echo(f"Paid by {transfer}: {usd(part.amount)} USDC, {due.purpose.lower()} {part.id}{of}.")
    last = done.dues[-1]
    if done.rest is not None:
        typer.echo(f"Still due: {usd(done.rest.amount)} USDC, {last.purpose.lower()} {done.rest.id}.")
    if done.written_off:
        back = "in suspense" if last.purpose == "REFUND" else "free capital"
        typer.echo(f"Written off: {usd(done.written_off)} USDC of {last.id}, which are {back} again.")
    if done.unexplained:
        typer.echo(f"Still left without explanation: {usd(done.unexplained)} USDC of this transfer.")
    for due in done.dues:
        if due.batched_at is not None:
            typer.echo(f"{due.id} stands in a batch file of {_moment(due.batched_at)}: see that nobody")
            typer.echo("signs that file, which would pay it once more.")


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
    _tell_batch(made, out, chain.treasury)


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


def _tell_held(made: "Batch") -> None:
    """What the token refuses: left out of this file, or in an earlier one that cannot be sent therefore."""
    from liqpass.hexes import checksum
    from liqpass.money import usd
    from liqpass.treasury.batch_file import sum_of

    spoilt = [due for due in made.batched if due.id in made.held]
    for dues, said in (
        (made.held_back, "Held back, since USDC would refuse it, and with it the whole file"),
        (
            spoilt,
            "In an earlier file, which fails as a whole (GS013) because of it: --again writes it without",
        ),
    ):
        if dues:
            typer.echo(f"{said}: {sum_of(dues)}.")
        for due in dues:
            typer.echo(
                f"    {usd(due.amount)} USDC to {checksum(due.recipient)}, {due.purpose.lower()} {due.id}: "
                f"{made.held[due.id].detail}"
            )


def _tell_batch(made: "Batch", out: Path, treasury: bytes) -> None:
    from liqpass.hexes import checksum
    from liqpass.money import usd
    from liqpass.treasury.batch_file import sum_of

    if made.included:
        typer.echo(f"{out}: {sum_of(made.included)}")
        for due in made.included:
            typer.echo(
                f"    {usd(due.amount)} USDC to {checksum(due.recipient)}, {due.purpose.lower()} {due.id}"
            )
        typer.echo(
            f"Next: the owners of {checksum(treasury)} open Transaction Builder in Safe{{Wallet}}, load"
        )
        typer.echo("the file and sign. When the transfers are on chain, liqpass work finds them by itself.")
    else:
        typer.echo("Nothing new is to be paid out: no file was written.")
    _tell_held(made)
    if made.batched:
        typer.echo(
            f"Left out, since an earlier batch holds them: {sum_of(made.batched)}. If nobody will ever sign"
        )
        typer.echo("that file, --again writes them once more; two signed files would pay them twice.")
    if made.on_their_way:
        typer.echo(f"Left out, since a transfer of theirs is on chain: {sum_of(made.on_their_way)}.")
    if made.later:
        typer.echo(f"Left for the next file: {sum_of(made.later)}.")
