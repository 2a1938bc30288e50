"""The claim where its order is: in its answer, in the list, and in the stream of events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from liqpass.claims.states import ClaimStatus
from liqpass.sandbox.chain import USDC
from tests.flows.newcomers import newcomer
from tests.flows.test_following_orders import Told, told
from tests.review.conftest import Office, bring, covered

S = ClaimStatus


@asynccontextmanager
async def events(office: Office, last_id: str = "") -> AsyncIterator[AsyncIterator[Told]]:
    """The stream of the order's events."""
    url = f"{office.trader.api}/api/insurance/orders/{office.order['purchaseOrderId']}/events"
    headers = {"Last-Event-ID": last_id} if last_id else {}
    async with office.trader.http.get(url, headers=headers) as answer:
        assert answer.status == 200, answer
        yield told(answer)


async def next_claim(stream: AsyncIterator[Told]) -> tuple[str, str | None, str]:
    """Status, amount and id of the next event that tells of the claim."""
    async with asyncio.timeout(20):
        event = await anext(event async for event in stream if event.event == "claim")
    return event.data["status"], event.data["amount"], event.id


async def status_of_stream(office: Office, last_id: str) -> int:
    url = f"{office.trader.api}/api/insurance/orders/{office.order['purchaseOrderId']}/events"
    async with office.trader.http.get(url, headers={"Last-Event-ID": last_id}) as answer:
        return answer.status


async def test_an_order_shows_its_claim_by_itself_and_in_the_list(office: Office) -> None:
    order_id = office.order["purchaseOrderId"]
    assert (await office.trader.order(order_id))["claim"] is None
    claim_id = await office.claim_in(S.PAYABLE, amount=20 * USDC)
    wanted = {"claimId": claim_id, "status": "PAYABLE", "amount": "20000000"}
    assert (await office.trader.order(order_id))["claim"] == wanted
    (listed,) = (await office.trader.call("GET", "/api/insurance/orders"))["orders"]
    assert listed["claim"] == wanted


async def test_the_stream_tells_of_a_claim_when_it_is_opened_and_whenever_it_moves(office: Office) -> None:
    async with events(office) as stream:
        while (await anext(stream)).event != "payment":
            pass
        claim_id = await office.claim_in(S.OPEN)
        assert await next_claim(stream) == ("OPEN", None, "3.1")
        db, now = office.world.db, office.world.clock()
        await bring(db, now, claim_id, (S.GATHERING,))
        assert await next_claim(stream) == ("GATHERING", None, "3.2")
        await bring(db, now, claim_id, (S.PAYABLE,))
        assert await next_claim(stream) == ("PAYABLE", "20000000", "3.3")


async def test_the_stream_of_an_order_that_is_over_goes_on_until_its_claim_is_answered(
    own_office: Office,
) -> None:
    office = own_office
    world, claim_id = office.world, await office.claim_in(S.GATHERING)
    await world.pass_time(hours=25)
    await world.work()
    async with events(office, last_id="3") as stream:
        assert [(await anext(stream)).event for _ in range(2)] == ["order", "payment"]
        assert await next_claim(stream) == ("GATHERING", None, "4.2")
        await bring(world.db, world.clock(), claim_id, (S.NOT_COVERED,))
        assert await next_claim(stream) == ("NOT_COVERED", None, "4.3")
        assert [event async for event in stream] == []
    # who was away is told what they missed, and who has seen it is told not to come back
    async with events(office, last_id="4.2") as stream:
        assert [event.event async for event in stream] == ["payment", "claim"]
    assert await status_of_stream(office, "4.3") == 204
    # an objection makes it undecided again
    await office.trader.call(
        "POST", f"/api/insurance/claims/{claim_id}/objection", {"text": "It was not me who closed it."}
    )
    async with events(office, last_id="4.3") as stream:
        assert await next_claim(stream) == ("IN_REVIEW", None, "4.4")


async def test_the_stream_of_an_order_without_a_claim_ends_as_ever(own_office: Office) -> None:
    await own_office.world.pass_time(hours=25)
    await own_office.world.work()
    async with events(own_office, last_id="3") as stream:
        assert [(event.event, event.id) async for event in stream] == [("order", "4"), ("payment", "")]
    assert await status_of_stream(own_office, "4") == 204


async def test_an_id_that_no_event_has_is_refused(office: Office) -> None:
    for id_ in ("4.", ".4", "4.4.4", "x", "-1", "٤", "9" * 10):
        assert await status_of_stream(office, id_) == 400, id_


async def test_the_claim_of_another_order_is_not_told(office: Office) -> None:
    async with newcomer(office.world) as other:
        order = await covered(office.world, other)
        await office.claim_in(S.PAYABLE)
        assert (await other.trader.order(order["purchaseOrderId"]))["claim"] is None
