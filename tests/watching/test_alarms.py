"""What an operator should look at is in the metrics, in /readyz as a remark, and in `liqpass check`."""

from typing import Any

import aiohttp
import pytest

from liqpass.check import Finding, _claims
from liqpass.claims.opening import open_for
from liqpass.claims.states import Opener
from tests.claims.claimed import approve, payable
from tests.flows.newcomers import INST
from tests.watching.covers import Insured, insured, look
from tests.world import TestWorld

KEYS = "/api/okx/api-accounts"


@pytest.fixture
async def alice(world: TestWorld) -> Any:
    """The only one who is covered."""
    async with insured(world) as somebody:
        yield somebody


async def readyz(world: TestWorld) -> tuple[int, list[str]]:
    """Whether orders can be taken, and what is remarked."""
    async with aiohttp.ClientSession() as http, http.get(f"{world.api}/readyz") as answer:
        said: list[str] = (await answer.json())["remarks"]
        return answer.status, said


async def metrics(world: TestWorld) -> dict[str, float]:
    """Every sample by its name."""
    async with aiohttp.ClientSession() as http, http.get(f"{world.api}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}


async def checked(world: TestWorld) -> dict[str, Finding]:
    """The two lines of `liqpass check`."""
    return {one.name: one for one in await _claims(world.db, world.clock)}


async def unseen(who: Insured, minutes: int) -> None:
    """As if nothing had been read for so long; what was asked before is forgotten."""
    await who.write(
        "update watched_covers set seen_at = $2::timestamptz - make_interval(mins => $3)"
        " where purchase_order_id = $1",
        who.world.clock(),
        minutes,
    )
    who.world.clock.advance(seconds=16)


async def test_where_all_is_seen_nothing_is_said(world: TestWorld, alice: Insured) -> None:
    await look(world, seconds=5)
    assert await readyz(world) == (200, [])
    found = await metrics(world)
    assert found["liqpass_covers_watched"] == 1
    assert found["liqpass_covers_unseen"] == found["liqpass_accounts_unread"] == 0
    assert found['liqpass_claims{status="OPEN"}'] == found["liqpass_claims_closing"] == 0
    assert [one.ok for one in (await checked(world)).values()] == [True, True]


async def test_a_cover_that_nobody_looks_at_is_said_and_sells_on(world: TestWorld, alice: Insured) -> None:
    await unseen(alice, 20)
    status, remarks = await readyz(world)
    assert status == 200
    assert remarks == [
        "1 cover of 1 not seen for 15 minutes or more, the first for 20 minutes: is liqpass work running?"
    ]
    found = await metrics(world)
    assert found["liqpass_covers_unseen"] == 1
    assert found["liqpass_cover_unseen_seconds"] == 20 * 60 + 16
    covers = (await checked(world))["covers"]
    assert covers.ok, "no worker runs before it is started"
    assert "is liqpass work running?" in covers.said


async def test_covers_that_have_their_turn_too_late_are_told_from_a_worker_that_is_not_there(
    world: TestWorld, alice: Insured
) -> None:
    async with insured(world) as bob:
        await look(world, seconds=5)
        await unseen(bob, 20)
        covers = (await checked(world))["covers"]
        assert not covers.ok
        assert "raise LIQPASS_OKX_PER_SEC" in covers.said


async def test_a_cover_that_waits_for_its_payout_alone_needs_nobody_to_see_it(
    world: TestWorld, alice: Insured
) -> None:
    claim = await payable(world, alice.order, 1_000_000, episode_over=True)
    await approve(world, claim, 1_000_000)
    await unseen(alice, 25 * 60)  # its key was deleted
    assert (await metrics(world))["liqpass_covers_unseen"] == 0


async def test_why_covers_are_not_seen_is_said(world: TestWorld, alice: Insured) -> None:
    await alice.who.trader.call("DELETE", f"{KEYS}/{alice.who.account}")
    await look(world, seconds=5)
    await unseen(alice, 3 * 60)
    _, (remark,) = await readyz(world)
    assert "(1 account: No key of this account" in remark
    assert "the first for 3 hours" in remark
    assert (await metrics(world))["liqpass_accounts_unread"] == 1
    assert (await checked(world))["covers"].ok


async def open_a_claim(who: Insured) -> None:
    """A claim, opened now."""
    async with who.world.db.transaction() as conn:
        await open_for(conn, who.world.clock(), bytes(10), who.id, by=Opener.OPERATOR)


async def put_into(who: Insured, status: str) -> None:
    """As if its claim had been in this state all the time."""
    await who.write(
        "update claims set status = $2::claim_status, amount = 5, approved_amount = 5, trouble = 'No key.',"
        " disbursement_id = gen_random_uuid(), pay_tx_hash = decode(repeat('00', 32), 'hex')"
        " where purchase_order_id = $1",
        status,
    )


WAIT_FOR_PEOPLE = {
    "PAYABLE": "approve or refuse it",
    "IN_REVIEW": "in review",
    "APPROVED": "liqpass suspense batch writes one",
    "BATCHED": "--again",
}


async def test_a_claim_that_waits_for_people_longer_than_a_day_is_said_with_what_to_do(
    world: TestWorld, alice: Insured
) -> None:
    await open_a_claim(alice)
    world.clock.advance(hours=23)
    for status in WAIT_FOR_PEOPLE:
        await put_into(alice, status)
        assert (await checked(world))["claims"].ok, status
    world.clock.advance(hours=1)
    for status, said in WAIT_FOR_PEOPLE.items():
        await put_into(alice, status)
        claims = (await checked(world))["claims"]
        assert not claims.ok, status
        assert claims.said.startswith("1 claim ")
        assert said in claims.said
    assert any("--again" in remark for remark in (await readyz(world))[1])
    found = await metrics(world)
    assert found['liqpass_claims{status="BATCHED"}'] == 1
    assert found['liqpass_claim_oldest_seconds{status="BATCHED"}'] == 24 * 3_600


async def test_a_claim_for_which_people_need_do_nothing_is_not(world: TestWorld, alice: Insured) -> None:
    await open_a_claim(alice)
    world.clock.advance(days=2)
    for status in ("PAID", "NOT_COVERED", "REFUSED", "OPEN", "GATHERING"):
        await put_into(alice, status)
        assert (await checked(world))["claims"].ok, status


async def test_evidence_that_will_soon_be_out_of_reach_is_said(world: TestWorld, alice: Insured) -> None:
    """A cover of a day, and a claim window of fourteen."""
    await open_a_claim(alice)
    await put_into(alice, "GATHERING")
    world.clock.advance(days=11)
    assert (await checked(world))["claims"].ok
    world.clock.advance(days=1, hours=2)
    for status in ("OPEN", "GATHERING"):
        await put_into(alice, status)
        claims = (await checked(world))["claims"]
        assert not claims.ok, status
        assert "which can come for 2 days more: No key." in claims.said
    assert (await metrics(world))["liqpass_claims_closing"] == 1
    await put_into(alice, "PAID")
    assert (await checked(world))["claims"].ok


async def test_a_penalised_position_is_a_claim_in_the_metrics(world: TestWorld, alice: Insured) -> None:
    world.exchange.books.liquidate_partly(alice.uid, INST, contracts=1)
    await look(world, seconds=5)
    assert (await metrics(world))['liqpass_claims{status="OPEN"}'] == 1
