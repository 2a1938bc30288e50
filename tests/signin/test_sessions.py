"""Sign-in and out over HTTP."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from itertools import islice

import httpx
import pytest
from eth_hash.auto import keccak

from liqpass.db import Database
from liqpass.hexes import checksum, to_hex
from liqpass.sandbox.anvil import wallet
from liqpass.signin import sessions
from liqpass.signin.contract_wallet import WRAPPER_END
from tests.clock import SettableClock
from tests.signin.visitors import (
    SITE,
    FakeNode,
    SlowNode,
    browser,
    door,
    message_for,
    refusal,
    sign_in,
    signature_of,
    verify,
)

ALICE, BOB = wallet("alice"), wallet("bob")
COOKIE = "liqpass_session"


@pytest.fixture
def node() -> FakeNode:
    """A chain on which nobody has a contract wallet."""
    return FakeNode()


@pytest.fixture
async def http(db: Database, clock: SettableClock, node: FakeNode) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(door(db, clock, node)) as client:
        yield client


async def test_a_wallet_signs_in_and_is_known_from_then_on(http: httpx.AsyncClient, node: FakeNode) -> None:
    message = await message_for(http, ALICE.address)
    answer = await verify(http, message, signature_of(message, ALICE))
    assert answer.json() == {"address": checksum(ALICE.address)}
    assert (await http.get("/api/auth/me")).json() == {"address": checksum(ALICE.address)}
    assert node.asked == []


async def test_the_message_says_what_is_signed(http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/auth/nonce", json={"address": checksum(ALICE.address), "chainId": 8453})
    body = answer.json()
    assert body["message"].startswith("127.0.0.1:8000 wants you to sign in")
    assert checksum(ALICE.address) in body["message"]
    assert f"Nonce: {body['nonce']}" in body["message"]


async def test_the_cookie_is_kept_from_scripts_and_from_other_sites(http: httpx.AsyncClient) -> None:
    message = await message_for(http, ALICE.address)
    answer = await verify(http, message, signature_of(message, ALICE))
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("liqpass_session=")
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert "max-age=604800" in cookie
    assert "secure" not in cookie


@pytest.mark.parametrize("site", ["https://liqpass.example", "http://liqpass.example"])
async def test_off_loopback_the_cookie_wants_https_and_this_very_host(
    db: Database, clock: SettableClock, node: FakeNode, site: str
) -> None:
    async with browser(door(db, clock, node, site=site), site=site) as http:
        message = await message_for(http, ALICE.address)
        answer = await verify(http, message, signature_of(message, ALICE))
        name, *attributes = answer.headers["set-cookie"].split("; ")
        assert name.startswith("__Host-liqpass_session=")
        # what browsers ask of the prefix: Secure, Path=/ and no Domain
        assert {"Secure", "Path=/"} <= set(attributes)
        assert not any(attribute.lower().startswith("domain") for attribute in attributes)


async def test_a_session_that_a_sibling_domain_plants_is_not_read(
    db: Database, clock: SettableClock, node: FakeNode
) -> None:
    site = "https://liqpass.example"
    async with browser(door(db, clock, node, site=site), site=site) as http:
        await sign_in(http, ALICE)
        assert (await http.get("/api/auth/me")).status_code == 200
        attackers = http.cookies["__Host-liqpass_session"]
        http.cookies.clear()
        http.cookies.set("liqpass_session", attackers)
        assert refusal(await http.get("/api/auth/me")) == (401, "NOT_SIGNED_IN")
        await http.post("/api/auth/logout")
        http.cookies.set("__Host-liqpass_session", attackers)
        assert (await http.get("/api/auth/me")).status_code == 200
        assert (await http.post("/api/auth/logout")).status_code == 200
        http.cookies.set("__Host-liqpass_session", attackers)
        assert refusal(await http.get("/api/auth/me")) == (401, "NOT_SIGNED_IN")


async def test_on_loopback_the_cookie_of_a_deployment_is_not_read(http: httpx.AsyncClient) -> None:
    await sign_in(http, ALICE)
    raw = f"__Host-liqpass_session={http.cookies['liqpass_session']}".encode()
    http.cookies.clear()
    answer = await http.get("/api/auth/me", headers=[(b"cookie", raw)])
    assert refusal(answer) == (401, "NOT_SIGNED_IN")


async def test_a_nonce_is_good_once(http: httpx.AsyncClient) -> None:
    message = await message_for(http, ALICE.address)
    signature = signature_of(message, ALICE)
    assert (await verify(http, message, signature)).status_code == 200
    assert refusal(await verify(http, message, signature)) == (401, "SIGNIN_REJECTED")


async def test_of_twenty_at_once_one_gets_in(http: httpx.AsyncClient) -> None:
    message = await message_for(http, ALICE.address)
    signature = signature_of(message, ALICE)
    answers = await asyncio.gather(*(verify(http, message, signature) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19


async def test_a_nonce_is_good_for_five_minutes(http: httpx.AsyncClient, clock: SettableClock) -> None:
    message = await message_for(http, ALICE.address)
    clock.advance(minutes=5)
    assert refusal(await verify(http, message, signature_of(message, ALICE))) == (401, "SIGNIN_REJECTED")


async def test_a_nonce_is_good_to_its_last_second(http: httpx.AsyncClient, clock: SettableClock) -> None:
    message = await message_for(http, ALICE.address)
    clock.advance(minutes=4, seconds=59)
    assert (await verify(http, message, signature_of(message, ALICE))).status_code == 200


async def test_a_message_of_our_own_making_is_refused(http: httpx.AsyncClient) -> None:
    message = await message_for(http, ALICE.address)
    for changed in (
        message.replace("127.0.0.1:8000 wants", "evil.example wants"),
        message.replace(f"URI: {SITE}", "URI: https://evil.example"),
        message.replace("Chain ID: 8453", "Chain ID: 1"),
        message.replace("permits nobody", "permits Bob"),
        message.replace("Nonce: ", "Nonce: 0"),
        message.replace(checksum(ALICE.address), checksum(BOB.address)),
    ):
        assert changed != message
        answer = await verify(http, changed, signature_of(changed, BOB))
        assert refusal(answer) == (401, "SIGNIN_REJECTED")
        assert refusal(await http.get("/api/auth/me")) == (401, "NOT_SIGNED_IN")


async def test_a_message_of_another_deployment_on_the_same_database_is_refused(
    db: Database, clock: SettableClock, node: FakeNode, http: httpx.AsyncClient
) -> None:
    for other in (
        door(db, clock, node, chain_id=84532),
        door(db, clock, node, site="https://other.example"),
    ):
        async with browser(other) as elsewhere:
            message = await message_for(elsewhere, ALICE.address)
        answer = await verify(http, message, signature_of(message, ALICE))
        assert refusal(answer) == (401, "SIGNIN_REJECTED")


async def test_another_wallets_signature_is_refused_and_the_message_is_used_up(
    http: httpx.AsyncClient, node: FakeNode
) -> None:
    message = await message_for(http, ALICE.address)
    for signer in (BOB, BOB, ALICE):
        assert refusal(await verify(http, message, signature_of(message, signer))) == (401, "SIGNIN_REJECTED")
    assert len(node.asked) == 1
    await sign_in(http, ALICE)


async def test_a_torn_wrapper_uses_the_message_up_and_asks_no_node(
    http: httpx.AsyncClient, node: FakeNode
) -> None:
    message = await message_for(http, ALICE.address)
    assert refusal(await verify(http, message, to_hex(WRAPPER_END))) == (401, "SIGNIN_REJECTED")
    assert refusal(await verify(http, message, signature_of(message, ALICE))) == (401, "SIGNIN_REJECTED")
    assert node.asked == []


async def test_a_node_is_given_only_so_much_gas_for_a_strangers_code(
    http: httpx.AsyncClient, node: FakeNode
) -> None:
    message = await message_for(http, ALICE.address)
    await verify(http, message, "0x" + "ab" * 300)
    assert 1_000_000 <= int(node.asked[0]["gas"], 16) <= 10_000_000


async def test_a_message_whose_question_kills_the_node_is_asked_about_three_times_at_most(
    http: httpx.AsyncClient, node: FakeNode
) -> None:
    message = await message_for(http, ALICE.address)
    node.down = True
    for _ in range(3):
        assert refusal(await verify(http, message, "0x" + "ab" * 300)) == (503, "NODE_UNAVAILABLE")
    answer = await verify(http, message, "0x" + "ab" * 300)
    assert refusal(answer) == (429, "TOO_MANY_REQUESTS")
    assert answer.json()["retryAfterSec"] > 0
    assert len(node.asked) == 3
    assert (await verify(http, message, signature_of(message, ALICE))).status_code == 200


async def test_a_few_contract_wallets_are_asked_at_once_a_few_wait_and_the_rest_is_refused(
    db: Database, clock: SettableClock
) -> None:
    slow = SlowNode()
    async with browser(door(db, clock, slow)) as http:
        messages = [await message_for(http, keccak(bytes([n]))[-20:]) for n in range(20)]
        answering = [asyncio.create_task(verify(http, message, "0xab")) for message in messages]
        refused = {refusal(await one) for one in islice(asyncio.as_completed(answering), 8)}
        assert refused == {(429, "TOO_MANY_REQUESTS")}
        signing = await message_for(http, ALICE.address)
        assert (await verify(http, signing, signature_of(signing, ALICE))).status_code == 200
        slow.go_on.set()
        answers = [refusal(await task) for task in answering]
    assert slow.most_at_once == 4
    assert sorted(answers) == [(401, "SIGNIN_REJECTED")] * 12 + [(429, "TOO_MANY_REQUESTS")] * 8


async def test_contract_wallets_are_asked_sixty_times_a_minute_and_the_node_is_left_to_the_money(
    http: httpx.AsyncClient, node: FakeNode, clock: SettableClock
) -> None:
    answers = []
    for number in range(70):
        message = await message_for(http, keccak(bytes([number]))[-20:])
        answers.append(refusal(await verify(http, message, "0xab"))[1])
    assert answers == ["SIGNIN_REJECTED"] * 60 + ["TOO_MANY_REQUESTS"] * 10
    assert len(node.asked) == 60
    await sign_in(http, ALICE)
    clock.advance(minutes=1)
    message = await message_for(http, BOB.address)
    assert refusal(await verify(http, message, "0xab")) == (401, "SIGNIN_REJECTED")


async def test_an_address_gets_so_many_messages_a_minute_and_others_get_theirs(
    http: httpx.AsyncClient, clock: SettableClock
) -> None:
    for _ in range(60):
        await message_for(http, ALICE.address)
    answer = await http.post("/api/auth/nonce", json={"address": checksum(ALICE.address)})
    assert refusal(answer) == (429, "TOO_MANY_REQUESTS")
    await message_for(http, BOB.address)
    clock.advance(seconds=answer.json()["retryAfterSec"])
    await message_for(http, ALICE.address)


async def test_nobody_shuts_another_visitor_out_by_asking_for_messages_in_their_name(
    db: Database, clock: SettableClock, node: FakeNode
) -> None:
    entry = door(db, clock, node)
    async with browser(entry) as http:
        for _ in range(60):
            await message_for(http, ALICE.address)
    async with browser(entry, peer="203.0.113.9") as http:
        await sign_in(http, ALICE)


async def test_a_contract_wallet_signs_in_when_the_node_says_yes(
    http: httpx.AsyncClient, node: FakeNode
) -> None:
    node.answer = (1).to_bytes(32, "big")
    message = await message_for(http, ALICE.address)
    assert (await verify(http, message, "0x" + "ab" * 300)).status_code == 200
    assert ALICE.address.hex() in node.asked[0]["data"]


async def test_a_node_that_is_down_refuses_nobody_and_burns_no_nonce(
    http: httpx.AsyncClient, node: FakeNode
) -> None:
    message = await message_for(http, ALICE.address)
    node.down = True
    assert refusal(await verify(http, message, "0x" + "ab" * 300)) == (503, "NODE_UNAVAILABLE")
    node.down, node.answer = False, (1).to_bytes(32, "big")
    assert (await verify(http, message, "0x" + "ab" * 300)).status_code == 200


@pytest.mark.parametrize("answer", [b"", b"\x01", (2).to_bytes(32, "big"), bytes(64)])
async def test_an_unclear_answer_of_the_node_is_no_answer(
    http: httpx.AsyncClient, node: FakeNode, answer: bytes
) -> None:
    node.answer = answer
    message = await message_for(http, ALICE.address)
    assert refusal(await verify(http, message, "0x" + "ab" * 300)) == (503, "NODE_UNAVAILABLE")


async def test_an_ordinary_wallet_signs_in_while_the_node_is_down(
    http: httpx.AsyncClient, node: FakeNode
) -> None:
    node.down = True
    await sign_in(http, ALICE)


async def test_after_logout_the_session_is_dead_also_for_who_kept_the_cookie(
    http: httpx.AsyncClient,
) -> None:
    await sign_in(http, ALICE)
    kept = dict(http.cookies)
    assert (await http.post("/api/auth/logout")).json() == {"ok": True}
    assert http.cookies.get(COOKIE) is None
    http.cookies.update(kept)
    assert refusal(await http.get("/api/auth/me")) == (401, "NOT_SIGNED_IN")
    assert (await http.post("/api/auth/logout")).status_code == 200


async def test_logout_everywhere_ends_all_sessions_of_the_user_and_no_others(
    db: Database, clock: SettableClock, node: FakeNode
) -> None:
    routers = [door(db, clock, node) for _ in range(3)]
    async with browser(routers[0]) as here, browser(routers[1]) as there, browser(routers[2]) as bobs:
        await sign_in(here, ALICE)
        await sign_in(there, ALICE)
        await sign_in(bobs, BOB)
        await here.post("/api/auth/logout", params={"everywhere": "true"})
        assert refusal(await there.get("/api/auth/me")) == (401, "NOT_SIGNED_IN")
        assert (await bobs.get("/api/auth/me")).status_code == 200


async def test_a_session_ends_after_seven_days(http: httpx.AsyncClient, clock: SettableClock) -> None:
    await sign_in(http, ALICE)
    clock.advance(days=6, hours=23)
    assert (await http.get("/api/auth/me")).status_code == 200
    clock.advance(hours=1)
    assert refusal(await http.get("/api/auth/me")) == (401, "NOT_SIGNED_IN")


async def test_the_database_holds_no_session_secret(http: httpx.AsyncClient, db: Database) -> None:
    await sign_in(http, ALICE)
    secret = base64.urlsafe_b64decode(http.cookies[COOKIE])
    async with db.pool.acquire() as conn:
        rows = await conn.fetch("select * from sessions")
    assert len(rows) == 1
    assert secret not in rows[0].values()
    assert len(secret) == 32


@pytest.mark.parametrize("cookie", ["", "x", "A" * 44, "A" * 43 + "=", "é" * 44, "A" * 5000])
async def test_a_cookie_that_is_not_ours_is_nobody(http: httpx.AsyncClient, cookie: str) -> None:
    raw = f"{COOKIE}={cookie}".encode()
    answer = await http.get("/api/auth/me", headers=[(b"cookie", raw)])
    assert refusal(answer) == (401, "NOT_SIGNED_IN")


@pytest.mark.parametrize(
    ("path", "body", "code", "field"),
    [
        ("nonce", {}, "MISSING_FIELDS", "address"),
        ("nonce", {"address": ""}, "INVALID_FIELD", "address"),
        ("nonce", {"address": 5}, "INVALID_FIELD", "address"),
        ("nonce", {"address": "0x" + "12" * 19}, "INVALID_FIELD", "address"),
        ("nonce", {"address": "0x" + "1" * 100_000}, "INVALID_FIELD", "address"),
        ("nonce", {"address": "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}, "INVALID_FIELD", "address"),
        ("nonce", {"address": "0x" + "12" * 20, "chainId": 1}, "INVALID_FIELD", "chainId"),
        ("nonce", {"address": "0x" + "12" * 20, "chainId": "Base"}, "INVALID_FIELD", "chainId"),
        ("verify", {"message": "hello"}, "MISSING_FIELDS", "signature"),
        ("verify", {"message": "hello", "signature": "0x00"}, "INVALID_FIELD", "message"),
        ("verify", {"message": "x" * 2001, "signature": "0x00"}, "INVALID_FIELD", "message"),
        ("verify", {"message": "hello", "signature": ""}, "INVALID_FIELD", "signature"),
        ("verify", {"message": "hello", "signature": "0x0"}, "INVALID_FIELD", "signature"),
        ("verify", {"message": "hello", "signature": "0xabc"}, "INVALID_FIELD", "signature"),
        ("verify", {"message": "hello", "signature": "0xab cd"}, "INVALID_FIELD", "signature"),
        ("verify", {"message": "hello", "signature": "0xzz"}, "INVALID_FIELD", "signature"),
        ("verify", {"message": "hello", "signature": "0x" + "a" * 20_000}, "INVALID_FIELD", "signature"),
    ],
)
async def test_bad_input_is_named(
    http: httpx.AsyncClient, path: str, body: dict[str, object], code: str, field: str
) -> None:
    answer = await http.post(f"/api/auth/{path}", json=body)
    assert refusal(answer) == (400, code)
    assert answer.json()["field"] == field


@pytest.mark.parametrize("spelling", [str.lower, str.upper])
async def test_an_address_may_come_in_any_case(
    http: httpx.AsyncClient, spelling: Callable[[str], str]
) -> None:
    address = "0x" + spelling(ALICE.address.hex())
    answer = await http.post("/api/auth/nonce", json={"address": address})
    assert checksum(ALICE.address) in answer.json()["message"]


async def test_what_time_has_ended_is_deleted(
    http: httpx.AsyncClient, db: Database, clock: SettableClock
) -> None:
    await sign_in(http, ALICE)
    await message_for(http, BOB.address)
    assert await db.run(lambda conn: sessions.purge(conn, clock())) == 0
    clock.advance(minutes=5)
    assert await db.run(lambda conn: sessions.purge(conn, clock())) == 1
    clock.advance(days=7)
    assert await db.run(lambda conn: sessions.purge(conn, clock())) == 1
