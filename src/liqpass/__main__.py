"""The commands: python -m liqpass …, or liqpass ….

Errors that an operator can mend are one line on stderr and exit status 1; everything else is a bug and
shows its trace.
"""

import gc
import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from liqpass import __version__
from liqpass.commands.later import Commands
from liqpass.commands.typed import take_as_typed
from liqpass.terminal import fail, run, tell

take_as_typed()
cli = typer.Typer(
    cls=Commands,
    help="Short cover against the liquidation of perpetual swaps, paid in USDC.",
    no_args_is_help=True,
    epilog="Example: liqpass demo",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
keys_cli = typer.Typer(
    help="The keys that seal exchange secrets.",
    no_args_is_help=True,
    epilog="Example: liqpass keys generate",
)
contract_cli = typer.Typer(
    help="The checkout contract.", no_args_is_help=True, epilog="Example: liqpass contract verify"
)
cli.add_typer(keys_cli, name="keys")
cli.add_typer(contract_cli, name="contract")


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"liqpass {__version__}")
        raise typer.Exit


@cli.callback()
def about(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Say which version this is."),
    ] = False,
) -> None:
    """What every command takes."""
    if "CREDENTIALS_DIRECTORY" in os.environ:
        from liqpass.settings import SettingError
        from liqpass.supervised import take_credentials

        try:
            take_credentials(os.environ)
        except SettingError as error:
            fail(str(error))


class LogLevel(StrEnum):
    """From how important on events are logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


LogOption = Annotated[LogLevel, typer.Option(help="From which level on to log.", case_sensitive=False)]


@cli.command(epilog="Example: liqpass serve --port 8000")
def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen at; only loopback unless you say so.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at.", min=1, max=65535)] = 8000,
    log_level: LogOption = LogLevel.INFO,
) -> None:
    """Run the API."""
    from liqpass.logs import configure_logs
    from liqpass.running import serve_api

    configure_logs(level=log_level)
    run(lambda: serve_api(os.environ, host, port, tell), lasting=True)


@cli.command(epilog="Example: liqpass work")
def work(
    metrics_port: Annotated[
        int | None,
        typer.Option(help="Port on loopback for this process's metrics.", min=1, max=65535),
    ] = None,
    log_level: LogOption = LogLevel.INFO,
) -> None:
    """Run the watcher and the timers; any number of these may run."""
    from liqpass.logs import configure_logs
    from liqpass.running import work_tasks

    configure_logs(level=log_level)
    run(lambda: work_tasks(os.environ, metrics_port, tell), lasting=True)


@cli.command("lift-halt", epilog="Example: liqpass lift-halt")
def lift_halt() -> None:
    """Let a halted watcher go on. First know what contradicted the finalized head."""
    from liqpass.running import lift_the_halt

    run(lambda: lift_the_halt(os.environ, tell))


@cli.command(epilog="Example: DATABASE_URL=postgresql://owner@db/liqpass liqpass migrate")
def migrate(
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Migrate although the books are broken before it.")
    ] = False,
) -> None:
    """Bring the database's schema up to date. The books are checked before and after; harmless to repeat."""
    from liqpass.running import migrate_database

    run(lambda: migrate_database(os.environ, tell, anyway=anyway))


@cli.command(epilog="Example: liqpass check && liqpass serve")
def check(
    books: Annotated[
        bool, typer.Option("--books", help="Ask the invariants of the books instead, all of them.")
    ] = False,
) -> None:
    """Look at all that is needed to run. Settings, database, keys, watcher, nodes, contract, exchange; exit
    status 1 if one is wrong."""
    from liqpass.logs import configure_logs
    from liqpass.running import check_all, check_books

    configure_logs(level="ERROR")
    look = check_books if books else check_all
    run(lambda: look(os.environ, tell))


@cli.command(epilog="Example: liqpass demo --once")
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the story: exit status 0 or 1.")] = False,
    state: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Stay up, and write to this file (JSON) where everything listens."),
    ] = None,
) -> None:
    """Play two orders' lives in a sandbox. Real are PostgreSQL, EVM node, USDC's code, OKX's protocol."""
    from liqpass.logs import configure_logs
    from liqpass.sandbox.story import demo as play

    configure_logs(level="ERROR")
    run(lambda: play(once=once, state=state))


@keys_cli.command(epilog="Example: liqpass keys generate >> liqpass.env")
def generate() -> None:
    """Print a new key as a line for the environment."""
    from liqpass.vault.keys import generate_key

    typer.echo(generate_key())


@keys_cli.command(epilog="Example: API_KEYS_ENC_KEY=k2:…,k1:… liqpass keys rewrap")
def rewrap() -> None:
    """Seal all secrets with the first key of the ring. All may go on meanwhile; stopped, run it again."""
    from liqpass.running import rewrap_secrets

    run(lambda: rewrap_secrets(os.environ, tell))


@keys_cli.command("check", epilog="Example: liqpass keys check")
def check_keys() -> None:
    """Open every sealed secret and say which do not open. Changes nothing."""
    from liqpass.running import check_secrets

    run(lambda: check_secrets(os.environ, tell))


@contract_cli.command(
    epilog="Example: liqpass contract deploy --rpc URL --usdc 0x… --treasury 0x… --owner 0x…"
)
def deploy(
    usdc: Annotated[str, typer.Option(help="The token that is paid with, its contract.", metavar="ADDRESS")],
    treasury: Annotated[str, typer.Option(help="Where premiums go, a Safe.", metavar="ADDRESS")],
    owner: Annotated[
        str, typer.Option(help="Who may pause it and change the signer, a Safe.", metavar="ADDRESS")
    ],
    rpc: Annotated[str, typer.Option(help="JSON-RPC endpoint of the chain.", metavar="URL")],
    signer: Annotated[
        str | None,
        typer.Option(
            help="Whose quotes it takes; that of LIQPASS_QUOTE_SIGNER_KEY unless you say so.",
            metavar="ADDRESS",
        ),
    ] = None,
    chain_id: Annotated[int, typer.Option(help="The chain's id; Base is 8453.")] = 8453,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before sending.")] = False,
) -> None:
    """Deploy the checkout. Shows what it will do, asks, sends, and prints what to put into the environment.

    An address is 0x and 40 hexadecimal digits. The deployer's key is asked for (or read from
    LIQPASS_DEPLOYER_KEY) and kept nowhere.
    """
    from liqpass.contracting import deploy_checkout, deployers_key, plan_of
    from liqpass.settings import SettingError

    try:
        plan = plan_of(os.environ, rpc, chain_id, usdc, treasury, signer, owner)
        key = deployers_key(os.environ)
    except SettingError as error:
        fail(str(error))
    run(lambda: deploy_checkout(plan, key, yes=yes, tell=tell))


@contract_cli.command(epilog="Example: liqpass contract verify")
def verify() -> None:
    """Compare the deployed checkout with what it shall be. By the settings and the committed bytecode."""
    from liqpass.contracting import verify_checkout

    run(lambda: verify_checkout(os.environ))


def main() -> None:
    """The entry point `liqpass`.

    It leaves without the interpreter's own end, which would take apart piece by piece what ends with the
    process anyway.
    """
    gc.disable()  # until something runs: imports make no garbage, and looking for it took 60 ms of `serve`
    code = 0
    try:
        cli(prog_name="liqpass")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        code = 128 + signal.SIGPIPE
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
