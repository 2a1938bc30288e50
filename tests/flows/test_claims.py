"""Claims from the position to the payout, through the sandbox exchange and HTTP: what a trader does after
binding gains nothing, and what stands in a claim's way is told and overcome."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from liqpass.claims.opening import open_for
from liqpass.claims.states import Opener
from liqpass.hexes import checksum
from liqpass.ids import RANDOM_BYTES
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.okx_accounts import Books
from liqpass.sandbox.okx_control import key_json
from liqpass.sandbox.trader import Trader
from liqpass.treasury import disbursements
from tests.flows.newcomers import INST, Newcomer, newcomer, shared_world
from tests.world import SKU, TestWorld

CLAIMS = "/api/insurance/claims"
MARK = 60_000


@pytest.fixture(scope="module")
async def town(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestWorld]:
    """The running product, shared by the tests of this file, with an operator."""
    owner = checksum(wallet("checkout owner").address)
    folder = tmp_path_factory.mktemp("claims")
    async with shared_world(server_url, template, folder, LIQPASS_ADMIN_WALLETS=owner) as world:
        yield world


@pytest.fixture
async def world(town: TestWorld) -> TestWorld:
    """At the price at which everything was opened; nothing of the exchange fails."""
    town.exchange.faults.heal()
    town.exchange.books.move_mark(INST, MARK)
    return town


@pytest.fixture
async def operator(town: TestWorld) -> AsyncIterator[Trader]:
    async with Trader(town.api, town.chain.owner) as somebody:
        await somebody.sign_in()
        yield somebody


@dataclass
class Covered:
    """Somebody whose cover runs; `order` as it was answered when it was made."""

    world: TestWorld
    who: Newcomer
    order: dict[str, Any]

    @property
    def order_id(self) -> str:
        return str(self.order["purchaseOrderId"])

    @property
    def books(self) -> Books:
        return self.world.exchange.books

    async def claims(self) -> list[dict[str, Any]]:
        """Of this order."""
        listed = (await self.who.trader.call("GET", CLAIMS))["claims"]
        return [claim for claim in listed if claim["purchaseOrderId"] == self.order_id]

    async def claim(self) -> dict[str, Any]:
        (claim,) = await self.claims()
        return claim

    async def owed(self) -> int:
        """Micro-USDC; 0 where there is no claim, or nothing is owed."""
        return sum(int(claim["amount"] or 0) for claim in await self.claims())

    async def received(self) -> int:
        """Micro-USDC in the wallet, beside what it had."""
        return await self.world.chain.usdc_balance(self.who.trader.wallet.address)


async def covered(world: TestWorld, who: Newcomer, sku: str = SKU) -> Covered:
    """Ordered and paid, and the cover has begun."""
    order = await who.order(sku)
    await who.trader.pay(world.chain, order)
    await world.confirm()
    shown = await who.trader.order(order["purchaseOrderId"])
    await later(
        world, datetime.fromisoformat(shown["coverageStartAt"]) - world.clock() + timedelta(seconds=5)
    )
    return Covered(world, who, order)


async def later(world: TestWorld, by: timedelta = timedelta(minutes=6)) -> None:
    """Time passes, and the workers do what is to be done."""
    await world.pass_time(seconds=by.total_seconds())
    await world.work(2)


async def two_covered(world: TestWorld, stack: AsyncExitStack) -> tuple[Covered, Covered]:
    """Twins: the same position at the same price."""
    both = [await stack.enter_async_context(newcomer(world)) for _ in range(2)]
    first = await covered(world, both[0])
    return first, await covered(world, both[1])


# What is changed after binding --------------------------------------------------------------------------


def more_leverage(books: Books, uid: str) -> None:
    books.set_leverage(uid, INST, 20)


def less_margin(books: Books, uid: str) -> None:
    books.remove_margin(uid, INST, 100)


def more_contracts(books: Books, uid: str) -> None:
    books.open_position(uid, INST, contracts=5, lever=50)


def another_one_in_the_slot(books: Books, uid: str) -> None:
    books.close_position(uid, INST)
    books.open_position(uid, INST, contracts=5, lever=10)


NEARER = [more_leverage, less_margin, more_contracts]


@pytest.mark.parametrize("change", NEARER, ids=lambda change: change.__name__)
async def test_what_brings_liquidation_nearer_after_binding_gains_nothing(
    world: TestWorld, change: Callable[[Books, str], None]
) -> None:
    async with AsyncExitStack() as stack:
        changed, twin = await two_covered(world, stack)
        change(world.exchange.books, changed.who.okx.uid)
        await later(world)
        (position,) = await changed.who.trader.positions(changed.who.account)
        (as_it_was,) = await twin.who.trader.positions(twin.who.account)
        nearer = Decimal(position["liqPx"])
        assert nearer > Decimal(as_it_was["liqPx"])
        world.exchange.books.move_mark(INST, nearer - 1)  # far from where the twin would be liquidated
        await later(world)
        claim = await changed.claim()
        assert (claim["status"], claim["reasonCode"]) == ("NOT_COVERED", "SHORT_OF_PRICE")
        assert (await changed.owed(), await twin.claims()) == (0, [])

        world.exchange.books.move_mark(INST, Decimal(as_it_was["liqPx"]) - 1)
        await later(world)
        assert (await twin.claim())["status"] == "PAYABLE"
        assert await twin.owed() == int(twin.order["payoutAmount"])
        assert await changed.owed() == 0


async def test_another_position_in_the_slot_with_the_same_pos_id_gains_nothing(world: TestWorld) -> None:
    async with AsyncExitStack() as stack:
        changed, twin = await two_covered(world, stack)
        (before,) = await changed.who.trader.positions(changed.who.account)
        world.clock.advance(seconds=1)
        another_one_in_the_slot(world.exchange.books, changed.who.okx.uid)
        (after,) = await changed.who.trader.positions(changed.who.account)
        assert (after["posId"], after["liqPx"]) == (before["posId"], before["liqPx"])
        await later(world)
        world.exchange.books.move_mark(INST, Decimal(before["liqPx"]) - 1)
        await later(world)
        claim = await changed.claim()
        assert (claim["status"], claim["reasonCode"]) == ("NOT_COVERED", "CLOSED_BY_OWNER")
        assert await twin.owed() == int(twin.order["payoutAmount"])


# What shows it ------------------------------------------------------------------------------------------


async def test_a_key_that_is_gone_stops_nothing_that_another_key_of_the_account_shows(
    world: TestWorld,
) -> None:
    async with newcomer(world) as alice:
        mine, books = await covered(world, alice), world.exchange.books
        await alice.trader.add_key(key_json(books, books.add_key(alice.okx.uid)))
        books.delete_key(str(alice.key["apiKey"]))
        books.liquidate(alice.okx.uid, INST)
        await later(world)
        assert (await mine.claim())["status"] == "PAYABLE"
        assert await mine.owed() == int(mine.order["payoutAmount"])


async def test_a_claim_whose_only_key_is_gone_waits_for_a_new_one_and_says_so(world: TestWorld) -> None:
    async with newcomer(world) as alice:
        mine, books = await covered(world, alice), world.exchange.books
        books.delete_key(str(alice.key["apiKey"]))
        books.liquidate(alice.okx.uid, INST)
        await later(world)
        assert await mine.claims() == [], "nobody can see it"
        asked = await alice.trader.call("POST", CLAIMS, {"purchaseOrderId": mine.order_id})
        assert asked["openedBy"] == "TRADER"
        await later(world)
        claim = await mine.claim()
        assert claim["status"] == "GATHERING"
        assert claim["trouble"]
        await alice.trader.add_key(key_json(books, books.add_key(alice.okx.uid)))
        await later(world)
        assert (await mine.claim())["status"] == "PAYABLE"
        assert await mine.owed() == int(mine.order["payoutAmount"])


# Who opens it -------------------------------------------------------------------------------------------


async def test_watcher_trader_and_operator_open_one_claim_however_often(world: TestWorld) -> None:
    async with newcomer(world) as alice:
        mine = await covered(world, alice)
        world.exchange.books.liquidate(alice.okx.uid, INST)
        await later(world)
        assert (await mine.claim())["openedBy"] == "WATCHER"
        claim_id = (await mine.claim())["claimId"]
        for _ in range(2):
            again = await alice.trader.call("POST", CLAIMS, {"purchaseOrderId": mine.order_id})
            assert again["claimId"] == claim_id
            opened = await world.db.run(
                lambda conn: open_for(
                    conn,
                    world.clock(),
                    bytes(RANDOM_BYTES),
                    bytes.fromhex(mine.order_id[2:]),
                    by=Opener.OPERATOR,
                    by_name="Ada",
                )
            )
            assert str(opened.id) == claim_id
            await later(world)
        claim = await mine.claim()
        assert [event["toStatus"] for event in claim["history"]].count("OPEN") == 1
        assert claim["openedBy"] == "WATCHER"


# The payout ---------------------------------------------------------------------------------------------


async def approved(world: TestWorld, operator: Trader, mine: Covered) -> dict[str, Any]:
    """What an operator does with what is payable."""
    claim = await mine.claim()
    assert claim["status"] == "PAYABLE"
    body = {"reason": "shown", "amount": claim["amount"]}
    await operator.call("POST", f"/api/admin/claims/{claim['claimId']}/approve", body)
    return await mine.claim()


async def batched(world: TestWorld) -> disbursements.Batch:
    """The next batch file."""
    of = world.of
    return await disbursements.make_batch(world.db, of.nodes, of.settings.chain, world.clock(), again=False)


async def executed(world: TestWorld, batch: disbursements.Batch) -> None:
    """The Safe sends what is in it, and the chain shows it."""
    for one in batch.included:
        await world.chain.transfer(world.chain.treasury_wallet, one.recipient, one.amount)
    await world.confirm()


async def test_a_recipient_whom_usdc_refuses_is_held_and_told_and_paid_when_usdc_takes_it(
    world: TestWorld, operator: Trader
) -> None:
    async with newcomer(world) as alice:
        mine, address = await covered(world, alice), alice.trader.wallet.address
        had = await mine.received()
        world.exchange.books.liquidate(alice.okx.uid, INST)
        await world.chain.blacklist(address)
        await later(world)
        await approved(world, operator, mine)
        await later(world)
        assert (await mine.claim())["heldCode"] == "RECIPIENT_BLACKLISTED", "told before any batch"
        batch = await batched(world)
        assert (batch.included, [one.recipient for one in batch.held_back]) == ([], [address])
        await later(world)
        assert (await mine.claim())["status"] == "APPROVED"

        await world.chain.unblacklist(address)
        await later(world)
        assert (await mine.claim())["heldCode"] is None
        batch = await batched(world)
        await later(world)
        assert (await mine.claim())["status"] == "BATCHED"
        await executed(world, batch)
        claim = await mine.claim()
        assert claim["status"] == "PAID"
        assert claim["payTxHash"]
        assert await mine.received() - had == int(mine.order["payoutAmount"])


async def test_two_claims_of_one_wallet_with_one_amount_are_two_transfers(
    world: TestWorld, operator: Trader
) -> None:
    async with newcomer(world) as alice:
        first, books = await covered(world, alice), world.exchange.books
        other = books.add_account()
        books.open_position(other.uid, INST, contracts=5, lever=10)
        account = await alice.trader.add_key(key_json(books, books.add_key(other.uid)))
        await alice.trader.positions(account)
        second = await covered(world, Newcomer(alice.trader, other, {}, account))
        assert first.order["payoutAmount"] == second.order["payoutAmount"]
        had = await first.received()
        for okx in (alice.okx, other):
            books.liquidate(okx.uid, INST)
        await later(world)
        for claimed in (first, second):
            await approved(world, operator, claimed)
        batch = await batched(world)
        assert len(batch.included) == 2
        await world.chain.transfer(
            world.chain.treasury_wallet, batch.included[0].recipient, batch.included[0].amount
        )
        await world.confirm()
        assert sorted([(await one.claim())["status"] for one in (first, second)]) == ["BATCHED", "PAID"]
        await world.chain.transfer(
            world.chain.treasury_wallet, batch.included[1].recipient, batch.included[1].amount
        )
        await world.confirm()
        paid = [await one.claim() for one in (first, second)]
        assert [one["status"] for one in paid] == ["PAID", "PAID"]
        assert len({one["payTxHash"] for one in paid}) == 2
        assert await first.received() - had == 2 * int(first.order["payoutAmount"])


# The capital --------------------------------------------------------------------------------------------


async def test_a_position_is_insured_again_at_once_though_the_capital_of_its_cover_is_still_held(
    world: TestWorld,
) -> None:
    async with newcomer(world) as alice:
        mine = await covered(world, alice)
        shown = await alice.trader.order(mine.order_id)
        world.exchange.faults.html(path="/account/positions", region="global")  # nobody sees that it lives
        end = datetime.fromisoformat(shown["coverageEndAt"])
        await later(world, end - world.clock() + timedelta(seconds=60))
        await world.chain.mine(world.chain.slots_in_an_epoch)
        await world.work(2)
        assert await alice.status(mine.order) == "EXPIRED"
        held = "select settled_at is null from watched_covers where purchase_order_id = $1"
        ref = bytes.fromhex(mine.order_id[2:])
        assert await world.db.pool.fetchval(held, ref), "a liquidation inside it may be unknown"
        world.exchange.faults.heal()
        await alice.trader.sign_in()
        await alice.trader.positions(alice.account)
        again = Covered(world, alice, await alice.order())
        assert again.order_id != mine.order_id
        assert await world.db.pool.fetchval(held, ref)
        await later(world)
        assert not await world.db.pool.fetchval(held, ref), "a reading after the end shows it alive"
        assert await mine.claims() == []
