"""Limits, stops and what claims weigh, through HTTP and the commands, in one running product."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from liqpass.claims.states import ClaimStatus
from liqpass.exposure.limits import SHARE, Direction, Scope
from liqpass.exposure.reading import shown
from liqpass.hexes import checksum
from liqpass.money import usd
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.chain import USDC
from liqpass.sandbox.okx_control import key_json
from liqpass.sandbox.trader import Refused, Trader
from tests.claims.claimed import approve, claim_of, covered, move, step
from tests.commands.forked import liqpass
from tests.conftest import in_database
from tests.exposure.shares import share
from tests.flows.newcomers import INST, SLOT, Newcomer, new_wallet, newcomer, shared_world
from tests.flows.test_admin import answer
from tests.outages.conftest import metric
from tests.world import CAPITAL, SKU, TestWorld

ADMIN = wallet("an admin")
SAID = ("--by", "Ada", "--reason", "a test")
BEGAN = {
    Scope.DIRECTION: 2_500,
    Scope.INSTRUMENT: 2_000,
    Scope.ACCOUNT: 500,
    Scope.WALLET: 500,
    Scope.CLAIMS: 500,
}


@pytest.fixture(scope="module")
async def town(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestWorld]:
    async with shared_world(
        server_url,
        template,
        tmp_path_factory.mktemp("town"),
        LIQPASS_ADMIN_WALLETS=checksum(ADMIN.address),
    ) as world:
        yield world


@pytest.fixture
async def world(town: TestWorld) -> AsyncIterator[TestWorld]:
    """The limits as they are to begin with, before and after."""
    await town.read_market()
    yield town
    for scope, bps in BEGAN.items():
        await share(town.db, scope, bps)


@pytest.fixture
async def alice(world: TestWorld) -> AsyncIterator[Newcomer]:
    async with newcomer(world) as somebody:
        yield somebody


async def refused(somebody: Newcomer, sku: str = SKU) -> dict[str, Any]:
    """The problem with which an order is refused; its binding stays."""
    with pytest.raises(Refused) as found:
        await somebody.order(sku)
    assert found.value.status == 409
    return found.value.body


async def quote(somebody: Newcomer, sku: str = SKU) -> dict[str, Any]:
    told = await somebody.trader.call("GET", "/api/insurance/quotes", apiAccountId=somebody.account)
    found: dict[str, Any] = next(one for one in told["positions"][0]["quotes"] if one["sku"] == sku)
    return found


@pytest.fixture(scope="module")
async def url(town: TestWorld, server_url: str) -> str:
    """Where its database is, for commands."""
    return in_database(server_url, await town.db.pool.fetchval("select current_database()"))


async def command(url: str, *arguments: str) -> str:
    """What a command of `liqpass pool` says; it needs the database alone."""
    done = await liqpass("pool", *arguments, env={"DATABASE_URL": url})
    assert (done.status, done.err) == (0, ""), done
    return done.out


async def listed_anew(world: TestWorld, somebody: Newcomer) -> None:
    """Its positions as they are a moment later."""
    world.clock.advance(seconds=1)
    await somebody.trader.positions(somebody.account)


async def room_of(world: TestWorld, scope: Scope, key: str | None) -> int:
    """What the limit leaves for that key; None: for one that has nothing."""
    found = await world.db.run(lambda conn: shown(conn, world.clock(), largest=1_000))
    sums = [one.room for one in found.sums if (one.scope, one.key) == (scope, key)]
    return sums[0] if sums else found.limit(scope).most


@pytest.mark.parametrize(
    ("scope", "key", "whose"),
    [
        (Scope.DIRECTION, "long", "covers of longs have room"),
        (Scope.INSTRUMENT, INST, f"covers of {INST} have room"),
        (Scope.ACCOUNT, None, "covers of this exchange account, with its sub-accounts, have room"),
        (Scope.WALLET, None, "covers of this wallet have room"),
    ],
)
async def test_a_refusal_and_a_quote_say_which_limit_it_is_and_how_much_room_it_has(
    world: TestWorld, alice: Newcomer, scope: Scope, key: str | None, whose: str
) -> None:
    payout = int((await quote(alice))["payoutAmount"])
    has = await world.db.pool.fetchval(
        "select coalesce(max(open_sum), 0) from exposures where (scope, key) = ($1, $2)", scope, key or ""
    )
    await share(world.db, scope, bps := (has + payout - 1) * SHARE // CAPITAL)
    room = await room_of(world, scope, key)
    assert 0 < room < payout
    body = await refused(alice)
    assert (body["code"], body["limit"], body["room"]) == ("CAPACITY_EXHAUSTED", scope, str(room))
    assert f"pays {usd(payout)} USDC, and at present {whose} for {usd(room)} USDC" in body["detail"]
    assert f"{bps / 100:g} % of the pool" in body["detail"]
    assert body["fits"] == []
    said = await quote(alice)
    assert (said["reasonCode"], said["payoutAmount"]) == ("CAPACITY_EXHAUSTED", None)
    assert said["reasonValues"] == {"limit": scope, "roomUsd": usd(room), "freeUsd": usd(room)}
    await share(world.db, scope, SHARE)
    assert (await alice.order())["status"] == "DRAFT"


async def test_of_a_payout_above_a_limit_itself_a_smaller_cover_is_named_that_can_be_bought(
    world: TestWorld, alice: Newcomer
) -> None:
    """The thirty days pay 1,000 at most, the day 2,000; one account may have 1,500."""
    world.exchange.books.open_position(alice.okx.uid, INST, contracts=55, lever=10)
    await listed_anew(world, alice)
    await share(world.db, Scope.ACCOUNT, 15)
    body = await refused(alice)
    assert (body["limit"], body["room"]) == ("ACCOUNT", str(1_500 * USDC))
    (fits,) = body["fits"]
    assert (fits["sku"], fits["payoutAmount"]) == ("LIQPASS_30D", str(1_000 * USDC))
    assert "LIQPASS_30D (pays 1000.00 USDC)" in body["detail"]
    assert (await alice.order(fits["sku"]))["payoutAmount"] == fits["payoutAmount"]


async def test_both_sides_of_an_account_in_hedge_mode_count_for_it_and_each_for_its_own_direction(
    world: TestWorld, alice: Newcomer
) -> None:
    world.exchange.books.open_position(alice.okx.uid, INST, side="short", contracts=5, lever=10)
    await listed_anew(world, alice)
    shorts = await room_of(world, Scope.DIRECTION, "short")
    long = int((await alice.order())["payoutAmount"])
    bound = await alice.bind(posSide="short")
    short = int((await alice.trader.create_order(bound["bindId"]))["payoutAmount"])
    assert await room_of(world, Scope.DIRECTION, "short") == shorts - short
    assert await room_of(world, Scope.ACCOUNT, alice.okx.uid) == CAPITAL // 20 - long - short


async def test_sub_accounts_in_the_hands_of_several_wallets_are_one_account(
    world: TestWorld, alice: Newcomer
) -> None:
    books = world.exchange.books
    sub = books.add_account(main_uid=alice.okx.uid)
    books.open_position(sub.uid, INST, contracts=5, lever=10)
    payout = int((await alice.order())["payoutAmount"])
    await share(world.db, Scope.ACCOUNT, (2 * payout - 1) * SHARE // CAPITAL)
    async with Trader(world.api, await new_wallet(world)) as trader:
        await trader.sign_in()
        account = await trader.add_key(key_json(books, books.add_key(sub.uid)))
        await trader.positions(account)
        with pytest.raises(Refused) as found:
            await trader.create_order((await trader.bind(account, SLOT, SKU))["bindId"])
    assert (found.value.code, found.value.body["limit"]) == ("CAPACITY_EXHAUSTED", "ACCOUNT")


async def test_a_direction_that_an_operator_stops_is_not_sold_until_it_is_resumed(
    world: TestWorld, alice: Newcomer, url: str
) -> None:
    order = await alice.order()
    async with newcomer(world) as bob:
        said = await command(url, "stop", "long", *SAID)
        assert "no cover of longs is sold" in said
        body = await refused(bob)
        assert (body["code"], body["direction"], body["until"]) == ("SALE_STOPPED", "long", None)
        assert body["detail"] == "No cover of longs is sold until further notice: the operator stopped it."
        told = await quote(bob)
        assert (told["reasonCode"], told["reasonValues"]) == (
            "SALE_STOPPED",
            {"direction": "long", "until": ""},
        )
        assert (await alice.order())["purchaseOrderId"] == order["purchaseOrderId"]  # what is sold stays
        shown_there = await command(url, "limits")
        assert "No cover of longs is sold until somebody resumes: a test (Ada, " in shown_there
        assert "Ended: a test (Ada)." in await command(url, "resume", "long", *SAID)
        assert (await bob.order())["status"] == "DRAFT"
    again = await liqpass("pool", "resume", "long", *SAID, env={"DATABASE_URL": url})
    assert again.status != 0
    assert "Covers of longs are sold: there is nothing to resume." in again.err


async def test_what_a_claim_weighs_follows_what_is_known_of_it(world: TestWorld, alice: Newcomer) -> None:
    """Whole while it is undecided, nothing where it is not covered, whole again when more has happened, then
    what is owed; an objection makes nothing more likely. The stop that it makes begins and ends with it."""
    await world.pass_time(hours=1)  # operators' commands in these tests are of the machine's own time
    order = await covered(world, alice)
    payout = int(order["payoutAmount"])
    share_of_it = (payout - 1) * SHARE // CAPITAL
    await share(world.db, Scope.CLAIMS, share_of_it)

    async def weighs() -> int | None:
        ref = bytes.fromhex(order["purchaseOrderId"][2:])
        found: int | None = await world.db.pool.fetchval(
            "select claimed from order_risks where purchase_order_id = $1", ref
        )
        return found

    async def stopped() -> bool:
        await step(world, "watch claims")
        found = await world.db.run(lambda conn: shown(conn, world.clock()))
        return [stop.direction for stop in found.stops] == [Direction.LONG]

    assert (await weighs(), await stopped()) == (None, False)
    claim = await claim_of(world, order)
    assert (await weighs(), await stopped()) == (payout, True)
    await move(world, claim, ClaimStatus.GATHERING, ClaimStatus.NOT_COVERED)
    assert (await weighs(), await stopped()) == (0, False)
    await move(world, claim, ClaimStatus.IN_REVIEW)
    assert (await weighs(), await stopped()) == (0, False)
    await move(world, claim, ClaimStatus.GATHERING)
    assert (await weighs(), await stopped()) == (payout, True)
    await move(world, claim, ClaimStatus.PAYABLE, amount=2 * USDC)
    assert (await weighs(), await stopped()) == (2 * USDC, False)
    stood = await room_of(world, Scope.ACCOUNT, alice.okx.uid)
    await approve(world, claim, 2 * USDC)
    assert (await weighs(), await stopped()) == (2 * USDC, False)
    assert await room_of(world, Scope.ACCOUNT, alice.okx.uid) == stood + 2 * USDC - 2 * USDC // 20


async def test_operators_see_exposure_in_the_api_the_metrics_and_the_remarks(
    world: TestWorld, alice: Newcomer, url: str
) -> None:
    await alice.order()
    assert (await answer(alice.trader, "GET", "/api/admin/exposure/"))[0] == 404
    async with Trader(world.api, ADMIN) as admin:
        await admin.sign_in()
        told = await admin.call("GET", "/api/admin/exposure/")
    assert {one["scope"]: one["shareBps"] for one in told["limits"]} == BEGAN
    longs = next(one for one in told["sums"] if (one["scope"], one["key"]) == ("DIRECTION", "long"))
    assert int(longs["openSum"]) + int(longs["room"]) == int(longs["most"]) == int(told["pool"]) // 4
    await share(world.db, Scope.DIRECTION, 0)
    world.clock.advance(seconds=16)
    told_of = 'liqpass_exposure_micro_usdc{key="long",scope="DIRECTION"}'
    assert await metric(world, told_of) == int(longs["openSum"])
    assert await metric(world, 'liqpass_sale_stopped{direction="long"}') == 0
    assert await metric(world, 'liqpass_exposure_most_micro_usdc{scope="WALLET"}') == int(told["pool"]) // 20
    ready = await alice.trader.call("GET", "/readyz")
    assert any(said.startswith("Covers of longs are sold out: ") for said in ready["remarks"])


async def test_a_limit_is_changed_by_name_and_reason_and_shown_with_them(world: TestWorld, url: str) -> None:
    said = await command(
        url, "limits", "set", "account", "2.5", "--by", "Ada", "--reason", "fewer large ones"
    )
    assert said.startswith("account: 2.5 % of the pool, ")
    assert "it was 5 %." in said
    assert "2.5 % of the pool, by Ada: fewer large ones" in await command(url, "limits")
    told = json.loads(await command(url, "limits", "--format", "json"))
    limit = next(one for one in told["limits"] if one["scope"] == "ACCOUNT")
    assert (limit["shareBps"], limit["changedBy"], limit["reason"]) == (250, "Ada", "fewer large ones")
    for wrong in ("101", "-1", "2.505", "many"):
        done = await liqpass(
            "pool", "limits", "set", "account", *SAID, "--", wrong, env={"DATABASE_URL": url}
        )
        assert done.status == 2
        assert "0 to 100 percent of the pool" in done.err
    done = await liqpass("pool", "limits", "set", "house", "5", *SAID, env={"DATABASE_URL": url})
    assert "it is one of direction, instrument, account, wallet, claims" in done.err
