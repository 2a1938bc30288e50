"""Keys are asked again what they may do: hold, release, and what an outage changes, which is nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from liqpass.db import Database
from liqpass.exchange.okx import OkxGateway
from liqpass.problems import Problem
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.okx_margin import Key
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.vault.api_accounts import context_of, credentials, recheck_due
from liqpass.vault.cipher import KeyRing
from tests.clock import SettableClock
from tests.vault.holders import PATH, added, own, rows, write

ALICE = wallet("alice").address
Recheck = Callable[[], Awaitable[int]]


def impatient(
    hosts: Mapping[str, str], clock: SettableClock, on_error: Callable[[str], None] = lambda _code: None
) -> OkxGateway:
    """Tries once, and never waits for its own pace."""
    monotonic = map(float, count(step=60)).__next__
    return OkxGateway(hosts, clock, tries=1, on_error=on_error, monotonic=monotonic)


@pytest.fixture
def recheck(db: Database, gateway: OkxGateway, keyring: KeyRing, clock: SettableClock) -> Recheck:
    """One step of the worker, six hours later."""

    async def step() -> int:
        clock.advance(hours=6, seconds=1)
        return await recheck_due(db, gateway, keyring, clock)

    return step


@pytest.fixture
def key(okx: SandboxExchange) -> Key:
    return next(iter(okx.books.keys.values()))


@pytest.fixture
async def account(http: httpx.AsyncClient, key: Key) -> dict[str, Any]:
    """Alice's account, just let in."""
    return await added(http, key)


@pytest.fixture
async def crowd(account: dict[str, Any], db: Database, keyring: KeyRing) -> int:
    """The same key in the hands of others too; how many accounts there are."""
    (row,) = await rows(db)
    async with db.pool.acquire() as conn:
        for number in range(24):
            user, account_id = wallet(f"visitor {number}").address, uuid4()
            sealed = {
                column: keyring.seal(
                    keyring.open(row[column], context_of(ALICE, row["id"], column)),
                    context_of(user, account_id, column),
                )
                for column in ("secret_enc", "passphrase_enc")
            }
            copied = {**row, **sealed, "user_id": user, "id": account_id}
            await conn.execute(
                f"insert into api_accounts ({', '.join(copied)})"
                f" values ({', '.join(f'${place}' for place, _ in enumerate(copied, 1))})",
                *copied.values(),
            )
    return 25


@pytest.fixture
async def long_session(account: dict[str, Any], db: Database, clock: SettableClock) -> None:
    """These tests let days pass."""
    await write(db, "update sessions set expires_at = $1", clock() + timedelta(days=365))


pytestmark = pytest.mark.usefixtures("long_session")


async def test_a_key_that_grew_is_put_on_hold_and_its_owner_told(
    http: httpx.AsyncClient, okx: SandboxExchange, key: Key, recheck: Recheck
) -> None:
    okx.books.set_perm(key.api_key, "read_only,trade")
    assert await recheck() == 1
    (shown,) = await own(http)
    assert "trade" in shown["heldReason"]
    assert shown["permissions"] == ["read_only", "trade"]


async def test_an_account_on_hold_is_not_used_and_the_reason_is_told(
    db: Database,
    okx: SandboxExchange,
    keyring: KeyRing,
    key: Key,
    account: dict[str, Any],
    recheck: Recheck,
) -> None:
    okx.books.set_perm(key.api_key, "read_only,withdraw")
    await recheck()
    with pytest.raises(Problem) as caught:
        await db.run(lambda conn: credentials(conn, keyring, ALICE, UUID(account["apiAccountId"])))
    assert caught.value.code == "API_ACCOUNT_ON_HOLD"
    assert "withdraw" in caught.value.detail


async def test_a_key_that_only_reads_again_is_released(
    http: httpx.AsyncClient, okx: SandboxExchange, key: Key, recheck: Recheck
) -> None:
    okx.books.set_perm(key.api_key, "read_only,trade")
    await recheck()
    okx.books.set_perm(key.api_key, "read_only")
    await recheck()
    (shown,) = await own(http)
    assert shown["heldReason"] is None


async def test_giving_the_key_again_releases_it_at_once(
    http: httpx.AsyncClient, okx: SandboxExchange, key: Key, recheck: Recheck
) -> None:
    okx.books.set_perm(key.api_key, "read_only,trade")
    await recheck()
    okx.books.set_perm(key.api_key, "read_only")
    assert (await added(http, key))["heldReason"] is None


async def test_a_key_that_its_owner_deleted_is_put_on_hold(
    http: httpx.AsyncClient, okx: SandboxExchange, key: Key, recheck: Recheck
) -> None:
    okx.books.delete_key(key.api_key)
    await recheck()
    (shown,) = await own(http)
    assert "does not know this key" in shown["heldReason"]
    assert shown["permissions"] == ["read_only"]


async def test_the_time_of_the_first_hold_is_kept(
    db: Database, okx: SandboxExchange, key: Key, recheck: Recheck
) -> None:
    okx.books.set_perm(key.api_key, "read_only,trade")
    await recheck()
    (first,) = await rows(db)
    await recheck()
    (second,) = await rows(db)
    assert second["held_at"] == first["held_at"]
    assert second["checked_at"] > first["checked_at"]


@pytest.mark.parametrize("fault", ["html", "fail", "rate_limit"])
async def test_an_exchange_that_does_not_answer_changes_nothing(
    db: Database, okx: SandboxExchange, recheck: Recheck, fault: str
) -> None:
    before = await rows(db)
    arguments = ["50001"] if fault == "fail" else []
    getattr(okx.faults, fault)(*arguments)
    assert await recheck() == 0
    assert await rows(db) == before
    okx.faults.heal()
    assert await recheck() == 1


async def test_an_outage_does_not_release_a_key_on_hold(
    http: httpx.AsyncClient, okx: SandboxExchange, key: Key, recheck: Recheck
) -> None:
    okx.books.set_perm(key.api_key, "read_only,trade")
    await recheck()
    okx.books.set_perm(key.api_key, "read_only")
    okx.faults.html()
    await recheck()
    (shown,) = await own(http)
    assert shown["heldReason"] is not None


async def test_a_key_is_asked_about_once_in_six_hours(
    db: Database, gateway: OkxGateway, keyring: KeyRing, clock: SettableClock, recheck: Recheck
) -> None:
    clock.advance(hours=6)
    assert await recheck_due(db, gateway, keyring, clock) == 0
    assert await recheck() == 1
    assert await recheck_due(db, gateway, keyring, clock) == 0


async def test_a_step_goes_on_until_nothing_is_due(crowd: int, recheck: Recheck) -> None:
    assert await recheck() == crowd


async def test_a_few_keys_are_asked_about_at_once(
    crowd: int,
    db: Database,
    okx: SandboxExchange,
    gateway: OkxGateway,
    keyring: KeyRing,
    clock: SettableClock,
) -> None:
    class Counting(OkxGateway):
        """How many questions are under way at the same time; none is answered before four are."""

        asked, most_at_once = 0, 0
        four = asyncio.Event()

        async def account_config(self, creds: Any) -> Any:
            self.asked += 1
            self.most_at_once = max(self.most_at_once, self.asked)
            if self.asked == 4:
                self.four.set()
            try:
                await asyncio.wait_for(self.four.wait(), 30)
                return await gateway.account_config(creds)
            finally:
                self.asked -= 1

    clock.advance(hours=7)
    counting = Counting(okx.hosts, clock)
    assert await recheck_due(db, counting, keyring, clock) == crowd
    assert counting.most_at_once == 4


async def test_an_exchange_that_does_not_answer_is_asked_a_few_times_and_then_left_in_peace(
    crowd: int, db: Database, okx: SandboxExchange, keyring: KeyRing, clock: SettableClock
) -> None:
    told: list[str] = []
    once = impatient(okx.hosts, clock, told.append)
    clock.advance(hours=7)
    okx.faults.html()
    assert await recheck_due(db, once, keyring, clock) == 0
    assert 3 <= len(told) <= 6 < crowd
    okx.faults.heal()
    assert await recheck_due(db, once, keyring, clock) == crowd
    await once.close()


async def test_a_region_that_does_not_answer_does_not_keep_the_others_from_their_turn(
    crowd: int, db: Database, okx: SandboxExchange, keyring: KeyRing, clock: SettableClock
) -> None:
    moved = [row["id"] for row in (await rows(db))[:10]]
    await write(db, "update api_accounts set region = 'us' where id = any($1)", moved)
    half = impatient({**okx.hosts, "us": "http://127.0.0.1:1"}, clock)
    clock.advance(hours=7)
    assert await recheck_due(db, half, keyring, clock) == crowd - len(moved)
    await half.close()


async def test_keys_whose_answer_cannot_be_read_keep_no_other_from_its_turn(
    http: httpx.AsyncClient, crowd: int, okx: SandboxExchange, key: Key, recheck: Recheck
) -> None:
    """However many come one after the other, they are not the silence of their region."""
    await added(http, okx.books.add_key(okx.books.add_account().uid))
    okx.books.accounts[key.uid].main_uid = ""  # it does not say any more whose key it is
    for _ in range(3):  # in random order: by chance the other one comes first
        assert await recheck() == 1


async def test_keys_of_which_nothing_can_be_noted_keep_no_other_from_its_turn(
    crowd: int, db: Database, database_url: str, recheck: Recheck
) -> None:
    """Whatever the reason may be one day: here the database refuses these rows."""
    some = [f"'{row['id']}'" for row in (await rows(db))[:10]]
    owner = await asyncpg.connect(database_url)
    rule = f"id not in ({', '.join(some)})"
    await owner.execute(f"alter table api_accounts add constraint refuse check ({rule}) not valid")
    assert await recheck() == crowd - len(some)
    await owner.execute("alter table api_accounts drop constraint refuse")
    await owner.close()
    assert await recheck() == crowd


async def test_a_step_checks_no_more_than_it_is_told(
    http: httpx.AsyncClient,
    db: Database,
    okx: SandboxExchange,
    gateway: OkxGateway,
    keyring: KeyRing,
    clock: SettableClock,
) -> None:
    for other in list(okx.books.keys.values())[1:4]:
        await added(http, other)
    clock.advance(hours=7)
    assert await recheck_due(db, gateway, keyring, clock, at_most=3) == 3
    assert await recheck_due(db, gateway, keyring, clock, at_most=3) == 1


async def test_a_revoked_account_is_not_asked_about(
    http: httpx.AsyncClient, account: dict[str, Any], recheck: Recheck
) -> None:
    await http.delete(f"{PATH}/{account['apiAccountId']}")
    assert await recheck() == 0


async def test_an_account_revoked_while_the_exchange_answers_stays_as_it_is(
    http: httpx.AsyncClient,
    db: Database,
    account: dict[str, Any],
    okx: SandboxExchange,
    key: Key,
    gateway: OkxGateway,
    keyring: KeyRing,
    clock: SettableClock,
) -> None:
    okx.books.set_perm(key.api_key, "read_only,trade")

    class Slow(OkxGateway):
        """Its answer comes after the owner has revoked."""

        async def account_config(self, creds: Any) -> Any:
            answer = await gateway.account_config(creds)
            await http.delete(f"{PATH}/{account['apiAccountId']}")
            return answer

    clock.advance(hours=7)
    assert await recheck_due(db, Slow(okx.hosts, clock), keyring, clock) == 0
    (row,) = await rows(db)
    assert row["revoked_at"] is not None
    assert row["held_at"] is None


async def test_a_secret_that_does_not_open_does_not_keep_the_others_from_their_turn(
    http: httpx.AsyncClient, db: Database, okx: SandboxExchange, account: dict[str, Any], recheck: Recheck
) -> None:
    await added(http, list(okx.books.keys.values())[1])
    spoil = "update api_accounts set secret_enc = 'spoiled' where id = $1"
    await write(db, spoil, UUID(account["apiAccountId"]))
    assert await recheck() == 1
