"""Two thousand covers of many accounts: the product's own rules and workers, an exchange in this process, a
chain of paper, and time that is set by hand."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

import asyncpg
import msgspec

from liqpass import ids
from liqpass.app import Clients, clients
from liqpass.claims.policy import CURRENT
from liqpass.db import DATABASE_AWAY, TRY_AGAIN, Connection, open_database
from liqpass.exchange.okx import Credentials, OkxGateway
from liqpass.exchange.records import Position
from liqpass.exposure.limits import Direction
from liqpass.hexes import checksum
from liqpass.orders import sql as orders_sql
from liqpass.orders.priced import PricedPosition
from liqpass.positions import bindings
from liqpass.positions import sql as positions_sql
from liqpass.positions.readings import AccountReading, PositionReader
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.okx_margin import Account, Key
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.settings import Settings
from liqpass.treasury.opening import open_books
from liqpass.treasury.pool import deposit
from liqpass.vault.api_accounts import admit, store
from liqpass.vault.keys import generate_key
from liqpass.worker import tasks_of
from tests.clock import SettableClock
from tests.exposure.shares import all_of_it
from tests.properties.paper_chain import CHAIN_ID, CHECKOUT, TREASURY, USDC, served
from tests.properties.shown import Came, Paid, Tx
from tests.schema import rows
from tests.storms.token_chain import TokenChain
from tests.storms.truth import MICRO, Cover
from tests.storms.weather import Weather

DELAY, SKU, PREMIUM = timedelta(minutes=10), "LIQPASS_8H", MICRO
CHANCE = 10_000
SLOTS = [(inst, side) for inst in ("BTC", "ETH", "SOL", "DOGE") for side in ("long", "short")]
SIZES = {"BTC": 5, "ETH": 8, "SOL": 20, "DOGE": 12}
PAID_AT_ONCE = 200
NOBODYS = UUID(int=0)
# What looks and moves nothing; the storm lets it look when it is over.
ONLY_LOOKS = {"reconcile", "check books"}
Slot = tuple[str, str, str]
STRUCK_DOWN = (*DATABASE_AWAY, *TRY_AGAIN)


class Quick:
    """Time for those who pause between requests: it passes at once."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Holder:
    """An account of the exchange, whose it is here, and under which id."""

    user: bytes
    okx: Account
    keys: list[Key] = field(default_factory=list)
    account: UUID = NOBODYS
    covers: list[Cover] = field(default_factory=list)


@dataclass
class StormTown:
    """Everything; `draw` decides all that is left to chance."""

    of: Clients
    owner: asyncpg.Connection
    clock: SettableClock
    exchange: SandboxExchange
    chain: TokenChain
    weather: Weather
    draw: random.Random
    holders: list[Holder] = field(default_factory=list)
    struck_down: int = 0
    left_over: list[str] = field(default_factory=list)
    """What asyncio had to say of tasks that nobody waited for."""

    covers: list[Cover] = field(default_factory=list)

    # Before the storm

    async def open_books(self, capital: int) -> None:
        """What the treasury has held from the beginning is this, and is the pool's, which is all promised."""
        self.chain.held = capital
        await self.work()
        chain = self.of.settings.chain
        assert await open_books(self.of.db, self.of.nodes, chain, self.clock)
        ten = self.draw.randbytes(10)
        await self.of.db.run(
            lambda conn: deposit(conn, self.clock(), ten, chain, by="the storm", amount=capital)
        )
        await all_of_it(self.of.db)

    async def newcomer(self, number: int, covers: int) -> Holder:
        """An account with positions in all its slots; every fifth wallet has two accounts."""
        books = self.exchange.books
        okx = books.add_account(balance=10**7)
        holder = Holder((number * 4 // 5 + 1).to_bytes(20, "big"), okx)
        for inst, side in SLOTS[:covers]:
            size = SIZES[inst] + self.draw.randrange(4)
            lever = self.draw.choice((5, 10, 20))
            books.open_position(okx.uid, f"{inst}-USDT-SWAP", side=side, contracts=size, lever=lever)
        holder.account = await self.hand_over_key(holder)
        self.holders.append(holder)
        return holder

    async def hand_over_key(self, holder: Holder) -> UUID:
        """One more key of the account, through the gate; its id."""
        key = self.exchange.books.add_key(holder.okx.uid)
        holder.keys.append(key)
        given = Credentials(key.api_key, key.secret, key.passphrase, "global", demo=False)
        admitted, config = await admit(self.of.gateway, given)
        keyring, now = self.of.keyring, self.clock()
        stored = await self.of.db.run(
            lambda conn: store(conn, now, keyring, holder.user, admitted, config, "", self.draw.randbytes)
        )
        return stored.id

    async def sell(self, holder: Holder, duration: timedelta, payouts: Mapping[Slot, int]) -> None:
        """An order for each of its positions, by the rules that the API keeps."""
        of, now = self.of, self.clock()
        reading = await PositionReader(of.db, of.gateway, of.keyring, self.clock, cover_demo=False).anew(
            holder.user, holder.account
        )
        async with of.db.pool.acquire() as conn:
            await rows.session(self.owner, holder.user, now)
            for position in reading.reading.positions:
                payout = payouts[position.slot]
                binding = await self._bound(conn, holder, reading, position)
                wanted = orders_sql.NewOrder(
                    sha256(holder.user).digest(),
                    self._id(),
                    self.draw.randbytes(32),
                    binding,
                    SKU,
                    PREMIUM,
                    payout,
                    _priced_from(reading, position),
                    int(DELAY.total_seconds()),
                    int(duration.total_seconds()),
                    now + timedelta(minutes=15),
                    CHAIN_ID,
                    CHECKOUT,
                    now,
                    position.pos_id,
                    position.c_time_ms,
                    CURRENT.version,
                    CHANCE,
                    Direction(position.side),
                    reading.read_at,
                    now,
                )
                order = await orders_sql.draft(conn, wanted)
                assert order is not None
                held = holder.okx.slots[position.slot]
                cover = Cover(
                    ref=order.purchase_order_id,
                    user=holder.user,
                    uid=holder.okx.uid,
                    position=held,
                    contracts=held.contracts,
                    payout=payout,
                    start=now + DELAY,
                    end=now + DELAY + duration,
                )
                holder.covers.append(cover)
                self.covers.append(cover)

    async def _bound(
        self, conn: Connection, holder: Holder, reading: AccountReading, position: Position
    ) -> UUID:
        slot = bindings.Slot(holder.account, *position.slot, SKU)
        who, now = sha256(holder.user).digest(), self.clock()
        wanted = bindings.new_binding(now, who, self._id(), slot, reading, position, None)
        found = await positions_sql.bind(conn, wanted)
        assert found is not None
        return bindings.bound_as_asked(found, wanted)

    def _id(self) -> UUID:
        return ids.uuid7(self.clock(), self.draw.randbytes(10))

    async def pay(self, covers: list[Cover]) -> None:
        """Their premiums, in a few large blocks of this moment; then they are safe."""
        for some in _parts(covers, PAID_AT_ONCE):
            txs = [
                Tx(
                    self.chain.fresh("premium"),
                    (Came(cover.user, PREMIUM, for_premium=True), Paid(cover.ref, cover.user, PREMIUM)),
                )
                for cover in some
            ]
            self.chain.mine(txs, self.clock())
        self.blocks(6)

    # Time and work

    def blocks(self, count: int) -> None:
        """Empty ones of this moment."""
        for _ in range(count):
            self.chain.mine((), self.clock())

    async def work(self) -> None:
        """Every task once, as a worker does it: what was cut short is done the next time."""
        for task in tasks_of(self.of):
            if task.name not in ONLY_LOOKS:
                try:
                    await task.step()
                except STRUCK_DOWN:
                    self.struck_down += 1


def _priced_from(reading: AccountReading, position: Position) -> str:
    made = PricedPosition("storm", SKU, position.row_json, position.row_sha256.hex(), reading.read_at)
    return msgspec.json.encode(made).decode()


def _parts(things: list[Cover], size: int) -> Iterator[list[Cover]]:
    for start in range(0, len(things), size):
        yield things[start : start + size]


def _settings(rpc: str, exchange: SandboxExchange) -> Settings:
    return Settings.from_env(
        {
            "API_KEYS_ENC_KEY": generate_key(lambda n: bytes(range(n))).partition("=")[2],
            "LIQPASS_PUBLIC_URL": "http://127.0.0.1:1",
            "LIQPASS_CHAIN_ID": str(CHAIN_ID),
            "LIQPASS_RPC_URLS": rpc,
            "LIQPASS_USDC": checksum(USDC),
            "LIQPASS_CHECKOUT": checksum(CHECKOUT),
            "LIQPASS_TREASURY": checksum(TREASURY),
            "LIQPASS_QUOTE_SIGNER_KEY": wallet("quote signer").key.hex(),
            "LIQPASS_START_BLOCK": "1",
            "LIQPASS_OKX_HOSTS": ",".join(f"{name}={url}" for name, url in exchange.hosts.items()),
        }
    )


@asynccontextmanager
async def storm_town(url: str, seed: int, *, begins: datetime) -> AsyncIterator[StormTown]:
    """On a fresh database."""
    clock, quick = SettableClock(begins), Quick()
    owner = await asyncpg.connect(url)
    db = await open_database(url, name="test")
    chain = TokenChain(0, begins)
    try:
        async with (
            served(chain) as rpc,
            SandboxExchange(clock, seed=seed, regions=("global",), monotonic=quick) as exchange,
            clients(_settings(rpc, exchange), db, clock) as made,
        ):
            draw = random.Random(seed)  # noqa: S311
            gateway = OkxGateway(
                exchange.hosts, clock, monotonic=quick, sleep=quick.sleep, jitter=draw.random
            )
            weather = Weather(seed, exchange.faults, owner)
            town = StormTown(replace(made, gateway=gateway), owner, clock, exchange, chain, weather, draw)
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, said: town.left_over.append(str(said)))
            try:
                yield town
            finally:
                loop.set_exception_handler(None)
                await gateway.close()
    finally:
        await db.close()
        await owner.close()
