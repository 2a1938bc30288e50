"""`liqpass pool`: the capital that stands behind covers."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from liqpass.commands.limits import limits_cli, resume, stop
from liqpass.commands.opened import By, counted, endpoints, opened
from liqpass.commands.payouts import tell_next
from liqpass.commands.suspense import Reason
from liqpass.terminal import run

if TYPE_CHECKING:
    from liqpass.settings import ChainSettings
    from liqpass.treasury.pool import Pool

pool_cli = typer.Typer(
    name="pool",
    help="The capital behind covers, and its limits.",
    no_args_is_help=True,
    epilog="Example: liqpass pool show",
)


@pool_cli.command(epilog="Example: liqpass pool show")
def show() -> None:
    """Show what is free and what open covers hold. Also what is due, and what could be deposited."""
    run(_show)


@pool_cli.command(epilog="Example: liqpass pool deposit 50000 --by Ada")
def deposit(
    by: By,
    amount: Annotated[
        str | None,
        typer.Argument(metavar="AMOUNT", help="USDC; with --from all of that item unless you say so."),
    ] = None,
    item: Annotated[
        str | None,
        typer.Option("--from", help="Which item, as liqpass suspense list names it.", metavar="ITEM"),
    ] = None,
) -> None:
    """Make capital of USDC that is in suspense. It was sent to the treasury, and has to be final."""
    run(lambda: _deposit(amount, item, by))


@pool_cli.command(epilog="Example: liqpass pool withdraw 50000 --to 0x… --by Ada --reason 'end of the year'")
def withdraw(
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="USDC, at most what is free.")],
    to: Annotated[str, typer.Option(help="Where to.", metavar="ADDRESS")],
    by: By,
    reason: Reason,
) -> None:
    """Take free capital out. Nothing is sent: it is due, and goes into the next batch for the Safe."""
    run(lambda: _withdraw(amount, to, by, reason))


pool_cli.add_typer(limits_cli, name="limits")
pool_cli.command(epilog="Example: liqpass pool stop long --by Ada --reason 'the market falls'")(stop)
pool_cli.command(epilog="Example: liqpass pool resume long --by Ada --reason 'looked at'")(resume)


async def _show() -> None:
    from liqpass.treasury import pool

    async with opened("liqpass pool") as (db, chain), db.one_moment() as conn:
        found = await pool.show(conn, chain)
    for name, amount, said in _lines(found, chain):
        typer.echo(f"{name:<26}{amount:>20} USDC  {said}".rstrip())
    for hint in _hints(found):
        typer.echo(hint)


def _lines(found: "Pool", chain: "ChainSettings") -> list[tuple[str, str, str]]:
    from liqpass.hexes import checksum
    from liqpass.ledger.book import Account
    from liqpass.money import usd
    from liqpass.treasury.suspense import is_final

    standing = {account: usd(micro) for account, micro in found.balances.items()}
    usable = usd(sum(item.remaining for item in found.suspended if is_final(item, chain)))
    items = counted(len(found.suspended), "item")
    covers = [
        (f"    {cover.sku}", usd(cover.payout), counted(cover.orders, "open order"))
        for cover in found.open_cover
    ]
    if found.waiting.covers:
        until = "ended; freed when no claim can come, or waits to be paid"
        said = f"{counted(found.waiting.covers, 'cover')} {until}"
        covers.append(("    not settled yet", usd(found.waiting.locked), said))
    return [
        ("treasury, by the books", standing[Account.TREASURY], checksum(chain.treasury)),
        ("pool, free", standing[Account.POOL_FREE], ""),
        ("pool, locked", standing[Account.POOL_LOCKED], ""),
        *covers,
        ("premiums, earned", standing[Account.EARNED_PREMIUM], ""),
        ("premiums, not yet earned", standing[Account.UNEARNED_PREMIUM], ""),
        ("withdrawals due", standing[Account.WITHDRAWALS_DUE], ""),
        ("refunds due", standing[Account.REFUNDS_DUE], ""),
        ("claims payable", standing[Account.CLAIMS_PAYABLE], ""),
        ("in suspense", standing[Account.SUSPENSE], f"{items}; {usable} USDC could be deposited"),
        ("left without explanation", standing[Account.OUTFLOW_UNEXPLAINED], ""),
    ]


def _hints(found: "Pool") -> list[str]:
    from liqpass.treasury.disbursements import parted

    dues, hints = parted(found.dues), []
    if dues.ready:
        hints.append(
            f"{counted(len(dues.ready), 'payout')} in no batch yet: liqpass suspense batch --out FILE"
        )
    if dues.batched:
        hints.append(f"{counted(len(dues.batched), 'payout')} in a batch, for the treasury's owners to sign")
    if dues.on_their_way:
        hints.append(f"{counted(len(dues.on_their_way), 'payout')} seen on chain, not yet settled")
    if found.suspended:
        hints.append("What is in suspense, and what to do with it: liqpass suspense list")
    return hints


async def _deposit(amount: str | None, item: str | None, by: str) -> None:
    from liqpass.clock import system_clock
    from liqpass.ids import RANDOM_BYTES
    from liqpass.money import micro, usd
    from liqpass.treasury import pool, suspense

    taken = micro(amount, "AMOUNT") if amount is not None else None
    now, random = system_clock(), os.urandom(RANDOM_BYTES)
    async with opened("liqpass pool") as (db, chain):
        ref = suspense.ref_of(item, chain, "--from") if item is not None else None
        made = await db.run(lambda conn: pool.deposit(conn, now, random, chain, by=by, amount=taken, ref=ref))
    typer.echo(
        f"Posted: {usd(made.amount)} USDC of {suspense.key_of(made.ref)} from suspense to the free pool."
    )
    if made.left:
        typer.echo(f"Of it there remain {usd(made.left)} USDC in suspense.")
    typer.echo(f"Free capital: {usd(made.free)} USDC. Next: nothing; orders can hold it at once.")


async def _withdraw(amount: str, to: str, by: str, reason: str) -> None:
    from liqpass.clock import system_clock
    from liqpass.exposure import told
    from liqpass.exposure.reading import shown
    from liqpass.hexes import address, checksum
    from liqpass.ids import RANDOM_BYTES
    from liqpass.money import micro, usd
    from liqpass.treasury import disbursements
    from liqpass.treasury.holding import token_says_of

    taken, goes_to = micro(amount, "AMOUNT"), address(to, "--to")
    now, random = system_clock(), os.urandom(RANDOM_BYTES)
    async with opened("liqpass pool") as (db, chain), endpoints(chain) as nodes:
        said = await token_says_of(nodes, chain, {goes_to: taken})
        asked = await db.run(
            lambda conn: disbursements.withdraw(
                conn, now, random, chain, taken, goes_to, by=by, reason=reason
            )
        )
        async with db.one_moment() as conn:
            no_room = told.remarks(await shown(conn, now))
    typer.echo(f"A withdrawal of {usd(taken)} USDC to {checksum(goes_to)} is due: {asked.id}")
    typer.echo(f"Posted: {usd(taken)} USDC from the free pool to withdrawals due.")
    typer.echo(f"Free capital: {usd(asked.left)} USDC.")
    for remark in no_room:
        typer.echo(remark)
    tell_next(asked, said)
