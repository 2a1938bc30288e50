"""A backup of an hour ago is restored, while chain, exchange and people went on: nothing of theirs is lost or
paid twice, nothing lives again that ended, and what nobody can know any more is named."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from liqpass.backups.dumping import take
from liqpass.backups.holding import findings
from liqpass.backups.restoring import restore
from liqpass.db import Database
from liqpass.hexes import checksum
from liqpass.problems import Problem
from liqpass.reconcile import documents
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.chain import USDC
from liqpass.sandbox.trader import Refused, Trader
from liqpass.treasury import disbursements, suspense
from liqpass.treasury.before_batches import settle_restore
from liqpass.treasury.records import Suspended
from tests.backups.drill import (
    Cover,
    approve,
    batch_file,
    broken_rules,
    covered,
    later,
    liquidated,
    paid_by,
    received,
    refund,
    restored_world,
    sign,
)
from tests.clock import SettableClock
from tests.flows.newcomers import Newcomer, new_wallet, newcomer, refusal_of
from tests.reconcile.hands import found, last_run, run_once
from tests.world import TestWorld, running_world

STRAY = 9 * USDC
OPERATOR = wallet("checkout owner")


@dataclass
class Before:
    """Who was there when the backup was made: `approved` had a claim that waited for its batch, `unpaid` an
    order that was not paid yet, `running` a cover, `leaving` a key."""

    approved: Cover
    unpaid: Cover
    running: Cover
    leaving: Newcomer
    stray: bytes
    made: Path
    file: dict[str, Any] = field(default_factory=dict)
    lost: Cover | None = None


@pytest.fixture
async def world(
    database_url: str, db: Database, clock: SettableClock, tmp_path: Path
) -> AsyncIterator[TestWorld]:
    admin = checksum(OPERATOR.address)
    async with running_world(db, clock, tmp_path, LIQPASS_ADMIN_WALLETS=admin) as running:
        yield running


async def before(world: TestWorld, url: str, folder: Path, stack: AsyncExitStack, operator: Trader) -> Before:
    """All of it, and the backup."""
    alice, bob, carol, dave = [await stack.enter_async_context(newcomer(world)) for _ in range(4)]
    approved, running = await covered(world, alice), await covered(world, carol)
    await liquidated(world, approved)
    await approve(operator, await approved.claim())
    stray = await sent_by_hand(world)
    await world.confirm()
    await bob.trader.positions(bob.account)
    unpaid = Cover(bob, await bob.order())
    await run_once(world)
    made = (await take(url, folder, world.clock(), print)).path
    return Before(approved, unpaid, running, dave, stray, made)


async def an_hour(world: TestWorld, of: Before, stack: AsyncExitStack, operator: Trader) -> None:
    """What happens after the backup, and is lost with the database; the chain keeps its part."""
    await of.unpaid.who.trader.pay(world.chain, of.unpaid.order)
    erin = await stack.enter_async_context(newcomer(world))
    of.lost = await covered(world, erin)
    assert await of.unpaid.who.status(of.unpaid.order) == "ACTIVE"
    await liquidated(world, of.running)
    await approve(operator, await of.running.claim())
    await refund(world, of.stray)
    of.file = await batch_file(world)
    assert len(paid_by(of.file)) == 3
    await sign(world, of.file)
    assert [(await one.claim())["status"] for one in (of.approved, of.running)] == ["PAID", "PAID"]
    await of.leaving.trader.call("DELETE", f"/api/okx/api-accounts/{of.leaving.account}")
    await of.approved.who.trader.call("POST", "/api/auth/logout")
    await run_once(world)
    await later(world, timedelta(hours=1))
    await world.chain.finalize()


async def sent_by_hand(world: TestWorld) -> bytes:
    """Somebody sends USDC to the treasury; the ref of it."""
    receipt = await world.chain.transfer(await new_wallet(world), world.chain.treasury, STRAY)
    log = receipt["logs"][0]
    return bytes.fromhex(log["transactionHash"][2:]) + int(log["logIndex"], 16).to_bytes(4, "big")


async def test_a_backup_of_an_hour_ago_goes_on_where_the_chain_is(
    world: TestWorld, database_url: str, empty_url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        operator = await stack.enter_async_context(Trader(world.api, OPERATOR))
        await operator.sign_in()
        of = await before(world, database_url, tmp_path / "backups", stack, operator)
        await an_hour(world, of, stack, operator)
        made = await restore(empty_url, of.made, world.clock(), print, chain_id=world.chain.chain_id)
        assert all([one.ok async for one in findings(empty_url, made)])
        restored = await stack.enter_async_context(restored_world(world, empty_url))
        await nothing_is_paid_before_the_chain_is_read(restored, of)
        await nothing_lives_again(restored, of)
        await restored.work(3)
        await what_the_chain_shows_is_there(restored, of)
        await what_nobody_knows_any_more_is_named(restored, of)
        await nothing_is_paid_twice(restored, of, stack)


async def nothing_lives_again(world: TestWorld, of: Before) -> None:
    """Whoever was signed in is not, signed out since or not; no key is used, nor the one that was removed."""
    for who in (of.approved.who, of.leaving):
        jar = who.trader.http.cookie_jar
        async with Trader(world.api, who.trader.wallet) as somebody:
            somebody.http.cookie_jar.update_cookies({cookie.key: cookie.value for cookie in jar})
            assert await refusal_of(somebody, "GET", "/api/auth/me") == (401, "NOT_SIGNED_IN")
    async with newcomer(world) as fay:
        bound = (await fay.bind())["bindId"]
        body = {"bindId": bound}
        assert await fay.refusal("POST", "/api/insurance/create-order", body) == (409, "SALE_STOPPED")
    async with Trader(world.api, of.leaving.trader.wallet) as dave:
        await dave.sign_in()
        query = {"apiAccountId": of.leaving.account}
        assert await refusal_of(dave, "GET", "/api/okx/positions", **query) == (409, "API_ACCOUNT_ON_HOLD")
        await later(world, timedelta(hours=7))  # keys are asked about again, and this one not
        with pytest.raises(Refused, match="restored from a backup"):
            await dave.positions(of.leaving.account)


async def nothing_is_paid_before_the_chain_is_read(world: TestWorld, of: Before) -> None:
    """The claim that was approved at the backup is due again, and its transfer is not known yet."""
    chain, now = world.of.settings.chain, world.clock()
    async with world.db.pool.acquire() as conn:
        (due,) = await disbursements.dues(conn, chain)
    assert (due.recipient, due.amount, due.shown) == (of.approved.wallet, of.approved.payout, None)
    with pytest.raises(Problem) as refused:
        await batch_file(world)
    assert refused.value.code == "RESTORE_UNSETTLED"
    with pytest.raises(Problem) as refused:
        await settle_restore(world.db, world.of.nodes, chain, now, by="Ada", reason="a drill")
    assert refused.value.code == "CHAIN_NOT_READ"


async def what_the_chain_shows_is_there(world: TestWorld, of: Before) -> None:
    """The claim is paid by the transfer that paid it; the order that was unpaid then runs."""
    async with Trader(world.api, of.approved.who.trader.wallet) as alice:
        await alice.sign_in()
        assert (await of.approved.claim(alice))["status"] == "PAID"
    async with Trader(world.api, of.unpaid.who.trader.wallet) as bob:
        await bob.sign_in()
        order = await bob.order(of.unpaid.order_id)
        assert order["status"] == "ACTIVE"
    assert await broken_rules(world) == []


async def what_nobody_knows_any_more_is_named(world: TestWorld, of: Before) -> None:
    """The order made since, whose payment waits in suspense; payouts that no due explains."""
    assert of.lost is not None
    async with Trader(world.api, of.lost.who.trader.wallet) as erin:
        await erin.sign_in()
        path = f"/api/insurance/orders/{of.lost.order_id}"
        assert await refusal_of(erin, "GET", path) == (404, "ORDER_NOT_FOUND")
    items = {item.purchase_order_id: item for item in await in_suspense(world)}
    item = items[bytes.fromhex(of.lost.order_id[2:])]
    assert (item.amount, item.outcome) == (int(of.lost.order["premiumAmount"]), "UNKNOWN_ORDER")
    named = await found(world)
    assert {kind for kind, _ in named} == {
        "EVENT_WITHOUT_ORDER",
        "MONEY_IN_SUSPENSE",
        "MONEY_LEFT_UNEXPLAINED",
    }
    assert ("EVENT_WITHOUT_ORDER", of.lost.order_id) in named
    run = await last_run(world)
    assert run["ledger_balance"] == run["chain_balance"], "the ledger has caught up with the treasury"
    async with world.db.one_moment() as conn:
        assert [fault async for fault in documents.verify(conn)] == []


async def nothing_is_paid_twice(world: TestWorld, of: Before, stack: AsyncExitStack) -> None:
    """What was paid since is approved and asked for again, as people do who find it open; no file pays it."""
    chain, now = world.of.settings.chain, world.clock()
    assert len(await settle_restore(world.db, world.of.nodes, chain, now, by="Ada", reason="a drill")) == 1
    assert await batch_file(world) == {}
    operator = await stack.enter_async_context(Trader(world.api, OPERATOR))
    await operator.sign_in()
    carol = await stack.enter_async_context(Trader(world.api, of.running.who.trader.wallet))
    await carol.sign_in()
    await carol.add_key(of.running.who.key)
    await later(world)
    await approve(operator, await of.running.claim(carol))
    await refund(world, of.stray)
    assert await batch_file(world) == {}
    await later(world)
    assert (await of.running.claim(carol))["status"] == "PAID"
    assert of.lost is not None
    assert await found(world) == {("EVENT_WITHOUT_ORDER", of.lost.order_id)}
    for cover in (of.approved, of.running):
        assert await received(world, cover.wallet) == cover.payout
    await the_lost_order_is_paid_back(world, of.lost)


async def the_lost_order_is_paid_back(world: TestWorld, lost: Cover) -> None:
    """Nobody can say any more what was ordered: its premium goes back, and nothing is open."""
    (item,) = await in_suspense(world)
    await refund(world, item.ref)
    file = await batch_file(world)
    assert paid_by(file) == [(checksum(lost.wallet), int(lost.order["premiumAmount"]))]
    await sign(world, file)
    assert await found(world) == set()
    assert await broken_rules(world) == []


async def in_suspense(world: TestWorld) -> list[Suspended]:
    chain = world.of.settings.chain
    return [
        item for item in await world.db.run(lambda conn: suspense.items(conn, chain)) if len(item.ref) == 36
    ]
