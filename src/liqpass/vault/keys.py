"""The operator's side of the vault (`liqpass keys …`): make a key, seal all anew, find what does not open."""

import base64
import os
from collections.abc import AsyncIterator, Callable
from uuid import UUID

import msgspec

from liqpass.db import Connection, Database
from liqpass.hexes import to_hex
from liqpass.vault import sql
from liqpass.vault.api_accounts import PASSPHRASE, SECRET, context_of
from liqpass.vault.cipher import KEY_BYTES, SETTING, CipherError, KeyRing, is_bound

BATCH = 200

# Told after each batch: how many accounts are done, of how many.
Progress = Callable[[int, int], None]


class Unopened(msgspec.Struct, frozen=True):
    """A secret that the ring does not open, and why. Addresses in lower-case hex."""

    user: str
    account_id: UUID
    column: str
    why: str


class Rewrapped(msgspec.Struct, frozen=True):
    """What `rewrap` did: accounts seen, accounts sealed anew, and what it had to leave as it is."""

    seen: int
    rewritten: int
    unopened: list[Unopened]


class Checked(msgspec.Struct, frozen=True):
    """What `check` found: accounts seen, secrets that open and have the old layout (whoever can write to the
    database can move them to another row, until `rewrap` binds them), and those that do not open."""

    seen: int
    old_layout: int
    unopened: list[Unopened]


def generate_key(random: Callable[[int], bytes] = os.urandom) -> str:
    """A line for the environment."""
    return f"{SETTING}={base64.b64encode(random(KEY_BYTES)).decode()}"


async def rewrap(
    db: Database, keyring: KeyRing, progress: Progress = lambda _done, _total: None, batch: int = BATCH
) -> Rewrapped:
    """Seal with the ring's first key whatever was sealed with another, or has the old layout.

    Online: a batch is one short transaction, and a row that its owner renews or revokes meanwhile is left to
    them. Interrupted, it is simply run again: what is done already is seen and left alone.
    """
    seen, rewritten, unopened = 0, 0, list[Unopened]()
    total = await _living(db)
    async for rows in _batches(db, batch):
        anew = []
        for row in rows:
            secrets, failed = _opened(keyring, row)
            unopened += failed
            if not failed and (
                keyring.needs_rewrap(row.secret_enc) or keyring.needs_rewrap(row.passphrase_enc)
            ):
                anew.append((row, secrets))
        async with db.transaction() as conn:
            for row, secrets in anew:
                rewritten += await _seal_anew(conn, keyring, row, secrets)
        seen += len(rows)
        progress(seen, total)
    return Rewrapped(seen, rewritten, unopened)


async def check(
    db: Database, keyring: KeyRing, progress: Progress = lambda _done, _total: None, batch: int = BATCH
) -> Checked:
    """Open everything, and say what does not open and what is not bound to its row. Changes nothing."""
    seen, old_layout, unopened = 0, 0, list[Unopened]()
    total = await _living(db)
    async for rows in _batches(db, batch):
        for row in rows:
            secrets, failed = _opened(keyring, row)
            unopened += failed
            sealed = {SECRET: row.secret_enc, PASSPHRASE: row.passphrase_enc}
            old_layout += sum(not is_bound(sealed[column]) for column in secrets)
        seen += len(rows)
        progress(seen, total)
    return Checked(seen, old_layout, unopened)


async def _living(db: Database) -> int:
    async with db.pool.acquire() as conn:
        return await sql.living_accounts(conn)


async def _batches(db: Database, batch: int) -> AsyncIterator[list[sql.Ciphertexts]]:
    after = (bytes(20), UUID(int=0))
    while True:
        async with db.pool.acquire() as conn:
            rows = await sql.ciphertexts_after(conn, *after, batch)
        if not rows:
            return
        yield rows
        after = (rows[-1].user_id, rows[-1].id)


def _opened(keyring: KeyRing, row: sql.Ciphertexts) -> tuple[dict[str, str], list[Unopened]]:
    """The secrets of a row by column, and those that do not open."""
    secrets, failed = {}, []
    for column, sealed in ((SECRET, row.secret_enc), (PASSPHRASE, row.passphrase_enc)):
        try:
            secrets[column] = keyring.open(sealed, context_of(row.user_id, row.id, column))
        except CipherError as error:
            failed.append(Unopened(to_hex(row.user_id), row.id, column, str(error)))
    return secrets, failed


async def _seal_anew(
    conn: Connection, keyring: KeyRing, row: sql.Ciphertexts, secrets: dict[str, str]
) -> bool:
    sealed = {
        column: keyring.seal(secret, context_of(row.user_id, row.id, column))
        for column, secret in secrets.items()
    }
    replaced = await sql.replace_ciphertexts(
        conn, row.user_id, row.id, row.secret_enc, row.passphrase_enc, sealed[SECRET], sealed[PASSPHRASE]
    )
    return replaced is not None
