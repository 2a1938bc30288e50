"""The same on a real chain: anvil with the real USDC and checkout, orders over HTTP, time set by hand."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg

from liqpass.chain.checkout import PREMIUM_PAID_TOPIC, TRANSFER_TOPIC, payment_calls, sign_quote
from liqpass.chain.failures import NodeError
from liqpass.db import open_database
from liqpass.hexes import to_hex
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.trader import Refused, Trader
from liqpass.settings import Settings
from tests.clock import SettableClock
from tests.flows.newcomers import newcomer
from tests.properties.books_model import Order
from tests.properties.books_town import FORGET, Town
from tests.properties.shown import Block, Came, Left, Log, Paid, Shown, Tx
from tests.world import CAPITAL, TestWorld, running_world

SKUS = ["LIQPASS_8H", "LIQPASS_24H", "LIQPASS_30D"]
CANCEL = "/api/insurance/cancel"
FAR = 2**40  # a deadline that no test reaches
_numbers = count(1)


@dataclass
class Mirror:
    """What anvil shows, read past the product: `await mirror.read()` after each change."""

    anvil: SandboxChain
    held: int = CAPITAL
    heads: dict[str, Block] = field(default_factory=dict)
    logs: list[Shown] = field(default_factory=list)

    def head(self, tag: str) -> Block:
        return self.heads[tag]

    def shown(self) -> list[Shown]:
        return self.logs

    async def read(self) -> None:
        """All of it anew."""
        for tag in ("latest", "safe", "finalized"):
            self.heads[tag] = await self._block(tag)
        asked = {
            "address": [to_hex(self.anvil.usdc), to_hex(self.anvil.checkout)],
            "fromBlock": hex(self.anvil.start_block),
        }
        blocks: dict[int, Block] = {}
        found: list[Shown] = []
        for raw in await self.anvil.rpc("eth_getLogs", [asked]):
            number = int(raw["blockNumber"], 16)
            if number not in blocks:
                blocks[number] = await self._block(number)
            if log := self._decoded(raw):
                tx = Tx(bytes.fromhex(raw["transactionHash"][2:]), ())
                found.append(Shown(blocks[number], tx, int(raw["logIndex"], 16), log))
        self.logs = [self._own(one, found) for one in found]

    async def _block(self, tag: str | int) -> Block:
        number, block_hash, time = await self.anvil.block(tag)
        return Block(number, block_hash, datetime.fromtimestamp(time, UTC), ())

    def _decoded(self, raw: dict[str, Any]) -> Log | None:
        event, *words = (bytes.fromhex(topic[2:]) for topic in raw["topics"])
        amount = int(raw["data"], 16) if len(raw["data"]) == 66 else 0
        if event == PREMIUM_PAID_TOPIC:
            return Paid(words[0], words[1][12:], amount)
        if event == TRANSFER_TOPIC and words[1][12:] == self.anvil.treasury:
            return Came(words[0][12:], amount)
        if event == TRANSFER_TOPIC and words[0][12:] == self.anvil.treasury:
            return Left(words[1][12:], amount)
        return None

    @staticmethod
    def _own(one: Shown, found: list[Shown]) -> Shown:
        """A transfer right before a payment is the payment's own: no transaction here does anything else."""
        paid = any(o.tx.hash == one.tx.hash and isinstance(o.log, Paid) for o in found)
        if isinstance(one.log, Came) and paid:
            return Shown(one.block, one.tx, one.index, Came(one.log.sender, one.log.amount, for_premium=True))
        return one


class AnvilTown(Town):
    """Everything goes through the front doors: HTTP, and transactions."""

    chain: Mirror
    safe_after = 4
    deposited = CAPITAL

    def __init__(
        self,
        url: str,
        owner: asyncpg.Connection,
        world: TestWorld,
        old_checkout: bytes,
        stack: AsyncExitStack,
    ) -> None:
        super().__init__(url, world.clock, owner)
        self.world, self.anvil, self._stack = world, world.chain, stack
        self.chain = Mirror(world.chain)
        self._old_checkout = old_checkout
        self._traders: dict[bytes, Trader] = {}
        self._gone: list[bytes] = []

    async def order(self, what: int) -> tuple[bytes | None, Order]:
        somebody = await self._stack.enter_async_context(newcomer(self.world))
        made = await somebody.order(SKUS[what % len(SKUS)])
        order_id = bytes.fromhex(made["purchaseOrderId"][2:])
        self._traders[order_id] = somebody.trader
        delay = timedelta(seconds=made["coverageDelaySec"])
        begins, ends = (datetime.fromisoformat(made[f"coverage{name}At"]) for name in ("Start", "End"))
        before = datetime.fromisoformat(made["payBefore"])
        terms = Order(int(made["premiumAmount"]), int(made["payoutAmount"]), delay, ends - begins, before)
        await self.chain.read()  # the newcomer was given USDC
        return order_id, terms

    async def cancel(self, order_id: bytes) -> bool:
        trader = self._traders[order_id]
        await trader.sign_in()  # a session ends after a week
        try:
            answer = await trader.call("POST", CANCEL, {"purchaseOrderId": to_hex(order_id)})
        except Refused as refused:
            assert refused.code == "ORDER_NOT_CANCELLABLE"
            return False
        return bool(answer["status"] == "CANCELLED")

    async def pay(self, order_id: bytes, who: int, amount: int, *, twist: int = 0) -> None:
        """By a quote that never runs out; or, with a twist, through the checkout before this one."""
        quote: dict[str, Any] = {"order_id": order_id, "amount": amount, "deadline": FAR}
        quote["checkout"] = self._old_checkout if twist == 1 else self.anvil.checkout
        signature = sign_quote(self.anvil.signer.key, chain_id=self.anvil.chain_id, **quote)
        calls = payment_calls(self.anvil.usdc, **quote, signature=signature)
        await self.anvil.pay(self.anvil.wallets[who], calls)
        await self.chain.read()

    async def come(self, who: int, amount: int) -> None:
        await self.anvil.transfer(self.anvil.wallets[who], self.anvil.treasury, amount)
        await self.chain.read()

    async def leave(self, to: bytes, amount: int) -> None:
        await self.anvil.transfer(self.anvil.treasury_wallet, to, amount)
        await self.chain.read()

    async def mine(self, blocks: int) -> None:
        await self.anvil.mine(blocks)
        await self.chain.read()

    async def replace(self, depth: int, back: int, shift: int) -> None:
        """Nothing that is final, whatever anvil would do."""
        latest = await self.anvil.block_number()
        depth = min(depth, latest - await self.anvil.block_number("finalized"))
        raws = []
        for number in range(latest - depth + 1, latest + 1):
            block = await self.anvil.rpc("eth_getBlockByNumber", [hex(number), False])
            for tx_hash in block["transactions"]:
                raw = await self.anvil.rpc("eth_getRawTransactionByHash", [tx_hash])
                raws.append(bytes.fromhex(raw[2:]))
        if depth:
            kept = [raw for place, raw in enumerate(raws) if back >> place & 1]
            await self.anvil.reorg(depth, kept)
            self._gone += [raw for raw in raws if raw not in kept]
        await self.chain.read()

    async def bring_back(self, which: int) -> None:
        """Unless its sender has used its number for another one."""
        if self._gone:
            with suppress(NodeError):
                await self.anvil.send_raw(self._gone.pop(which % len(self._gone)))
        await self.chain.read()

    async def pass_time(self, seconds: int, *, with_block: bool) -> None:
        if with_block:
            await self.world.pass_time(seconds=seconds)
        else:
            self.clock.advance(seconds=seconds)
            await self.anvil.rpc("evm_increaseTime", [seconds])  # for the next block, whenever that comes
        await self.chain.read()

    def address(self, who: int) -> bytes:
        return self.anvil.wallets[who].address

    def fresh(self, what: str) -> bytes:
        return hashlib.sha256(f"{what} {next(_numbers)}".encode()).digest()

    async def treasury(self) -> int:
        holder = self.anvil.treasury.rjust(32, b"\0").hex()
        call = {"to": to_hex(self.anvil.usdc), "data": "0x70a08231" + holder}
        return int(await self.anvil.rpc("eth_call", [call, hex(self.chain.head("safe").number)]), 16)

    def settings(self) -> Settings:
        return self.world.of.settings


@asynccontextmanager
async def anvil_town(url: str) -> AsyncIterator[AnvilTown]:
    """On a database of its own; the worker's processes come and go beside the API's."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="liqpass-tests-")))
        owner = await asyncpg.connect(url)
        stack.push_async_callback(owner.close)
        await owner.execute(FORGET)
        database = await open_database(url, name="test")
        stack.push_async_callback(database.close)
        clock = SettableClock(datetime.now(UTC).replace(microsecond=0))
        world = await stack.enter_async_context(running_world(database, clock, folder))
        old_checkout = await world.chain.deploy_checkout(world.chain.owner.address)
        town = AnvilTown(url, owner, world, old_checkout, stack)
        await town.chain.read()
        await town.start()
        stack.push_async_callback(town.stop)
        yield town
