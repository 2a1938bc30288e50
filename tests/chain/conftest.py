"""A chain that every test finds as it was made, endpoints in front of it, and what the watcher stored."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import msgspec
import pytest

from liqpass.chain.rpc import Node
from liqpass.chain.watcher import Outcome, StepReport, step
from liqpass.clock import Clock
from liqpass.db import Database
from liqpass.sandbox.anvil import Wallet
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.rpc_proxy import RpcProxy
from liqpass.settings import ChainSettings

PREMIUM = 2_500_000
FAR = 2**40  # a deadline that no test reaches


@pytest.fixture(scope="session")
async def shared_chain() -> AsyncIterator[SandboxChain]:
    """safe is 4 blocks behind the head, finalized 8; every transaction mines a block."""
    async with SandboxChain(slots_in_an_epoch=4) as chain:
        yield chain


@pytest.fixture
async def chain(shared_chain: SandboxChain) -> AsyncIterator[SandboxChain]:
    """The chain as it was handed out: what a test does is undone."""
    snapshot = await shared_chain.snapshot()
    yield shared_chain
    await shared_chain.set_automine(True)
    await shared_chain.revert(snapshot)


@pytest.fixture
async def endpoint(chain: SandboxChain) -> AsyncIterator[RpcProxy]:
    async with RpcProxy(chain.url) as proxy:
        yield proxy


@pytest.fixture
async def second(chain: SandboxChain) -> AsyncIterator[RpcProxy]:
    async with RpcProxy(chain.url) as proxy:
        yield proxy


@pytest.fixture
async def open_node() -> AsyncIterator[Callable[[str], Node]]:
    """Nodes that are closed after the test."""
    async with AsyncExitStack() as stack:

        def opened(url: str, *, timeout_sec: float = 10) -> Node:
            node = Node(url, timeout_sec=timeout_sec)
            stack.push_async_callback(node.close)
            return node

        yield opened


@pytest.fixture
def settings(chain: SandboxChain) -> ChainSettings:
    return ChainSettings(
        chain_id=chain.chain_id,
        rpc_urls=(),
        usdc=chain.usdc,
        checkout=chain.checkout,
        treasury=chain.treasury,
        quote_signer_key=chain.signer.key,
        confirmation="safe",
        start_block=chain.start_block,
    )


class Row(msgspec.Struct, frozen=True):
    """What a test wants to know of a stored payment."""

    order: int
    stage: str
    block: int


class Watched:
    """A watcher over one database, as a test speaks of it."""

    def __init__(
        self, db: Database, chain: SandboxChain, settings: ChainSettings, clock: Clock, nodes: list[Node]
    ) -> None:
        self.db, self.chain, self.settings, self.clock, self.nodes = db, chain, settings, clock, nodes

    async def step(self) -> StepReport:
        return await step(self.db, self.nodes, self.settings, self.clock)

    async def good_step(self) -> StepReport:
        report = await self.step()
        assert report.outcome is Outcome.GOOD, report
        return report

    async def pay(self, order: int, payer: Wallet | None = None) -> bytes:
        """approve and payPremium, each in its block; the hash of the payment."""
        calls = self.chain.quote_calls(order.to_bytes(32, "big"), PREMIUM, FAR)
        return await self.chain.pay(payer or self.chain.wallets[0], calls)

    async def payments(self) -> list[Row]:
        rows = await self.db.pool.fetch(
            "select purchase_order_id, stage, block_number from premium_payments order by purchase_order_id"
        )
        return [Row(int.from_bytes(order, "big"), stage, block) for order, stage, block in rows]

    async def stages(self) -> dict[int, str]:
        """Order → stage of its payment."""
        return {row.order: row.stage for row in await self.payments()}

    async def cursor(self) -> dict[str, object]:
        row = await self.db.pool.fetchrow("select * from chain_cursors")
        assert row is not None
        return dict(row)

    async def everything(self) -> list[list[tuple[object, ...]]]:
        """Both tables and the cursor, except what a doubtful view may change."""
        tables = [
            "select * from premium_payments order by tx_hash",
            "select * from usdc_transfers order by tx_hash",
            "select finalized_number, finalized_hash, safe_number, safe_time, latest_number, latest_time, "
            "read_at, halted from chain_cursors",
        ]
        return [[tuple(row) for row in await self.db.pool.fetch(table)] for table in tables]


@pytest.fixture
async def watched(
    db: Database,
    chain: SandboxChain,
    endpoint: RpcProxy,
    settings: ChainSettings,
    clock: Clock,
    open_node: Callable[[str], Node],
) -> Watched:
    """One endpoint, which can be told to be bad; nothing is read yet."""
    return Watched(db, chain, settings, clock, [open_node(endpoint.url)])


@pytest.fixture
async def watched_by_two(watched: Watched, second: RpcProxy, open_node: Callable[[str], Node]) -> Watched:
    watched.nodes.append(open_node(second.url))
    return watched
