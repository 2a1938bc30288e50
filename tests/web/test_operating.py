"""What an operator does in a browser: closes breaks, writes the Safe batch, leaves the page open all day."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from liqpass.sandbox.chain import USDC
from liqpass.sandbox.trader import Trader
from liqpass.treasury import disbursements, suspense
from tests.flows.newcomers import new_wallet
from tests.reconcile.hands import run_once
from tests.web.town import OPERATOR, PHONE, Visit, Visitor
from tests.world import TestWorld


@pytest.fixture
async def operator(town: TestWorld, visit: Visit) -> AsyncIterator[Visitor]:
    """Signed in, on a phone; a transfer of 8 USDC has strayed and is a break."""
    await stray(town, 8)
    async with Trader(town.api, OPERATOR) as trader:
        await trader.sign_in()
        visitor = await visit(wallets=0, viewport=PHONE, accept_downloads=True)
        await visitor.is_signed_in_as(trader)
        yield visitor


async def stray(town: TestWorld, amount: int) -> None:
    """Somebody sends USDC for no order; it is final, seen, booked, and found by a run."""
    counted = "select count(*) from ledger_transfers where kind = 'RECEIVED'"
    before = await town.db.pool.fetchval(counted)
    await town.chain.transfer(await new_wallet(town), town.chain.treasury, amount * USDC)
    await town.chain.mine(4 * town.chain.slots_in_an_epoch)
    for _ in range(50):
        await town.work()
        if await town.db.pool.fetchval(counted) > before:
            break
    await town.work()
    await run_once(town)


async def refund_all(town: TestWorld) -> None:
    """All that is in suspense is to go back to whom it came from."""

    async def ask(conn: Any) -> None:
        chain, now = town.of.settings.chain, town.clock()
        for item in await suspense.items(conn, chain):
            await disbursements.refund(
                conn, now, os.urandom(10), chain, item.ref, by="ada", reason="sent by mistake"
            )

    await town.db.run(ask)


def content(path: Path) -> dict[str, Any]:
    """What was downloaded."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


async def renewed(page: Page) -> None:
    """The reader comes back to the tab: the page looks for news at once."""
    await page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")


async def test_a_break_is_closed_with_a_reason_and_only_with_one(town: TestWorld, operator: Visitor) -> None:
    page = await operator.open("/operator/breaks")
    rows = page.locator("[data-break]")
    before = await rows.count()
    number = await rows.last.get_attribute("data-break")
    row = page.locator(f"[data-break='{number}']")
    await row.get_by_text("Close it as it is").press("Enter")
    reason = row.get_by_label("Reason")
    await row.get_by_role("button", name="Close the break").press("Enter")
    await expect(reason).to_be_focused()
    await expect(reason).to_have_attribute("aria-invalid", "true")
    await expect(row.get_by_role("alert")).not_to_be_empty()
    await reason.fill("a gift, says the sender")
    await row.get_by_role("button", name="Close the break").press("Enter")
    await expect(row).to_have_count(0)
    await expect(page.get_by_role("status")).to_contain_text(f"Break {number} is closed, in the name of 0x")
    assert await rows.count() == before - 1
    await operator.open("/operator/breaks?all=1")
    await expect(row).to_contain_text("a gift, says the sender")


async def test_the_safe_batch_is_a_file_and_is_not_written_twice_by_accident(
    town: TestWorld, operator: Visitor
) -> None:
    await refund_all(town)
    page = await operator.open("/operator")
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="Write the Safe batch").press("Enter")
    download = await coming.value
    assert download.suggested_filename.startswith("liqpass-payouts-")
    batch = content(await download.path())
    amounts = [one["contractInputsValues"]["value"] for one in batch["transactions"]]
    assert amounts
    await expect(page.locator("#batch-said")).to_contain_text(f"holds {len(amounts)} payouts")
    await expect(page.locator("#batch-said")).to_be_focused()
    await expect(page.get_by_role("button", name="Write the Safe batch")).to_have_count(0)
    await expect(page.locator("#payouts")).to_contain_text(f"In an earlier batch: {len(amounts)}.")
    await page.get_by_text("Write again what was batched before").click()
    again = page.get_by_role("button", name="Write all of them again")
    await again.click()  # the browser asks for the tick first
    await expect(page.locator("#batch-said")).to_contain_text("liqpass-payouts-")
    await page.get_by_label("Nobody will sign the earlier file").check()
    async with page.expect_download() as coming:
        await again.click()
    second = content(await (await coming.value).path())
    assert second["transactions"] == batch["transactions"]


async def test_a_page_that_stays_open_shows_what_is_new_and_says_when_it_cannot(
    town: TestWorld, operator: Visitor
) -> None:
    page = await operator.open("/operator")
    await page.get_by_text("All rules").click()
    await page.get_by_text("The same as a table").focus()
    glance = page.get_by_role("list", name="At a glance")
    was = await glance.inner_text()
    await stray(town, 9)
    await renewed(page)
    await expect(glance).not_to_have_text(was)
    await expect(page.locator("#rules")).to_have_attribute("open", "")
    await expect(page.get_by_text("The same as a table")).to_be_focused()
    stale = page.get_by_text("This page could not be renewed")
    await expect(stale).to_be_hidden()
    await page.route("**/operator", lambda route: route.fulfill(status=503, body=""))
    await renewed(page)
    await expect(stale).to_be_visible()
    await page.unroute("**/operator")
    operator.complaints.clear()
    await renewed(page)
    await expect(stale).to_be_hidden()


async def test_what_is_to_be_paid_out_next_shows_up_behind_an_earlier_batch(
    town: TestWorld, operator: Visitor
) -> None:
    await refund_all(town)
    page = await operator.open("/operator")
    write = page.get_by_role("button", name="Write the Safe batch")
    async with page.expect_download():
        await write.click()
    await expect(write).to_have_count(0)
    await stray(town, 9)
    await refund_all(town)
    await renewed(page)
    await expect(write).to_be_visible()
    await expect(page.locator("#payouts")).to_contain_text("Ready for a Safe batch: 1, together 9.00 USDC.")


async def test_what_a_mouse_has_clicked_on_is_renewed_as_well(town: TestWorld, operator: Visitor) -> None:
    """A click leaves the focus on its button: the part around it stayed old for as long, under a new time."""
    page = await operator.open("/operator")
    await page.get_by_role("button", name="Copy the hash of the run").click()
    last_run = page.get_by_role("heading", name="Last run")
    was = (await last_run.inner_text()).split(",")[0]
    await run_once(town)
    await renewed(page)
    await expect(last_run).not_to_contain_text(f"{was},")


async def test_whose_session_has_ended_is_led_to_sign_in_and_back(operator: Visitor) -> None:
    """To who is no operator these calls do not exist: the page asks whether there is a session at all."""
    breaks, overview = await operator.open("/operator/breaks"), await operator.new_tab("/operator")
    await operator.context.clear_cookies()
    row = breaks.locator("[data-break]").first
    await row.get_by_text("Close it as it is").click()
    await row.get_by_label("Reason").fill("a gift")
    await row.get_by_role("button", name="Close the break").click()
    await breaks.wait_for_url("**/?back=%2Foperator%2Fbreaks")
    await renewed(overview)
    await overview.wait_for_url("**/?back=%2Foperator")


async def test_when_the_last_break_is_closed_none_is_called_bad(town: TestWorld, operator: Visitor) -> None:
    page = await operator.open("/operator/breaks")
    rows = page.locator("[data-break]")
    left = await rows.count()
    while left:
        row = rows.first
        await row.get_by_text("Close it as it is").click()
        await row.get_by_label("Reason").fill("a drill")
        await row.get_by_role("button", name="Close the break").click()
        left -= 1
        await expect(rows).to_have_count(left)
    await expect(page.locator(".state", has_text="Open: 0")).to_have_class("state good")
