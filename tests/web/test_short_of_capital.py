"""When there is less capital than the chosen cover would pay."""

from playwright.async_api import expect

from liqpass.ledger.book import Account, Entry, Kind, chain_ref
from liqpass.ledger.posting import balance, post
from tests.exposure.shares import all_of_it
from tests.flows.newcomers import INST, newcomer
from tests.web.town import Visit, new_fake_wallet
from tests.world import TestWorld


async def leave_free(town: TestWorld, free: int) -> None:
    """Take capital out of the pool until this much is free."""
    async with town.db.pool.acquire() as conn:
        locked = await balance(conn, Account.POOL_LOCKED)
    entry = Entry(Kind.CAPITAL, chain_ref(town.chain.chain_id), free + locked)
    await town.db.run(lambda conn: post(conn, town.clock(), [entry]))


async def test_a_smaller_cover_is_offered_instead_of_one_that_became_too_large(
    town: TestWorld, visit: Visit
) -> None:
    """The 30 days pay no more than 1,000 USDC, the 24 hours up to 2,000."""
    async with newcomer(town) as alice:
        town.exchange.books.open_position(alice.okx.uid, INST, contracts=195, lever=10)
        town.clock.advance(seconds=1)
        await alice.trader.positions(alice.account)
        await all_of_it(town.db)
        visitor = await visit(await new_fake_wallet(town, alice.trader.wallet))
        await visitor.is_signed_in_as(alice.trader)
        page = await visitor.open()
        await page.get_by_role("button", name="See prices").click()
        await page.get_by_role("radio", name="24 hours").check()
        quoted = await alice.trader.call("GET", "/api/insurance/quotes", apiAccountId=alice.account)
        payouts = {quote["sku"]: quote["payoutAmount"] for quote in quoted["positions"][0]["quotes"]}
        assert int(payouts["LIQPASS_24H"]) > int(payouts["LIQPASS_30D"])
        await leave_free(town, int(payouts["LIQPASS_30D"]))
        await page.get_by_role("button", name="Get this price").click()
        said = page.get_by_role("alert").filter(has_text="there is capital for")
        await said.get_by_role("button", name="Take 30 days instead").click()
        await page.wait_for_url("**/orders/0x*")
        order = await alice.trader.order(page.url.rpartition("/")[2])
        assert (order["sku"], order["payoutAmount"]) == ("LIQPASS_30D", payouts["LIQPASS_30D"])


async def test_a_position_that_no_free_capital_covers_says_so(town: TestWorld, visit: Visit) -> None:
    async with newcomer(town) as bob:
        await leave_free(town, 0)
        visitor = await visit(await new_fake_wallet(town, bob.trader.wallet))
        await visitor.is_signed_in_as(bob.trader)
        page = await visitor.open()
        card = page.locator(".position")
        await expect(card.locator(".state")).to_have_text("Cannot be covered at present")
        await expect(card).to_contain_text("There is not enough free capital")
