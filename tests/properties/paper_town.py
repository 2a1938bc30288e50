"""The product's own workers on a chain of paper: a clean database for each example, and time set by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

import asyncpg

from liqpass.claims.policy import CURRENT
from liqpass.exposure.limits import Direction
from liqpass.hexes import checksum
from liqpass.orders import sql as orders_sql
from liqpass.sandbox.anvil import wallet
from liqpass.settings import Settings
from liqpass.vault.keys import generate_key
from tests.clock import SettableClock
from tests.properties.books_model import Order
from tests.properties.books_town import FORGET, Town
from tests.properties.paper_chain import CHAIN_ID, CHECKOUT, SAFE_LAG, TREASURY, USDC, PaperChain, served
from tests.properties.shown import Came, Left, Log, Other, Paid, Tx
from tests.schema import rows

DELAY, TTL = timedelta(minutes=10), timedelta(minutes=15)
CHANCE = 10_000
# Premium, payout, duration: small numbers, so that many are alike and much is rounded.
PRODUCTS = [
    (1, 100, timedelta(hours=8)),
    (7, 300, timedelta(days=1)),
    (30, 500, timedelta(days=3)),
    (100, 100, timedelta(days=30)),
    (7, 100, timedelta(days=30)),
]


class PaperTown(Town):
    """Orders are made by the product's statement, all else that happens is written on paper."""

    safe_after = SAFE_LAG

    def __init__(
        self, url: str, clock: SettableClock, owner: asyncpg.Connection, chain: PaperChain, rpc: str
    ) -> None:
        super().__init__(url, clock, owner)
        self.chain: PaperChain = chain
        self._rpc = rpc
        self._users = 0
        self._gone: list[Tx] = []

    async def order(self, what: int) -> tuple[bytes | None, Order]:
        self._users += 1
        premium, payout, duration = PRODUCTS[what % len(PRODUCTS)]
        now, user, account = self.clock(), self._users.to_bytes(20, "big"), UUID(int=self._users)
        terms = Order(premium, payout, DELAY, duration, now + TTL)
        public_id = self.fresh("order")
        await self._bound(user, account)
        wanted = orders_sql.NewOrder(
            sha256(user).digest(),
            account,
            public_id,
            account,
            "X",
            premium,
            payout,
            "{}",
            int(DELAY.total_seconds()),
            int(duration.total_seconds()),
            now + TTL,
            CHAIN_ID,
            CHECKOUT,
            now,
            "1",
            1,
            CURRENT.version,
            CHANCE,
            Direction.LONG,
            now,
            now,
        )
        try:
            made = await self.db.run(lambda conn: orders_sql.draft(conn, wanted), one_statement=True)
        except asyncpg.CheckViolationError as error:
            assert error.constraint_name == "never_overdrawn"
            return None, terms
        assert made is not None
        return public_id, terms

    async def _bound(self, user: bytes, account: UUID) -> None:
        number = str(account.int)
        slot: dict[str, object] = {"user_id": user, "api_account_id": account, "exchange_uid": number}
        slot |= {"inst_id": "BTC-USDT-SWAP", "mgn_mode": "isolated", "pos_side": "long"}
        await rows.account(self.owner, user_id=user, id=account, uid=number, api_key=number)
        await rows.session(self.owner, user, self.clock())
        await rows.reading(self.owner, user_id=user, api_account_id=account, read_at=self.clock())
        await rows.insert(self.owner, "insured_positions", **slot, exchange="okx", binding_id=account)
        await rows.binding(self.owner, **slot, id=account, sku="X", created_at=self.clock())

    async def cancel(self, order_id: bytes) -> bool:
        user = await self.owner.fetchval(
            "select user_id from order_refs where purchase_order_id = $1", order_id
        )
        now = self.clock()
        return await self.db.run(lambda conn: orders_sql.cancel(conn, user, order_id, now)) == "CANCELLED"

    async def pay(self, order_id: bytes, who: int, amount: int, *, twist: int = 0) -> None:
        """Plainly; behind somebody else's log; or with a gift in the same transaction, before or after it."""
        payer = self.address(who)
        premium: list[Log] = [Came(payer, amount, for_premium=True), Paid(order_id, payer, amount)]
        gift = Came(payer, amount if twist == 4 else 7)
        before: list[Log] = [Other()] if twist == 1 else [gift] if twist == 2 else []
        after: list[Log] = [gift] if twist in (3, 4) else []
        self._send(*before, *premium, *after)

    async def come(self, who: int, amount: int) -> None:
        self._send(Came(self.address(who), amount))

    async def leave(self, to: bytes, amount: int) -> None:
        self._send(Left(to, amount))

    def _send(self, *logs: Log) -> None:
        self.chain.mine([Tx(self.fresh("tx"), logs)], self.clock())

    async def mine(self, blocks: int) -> None:
        for _ in range(blocks):
            self.chain.mine((), self.clock())

    async def replace(self, depth: int, back: int, shift: int) -> None:
        if txs := self.chain.reorg(depth):
            others = [Tx(self.fresh("tx"), (Other(),) * shift)] if shift else []
            kept = [tx for place, tx in enumerate(txs) if back >> place & 1]
            self.chain.put(self.chain.head("latest").number, others + kept)
            self._gone += [tx for tx in txs if tx not in kept]

    async def bring_back(self, which: int) -> None:
        """Not what the treasury sent: it may not have it any more."""
        if self._gone:
            tx = self._gone.pop(which % len(self._gone))
            if not any(isinstance(log, Left) for log in tx.logs):
                self.chain.mine([tx], self.clock())

    async def pass_time(self, seconds: int, *, with_block: bool) -> None:
        self.clock.advance(seconds=seconds)
        if with_block:
            await self.mine(1)

    def address(self, who: int) -> bytes:
        return bytes([0xA0 + who]) * 20

    def fresh(self, what: str) -> bytes:
        return self.chain.fresh(what)

    async def treasury(self) -> int:
        return self.chain.balance_at(self.chain.head("safe").number)

    def settings(self) -> Settings:
        return Settings.from_env(
            {
                "API_KEYS_ENC_KEY": generate_key(bytes).partition("=")[2],
                "LIQPASS_PUBLIC_URL": "http://127.0.0.1:1",
                "LIQPASS_CHAIN_ID": str(CHAIN_ID),
                "LIQPASS_RPC_URLS": self._rpc,
                "LIQPASS_USDC": checksum(USDC),
                "LIQPASS_CHECKOUT": checksum(CHECKOUT),
                "LIQPASS_TREASURY": checksum(TREASURY),
                "LIQPASS_QUOTE_SIGNER_KEY": wallet("quote signer").key.hex(),
                "LIQPASS_START_BLOCK": "1",
                "LIQPASS_OKX_HOSTS": "global=http://127.0.0.1:1",
            }
        )


@asynccontextmanager
async def paper_town(url: str, *, held: int, begins: datetime) -> AsyncIterator[PaperTown]:
    """In a database that is the test's own, wiped before; the treasury of the fresh chain has held that much
    from the beginning."""
    owner = await asyncpg.connect(url)
    try:
        await owner.execute(FORGET)
        chain = PaperChain(held, begins)
        async with served(chain) as rpc:
            town = PaperTown(url, SettableClock(begins), owner, chain, rpc)
            await town.start()
            try:
                yield town
            finally:  # an example that fails is tried again and again: what it left open would be in the way
                await town.stop()
    finally:
        await owner.close()
