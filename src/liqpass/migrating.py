"""Migrating a database that has books: they are checked before and after."""

from collections.abc import Callable

from liqpass.clock import system_clock
from liqpass.connecting import connect_as_owner
from liqpass.migrate import (
    Migration,
    MigrationError,
    last_applied,
    migrate,
    migrations_of,
    pending_migrations,
)
from liqpass.reconcile.invariants import Verdict, each


async def migrate_books(
    url: str, progress: Callable[[str], None], *, anyway: bool = False
) -> tuple[list[Migration], list[Verdict]]:
    """Apply what is missing. What was applied, and what of the books is broken after it.

    Where nothing is missing, nothing is checked. Raises MigrationError, for broken books too unless `anyway`.
    """
    if not anyway:
        await _refuse_broken(url, progress)
    applied = await migrate(url, migrations_of(), progress)
    return applied, await _broken(url) if applied else []


async def was_migrated(url: str) -> bool:
    """Whether it ever was."""
    conn = await connect_as_owner(url, name="liqpass migrate")
    try:
        return bool(await last_applied(conn))
    finally:
        await conn.close()


async def _refuse_broken(url: str, progress: Callable[[str], None]) -> None:
    conn = await connect_as_owner(url, name="liqpass migrate")
    try:
        known = await last_applied(conn)
        if not known or not await pending_migrations(conn, migrations_of()):
            return
    finally:
        await conn.close()
    progress("checking the books before they are migrated")
    wrong = await _broken(url)
    if wrong:
        names = ", ".join(f"{v.invariant.name} ({v.count or v.unread})" for v in wrong)
        raise MigrationError(
            f"nothing was migrated, the books are broken: {names}. "
            "liqpass check --books shows it; liqpass migrate --anyway goes on all the same"
        )


async def _broken(url: str) -> list[Verdict]:
    """As the owner: the application's role may not be there yet."""
    conn = await connect_as_owner(url, name="liqpass migrate")
    try:
        since = await last_applied(conn)
        return [verdict async for verdict in each(conn, system_clock(), since=since) if not verdict.holds]
    finally:
        await conn.close()
