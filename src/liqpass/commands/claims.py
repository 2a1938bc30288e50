"""`liqpass claims`: what is owed for liquidations, who approves it, and the verdict computed again."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liqpass.commands.claims_told import show_claim, show_claims, show_replay
from liqpass.commands.opened import By, Form, FormOption, database, endpoints, opened, text, to_read
from liqpass.terminal import fail, run, tell

if TYPE_CHECKING:
    from liqpass.claims.states import ClaimStatus
    from liqpass.db import Connection

NAME = "liqpass claims"
PAGE = 200
claims_cli = typer.Typer(
    name="claims",
    help="Claims: what is owed for liquidations.",
    no_args_is_help=True,
    epilog="Example: liqpass claims list",
)

Which = Annotated[str, typer.Argument(metavar="ID", help="The claim's id, or 0x… of its order.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept.", metavar="TEXT", callback=text)]


@claims_cli.command("list", epilog="Example: liqpass claims list --waiting")
def list_claims(
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that wait for an operator.")] = False,
    all_: Annotated[
        bool, typer.Option("--all", help="Also those that are paid, refused or not covered.")
    ] = False,
    form: FormOption = Form.TABLE,
) -> None:
    """List the claims that are not over, newest first."""
    run(lambda: _list(waiting, all_, form))


@claims_cli.command(epilog="Example: liqpass claims show 0197…")
def show(claim: Which, form: FormOption = Form.TABLE) -> None:
    """Show a claim: its moves, verdict, evidence, approvals and payouts."""
    run(lambda: _show(claim, form))


@claims_cli.command("open", epilog="Example: liqpass claims open 0x… --by Ada")
def open_claim(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="The order's public id, 0x…")], by: By
) -> None:
    """Open a claim for a covered order. The one that is there is looked at again."""
    run(lambda: _open(order, by))


@claims_cli.command(epilog="Example: liqpass claims bundle 0197… --out claim.json")
def bundle(
    claim: Which,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to write; it must not exist.")
    ] = None,
) -> None:
    """Write all from which a claim was decided. To stdout unless you name a file."""
    run(lambda: _bundle(claim, out))


@claims_cli.command(epilog="Example: liqpass claims replay claim.json")
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A bundle, as it was written; - is stdin.")],
) -> None:
    """Compute the verdict of a bundle again. Needs neither database, settings nor network.

    Exit status 0 when it is the bundle's own, 1 when it is another, 2 when FILE is no bundle.
    """
    from liqpass.claims.bundle import replayed

    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        found = replayed(content)
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", status=2)
    except ValueError as error:
        fail(f"{'stdin' if str(file) == '-' else file}: {error}", status=2)
    show_replay(found, content)
    raise typer.Exit(0 if found.same else 1)


@claims_cli.command(epilog="Example: liqpass claims approve 0197… --by Ada --reason 'bills of 3 May'")
def approve(
    claim: Which,
    by: By,
    reason: Reason,
    amount: Annotated[
        str | None, typer.Option(metavar="USDC", help="How much; what the verdict says unless you do.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where to; the order's owner unless you say so.")
    ] = None,
) -> None:
    """Approve a payout. Nothing is sent: it is owed, and goes into the next batch for the Safe.

    Above LIQPASS_CLAIM_ONE_APPROVES_UP_TO somebody else has to approve the same amount to the same address.
    """
    run(lambda: _approve(claim, by, reason, amount, to))


@claims_cli.command(epilog="Example: liqpass claims refuse 0197… --by Ada --reason 'closed by hand'")
def refuse(claim: Which, by: By, reason: Reason) -> None:
    """Refuse a claim. Its owner is shown the reason, and may object once."""
    run(lambda: _refuse(claim, by, reason))


async def _list(waiting: bool, all_: bool, form: Form) -> None:
    from liqpass.review import reading
    from liqpass.review.views import queue_view

    statuses = _statuses(waiting, all_)
    found, before = [], reading.NEWEST
    async with to_read(NAME) as reads:
        while True:
            listed, _ = await reads.look(partial(reading.queue, statuses=statuses, before=before, limit=PAGE))
            page = queue_view(*listed, PAGE)
            found += page.claims
            if page.next is None:
                break
            before = page.next
    show_claims(found, form)


def _statuses(waiting: bool, all_: bool) -> "list[ClaimStatus]":
    from liqpass.claims.states import ClaimStatus as S
    from liqpass.review.reading import WAITING

    if waiting:
        return list(WAITING)
    over = () if all_ else (S.PAID, S.REFUSED, S.NOT_COVERED)
    return [status for status in S if status not in over]


async def _show(claim: str, form: Form) -> None:
    from liqpass.review.reading import claim_called
    from liqpass.review.views import queued_view
    from liqpass.settings import claim_limits_from_env

    limits = claim_limits_from_env(os.environ)
    async with to_read(NAME) as reads:
        shown, _ = await reads.look(lambda conn: claim_called(conn, claim))
    view = queued_view(shown, limits)
    if form is Form.TABLE:
        show_claim(view, shown)
    else:
        show_claims([view], form)


async def _open(order: str, by: str) -> None:
    from liqpass.clock import system_clock
    from liqpass.hexes import bytes32
    from liqpass.ids import RANDOM_BYTES
    from liqpass.review.asking import ask
    from liqpass.treasury.disbursements import words

    order_id, name = bytes32(order, "ORDER"), words(by, "--by")
    now, random = system_clock(), os.urandom(RANDOM_BYTES)
    async with database(NAME) as db:
        claim_id = await db.run(lambda conn: ask(conn, now, random, None, order_id, by_name=name))
        db.wake()
    typer.echo(f"The claim of this order is {claim_id}. The exchange is asked at once.")
    typer.echo(f"Next: liqpass claims show {claim_id}")


async def _bundle(claim: str, out: Path | None) -> None:
    from liqpass.claims.bundle import sha256_of
    from liqpass.hexes import to_hex
    from liqpass.review.reading import bundle_of, claim_called

    async def found(conn: "Connection") -> bytes:
        return await bundle_of(conn, (await claim_called(conn, claim)).claim)

    async with to_read(NAME) as reads:
        content, _ = await reads.look(found)
    if out is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        _write(out, content)
    tell(f"SHA-256 {to_hex(sha256_of(content))}")
    tell("Whoever has it computes the verdict again: liqpass claims replay FILE")


def _write(out: Path, content: bytes) -> None:
    from liqpass.problems import Problem

    try:
        with out.open("xb") as file:
            file.write(content)
    except FileExistsError:
        what = f"--out {out} is there already: name another file"
        raise Problem("INVALID_FIELD", f"{what}.", field="--out") from None
    except OSError as error:
        raise OSError(f"--out {out} cannot be written: {error.strerror}") from None


async def _approve(claim: str, by: str, reason: str, amount: str | None, to: str | None) -> None:
    from liqpass.clock import system_clock
    from liqpass.hexes import address
    from liqpass.money import micro
    from liqpass.review.approving import Said, approve_told
    from liqpass.review.reading import claim_called
    from liqpass.settings import claim_limits_from_env

    said = Said(
        by=by,
        reason=reason,
        amount=None if amount is None else micro(amount, "--amount"),
        to=None if to is None else address(to, "--to"),
    )
    now, limits = system_clock(), claim_limits_from_env(os.environ)
    async with opened(NAME) as (db, chain), endpoints(chain) as nodes:
        async with db.pool.acquire() as conn:
            claim_id = (await claim_called(conn, claim)).claim.id
        done, held = await approve_told(db, nodes, now, chain, limits, claim_id, said)
    typer.echo(done.said)
    if held is not None:
        typer.echo(f"Held back: {held.detail}. It is in no batch until USDC takes it, and then by itself.")
    if done.complete:
        typer.echo("Next: liqpass suspense batch --out FILE writes what the treasury's owners have to sign.")


async def _refuse(claim: str, by: str, reason: str) -> None:
    from liqpass.clock import system_clock
    from liqpass.review import approving
    from liqpass.review.reading import claim_called

    now, said = system_clock(), approving.Said(by=by, reason=reason)
    async with database(NAME) as db:
        async with db.pool.acquire() as conn:
            claim_id = (await claim_called(conn, claim)).claim.id
        await db.run(lambda conn: approving.refuse(conn, now, claim_id, said))
    typer.echo(f"Refused: {claim_id}. Its owner is shown the reason, and may object once.")
