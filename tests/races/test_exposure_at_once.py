"""Fifty sessions at the edge of each limit at the same moment: what fits is sold, never a micro-USDC more;
and nobody waits for anybody in a circle."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from liqpass.db import Connection
from liqpass.exposure.limits import Scope
from liqpass.reconcile.invariants import broken
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.okx_control import key_json
from liqpass.sandbox.trader import Trader
from tests.exposure.shares import all_of_it, share
from tests.flows.newcomers import INST, SLOT, new_wallet, shared_world
from tests.races.crowd import CROWD, all_told, counted
from tests.races.test_deadlocks import DEADLOCKS
from tests.world import SKU, TestWorld

FITS = 3
SUM = "select coalesce(max(open_sum), 0) from exposures where scope = $1"
CANCEL = "/api/insurance/cancel"
# One trader with his account there.
Buyer = tuple[Trader, str]


@pytest.fixture(scope="module")
async def town(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestWorld]:
    async with shared_world(server_url, template, tmp_path_factory.mktemp("town")) as world:
        yield world


@pytest.fixture(scope="module")
async def family(town: TestWorld) -> AsyncIterator[list[Buyer]]:
    """Fifty wallets, each with another sub-account of one main account of the exchange."""
    books, found = town.exchange.books, []
    main = books.add_account()
    async with AsyncExitStack() as stack:
        for _ in range(CROWD):
            trader = await stack.enter_async_context(Trader(town.api, await new_wallet(town)))
            await trader.sign_in()
            found.append((trader, await _account(town, trader, main.uid)))
        yield found


@pytest.fixture(scope="module")
async def collector(town: TestWorld) -> AsyncIterator[list[Buyer]]:
    """One wallet with fifty accounts of the exchange that have nothing to do with each other."""
    async with Trader(town.api, wallet("collector")) as trader:
        await trader.sign_in()
        found = []
        for _ in range(CROWD):
            found.append((trader, await _account(town, trader, None)))
            town.clock.advance(minutes=3)  # one wallet hands over a key now and then
        yield found


async def _account(town: TestWorld, trader: Trader, main_uid: str | None) -> str:
    books = town.exchange.books
    okx = books.add_account(main_uid=main_uid)
    books.open_position(okx.uid, INST, contracts=5, lever=10)
    account = await trader.add_key(key_json(books, books.add_key(okx.uid)))
    await trader.positions(account)
    return account


async def _bound(buyers: Sequence[Buyer]) -> list[tuple[Trader, str]]:
    return [(trader, (await trader.bind(account, SLOT, SKU))["bindId"]) for trader, account in buyers]


async def _cancelled(buyers: Sequence[Buyer], answers: Sequence[dict[str, Any] | str]) -> None:
    for (trader, _), answer in zip(buyers, answers, strict=True):
        if isinstance(answer, dict):
            await trader.call("POST", CANCEL, {"purchaseOrderId": answer["purchaseOrderId"]})


async def _nothing_is_broken(world: TestWorld) -> None:
    async def work(conn: Connection) -> None:
        assert await broken(conn, world.clock()) == []
        assert await conn.fetchval(DEADLOCKS) == 0

    await world.db.run(work)


async def _at_the_edge(town: TestWorld, scope: Scope, buyers: Sequence[Buyer]) -> None:
    """A share that has room for three and a half of these covers; all of them are ordered at once."""
    await town.read_market()
    await all_of_it(town.db)
    bound = await _bound(buyers)
    first = await bound[0][0].create_order(bound[0][1])
    payout = int(first["payoutAmount"])
    pool = await town.db.pool.fetchval(
        "select sum(balance)::bigint from ledger_accounts where id in ('POOL_FREE', 'POOL_LOCKED')"
    )
    await _cancelled(buyers[:1], [first])
    await share(town.db, scope, (FITS * payout + payout // 2) * 10_000 // pool)
    bound = await _bound(buyers[:1]) + bound[1:]
    answers = await all_told(trader.create_order(bind_id) for trader, bind_id in bound)
    assert counted(answers) == {"DRAFT": FITS, "CAPACITY_EXHAUSTED": len(buyers) - FITS}
    assert await town.db.pool.fetchval(SUM, scope) == FITS * payout
    await _cancelled(buyers, answers)
    assert await town.db.pool.fetchval(SUM, scope) == 0
    await _nothing_is_broken(town)


@pytest.mark.parametrize("scope", [Scope.DIRECTION, Scope.INSTRUMENT, Scope.ACCOUNT])
async def test_fifty_wallets_of_one_main_account_at_the_edge(
    town: TestWorld, family: list[Buyer], scope: Scope
) -> None:
    await _at_the_edge(town, scope, family)


async def test_fifty_accounts_of_one_wallet_at_the_edge(town: TestWorld, collector: list[Buyer]) -> None:
    await _at_the_edge(town, Scope.WALLET, collector)


async def test_orders_cancellations_and_limits_that_change_at_the_same_time(
    town: TestWorld, family: list[Buyer], collector: list[Buyer]
) -> None:
    """Some order, some cancel what they have, somebody changes the limit up and down: afterwards as much is
    counted as is open, and no order was taken that passed the limit of its moment."""
    await town.read_market()
    await all_of_it(town.db)
    buyers = family[:20] + collector[:20]
    bound = await _bound(buyers)
    told: Counter[str] = Counter()

    async def trade(number: int) -> None:
        (trader, account), (_, bind_id) = buyers[number], bound[number]
        for _ in range(2):
            (answer,) = await all_told([trader.create_order(bind_id)])
            told.update(counted([answer]))
            if isinstance(answer, dict):
                await trader.call("POST", CANCEL, {"purchaseOrderId": answer["purchaseOrderId"]})
                bind_id = (await trader.bind(account, SLOT, SKU))["bindId"]

    async def change() -> None:
        for bps in (5, 10_000, 8, 10_000, 3, 10_000):
            await share(town.db, Scope.DIRECTION, bps)
            await asyncio.sleep(0.02)

    await asyncio.gather(*(trade(number) for number in range(len(buyers))), change())
    assert set(told) <= {"DRAFT", "CAPACITY_EXHAUSTED"}
    assert told["DRAFT"]
    for scope in (Scope.DIRECTION, Scope.INSTRUMENT, Scope.ACCOUNT, Scope.WALLET):
        assert await town.db.pool.fetchval(SUM, scope) == 0
    await _nothing_is_broken(town)


MADE = """select count(*) as orders, count(distinct xmin::text) as transactions from purchase_orders
    where status = 'DRAFT'"""


async def test_fifty_orders_of_one_moment_are_made_in_a_few_transactions_each_with_an_answer_of_its_own(
    town: TestWorld, family: list[Buyer]
) -> None:
    await town.read_market()
    await all_of_it(town.db)
    bound = await _bound(family)
    answers = await all_told(trader.create_order(bind_id) for trader, bind_id in bound)
    (made,) = await town.db.pool.fetch(MADE)
    assert made["orders"] == len(family) > made["transactions"]
    for (trader, bind_id), answer in zip(bound, answers, strict=True):
        assert isinstance(answer, dict)
        assert (await trader.order(answer["purchaseOrderId"]))["bindId"] == bind_id
    assert len({answer["purchaseOrderId"] for answer in answers if isinstance(answer, dict)}) == len(family)
    await _cancelled(family, answers)
    await _nothing_is_broken(town)


async def test_those_who_hang_up_harm_nobody_who_asked_at_the_same_moment(
    town: TestWorld, family: list[Buyer]
) -> None:
    await town.read_market()
    await all_of_it(town.db)
    bound = await _bound(family)
    asking = [asyncio.ensure_future(trader.create_order(bind_id)) for trader, bind_id in bound]
    await asyncio.sleep(0.01)
    for one in asking[::2]:
        one.cancel()
    await asyncio.wait(asking)
    for (trader, bind_id), one in zip(bound[1::2], asking[1::2], strict=True):
        assert (await trader.order(one.result()["purchaseOrderId"]))["bindId"] == bind_id
    answers = await all_told(trader.create_order(bind_id) for trader, bind_id in bound)
    assert counted(answers) == {"DRAFT": len(family)}
    ((made, _),) = await town.db.pool.fetch(MADE)
    assert made == len(family)
    await _cancelled(family, answers)
    await _nothing_is_broken(town)
