"""What the commands say of payouts: what is due, held back, batched, adopted, and what to do next."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import typer

if TYPE_CHECKING:
    from liqpass.chain.outgoing import Outgoing
    from liqpass.treasury.adopting import Adopted
    from liqpass.treasury.disbursements import Asked, Batch, ByHand
    from liqpass.treasury.holding import Held
    from liqpass.treasury.records import Disbursement

HELD_BACK = (
    "What is held back would make a Safe refuse a whole batch (GS013): it is in none until USDC takes it,\n"
    "and then by itself. A file that holds it already fails: write it again with --again, without it."
)


def show_dues(dues: "list[Disbursement]", held: "Mapping[UUID, Held]", by_hand: "ByHand") -> None:
    """All that is to be paid out, each with what is in its way."""
    from liqpass.hexes import checksum, to_hex
    from liqpass.money import usd

    if not dues:
        return
    typer.echo("\nTo be paid out:")
    for due in dues:
        state = "not in a batch yet: liqpass suspense batch --out FILE"
        if due.batched_at:
            state = f"in a batch since {moment(due.batched_at)}: the treasury's owners have to sign it"
        if due.shown:
            state = f"on its way in {to_hex(due.shown)}"
        typer.echo(
            f"{due.id}\n    {due.purpose.lower()} of {usd(due.amount)} USDC to {checksum(due.recipient)}"
        )
        typer.echo(f"    asked for by {due.asked_by}, {moment(due.asked_at)}: {due.reason}\n    {state}")
        if due.id in held:
            typer.echo(f"    held back: {held[due.id].detail}")
        if due.shown is None:
            _tell_by_hand(due, by_hand)
    if held:
        typer.echo(HELD_BACK)


def _tell_by_hand(due: "Disbursement", by_hand: "ByHand") -> None:
    """What left to the same wallet without a reason: the due may be paid already."""
    from liqpass.money import usd
    from liqpass.treasury.suspense import key_of

    for one in by_hand.get(due.recipient, ()):
        typer.echo(
            f"    {usd(one.amount)} USDC left to this wallet without a reason, {moment(one.at)}: if that"
        )
        typer.echo(
            f"    paid this, liqpass suspense adopt {key_of(one.ref)} --due {due.id} --by NAME --reason TEXT"
        )


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


def tell_adopted(done: "Adopted", transfer: str) -> None:
    """What a transfer was said to pay."""
    from liqpass.money import usd

    for due, part in zip(done.dues, done.paid, strict=True):
        of = "" if part.id == due.id else f", a part of {due.id}"
        typer.echo(f"Paid by {transfer}: {usd(part.amount)} USDC, {due.purpose.lower()} {part.id}{of}.")
    last = done.dues[-1]
    if done.rest is not None:
        typer.echo(f"Still due: {usd(done.rest.amount)} USDC, {last.purpose.lower()} {done.rest.id}.")
    if done.written_off:
        back = {"REFUND": "in suspense", "CLAIM": "held for the order, if it is not settled, or free capital"}
        now = back.get(last.purpose, "free capital")
        typer.echo(f"Written off: {usd(done.written_off)} USDC of {last.id}, which are {now} again.")
    if done.unexplained:
        typer.echo(f"Still left without explanation: {usd(done.unexplained)} USDC of this transfer.")
    for due in done.dues:
        if due.batched_at is not None:
            typer.echo(f"{due.id} stands in a batch file of {moment(due.batched_at)}: see that nobody")
            typer.echo("signs that file, which would pay it once more.")


def tell_batch(made: "Batch", out: Path, treasury: bytes) -> None:
    """What is in a batch file, and what is not."""
    from liqpass.hexes import checksum
    from liqpass.money import usd
    from liqpass.treasury.batch_file import called, sum_of

    if made.included:
        typer.echo(f"{out}: {sum_of(made.included)}")
        for due in made.included:
            typer.echo(f"    {usd(due.amount)} USDC to {checksum(due.recipient)}, {called(due)}")
            _tell_by_hand(due, made.by_hand)
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


def _tell_held(made: "Batch") -> None:
    """What the token refuses: left out of this file, or in an earlier one that cannot be sent therefore."""
    from liqpass.hexes import checksum
    from liqpass.money import usd
    from liqpass.treasury.batch_file import called, sum_of

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
                f"    {usd(due.amount)} USDC to {checksum(due.recipient)}, {called(due)}: "
                f"{made.held[due.id].detail}"
            )


def moment(at: datetime | None) -> str | None:
    """A time for people and programs."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None
