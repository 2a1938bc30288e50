"""`liqpass keys rewrap` and `keys check`: rotation, the old layout, interruption."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import asyncpg
import httpx
import pytest

from liqpass.db import Database
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.okx_margin import Key
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.vault.api_accounts import context_of, credentials
from liqpass.vault.cipher import KeyRing
from liqpass.vault.keys import Checked, check, rewrap
from tests.clock import SettableClock
from tests.vault.holders import KEY, NEXT_KEY, PATH, added, rows, sealed_of_old, write

ALICE = wallet("alice").address
ROTATING = KeyRing({"k2": NEXT_KEY, "k1": KEY})
ROTATED = KeyRing({"k2": NEXT_KEY})


@pytest.fixture
async def accounts(http: httpx.AsyncClient, okx: SandboxExchange) -> dict[UUID, Key]:
    """Five accounts of Alice, sealed with k1."""
    keys = [key for key in okx.books.keys.values() if key.perm == "read_only"]
    return {UUID((await added(http, key))["apiAccountId"]): key for key in keys}


async def assert_all_open(db: Database, ring: KeyRing, accounts: dict[UUID, Key]) -> None:
    for account_id, key in accounts.items():
        account = await db.run(lambda conn, a=account_id: credentials(conn, ring, ALICE, a))  # type: ignore[misc]
        assert (account.credentials.secret, account.credentials.passphrase) == (key.secret, key.passphrase)


async def test_after_rewrap_the_old_key_can_be_thrown_away(db: Database, accounts: dict[UUID, Key]) -> None:
    told: list[tuple[int, int]] = []
    done = await rewrap(db, ROTATING, lambda *progress: told.append(progress), batch=2)
    assert (done.seen, done.rewritten, done.unopened) == (5, 5, [])
    assert told == [(2, 5), (4, 5), (5, 5)]
    await assert_all_open(db, ROTATED, accounts)
    assert await check(db, ROTATED) == Checked(seen=5, old_layout=0, unopened=[])


async def test_the_old_layout_is_opened_and_rewritten_bound_to_its_row(
    db: Database, accounts: dict[UUID, Key], keyring: KeyRing
) -> None:
    for account_id, key in accounts.items():
        await write(
            db,
            "update api_accounts set secret_enc = $2, passphrase_enc = $3 where id = $1",
            account_id,
            sealed_of_old(KEY, key.secret),
            sealed_of_old(KEY, key.passphrase),
        )
    await assert_all_open(db, keyring, accounts)
    assert await check(db, keyring) == Checked(seen=5, old_layout=10, unopened=[])
    assert (await rewrap(db, keyring)).rewritten == 5
    assert (await check(db, keyring)).old_layout == 0
    for row in await rows(db):
        assert row["secret_enc"].startswith("v1.k1.")
        keyring.open(row["secret_enc"], context_of(ALICE, row["id"], "secret_enc"))
    await assert_all_open(db, keyring, accounts)


async def test_an_interrupted_rewrap_goes_on_where_it_was(db: Database, accounts: dict[UUID, Key]) -> None:
    def interrupt(done: int, _total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await rewrap(db, ROTATING, interrupt, batch=2)
    await assert_all_open(db, ROTATING, accounts)
    done = await rewrap(db, ROTATING, batch=2)
    assert (done.seen, done.rewritten) == (5, 1)
    await assert_all_open(db, ROTATED, accounts)


async def test_rewrap_again_changes_nothing(db: Database, accounts: dict[UUID, Key]) -> None:
    await rewrap(db, ROTATING)
    before = await rows(db)
    assert (await rewrap(db, ROTATING)).rewritten == 0
    assert await rows(db) == before
    assert len(accounts) == 5


async def test_accounts_that_are_revoked_or_renewed_meanwhile_are_left_to_their_owner(
    http: httpx.AsyncClient, db: Database, clock: SettableClock, accounts: dict[UUID, Key]
) -> None:
    revoked, renewed = list(accounts)[:3], list(accounts)[3:]
    clock.advance(minutes=1)
    await asyncio.gather(
        rewrap(db, ROTATING, batch=1),
        *(http.delete(f"{PATH}/{account_id}") for account_id in revoked),
        *(added(http, accounts[account_id]) for account_id in renewed),
    )
    by_id = {row["id"]: row for row in await rows(db)}
    assert all(by_id[account_id]["secret_enc"] is None for account_id in revoked)
    await assert_all_open(db, ROTATING, {account_id: accounts[account_id] for account_id in renewed})


async def test_an_account_that_is_revoked_between_opening_and_sealing_stays_revoked(
    db: Database, database_url: str, accounts: dict[UUID, Key]
) -> None:
    async def revoke() -> None:
        conn = await asyncpg.connect(database_url)
        await conn.execute(
            "update api_accounts set secret_enc = null, passphrase_enc = null, revoked_at = now()"
        )
        await conn.close()

    def random(size: int) -> bytes:
        """Asked for when a secret is sealed: by then it was read and opened."""
        with ThreadPoolExecutor(1) as elsewhere:
            elsewhere.submit(asyncio.run, revoke()).result()
        return os.urandom(size)

    done = await rewrap(db, KeyRing({"k2": NEXT_KEY, "k1": KEY}, random), batch=1)
    assert done.rewritten == 0
    assert [row["secret_enc"] for row in await rows(db)] == [None] * len(accounts)


async def test_what_does_not_open_is_named_left_alone_and_does_not_stop_the_rest(
    db: Database, accounts: dict[UUID, Key]
) -> None:
    spoiled = next(iter(accounts))
    await write(db, "update api_accounts set passphrase_enc = secret_enc where id = $1", spoiled)
    done = await rewrap(db, ROTATING)
    assert (done.seen, done.rewritten) == (5, 4)
    (found,) = (await check(db, ROTATING)).unopened
    assert done.unopened == [found]
    assert (found.user, found.account_id, found.column) == ("0x" + ALICE.hex(), spoiled, "passphrase_enc")


async def test_check_finds_every_secret_whose_key_is_missing(db: Database, accounts: dict[UUID, Key]) -> None:
    before = await rows(db)
    found = await check(db, ROTATED)
    assert (found.old_layout, len(found.unopened)) == (0, 2 * len(accounts))
    assert await rows(db) == before
