"""What `liqpass serve` reads for requests is looked up by its key: also by plans that were made while tables
were small, and are used ever after."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from liqpass.sandbox.trader import Trader
from liqpass.serving import free_port
from tests.commands.cli import ended, hear, start
from tests.conftest import on_server
from tests.world import SKU, TestWorld

ENOUGH = 8  # a plan is used ever after from the sixth time on
MANY = 20_000
HASH = bytes(range(32))
LOOKED_AT = ["/api/insurance/orders", "/api/insurance/claims", "/", "/cover", "/keys"]
# Others' orders, as far as a request might read them; nothing of LiqPass looks on, and nobody counts them.
GROW = f"""
    set session_replication_role = replica;
    insert into insured_bindings
    select new.* from insured_bindings old, generate_series(1, {MANY}) n, jsonb_populate_record(old,
        jsonb_build_object('id', md5(n::text))) new
    where old.ctid = (select min(ctid) from insured_bindings where status = 'CANCELLED');
    insert into purchase_orders
    select new.* from purchase_orders old, generate_series(1, {MANY}) n, jsonb_populate_record(old,
        jsonb_build_object('id', md5(n::text), 'binding_id', md5(n::text),
            'purchase_order_id', sha256(int4send(n)))) new
    where old.ctid = (select min(ctid) from purchase_orders where status = 'CANCELLED');
    insert into order_risks
    select new.* from order_risks old, generate_series(1, {MANY}) n, jsonb_populate_record(old,
        jsonb_build_object('purchase_order_id', sha256(int4send(n)))) new
    where old.ctid = (select min(ctid) from order_risks where claimed is null);
    -- and what is asked for stands behind them: who looks from the beginning on meets them all
    update insured_bindings set sku = sku where status <> 'CANCELLED';
    update purchase_orders set sku = sku where status <> 'CANCELLED';
"""
READ = "select relname, seq_tup_read from pg_stat_user_tables where seq_tup_read >= $1 order by relname"


@asynccontextmanager
async def served(world: TestWorld, url: str) -> AsyncIterator[str]:
    """Where a `liqpass serve` answers; what it has counted of its reading is told when it has ended."""
    port = free_port()
    env = {**world.env, "DATABASE_URL": url}
    serve = await start("serve", "--port", str(port), "--log-level", "ERROR", env=env)
    try:
        await hear(serve.stderr, "Ctrl-C")
        yield f"http://127.0.0.1:{port}"
    finally:
        serve.terminate()
        assert (await ended(serve)).status == 0


class Buyer:
    """Buys again and again."""

    def __init__(self, trader: Trader) -> None:
        self.trader = trader

    async def begins(self, key: dict[str, str | bool]) -> None:
        await self.trader.sign_in()
        self.account = await self.trader.add_key(key)
        self.position = next(p for p in await self.trader.positions(self.account) if p["insurable"])

    async def orders(self) -> str:
        """The order of the position."""
        bound = await self.trader.bind(self.account, self.position, SKU)
        return str((await self.trader.create_order(bound["bindId"]))["purchaseOrderId"])

    async def orders_and_cancels(self, times: int) -> None:
        for _ in range(times):
            body = {"purchaseOrderId": await self.orders()}
            await self.trader.call("POST", "/api/insurance/cancel", body)

    async def says_which_pays(self, order: str, times: int) -> None:
        for _ in range(times):
            await self.trader.submit(order, HASH)

    async def looks_around(self, order: str, times: int) -> None:
        for _ in range(times):
            await self.trader.call("GET", "/api/insurance/quotes", apiAccountId=self.account)
            for path in (*LOOKED_AT, f"/api/insurance/orders/{order}", f"/orders/{order}"):
                await self.reads(path)

    async def reads(self, path: str) -> None:
        async with self.trader.http.get(self.trader.api + path) as answer:
            assert answer.status == 200, (path, answer.status)
            await answer.read()


async def claim_of(world: TestWorld, buyer: Buyer) -> str:
    """Of a cover that its owner claims for; where it is shown."""
    order = await buyer.orders()
    await buyer.trader.pay(world.chain, await buyer.trader.order(order))
    await world.confirm()
    claim = await buyer.trader.call("POST", "/api/insurance/claims", {"purchaseOrderId": order})
    return f"/api/insurance/claims/{claim['claimId']}"


async def test_no_request_reads_a_table_that_has_grown_since_it_was_planned(
    world: TestWorld, database_url: str
) -> None:
    wallets = world.chain.wallets
    async with (
        served(world, database_url) as api,
        Trader(api, wallets[0]) as one,
        Trader(api, wallets[1]) as two,
        Trader(api, wallets[2]) as three,
    ):
        buyer, claimant, another = Buyer(one), Buyer(two), Buyer(three)
        await claimant.begins(world.key("reads two"))
        claim = await claim_of(world, claimant)
        await buyer.begins(world.key())
        await buyer.orders_and_cancels(1)
        await on_server(database_url, "analyze")
        await buyer.orders_and_cancels(ENOUGH)
        order = await buyer.orders()
        await buyer.says_which_pays(order, ENOUGH)
        await buyer.looks_around(order, ENOUGH)
        for _ in range(ENOUGH):
            await claimant.reads(claim)
        await on_server(database_url, GROW)
        await on_server(database_url, "select pg_stat_reset()")
        await buyer.says_which_pays(order, 3)
        await buyer.looks_around(order, 3)
        await claimant.reads(claim)
        await another.begins(world.key("reads three"))
        await another.orders_and_cancels(3)
    owner = await asyncpg.connect(database_url)
    read = await owner.fetch(READ, MANY)
    await owner.close()
    assert read == []
