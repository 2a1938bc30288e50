"""The operator's pages say which payouts are held back and why, in both languages; batches are without."""

from collections.abc import AsyncIterator

import pytest

from liqpass.hexes import checksum
from liqpass.ledger.book import log_ref
from liqpass.sandbox.chain import USDC
from liqpass.sandbox.trader import Trader
from tests.flows.newcomers import new_wallet, refusal_of
from tests.web.test_operator import PAGE, html, new_office, refund, words
from tests.world import TestWorld

Office = tuple[TestWorld, Trader, bytes]


@pytest.fixture(scope="module")
async def office(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    """Two refunds are due, of 5 and of 9 USDC; to whom the first one goes."""
    async with new_office(server_url, template, tmp_path_factory.mktemp("office")) as (world, operator):
        senders = [await new_wallet(world), await new_wallet(world)]
        for sender, amount in zip(senders, (5, 9), strict=True):
            await world.chain.transfer(sender, world.chain.treasury, amount * USDC)
        await world.chain.finalize()
        await world.work(2)
        for row in await world.db.pool.fetch("select tx_hash, log_index from usdc_transfers order by amount"):
            await refund(world, log_ref(row["tx_hash"], row["log_index"]))
        yield world, operator, senders[0].address


async def chinese(who: Trader, path: str) -> str:
    async with who.http.get(who.api + path, headers={**PAGE, "accept-language": "zh-CN"}) as said:
        return words(await said.text())


@pytest.mark.parametrize("path", ["/operator", "/operator/suspense"])
async def test_who_is_blacklisted_is_held_back_on_the_page_and_ready_again_by_himself(
    office: Office, path: str
) -> None:
    world, operator, refused = office
    await world.chain.blacklist(refused)
    page = words(await html(operator, path))
    assert page.count("Held back This address is on the blacklist of USDC.") == 1
    assert "Ready for a Safe batch: 1, together 9.00 USDC." in page
    assert "该地址在 USDC 的黑名单上。" in await chinese(operator, path)
    await world.chain.unblacklist(refused)
    page = words(await html(operator, path))
    assert "Held back" not in page
    assert "Ready for a Safe batch: 2, together 14.00 USDC." in page


async def test_the_api_names_what_it_holds_back_and_why(office: Office) -> None:
    world, operator, refused = office
    await world.chain.blacklist(refused)
    dues = (await operator.call("GET", "/api/admin/treasury/suspense"))["dues"]
    why = {
        "code": "RECIPIENT_BLACKLISTED",
        "detail": "this address is on the blacklist of USDC",
        "words": "Blacklistable: account is blacklisted",
    }
    assert {due["recipient"]: due["held"] for due in dues if due["held"]} == {checksum(refused): why}
    made = await operator.call("POST", "/api/admin/treasury/batch", {})
    assert [(due["recipient"], due["held"]) for due in made["held"]] == [(checksum(refused), why)]
    assert (made["included"], made["batched"]) == (1, 0)
    await world.chain.unblacklist(refused)
    made = await operator.call("POST", "/api/admin/treasury/batch", {})
    assert (made["included"], made["held"], made["batched"]) == (1, [], 1)


async def test_a_batch_that_will_fail_because_of_one_in_it_is_told(office: Office) -> None:
    world, operator, refused = office
    await operator.call("POST", "/api/admin/treasury/batch", {"again": True})
    await world.chain.blacklist(refused)
    page = words(await html(operator, "/operator/suspense"))
    assert page.count("The batch that holds it fails as a whole: write it again without this.") == 1
    await world.chain.unblacklist(refused)


async def test_where_no_endpoint_answers_the_page_stands_and_the_batch_is_refused(office: Office) -> None:
    world, operator, _ = office
    world.node.unavailable = True
    try:
        page = words(await html(operator, "/operator"))
        assert page.count("No endpoint says whether USDC would take it.") == 2
        path = "/api/admin/treasury/batch"
        assert await refusal_of(operator, "POST", path, {"again": True}) == (503, "NODE_UNAVAILABLE")
    finally:
        world.node.unavailable = False


async def test_a_due_that_may_have_been_paid_by_hand_is_told_before_anybody_signs(office: Office) -> None:
    world, operator, to = office
    sent = await world.chain.transfer(world.chain.treasury_wallet, to, 4 * USDC)
    await world.confirm()
    dues = (await operator.call("GET", "/api/admin/treasury/suspense"))["dues"]
    transfer = f"{sent['transactionHash']}:{int(sent['logs'][0]['logIndex'], 16)}"
    (due,) = [due for due in dues if due["mayBePaidBy"]]
    assert (due["recipient"], due["mayBePaidBy"]) == (
        checksum(to),
        [{"transfer": transfer, "amount": str(4 * USDC)}],
    )
    page = await html(operator, "/operator/suspense")
    assert "4.00 USDC left to this wallet without a reason." in words(page)
    assert f'data-copy="liqpass suspense adopt {transfer} --due {due["id"]} --by NAME --reason TEXT"' in page
    made = await operator.call("POST", "/api/admin/treasury/batch", {"again": True})
    assert [one["id"] for one in made["doubtful"]] == [due["id"]]
