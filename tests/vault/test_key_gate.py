"""Handing over a key, over HTTP: which is let in, what is kept, and what is said when it is not."""

import asyncio
import json

import asyncpg
import httpx
import pytest

from liqpass.db import Database
from liqpass.sandbox.okx_margin import Key
from liqpass.sandbox.okx_server import SandboxExchange
from tests.clock import SettableClock
from tests.signin.visitors import refusal
from tests.vault.conftest import Enter
from tests.vault.holders import PATH, add, added, body_of, own, rows, write


def key_called(okx: SandboxExchange, label: str) -> Key:
    """One of the planted keys."""
    return next(key for key in okx.books.keys.values() if key.label == label)


@pytest.fixture
def key(okx: SandboxExchange) -> Key:
    """A read-only key of the global host."""
    return key_called(okx, "reads one")


async def test_a_read_only_key_is_let_in(http: httpx.AsyncClient, key: Key) -> None:
    answer = await added(http, key)
    assert answer["uid"] == key.uid
    assert answer["label"] == "reads one"
    assert answer["apiKeyLast4"] == key.api_key[-4:]
    assert answer["permissions"] == ["read_only"]
    assert answer["ipBound"] is False
    assert (answer["region"], answer["demo"], answer["heldReason"]) == ("global", False, None)
    assert await own(http) == [answer]


async def test_no_answer_shows_more_of_a_key_than_its_last_four(http: httpx.AsyncClient, key: Key) -> None:
    texts = [(await add(http, key)).text, (await http.get(PATH)).text]
    for text in texts:
        assert key.secret not in text
        assert key.passphrase not in text
        assert key.api_key not in text


async def test_the_database_holds_no_secret_in_the_clear(
    http: httpx.AsyncClient, db: Database, key: Key
) -> None:
    await added(http, key)
    (row,) = await rows(db)
    shown = str(row)
    assert key.secret not in shown
    assert key.passphrase not in shown


async def test_a_key_that_can_trade_is_refused_in_words_and_nothing_is_stored(
    http: httpx.AsyncClient, db: Database, okx: SandboxExchange
) -> None:
    answer = await add(http, key_called(okx, "trades"))
    assert refusal(answer) == (403, "API_KEY_NOT_READ_ONLY")
    assert "trade" in answer.json()["detail"]
    assert await rows(db) == []


@pytest.mark.parametrize("perm", ["read_only,withdraw", "read_only,trade,withdraw", "read_only,new_right"])
async def test_any_right_beyond_reading_is_one_too_many(
    http: httpx.AsyncClient, db: Database, okx: SandboxExchange, key: Key, perm: str
) -> None:
    key.perm = perm
    assert refusal(await add(http, key)) == (403, "API_KEY_NOT_READ_ONLY")
    assert await rows(db) == []


async def test_a_key_of_another_region_is_found_there(http: httpx.AsyncClient, okx: SandboxExchange) -> None:
    assert (await added(http, key_called(okx, "reads EEA")))["region"] == "eea"


async def test_a_demo_key_is_let_in_as_one(http: httpx.AsyncClient, okx: SandboxExchange) -> None:
    demo = okx.books.add_key(okx.books.add_account(demo=True).uid)
    assert refusal(await add(http, demo)) == (422, "API_KEY_REJECTED")
    assert (await added(http, demo, demo=True))["demo"] is True


async def test_a_key_bound_to_our_address_is_let_in_as_one(
    http: httpx.AsyncClient, okx: SandboxExchange, key: Key
) -> None:
    bound = okx.books.add_key(key.uid, ip="127.0.0.1")
    assert (await added(http, bound))["ipBound"] is True


async def test_a_key_bound_to_another_address_is_refused_and_the_reason_told(
    http: httpx.AsyncClient, okx: SandboxExchange, key: Key
) -> None:
    answer = await add(http, okx.books.add_key(key.uid, ip="203.0.113.7"))
    assert refusal(answer) == (422, "API_KEY_REJECTED")
    assert "IP" in answer.json()["detail"]


async def test_a_key_that_no_region_knows_is_unknown(
    http: httpx.AsyncClient, okx: SandboxExchange, key: Key
) -> None:
    okx.books.delete_key(key.api_key)
    assert refusal(await add(http, key)) == (422, "API_KEY_UNKNOWN")


@pytest.mark.parametrize("wrong", ["secret", "passphrase"])
async def test_a_wrong_secret_or_passphrase_is_rejected(
    http: httpx.AsyncClient, db: Database, key: Key, wrong: str
) -> None:
    answer = await http.post(PATH, json=body_of(key) | {wrong: "mistyped"})
    assert refusal(answer) == (422, "API_KEY_REJECTED")
    assert "mistyped" not in answer.text
    assert await rows(db) == []


@pytest.mark.parametrize(
    "misbehave",
    [
        lambda okx: okx.faults.html(),
        lambda okx: okx.faults.fail("50001", status=503),
        lambda okx: okx.faults.fail(""),
        lambda okx: okx.faults.rate_limit(),
        lambda okx: okx.faults.fail("59999"),
    ],
    ids=["html", "maintenance", "empty body", "rate limit", "an unknown code"],
)
async def test_an_exchange_that_does_not_answer_is_told_and_nothing_is_stored(
    http: httpx.AsyncClient, db: Database, okx: SandboxExchange, key: Key, misbehave: "object"
) -> None:
    assert callable(misbehave)
    misbehave(okx)
    answer = await add(http, key)
    assert refusal(answer) == (503, "EXCHANGE_UNAVAILABLE")
    assert answer.json()["retryAfterSec"] > 0
    assert await rows(db) == []
    okx.faults.heal()
    await added(http, key)


async def test_white_space_that_was_copied_along_is_dropped(http: httpx.AsyncClient, key: Key) -> None:
    body = {name: f" {value}\n" for name, value in body_of(key).items()}
    assert (await http.post(PATH, json=body)).status_code == 200


async def test_the_same_key_again_is_the_same_account(
    http: httpx.AsyncClient, db: Database, key: Key
) -> None:
    first = await added(http, key, label="mine")
    second = await added(http, key)
    assert second["apiAccountId"] == first["apiAccountId"]
    assert second["label"] == "mine"
    assert len(await rows(db)) == 1


async def test_the_same_key_six_times_at_once_is_one_account(
    http: httpx.AsyncClient, db: Database, key: Key
) -> None:
    answers = await asyncio.gather(*(added(http, key) for _ in range(6)))
    assert len({answer["apiAccountId"] for answer in answers}) == 1
    assert len(await rows(db)) == 1


async def test_somebody_who_tries_keys_out_is_slowed_down_and_others_are_not(
    enter: Enter, okx: SandboxExchange, clock: SettableClock, key: Key
) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    guesses = [body_of(key, apiKey=f"guess {number}") for number in range(9)]
    answers = [refusal(await alice.post(PATH, json=guess))[0] for guess in guesses]
    assert answers == [422] * 6 + [429] * 3
    refused = await alice.post(PATH, json=guesses[0])
    assert refusal(refused) == (429, "TOO_MANY_REQUESTS")
    assert refused.json()["retryAfterSec"] == 10
    await added(bob, key)
    clock.advance(seconds=10)
    await added(alice, key)


async def test_thirty_keys_an_hour_are_enough_for_anybody(
    http: httpx.AsyncClient, clock: SettableClock, key: Key
) -> None:
    statuses = []
    for _ in range(8):
        statuses += [(await add(http, key)).status_code for _ in range(5)]
        clock.advance(minutes=1)
    assert statuses[:30] == [200] * 30
    assert statuses.count(429) == 40 - 33  # in seven minutes three more have come in


async def test_what_is_not_asked_at_the_exchange_is_not_counted(http: httpx.AsyncClient, key: Key) -> None:
    for _ in range(10):
        assert refusal(await add(http, key, region="mars")) == (400, "INVALID_FIELD")
    await added(http, key)


async def test_the_same_key_of_another_user_is_another_account(enter: Enter, key: Key) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    hers, his = await added(alice, key), await added(bob, key)
    assert hers["apiAccountId"] != his["apiAccountId"]
    assert [a["apiAccountId"] for a in await own(bob)] == [his["apiAccountId"]]


async def test_revoking_destroys_both_secrets_and_keeps_the_row(
    http: httpx.AsyncClient, db: Database, key: Key
) -> None:
    account_id = (await added(http, key))["apiAccountId"]
    assert (await http.delete(f"{PATH}/{account_id}")).json() == {"ok": True}
    (row,) = await rows(db)
    assert row["secret_enc"] is None
    assert row["passphrase_enc"] is None
    assert await own(http) == []


async def test_revoking_again_is_harmless_and_keeps_the_first_time(
    http: httpx.AsyncClient, db: Database, clock: SettableClock, key: Key
) -> None:
    account_id = (await added(http, key))["apiAccountId"]
    await http.delete(f"{PATH}/{account_id}")
    (before,) = await rows(db)
    clock.advance(hours=1)
    assert (await http.delete(f"{PATH}/{account_id}")).status_code == 200
    assert await rows(db) == [before]


async def test_a_revoked_key_that_is_given_again_lives_again_under_its_id(
    http: httpx.AsyncClient, db: Database, key: Key
) -> None:
    first = await added(http, key)
    await http.delete(f"{PATH}/{first['apiAccountId']}")
    assert (await added(http, key))["apiAccountId"] == first["apiAccountId"]
    (row,) = await rows(db)
    assert row["revoked_at"] is None
    assert row["secret_enc"].startswith("v1.k1.")


async def test_nobody_revokes_somebody_elses_account(enter: Enter, db: Database, key: Key) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    account_id = (await added(alice, key))["apiAccountId"]
    assert refusal(await bob.delete(f"{PATH}/{account_id}")) == (404, "API_ACCOUNT_NOT_FOUND")
    (row,) = await rows(db)
    assert row["revoked_at"] is None


@pytest.mark.parametrize("account_id", ["0", "x" * 500, "00000000-0000-0000-0000-000000000000", "%00"])
async def test_what_is_no_account_is_not_found(http: httpx.AsyncClient, account_id: str) -> None:
    assert refusal(await http.delete(f"{PATH}/{account_id}")) == (404, "API_ACCOUNT_NOT_FOUND")


async def test_without_a_session_there_is_nothing_to_do_here(http: httpx.AsyncClient, key: Key) -> None:
    http.cookies.clear()
    for answer in (await add(http, key), await http.get(PATH), await http.delete(f"{PATH}/{'0' * 32}")):
        assert refusal(answer) == (401, "NOT_SIGNED_IN")


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"apiKey": ...}, "MISSING_FIELDS", "apiKey"),
        ({"secret": ...}, "MISSING_FIELDS", "secret"),
        ({"passphrase": ...}, "MISSING_FIELDS", "passphrase"),
        ({"apiKey": ""}, "MISSING_FIELDS", "apiKey"),
        ({"secret": " \t\n"}, "MISSING_FIELDS", "secret"),
        ({"apiKey": 5}, "INVALID_FIELD", "apiKey"),
        ({"secret": None}, "INVALID_FIELD", "secret"),
        ({"passphrase": "x" * 257}, "INVALID_FIELD", "passphrase"),
        ({"label": "x" * 51}, "INVALID_FIELD", "label"),
        ({"region": "mars"}, "INVALID_FIELD", "region"),
        ({"demo": "perhaps"}, "INVALID_FIELD", "demo"),
    ],
)
async def test_bad_input_is_named(
    http: httpx.AsyncClient, key: Key, change: dict[str, object], code: str, field: str
) -> None:
    body = {name: value for name, value in (body_of(key) | change).items() if value is not ...}
    answer = await http.post(PATH, json=body)
    assert refusal(answer) == (400, code)
    assert answer.json()["field"] == field


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "line\nbreak", "\ud800"])
async def test_characters_that_no_header_or_column_takes_are_refused(
    http: httpx.AsyncClient, key: Key, text: str
) -> None:
    for name in ("apiKey", "secret", "passphrase"):
        raw = json.dumps(body_of(key) | {name: text})
        answer = await http.post(PATH, content=raw, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422), answer.text


async def test_a_label_keeps_its_printable_characters(http: httpx.AsyncClient, key: Key) -> None:
    assert (await added(http, key, label=" 主账户\x00\n "))["label"] == "主账户"


async def test_the_database_refuses_a_living_account_without_secrets(
    http: httpx.AsyncClient, db: Database, key: Key
) -> None:
    account_id = (await added(http, key))["apiAccountId"]
    await http.delete(f"{PATH}/{account_id}")
    with pytest.raises(asyncpg.CheckViolationError):
        await write(db, "update api_accounts set revoked_at = null")
