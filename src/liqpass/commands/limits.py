"""`liqpass pool limits`, `stop`, `resume`: what may stand behind open covers, and what is sold."""

import json
import os
import re
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from liqpass.commands.opened import By, database
from liqpass.commands.suspense import Reason
from liqpass.exposure.limits import Direction, Scope
from liqpass.terminal import run

if TYPE_CHECKING:
    from liqpass.exposure.changing import Said
    from liqpass.exposure.reading import Exposure

NAME = "liqpass pool"


class Form(StrEnum):
    """How to write it."""

    TABLE = "table"
    JSON = "json"


_PERCENT = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))? ?%?", re.ASCII)
limits_cli = typer.Typer(
    help="Show what may stand behind open covers. Also change it, and what is not sold.",
    invoke_without_command=True,
    epilog="Example: liqpass pool limits set account 2.5 --by Ada --reason 'fewer large traders'",
)

Which = Annotated[Direction, typer.Argument(metavar="DIRECTION", help="long or short.")]


def _scope(typed: str) -> Scope:
    if typed.upper() not in Scope.__members__:
        names = ", ".join(scope.lower() for scope in Scope)
        raise typer.BadParameter(f"it is one of {names}")
    return Scope(typed.upper())


def _share(typed: str) -> int:
    """Basis points of a percentage as people write it."""
    found = _PERCENT.fullmatch(typed.strip())
    bps = int(found[1]) * 100 + int((found[2] or "").ljust(2, "0")) if found else -1
    if not 0 <= bps <= 10_000:
        raise typer.BadParameter("it is 0 to 100 percent of the pool, with at most two decimals, such as 2.5")
    return bps


@limits_cli.callback()
def limits(
    context: typer.Context,
    form: Annotated[Form, typer.Option("--format", help="How to write it.")] = Form.TABLE,
) -> None:
    """Show what may stand behind open covers, what does, and what is not sold. Also change a limit."""
    if context.invoked_subcommand is None:
        run(lambda: _show(form))


@limits_cli.command(
    "set", epilog="Example: liqpass pool limits set account 2.5 --by Ada --reason 'fewer large traders'"
)
def set_(
    scope: Annotated[
        Scope,
        typer.Argument(
            metavar="LIMIT", help="direction, instrument, account, wallet or claims.", parser=_scope
        ),
    ],
    share: Annotated[
        int, typer.Argument(metavar="PERCENT", help="Of the pool: 0 to 100, as 2.5.", parser=_share)
    ],
    by: By,
    reason: Reason,
) -> None:
    """Change a limit. Covers that are open stay, whatever they come to.

    claims: what claims of 24 hours in one direction may come to before no more of it is sold for a day.
    """
    run(lambda: _set(scope, share, by, reason))


def stop(
    direction: Which,
    by: By,
    reason: Reason,
    hours: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=8760, help="For so long; until you resume unless you say."),
    ] = None,
) -> None:
    """Sell no more covers of a direction. What is sold stays covered, and can be paid."""
    run(lambda: _stop(direction, hours, by, reason))


def resume(direction: Which, by: By, reason: Reason) -> None:
    """Sell covers of a direction again. Only later claims stop it once more."""
    run(lambda: _resume(direction, by, reason))


async def _show(form: Form) -> None:
    import msgspec

    from liqpass.clock import system_clock
    from liqpass.exposure.reading import shown
    from liqpass.exposure.views import exposure_view

    async with database(NAME) as db, db.one_moment() as conn:
        found = await shown(conn, system_clock())
    if form is Form.TABLE:
        for line in _lines(found):
            typer.echo(line)
    else:
        typer.echo(json.dumps(msgspec.to_builtins(exposure_view(found)), indent=2))


def _lines(found: "Exposure") -> list[str]:
    from liqpass.exposure.limits import percent
    from liqpass.exposure.told import stopped_words
    from liqpass.hexes import checksum
    from liqpass.money import usd

    lines = [f"{'pool':<46}{usd(found.pool):>18} USDC  {usd(found.free)} free"]
    for limit in found.limits:
        said = f"{percent(limit.share_bps)} of the pool"
        if limit.changed_by is not None:
            said += f", by {limit.changed_by}: {limit.reason}"
        if limit.scope is Scope.CLAIMS:
            lines.append(f"{'claims of 24 hours, at most':<46}{usd(limit.most):>18} USDC  {said}")
            lines += [
                f"    {one.direction:<42}{usd(one.last_24h):>18} USDC  {usd(one.counted)} of it counts"
                for one in found.claimed_24h
            ]
            continue
        lines.append(f"{f'one {limit.scope.lower()}, at most':<46}{usd(limit.most):>18} USDC  {said}")
        for one in found.sums:
            if one.scope is limit.scope:
                key = checksum(bytes.fromhex(one.key[2:])) if one.scope is Scope.WALLET else one.key
                lines.append(f"    {key:<42}{usd(one.open_sum):>18} USDC  room for {usd(one.room)}")
    return lines + [stopped_words(stop) for stop in found.stops]


def _said(by: str, reason: str) -> "Said":
    from liqpass.exposure.changing import Said
    from liqpass.treasury.disbursements import words

    return Said(words(by, "--by"), words(reason, "--reason"))


async def _set(scope: Scope, share: int, by: str, reason: str) -> None:
    from liqpass.clock import system_clock
    from liqpass.exposure import changing
    from liqpass.exposure.limits import percent
    from liqpass.exposure.reading import shown
    from liqpass.ids import RANDOM_BYTES
    from liqpass.money import usd

    said, now, random = _said(by, reason), system_clock(), os.urandom(RANDOM_BYTES)
    async with database(NAME) as db:
        was = await db.run(lambda conn: changing.set_limit(conn, now, random, scope, share, said))
        async with db.one_moment() as conn:
            most = (await shown(conn, now)).limit(scope).most
    typer.echo(f"{scope.lower()}: {percent(share)} of the pool, {usd(most)} USDC now; it was {percent(was)}.")
    typer.echo(
        "Next: nothing; every order from now on is held to it. liqpass pool limits shows what has room."
    )


async def _stop(direction: Direction, hours: int | None, by: str, reason: str) -> None:
    from liqpass.clock import system_clock
    from liqpass.exposure import changing
    from liqpass.exposure.told import moment
    from liqpass.ids import RANDOM_BYTES

    said, now, random = _said(by, reason), system_clock(), os.urandom(RANDOM_BYTES)
    until = None if hours is None else now + timedelta(hours=hours)
    async with database(NAME) as db:
        await db.run(lambda conn: changing.stop(conn, now, random, direction, until, said))
    when = "until somebody resumes" if until is None else f"until {moment(until)}"
    typer.echo(f"From now on no cover of {direction}s is sold, {when}.")
    typer.echo(f"To sell again: liqpass pool resume {direction} --by NAME --reason TEXT")
    typer.echo("Orders that are made already can still be paid.")


async def _resume(direction: Direction, by: str, reason: str) -> None:
    from liqpass.clock import system_clock
    from liqpass.exposure import changing

    said, now = _said(by, reason), system_clock()
    async with database(NAME) as db:
        ended = await db.run(lambda conn: changing.resume(conn, now, direction, said))
    for one in ended:
        typer.echo(f"Ended: {one.reason} ({one.stopped_by}).")
    typer.echo(
        f"Covers of {direction}s are sold again. Claims up to now are known: only later ones stop them."
    )
