"""Covers whose positions are watched, and what is known of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec

from liqpass.exchange.pace import POSITIONS
from liqpass.sandbox.okx_control import key_json
from liqpass.sandbox.okx_rows import position_row
from liqpass.worker import tasks_of
from tests.flows.newcomers import INST, Newcomer, newcomer
from tests.world import SKU, TestWorld


@dataclass(frozen=True)
class Insured:
    """Somebody whose position is covered from now on."""

    world: TestWorld
    who: Newcomer
    order: dict[str, Any]

    @property
    def uid(self) -> str:
        """The exchange's name of the account."""
        return self.who.okx.uid

    @property
    def id(self) -> bytes:
        """The order's public id."""
        return bytes.fromhex(self.order["purchaseOrderId"][2:])

    async def ask(self, sql: str, *more: object) -> list[asyncpg.Record]:
        """Rows about this order; $1 is its public id."""
        async with self.world.db.pool.acquire() as conn:
            found: list[asyncpg.Record] = await conn.fetch(sql, self.id, *more)
            return found

    async def write(self, sql: str, *more: object) -> None:
        """Whatever another part of the product writes; $1 is the order's public id."""
        async with self.world.db.pool.acquire() as conn:
            await conn.execute(sql, self.id, *more)

    async def cover(self) -> asyncpg.Record:
        """What is watched of it."""
        (row,) = await self.ask("select * from watched_covers where purchase_order_id = $1")
        return row

    async def account(self) -> asyncpg.Record:
        """When its account is read."""
        (row,) = await self.ask(
            "select a.* from watched_accounts a join watched_covers c using (user_id, exchange_uid)"
            " where purchase_order_id = $1"
        )
        return row

    async def changes(self) -> list[list[str]]:
        """What changed, reading by reading."""
        rows = await self.ask(
            "select w.what from watched_changes w join watched_covers c using (user_id, order_id)"
            " where purchase_order_id = $1 order by seq"
        )
        return [row["what"] for row in rows]

    async def claims(self) -> list[tuple[str, str]]:
        """Who opened its claims, and why."""
        rows = await self.ask(
            "select opened_by::text, reason from claims c join claim_events e"
            " on e.user_id = c.user_id and e.claim_id = c.id and e.seq = 1 where purchase_order_id = $1"
        )
        return [(row["opened_by"], row["reason"]) for row in rows]

    async def another_key(self) -> str:
        """One more key of the same account, given to us; its id."""
        key = key_json(self.world.exchange.books, self.world.exchange.books.add_key(self.uid))
        return await self.who.trader.add_key(key)


async def insure(world: TestWorld, who: Newcomer, sku: str = SKU) -> Insured:
    """Order, pay, and wait until it is cover. The chain's time follows the clock, which tests move."""
    await world.chain_time(world.clock())
    order = await who.order(sku)
    await who.trader.pay(world.chain, order)
    await world.confirm()
    assert await who.status(order) == "ACTIVE"
    return Insured(world, who, order)


@asynccontextmanager
async def insured(world: TestWorld, sku: str = SKU, lever: int = 10) -> AsyncIterator[Insured]:
    """Somebody new with a covered position."""
    async with newcomer(world, lever=lever) as who:
        somebody = await insure(world, who, sku)
        yield somebody
        await somebody.write(  # the next test has enough to look at
            "update watched_accounts a set due_at = null from watched_covers c"
            " where purchase_order_id = $1 and a.user_id = c.user_id and a.exchange_uid = c.exchange_uid"
        )


async def look(world: TestWorld, **later: float) -> None:
    """Time passes, and the worker looks at the positions that are due."""
    if later:
        world.clock.advance(**later)
    await next(task for task in tasks_of(world.of) if task.name == "watch positions").step()


def answer_positions(world: TestWorld, *rows: dict[str, Any]) -> None:
    """From now on the exchange shows these rows, and no others, to everybody."""
    world.exchange.faults.heal()
    body = msgspec.json.encode({"code": "0", "data": list(rows), "msg": ""})
    world.exchange.faults.answer(body, path=POSITIONS)


def row_of(insured: Insured) -> dict[str, Any]:
    """The row that the exchange shows of the covered position."""
    okx = insured.who.okx
    return dict(position_row(okx, okx.slots[(INST, "isolated", "long")]))
