"""/operator: what the operator sees of money, orders and breaks; for others it is not there."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from liqpass.hexes import checksum
from liqpass.ledger.book import log_ref
from liqpass.money import usd
from liqpass.reconcile.rules import INVARIANTS
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.chain import USDC
from liqpass.sandbox.trader import Trader
from liqpass.treasury import disbursements
from tests.flows.newcomers import Newcomer, new_wallet, newcomer, shared_world
from tests.reconcile.hands import covered, run_once
from tests.world import CAPITAL, TestWorld

ADMIN, STRANGER = wallet("an operator"), wallet("a stranger to the operator")
PATHS = (
    "/operator",
    "/operator/",
    "//operator",
    "/operator/breaks",
    "/operator//breaks",
    "/operator/breaks?after=x",
    "/operator/suspense?skip=-1",
)
PAGE = {"accept": "text/html,*/*;q=0.8"}
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
async def office(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestWorld]:
    """A covered order, a draft, a cancelled order; three strays, of which one is to be refunded."""
    folder = tmp_path_factory.mktemp("office")
    admins, explorer = checksum(ADMIN.address), "https://explorer.example"
    async with (
        shared_world(
            server_url, template, folder, LIQPASS_ADMIN_WALLETS=admins, LIQPASS_EXPLORER=explorer
        ) as world,
        newcomer(world) as alice,
        newcomer(world) as bob,
        newcomer(world) as carol,
    ):
        await strays(world)
        await covered(world, alice)
        await bob.order()
        await cancelled(carol)
        await run_once(world)
        yield world


@asynccontextmanager
async def new_office(server_url: str, template: str, folder: Path) -> AsyncIterator[tuple[TestWorld, Trader]]:
    """A product in which nothing has happened, and its operator, signed in."""
    admins = checksum(ADMIN.address)
    async with (
        shared_world(server_url, template, folder, LIQPASS_ADMIN_WALLETS=admins) as world,
        Trader(world.api, ADMIN) as somebody,
    ):
        await somebody.sign_in()
        yield world, somebody


async def strays(world: TestWorld) -> None:
    for amount in (5, 6, 7):
        await world.chain.transfer(await new_wallet(world), world.chain.treasury, amount * USDC)
    await world.confirm()
    await world.chain.mine(2 * world.chain.slots_in_an_epoch)
    await world.work(2)
    row = await world.db.pool.fetchrow(
        "select tx_hash, log_index from usdc_transfers where amount = $1", 5 * USDC
    )
    assert row is not None
    ref = log_ref(row["tx_hash"], row["log_index"])
    await refund(world, ref)


async def refund(world: TestWorld, ref: bytes) -> None:
    async def ask(conn: Any) -> None:
        chain, now = world.of.settings.chain, world.clock()
        await disbursements.refund(conn, now, os.urandom(10), chain, ref, by="ada", reason="sent by mistake")

    await world.db.run(ask)


async def cancelled(who: Newcomer) -> None:
    order = await who.order()
    await who.trader.call("POST", "/api/insurance/cancel", {"purchaseOrderId": order["purchaseOrderId"]})


@pytest.fixture(scope="module")
async def operator(office: TestWorld) -> AsyncIterator[Trader]:
    """Signed in as everybody signs in."""
    async with Trader(office.api, ADMIN) as trader:
        await trader.sign_in()
        yield trader


async def html(who: Trader, path: str, status: int = 200) -> str:
    """A page as a browser gets it."""
    async with who.http.get(who.api + path, headers=PAGE) as said:
        assert said.status == status, path
        assert said.content_type == "text/html"
        return await said.text()


def words(page: str) -> str:
    """What stands on a page, without its markup."""
    main = page[page.index("<main") : page.index("</main>")]
    return " ".join(unescape(re.sub(r"<(title|[a-z/!])[^>]*>", " ", main)).split())


async def answer(who: Trader, method: str, path: str, accept: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body, without what differs from call to call and from path to path."""
    async with who.http.request(method, who.api + path, headers={"accept": accept}) as said:
        passing = ("Date", "X-Request-Id", "Content-Length")
        headers = {k: v for k, v in said.headers.items() if k.title() not in passing}
        body = re.sub(r'(name="back" value|"requestId": ?)[^>,}]*', "", await said.text())
        return said.status, headers, body


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize("accept", ["*/*", PAGE["accept"], "application/json"])
async def test_for_others_there_is_nothing_whatever_they_ask(
    office: TestWorld, signed_in: bool, accept: str
) -> None:
    async with Trader(office.api, STRANGER) as stranger:
        if signed_in:
            await stranger.sign_in()
        for method in METHODS:
            nothing = await answer(stranger, method, "/nothing", accept)
            assert nothing[0] == 404
            for path in PATHS:
                assert await answer(stranger, method, path, accept) == nothing, (method, path)


async def test_without_the_setting_nobody_is_an_operator(world: TestWorld) -> None:
    async with Trader(world.api, ADMIN) as somebody:
        await somebody.sign_in()
        for path in PATHS:
            assert "There is nothing here" in await html(somebody, path, 404)
        assert "/operator" not in await html(somebody, "/")


async def test_the_operator_finds_the_way_there(operator: Trader) -> None:
    assert 'href="/operator"' in await html(operator, "/")


async def test_today_counts_orders_and_premiums(office: TestWorld, operator: Trader) -> None:
    premium = await office.db.pool.fetchval(
        "select premium_amount from purchase_orders where paid_at is not null"
    )
    said = words(await html(operator, "/operator"))
    assert f"{premium / USDC:,.2f} USDC premiums received" in said.replace("0000 USDC", "00 USDC")
    assert "Orders made 3 Orders paid 1 Orders cancelled 1" in said


async def test_pool_and_open_cover_are_what_the_ledger_has(office: TestWorld, operator: Trader) -> None:
    payouts = await office.db.pool.fetch(
        "select payout_amount from purchase_orders where status in ('DRAFT', 'ACTIVE')"
    )
    locked = sum(row["payout_amount"] for row in payouts)
    said = words(await html(operator, "/operator"))
    assert f"{usd(CAPITAL - locked)} USDC free for new cover".replace(",", "") in said.replace(",", "")
    assert f"Locked: {usd(locked)} of {usd(CAPITAL)} USDC".replace(",", "") in said.replace(",", "")
    assert "Orders covered 1" in said
    assert "In suspense 13.00 Refunds due 5.00" in said


async def test_breaks_and_the_last_run_are_summed_up(operator: Trader) -> None:
    page = await html(operator, "/operator")
    run = (await operator.call("GET", "/api/admin/reconciliation"))["run"]
    assert "Open breaks: 2" in words(page)
    assert "Money in suspense 2" in words(page)
    assert "<code>liqpass suspense list</code> says what may be done" in page
    assert f'title="{run["sha256"]}"' in page
    assert "the same" in words(page)


async def test_a_broken_rule_of_the_books_is_said_with_what_it_means(
    office: TestWorld, operator: Trader
) -> None:
    rules = await office.db.pool.fetchval("select count(*) from book_checks")
    assert f"{rules} of {len(INVARIANTS)} hold" in words(await html(operator, "/operator"))
    broken = "update book_checks set broken = {}, findings = '{}' where name = '{}'"
    told = '[{"subject": "TREASURY", "said": "one too many"}]'
    for name, meaning in (
        ("balances_are_sums", "An account's balance is not the sum of its transfers."),
        ("settling_goes_on", ""),
    ):
        await office.db.pool.execute(broken.format(1, told, name))
        page = await html(operator, "/operator")
        said = words(page)
        state = "broken" if name == "balances_are_sums" else "does not get on"
        assert f"{state} {name} : 1. {meaning}" in said
        assert ("Rules of the books broken" in said) is (name == "balances_are_sums")
        assert f'<span class="state good">{len(INVARIANTS) - 1} of {len(INVARIANTS)} hold' not in page
        await office.db.pool.execute(broken.format(0, "[]", name))


async def test_the_watcher_and_the_exchange_are_watched(office: TestWorld, operator: Trader) -> None:
    said = words(await html(operator, "/operator"))
    assert "Watcher keeps up" in said
    assert f"Latest block {await office.chain.block_number():,}" in said
    assert "Keys kept 3 On hold 0" in said
    await office.db.pool.execute("update chain_cursors set halted = 'what was final is not'")
    await office.db.pool.execute("update api_accounts set held_at = now(), held_reason = 'it can trade'")
    said = words(await html(operator, "/operator"))
    assert "Watcher halted" in said
    assert "what was final is not" in said
    assert "Keys on hold: 3" in said
    assert "Overdue" not in said
    await office.db.pool.execute("update api_accounts set checked_at = checked_at - interval '13 hours'")
    assert "Oldest check of a key 13 hours ago Overdue" in words(await html(operator, "/operator"))
    await office.db.pool.execute("update api_accounts set held_at = null, held_reason = null")
    assert "Key checks are overdue" in words(await html(operator, "/operator"))
    await office.db.pool.execute("update api_accounts set checked_at = checked_at + interval '13 hours'")
    await office.db.pool.execute("update chain_cursors set halted = null")


async def test_what_nobody_looked_at_for_long_is_not_called_good(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with new_office(server_url, template, tmp_path_factory.mktemp("idle")) as (world, somebody):
        await world.work()
        await run_once(world)
        said = words(await html(somebody, "/operator"))
        assert "Books hold No open breaks No claim waits Nothing in suspense" in said
        assert "Overdue" not in said
        world.clock.advance(hours=2, seconds=2)
        said = words(await html(somebody, "/operator"))
    assert "Books: look again Reconciliation is overdue No claim waits Nothing in suspense" in said
    assert "checked 2 hours ago Overdue" in said
    assert re.search(r"Last run: \d+, .* \(2 hours ago\) Overdue", said)


async def test_errors_of_the_exchange_are_counted_by_code(office: TestWorld, operator: Trader) -> None:
    async with newcomer(office) as somebody:
        office.exchange.faults.fail("51030")
        await somebody.refusal("GET", "/api/okx/positions", apiAccountId=somebody.account)
        office.exchange.faults.heal()
    assert re.search(
        r"Errors since this process began .*\b51030 \d", words(await html(operator, "/operator"))
    )


async def test_the_chart_has_a_table_and_says_its_sum(operator: Trader) -> None:
    page = await html(operator, "/operator")
    label = re.search(r'class="chart" role="img" aria-label="([^"]*)"', page)
    assert label is not None
    assert "All: Covered 1; Waiting for payment 1; Cancelled 1. Most on one day: 3" in label[1]
    rows = re.findall(r'<tr><th scope="row">(\d{4}-\d\d-\d\d)</th>(.*?)</tr>', page)
    assert len(rows) == 30
    assert re.findall(r">(\d+)<", rows[0][1]) == ["1", "0", "0", "1", "1", "3"]


async def test_an_overview_of_nothing_can_be_shown(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with new_office(server_url, template, tmp_path_factory.mktemp("new")) as (_, somebody):
        said = words(await html(somebody, "/operator"))
    assert "There was no run yet" in said
    assert "Not checked yet" in said
    assert "Nothing is to be paid out" in said


async def test_suspense_has_the_commands_that_the_api_gives(operator: Trader) -> None:
    page = await html(operator, "/operator/suspense")
    items = (await operator.call("GET", "/api/admin/treasury/suspense"))["items"]
    assert len(items) == 2
    for item in items:
        assert all(f'data-copy="{step}"' in page for step in item["nextSteps"])
        assert f'href="https://explorer.example/tx/{item["key"].partition(":")[0]}"' in page
        assert f'title="{item["sender"]}"' in page
    assert "Ready for a Safe batch: 1, together 5.00 USDC." in words(page)


async def test_a_break_of_suspense_leads_to_where_its_commands_stand(operator: Trader) -> None:
    assert '<a href="/operator/suspense">Say whose it is</a>' in await html(operator, "/operator/breaks")


async def test_breaks_come_by_type_and_then_by_age_in_pages(office: TestWorld, operator: Trader) -> None:
    """Thirty more, made by hand; each page goes on where the one before it ended."""
    await office.db.pool.execute("""
        insert into reconciliation_breaks
            (type, subject, accounts, expected, found, said, first_run, last_run, opened_at)
        select (array['ORDER_STUCK', 'BALANCE_DIFFERS']::break_type[])[1 + n % 2], 'made ' || n, '{TREASURY}',
            0, n, 'it is <off>', r.id, r.id, r.finished_at - make_interval(mins => n)
        from generate_series(1, 30) n, (select * from reconciliation_runs order by id desc limit 1) r
    """)
    await office.db.pool.execute("""
        update reconciliation_breaks set closed_at = opened_at, closed_by = 'ada', close_reason = 'a drill'
        where subject = 'made 30'
    """)
    query = "select id from reconciliation_breaks where closed_at is null or {} order by type, opened_at, id"
    for closed_too in (False, True):
        wanted = [str(row["id"]) for row in await office.db.pool.fetch(query.format(closed_too))]
        path, found = f"/operator/breaks{'?all=1' if closed_too else ''}", []
        while path:
            page = await html(operator, path)
            assert "<off>" not in page
            found += re.findall(r'data-break="(\d+)"', page)
            assert ("a drill" in page) <= closed_too
            onward = re.search(r'rel="next" href="([^"]*)"', page)
            path = unescape(onward[1]) if onward else ""
        assert found == wanted
    assert await html(operator, "/operator/breaks?after=many", 400)
    assert "There are no more breaks" in await html(operator, "/operator/breaks?after=999999")


async def test_the_pages_stand_in_chinese_too(operator: Trader) -> None:
    for path in ("/operator", "/operator/breaks", "/operator/suspense"):
        headers = {**PAGE, "accept-language": "zh-CN"}
        async with operator.http.get(operator.api + path, headers=headers) as said:
            assert said.status == 200
            assert '<html lang="zh-Hans"' in await said.text()


async def test_the_chart_is_counted_anew_after_a_minute(office: TestWorld, operator: Trader) -> None:
    """And says how old it is until then."""
    assert "Counted 0 seconds ago." in words(await html(operator, "/operator"))
    async with newcomer(office) as late:
        await late.order()
        assert "Waiting for payment 1" in words(await html(operator, "/operator"))
        office.clock.advance(seconds=59)
        assert "Counted 59 seconds ago." in words(await html(operator, "/operator"))
        office.clock.advance(seconds=1)
        said = words(await html(operator, "/operator"))
    assert "Counted 0 seconds ago." in said
    assert "Waiting for payment 2" in said
