"""Using a kept key: by its owner, unless it is on hold, and only from its own row."""

from uuid import UUID, uuid4

import httpx
import pytest

from liqpass.db import Database
from liqpass.problems import Problem
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.okx_margin import Key
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.vault.api_accounts import OpenedAccount, accounts_of_uid, credentials
from liqpass.vault.cipher import DoesNotOpenError, KeyRing
from tests.vault.conftest import Enter
from tests.vault.holders import PATH, added, rows, write

ALICE, BOB = wallet("alice").address, wallet("bob").address


@pytest.fixture
def keys(okx: SandboxExchange) -> list[Key]:
    """The planted keys; the first four are read-only ones of the global host."""
    return list(okx.books.keys.values())


async def opened(db: Database, keyring: KeyRing, user: bytes, account_id: str) -> OpenedAccount:
    return await db.run(lambda conn: credentials(conn, keyring, user, UUID(account_id)))


async def test_the_owner_gets_the_credentials_as_they_were_given(
    http: httpx.AsyncClient, db: Database, keyring: KeyRing, keys: list[Key]
) -> None:
    account = await opened(db, keyring, ALICE, (await added(http, keys[0]))["apiAccountId"])
    creds = account.credentials
    assert account.uid == keys[0].uid
    assert (creds.api_key, creds.secret, creds.passphrase) == (
        keys[0].api_key,
        keys[0].secret,
        keys[0].passphrase,
    )
    assert (creds.region, creds.demo) == ("global", False)


async def test_its_repr_shows_no_secret(
    http: httpx.AsyncClient, db: Database, keyring: KeyRing, keys: list[Key]
) -> None:
    account = await opened(db, keyring, ALICE, (await added(http, keys[0]))["apiAccountId"])
    assert keys[0].secret not in repr(account)
    assert keys[0].passphrase not in repr(account)


async def test_nobody_uses_somebody_elses_account_or_one_that_is_not_there(
    http: httpx.AsyncClient, db: Database, keyring: KeyRing, keys: list[Key]
) -> None:
    account_id = (await added(http, keys[0]))["apiAccountId"]
    for user, wanted in ((BOB, account_id), (ALICE, str(uuid4()))):
        with pytest.raises(Problem) as caught:
            await opened(db, keyring, user, wanted)
        assert caught.value.code == "API_ACCOUNT_NOT_FOUND"


async def test_a_revoked_account_is_not_used(
    http: httpx.AsyncClient, db: Database, keyring: KeyRing, keys: list[Key]
) -> None:
    account_id = (await added(http, keys[0]))["apiAccountId"]
    await http.delete(f"{PATH}/{account_id}")
    with pytest.raises(Problem) as caught:
        await opened(db, keyring, ALICE, account_id)
    assert caught.value.code == "API_ACCOUNT_NOT_FOUND"


async def test_a_ciphertext_that_was_copied_to_another_column_does_not_open(
    http: httpx.AsyncClient, db: Database, keyring: KeyRing, keys: list[Key]
) -> None:
    account_id = (await added(http, keys[0]))["apiAccountId"]
    await write(db, "update api_accounts set passphrase_enc = secret_enc")
    with pytest.raises(DoesNotOpenError):
        await opened(db, keyring, ALICE, account_id)


async def test_a_ciphertext_that_was_copied_to_another_row_does_not_open(
    http: httpx.AsyncClient, db: Database, keyring: KeyRing, keys: list[Key]
) -> None:
    await added(http, keys[0])
    victim = (await added(http, keys[1]))["apiAccountId"]
    first = next(row for row in await rows(db) if row["id"] != UUID(victim))
    copy = "update api_accounts set secret_enc = $2 where id = $1"
    await write(db, copy, UUID(victim), first["secret_enc"])
    with pytest.raises(DoesNotOpenError):
        await opened(db, keyring, ALICE, victim)


async def test_a_ciphertext_that_was_copied_to_another_user_does_not_open(
    enter: Enter, db: Database, keyring: KeyRing, keys: list[Key]
) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    hers = (await added(alice, keys[0]))["apiAccountId"]
    his = (await added(bob, keys[0]))["apiAccountId"]
    steal = """
        update api_accounts mine set secret_enc = hers.secret_enc, passphrase_enc = hers.passphrase_enc
        from api_accounts hers where mine.id = $1 and hers.id = $2
    """
    await write(db, steal, UUID(his), UUID(hers))
    with pytest.raises(DoesNotOpenError):
        await opened(db, keyring, BOB, his)


async def test_a_row_that_was_given_to_another_user_does_not_open(
    http: httpx.AsyncClient, db: Database, keyring: KeyRing, keys: list[Key]
) -> None:
    account_id = (await added(http, keys[0]))["apiAccountId"]
    await write(db, "update api_accounts set user_id = $1", BOB)
    with pytest.raises(DoesNotOpenError):
        await opened(db, keyring, BOB, account_id)


async def test_every_living_key_of_one_uid_serves_the_oldest_first(
    http: httpx.AsyncClient, okx: SandboxExchange, db: Database, keyring: KeyRing, keys: list[Key]
) -> None:
    uid = keys[0].uid
    more = [okx.books.add_key(uid, label=f"another {number}") for number in range(3)]
    ids = [(await added(http, key))["apiAccountId"] for key in (keys[0], *more)]
    later = "update api_accounts set created_at = created_at + interval '1 second' where id = $1"
    await write(db, later, ids[3])
    await added(http, keys[1])  # of another uid
    await http.delete(f"{PATH}/{ids[1]}")
    await write(db, "update api_accounts set held_at = now(), held_reason = 'grew' where id = $1", ids[2])
    assert keys[1].uid != uid
    found = await db.run(lambda conn: accounts_of_uid(conn, keyring, ALICE, uid))
    assert [str(one.id) for one in found] == [ids[0], ids[3]]
    assert [one.credentials.api_key for one in found] == [keys[0].api_key, more[2].api_key]


async def test_keys_of_a_uid_are_shown_to_nobody_but_the_user_who_gave_them(
    enter: Enter, db: Database, keyring: KeyRing, keys: list[Key]
) -> None:
    await added(await enter("alice"), keys[0])
    assert await db.run(lambda conn: accounts_of_uid(conn, keyring, BOB, keys[0].uid)) == []


async def test_one_key_of_a_uid_that_does_not_open_keeps_the_other_from_nothing(
    http: httpx.AsyncClient, okx: SandboxExchange, db: Database, keyring: KeyRing, keys: list[Key]
) -> None:
    torn = (await added(http, keys[0]))["apiAccountId"]
    await write(db, "update api_accounts set passphrase_enc = secret_enc where id = $1", UUID(torn))
    with pytest.raises(DoesNotOpenError):
        await db.run(lambda conn: accounts_of_uid(conn, keyring, ALICE, keys[0].uid))
    whole = (await added(http, okx.books.add_key(keys[0].uid)))["apiAccountId"]
    (found,) = await db.run(lambda conn: accounts_of_uid(conn, keyring, ALICE, keys[0].uid))
    assert str(found.id) == whole
