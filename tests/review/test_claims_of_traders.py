"""/api/insurance/claims: opening, reading and objecting, by whose order it is."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from liqpass.claims.states import ClaimStatus
from liqpass.sandbox.chain import USDC
from tests.flows.newcomers import newcomer, refusal_of
from tests.review.conftest import CLAIMS, SHA256, Office, bring, covered

S = ClaimStatus


async def test_a_claim_is_opened_once_and_returned_ever_after(office: Office) -> None:
    first = await office.open()
    again = await office.open()
    assert first["claimId"] == again["claimId"]
    assert (first["status"], first["openedBy"], first["amount"]) == ("OPEN", "TRADER", None)
    assert first["purchaseOrderId"] == office.order["purchaseOrderId"]
    assert [move["toStatus"] for move in again["history"]] == ["OPEN"]
    listed = await office.trader.call("GET", CLAIMS)
    assert [claim["claimId"] for claim in listed["claims"]] == [first["claimId"]]
    assert listed["claims"][0]["history"] == again["history"]


async def test_asking_again_has_the_exchange_asked_again_at_once(office: Office) -> None:
    claim_id = await office.claim_in(S.GATHERING)
    await office.world.db.pool.execute("update claims set ask_at = null, asked = 7")
    await office.open()
    (asked,) = await office.world.db.pool.fetch("select ask_at, asked from claims where id = $1", claim_id)
    assert tuple(asked) == (office.world.clock(), 0)


@pytest.mark.parametrize(("seconds", "asked"), [(9, 7), (10, 0)])
async def test_asking_each_second_does_not_have_the_exchange_asked_each_second(
    office: Office, seconds: int, asked: int
) -> None:
    claim_id = await office.claim_in(S.GATHERING)
    pool, since = office.world.db.pool, office.world.clock() - timedelta(seconds=seconds)
    await pool.execute("update claims set ask_at = null, asked = 7, asked_at = $1", since)
    await office.open()
    assert await pool.fetchval("select asked from claims where id = $1", claim_id) == asked


async def test_who_claims_for_what_is_not_theirs_is_told_that_there_is_nothing(office: Office) -> None:
    claim = await office.open()
    body = {"purchaseOrderId": office.order["purchaseOrderId"]}
    async with newcomer(office.world) as other:
        assert await other.refusal("POST", CLAIMS, body) == (404, "ORDER_NOT_FOUND")
        for path in (f"{CLAIMS}/{claim['claimId']}", f"{CLAIMS}/{uuid4()}", f"{CLAIMS}/none"):
            assert await other.refusal("GET", path) == (404, "CLAIM_NOT_FOUND")
            assert await other.refusal("POST", f"{path}/objection", {"text": "mine"}) == (
                404,
                "CLAIM_NOT_FOUND",
            )
        assert (await other.trader.call("GET", CLAIMS)) == {"claims": [], "next": None}


async def test_an_order_that_was_never_paid_for_is_not_covered(office: Office) -> None:
    async with newcomer(office.world) as other:
        order = await other.order()
        body = {"purchaseOrderId": order["purchaseOrderId"]}
        assert await other.refusal("POST", CLAIMS, body) == (409, "ORDER_NOT_COVERED")


async def test_after_the_claim_window_a_claim_that_is_there_is_returned_and_none_is_opened(
    own_office: Office,
) -> None:
    office = own_office
    async with newcomer(office.world) as other:
        order = await covered(office.world, other)
        claim = await office.open()
        office.world.clock.advance(days=15, hours=1)
        for trader in (other.trader, office.trader):
            await trader.sign_in()
        body = {"purchaseOrderId": order["purchaseOrderId"]}
        assert await other.refusal("POST", CLAIMS, body) == (409, "ORDER_NOT_COVERED")
        assert (await office.open())["claimId"] == claim["claimId"]


async def test_a_payable_claim_says_what_is_owed_and_from_which_document(office: Office) -> None:
    claim = await office.claim(await office.claim_in(S.PAYABLE, amount=20 * USDC))
    assert (claim["amount"], claim["triggerPx"]) == ("20000000", "55210.1")
    assert claim["bundleSha256"] == f"0x{SHA256.hex()}"
    assert claim["liquidatedAt"] is not None
    assert (claim["reasonCode"], claim["reason"], claim["missing"]) == (None, None, [])
    assert [move["toStatus"] for move in claim["history"]] == ["OPEN", "GATHERING", "PAYABLE"]


async def test_what_is_waited_for_and_why_nothing_is_owed_is_said_in_words(office: Office) -> None:
    claim_id = await office.claim_in(S.GATHERING)
    waiting = await office.claim(claim_id)
    assert waiting["missing"] == ["HISTORY_ROW"]
    assert waiting["missingWords"] == ["OKX does not show this position in its history yet."]
    await bring(office.world.db, office.world.clock(), claim_id, (S.NOT_COVERED,))
    decided = await office.claim(claim_id)
    assert decided["reasonCode"] == "CLOSED_BY_OWNER"
    assert decided["reason"].startswith("The position was closed by its owner")


@pytest.mark.parametrize("status", [S.NOT_COVERED, S.REFUSED])
async def test_an_objection_is_made_once_and_an_operator_has_to_look(
    office: Office, status: ClaimStatus
) -> None:
    claim_id = await office.claim_in(status)
    url, said = f"{CLAIMS}/{claim_id}/objection", {"text": "It was liquidated:\r\nsee my bill of 3 May."}
    claim = await office.trader.call("POST", url, said)
    assert claim["status"] == "IN_REVIEW"
    assert claim["objection"] == "It was liquidated:\nsee my bill of 3 May."
    assert (claim["history"][-1]["reason"], claim["history"][-1]["actor"]) == ("OBJECTED", "TRADER")
    assert await refusal_of(office.trader, "POST", url, said) == (409, "OBJECTION_ALREADY_MADE")
    await bring(office.world.db, office.world.clock(), claim_id, (S.REFUSED,))
    assert await refusal_of(office.trader, "POST", url, said) == (409, "OBJECTION_ALREADY_MADE")


@pytest.mark.parametrize("status", [S.OPEN, S.GATHERING, S.PAYABLE, S.IN_REVIEW])
async def test_there_is_nothing_to_object_to_before_a_decision(office: Office, status: ClaimStatus) -> None:
    url = f"{CLAIMS}/{await office.claim_in(status)}/objection"
    assert await refusal_of(office.trader, "POST", url, {"text": "hurry"}) == (409, "CLAIM_NOT_OPEN")


@pytest.mark.parametrize(
    "text",
    ["", " \n ", "x" * 2001, "a bell \x07", "nothing \x00", "\x85", None, 7],
    ids=["none", "blanks", "too long", "a bell", "a zero", "a control of Latin-1", "null", "a number"],
)
async def test_an_objection_is_one_to_two_thousand_characters_that_can_be_read(
    office: Office, text: Any
) -> None:
    claim_id = await office.claim_in(S.NOT_COVERED)
    refused = await refusal_of(office.trader, "POST", f"{CLAIMS}/{claim_id}/objection", {"text": text})
    assert refused == (400, "INVALID_FIELD")
    assert (await office.claim(claim_id))["objection"] is None
    longest = await office.trader.call("POST", f"{CLAIMS}/{claim_id}/objection", {"text": "字" * 2000})
    assert longest["objection"] == "字" * 2000


async def test_claims_are_listed_newest_first_page_by_page(office: Office) -> None:
    made = [(await office.open())["claimId"]]
    for inst_id in ("ETH-USDT-SWAP", "SOL-USDT-SWAP"):
        office.world.clock.advance(seconds=1)
        okx = office.newcomer.okx
        office.world.exchange.books.open_position(okx.uid, inst_id, contracts=5, lever=10)
        await office.trader.positions(office.newcomer.account)
        order = await covered(office.world, office.newcomer, instId=inst_id)
        claim = await office.trader.call("POST", CLAIMS, {"purchaseOrderId": order["purchaseOrderId"]})
        made.append(claim["claimId"])
    pages, query = [], {"limit": "2"}
    while True:
        page = await office.trader.call("GET", CLAIMS, **query)
        pages.append([claim["claimId"] for claim in page["claims"]])
        if page["next"] is None:
            break
        query = {"limit": "2", "before": page["next"]}
    assert [id_ for page in pages for id_ in page] == made[::-1]
