"""One running product for many tests, and newcomers to it: each with a wallet and an exchange account of its
own, so that tests which share a world do not meet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from liqpass.db import open_database
from liqpass.hexes import to_hex
from liqpass.sandbox.anvil import Wallet, wallet
from liqpass.sandbox.chain import ETHER, USDC
from liqpass.sandbox.okx_control import key_json
from liqpass.sandbox.okx_margin import Account
from liqpass.sandbox.trader import Refused, Trader
from tests.clock import SettableClock
from tests.conftest import copy_database, in_database, on_server
from tests.world import RECENTLY, SKU, TestWorld, running_world

INST = "BTC-USDT-SWAP"
SLOT = {"instId": INST, "mgnMode": "isolated", "posSide": "long"}
_numbers = count(1)


@asynccontextmanager
async def shared_world(
    server_url: str, template: str, folder: Path, *, second_endpoint: bool = False, **env: str
) -> AsyncIterator[TestWorld]:
    """The whole product on a fresh database, for as long as the caller likes."""
    name = f"{template}_shared_{next(_numbers)}"
    await copy_database(server_url, template, name)
    db = await open_database(in_database(server_url, name), name="test")
    try:
        clock = SettableClock(datetime.now(UTC).replace(microsecond=0))
        async with running_world(
            db, clock, folder, second_endpoint=second_endpoint, reads=None, **env
        ) as world:
            yield world
    finally:
        await db.close()
        await on_server(server_url, f"drop database {name} with (force)")


@dataclass(frozen=True)
class Newcomer:
    """A signed-in trader whose exchange account `okx` has one insurable position in `SLOT`."""

    trader: Trader
    okx: Account
    key: dict[str, str | bool]
    account: str

    async def bind(self, sku: str = SKU, **other: str) -> dict[str, Any]:
        """Tie the position to a product; `other` changes the slot."""
        return await self.trader.bind(self.account, {**SLOT, **other}, sku)

    async def order(self, sku: str = SKU) -> dict[str, Any]:
        """Bind and order."""
        return await self.trader.create_order((await self.bind(sku))["bindId"])

    async def status(self, order: dict[str, Any]) -> str:
        """Where the order stands."""
        return str((await self.trader.order(order["purchaseOrderId"]))["status"])

    async def reasons(self, order: dict[str, Any]) -> list[str]:
        """Why the order moved, move by move."""
        return [e["reason"] for e in (await self.trader.order(order["purchaseOrderId"]))["history"]]

    async def refusal(self, method: str, path: str, body: object = None, **query: str) -> tuple[int, str]:
        """Status and code of a call that is refused."""
        return await refusal_of(self.trader, method, path, body, **query)


async def refusal_of(
    trader: Trader, method: str, path: str, body: object = None, **query: str
) -> tuple[int, str]:
    """Status and code of a call that is refused."""
    try:
        answer = await trader.call(method, path, body, **query)
    except Refused as refused:
        return refused.status, refused.code
    raise AssertionError(f"{method} {path} was not refused: {answer}")


async def new_wallet(world: TestWorld) -> Wallet:
    """A wallet that nobody has used, with ether and 10,000 USDC."""
    made = wallet(f"newcomer {next(_numbers)}")
    await world.chain.rpc("anvil_setBalance", [to_hex(made.address), hex(100 * ETHER)])
    await world.chain.mint(made.address, 10_000 * USDC)
    return made


def open_account(world: TestWorld, lever: int = 10) -> tuple[Account, dict[str, str | bool]]:
    """An exchange account with one insurable position, and a read-only key to it."""
    books = world.exchange.books
    okx = books.add_account()
    books.open_position(okx.uid, INST, contracts=5, lever=lever)
    return okx, key_json(books, books.add_key(okx.uid))


@asynccontextmanager
async def newcomer(world: TestWorld, *, lever: int = 10) -> AsyncIterator[Newcomer]:
    """Somebody new, signed in, whose key was accepted and whose positions were just listed."""
    await world.read_market(unless_within=RECENTLY)
    async with Trader(world.api, await new_wallet(world)) as trader:
        await trader.sign_in()
        okx, key = open_account(world, lever)
        account = await trader.add_key(key)
        await trader.positions(account)
        yield Newcomer(trader, okx, key, account)
