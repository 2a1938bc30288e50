"""`liqpass backup` and `liqpass restore`."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from liqpass.commands.payouts import moment
from liqpass.terminal import run, tell

if TYPE_CHECKING:
    from liqpass.backups.manifest import Manifest

backup_cli = typer.Typer(name="backup")
restore_cli = typer.Typer(name="restore")
restored_cli = typer.Typer(name="restored")
# Of a server that is thrown away.
THROWAWAY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
AFTER_IT = """\
Next, in this order:
  1. liqpass migrate, then liqpass work: what was paid since is found on chain. liqpass serve when you like.
  2. liqpass check, liqpass reconcile: what orders, chain and books do not agree on is named, item by item.
     Payments for orders that were made after the backup are in suspense: liqpass suspense list.
  3. See that each batch file that was written since the backup is sent, or can never be signed any more; then
     liqpass suspense after-restore --by NAME --reason TEXT. Until then no batch is made.
  4. liqpass pool resume long --by NAME --reason TEXT, and short: nothing is sold until then. Limits, stops,
     refusals and closed breaks are those of the backup: do again what was done since."""


KeysStay = Annotated[
    bool,
    typer.Option(
        "--keys-stay",
        help="Nobody deleted an exchange key since, you know: use each once OKX says that it only reads.",
    ),
]


@backup_cli.command("backup", epilog="Example: liqpass backup /var/backups/liqpass --keep 14")
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to: a new folder in this one.")],
    keep: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Delete all but the newest N backups there, once this is made.", min=1
        ),
    ] = None,
) -> None:
    """Back up the database. All may go on meanwhile; the vault's keys are not in it.

    A backup is a folder with a dump (pg_dump's custom format) and a manifest, readable by you alone.
    """
    run(lambda: _backup(folder, keep))


@restore_cli.command(
    "restore", epilog="Example: liqpass restore /var/backups/liqpass/liqpass-20261130T040000Z"
)
def restore(
    path: Annotated[Path, typer.Argument(metavar="BACKUP", help="The backup's folder.")],
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Only try it: into a server of its own that is thrown away after it."),
    ] = False,
    keys_stay: KeysStay = False,
) -> None:
    """Restore a backup into an empty database. Checked are the dump, the chain of runs, the books.

    Nobody is signed in after it, exchange keys wait until their owners hand them over again, nothing is
    sold and no batch is made until you say so.
    """
    run(lambda: _verify(path) if verify else _restore(path, keys_stay))


@restored_cli.command("restored", epilog="Example: liqpass restored --as-of 2026-11-30T04:00:00Z")
def restored(
    as_of: Annotated[
        str, typer.Option(metavar="TIME", help="The moment to which the database went back, in UTC.")
    ],
    keys_stay: KeysStay = False,
) -> None:
    """Say that a database was brought back without liqpass restore. Before anything else runs on it.

    By point-in-time recovery, a snapshot of its disk, or pg_restore by hand: what ended since must not live
    again, and what was paid since must not be paid twice.
    """
    run(lambda: _restored(as_of, keys_stay))


async def _backup(folder: Path, keep: int | None) -> None:
    from liqpass.backups.dumping import opened, take
    from liqpass.clock import system_clock
    from liqpass.place import database_place, named_database_errors, refuse_no_database

    refuse_no_database(os.environ)
    os.close(opened(folder))  # what is wrong with it is said before a server is started
    with database_place(os.environ, tell) as place, named_database_errors():
        taken = await take(place.url, folder, system_clock(), tell, keep=keep)
    made = taken.manifest
    typer.echo(f"{taken.path}: {made.size / 1e6:,.1f} MB, schema {made.contents.schema:04d}")
    for line in _said(made):
        typer.echo(line)
    for path in taken.gone:
        typer.echo(f"Deleted: {path}")


def _said(made: "Manifest") -> list[str]:
    """How far it goes, and what a restore will need beside it."""
    contents = made.contents
    lines = [
        f"Chain {one.chain_id} as read up to block {one.latest_block:,}; a restore reads on from there."
        for one in contents.chains
    ]
    if last := contents.last_run:
        lines.append(f"Reconciliation run {last.run}: {last.sha256}")
    if contents.key_ids:
        ids = ", ".join(f"{key_id} ({secrets} secrets)" for key_id, secrets in contents.key_ids.items())
        lines.append(f"Not in it, and needed to open what it holds: in API_KEYS_ENC_KEY the keys {ids}.")
    if contents.secrets_of_no_key:
        lines.append(f"{contents.secrets_of_no_key} secrets have the old layout: liqpass keys rewrap")
    return lines


async def _restored(as_of: str, keys_stay: bool) -> None:
    from liqpass.backups.restoring import mark_restored
    from liqpass.clock import system_clock
    from liqpass.place import database_place, named_database_errors

    went_back_to = _moment_of(as_of)
    with database_place(os.environ, tell) as place, named_database_errors():
        await mark_restored(place.url, system_clock(), went_back_to, keys_stay=keys_stay)
    typer.echo(f"Kept: the database is as it was at {moment(went_back_to)}. Nobody is signed in, keys wait.")
    typer.echo(AFTER_IT)


async def _restore(path: Path, keys_stay: bool) -> None:
    from liqpass.backups import manifest
    from liqpass.backups.restoring import restore as restored
    from liqpass.clock import system_clock
    from liqpass.place import database_place, named_database_errors

    manifest.read(path)  # no database is made for what is no backup
    with database_place(os.environ, tell, may_be_new=True) as place, named_database_errors():
        made = await restored(
            place.url, path, system_clock(), tell, chain_id=_chain_id(os.environ), keys_stay=keys_stay
        )
        good = await _show_findings(place.url, made)
    typer.echo(f"Restored: the database as it was at {moment(made.made_at)}.")
    for line in _said(made):
        typer.echo(line)
    _show_keys(made, os.environ)
    typer.echo(AFTER_IT)
    if not good:
        raise typer.Exit(1)


async def _verify(path: Path) -> None:
    from liqpass.backups import manifest
    from liqpass.backups.restoring import restore as restored
    from liqpass.clock import system_clock

    manifest.read(path)
    with _thrown_away() as url:
        made = await restored(url, path, system_clock(), tell)
        good = await _show_findings(url, made)
    if made.contents.key_ids and not os.environ.get("API_KEYS_ENC_KEY"):
        ids = ", ".join(made.contents.key_ids)
        typer.echo(f"      keys: needs {ids} in API_KEYS_ENC_KEY, which is not set here: not looked at")
    else:
        good = _show_keys(made, os.environ) and good
    if not good:
        raise typer.Exit(1)
    typer.echo(f"It holds: {path} brings back the database of {moment(made.made_at)}.")


@contextmanager
def _thrown_away() -> Iterator[str]:
    from liqpass.embedded import embedded_postgres

    with TemporaryDirectory(prefix="liqpass-verify-") as folder:
        # root's PostgreSQL runs as another user, and has to pass; what is in it is closed to all others
        Path(folder).chmod(0o711)
        with embedded_postgres(Path(folder) / "data", tell, options=THROWAWAY) as server:
            yield server.url


async def _show_findings(url: str, made: "Manifest") -> bool:
    from liqpass.backups.holding import findings

    good = True
    async for finding in findings(url, made):
        good = good and finding.ok
        typer.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name}: {finding.said}")
    return good


def _show_keys(made: "Manifest", env: Mapping[str, str]) -> bool:
    """Which keys of the vault are missing, and what does not open without them; whether none is."""
    from liqpass.settings import SettingError
    from liqpass.vault.cipher import SETTING, KeyRing

    sealed = made.contents.key_ids
    if not sealed:
        return True
    try:
        ids = KeyRing.from_env(env[SETTING]).ids if env.get(SETTING) else []
    except SettingError as error:
        typer.echo(f"FAIL  keys: {error}")
        return False
    missing = {key_id: secrets for key_id, secrets in sealed.items() if key_id not in ids}
    for key_id, secrets in missing.items():
        typer.echo(
            f"FAIL  keys: {key_id} is not in {SETTING}: {secrets} secrets of exchange keys do not open "
            "without it. Their covers are not seen until their owners hand the keys over again."
        )
    if not missing:
        typer.echo(f"ok    keys: {', '.join(sealed)} in {SETTING}; liqpass keys check opens every secret")
    return not missing


def _moment_of(text: str) -> datetime:
    from liqpass.backups import BackupError

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BackupError(f"--as-of is a moment such as 2026-11-30T04:00:00Z, not {text!r}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _chain_id(env: Mapping[str, str]) -> int | None:
    text = env.get("LIQPASS_CHAIN_ID", "").strip()
    return int(text) if text.isdecimal() else None
