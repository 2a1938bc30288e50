"""What became of a submitted hash, by the word of every endpoint."""

from collections.abc import Callable

import pytest

from liqpass.chain.rpc import Node
from liqpass.chain.transactions import TransactionStage, TransactionState, transaction_state
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.rpc_proxy import RpcProxy
from liqpass.settings import ChainSettings
from tests.chain.conftest import FAR, PREMIUM

NOBODYS = b"\x77" * 32


class Asked:
    """Asks both endpoints, with the heights that the watcher would have stored from the chain itself."""

    def __init__(self, chain: SandboxChain, settings: ChainSettings, nodes: list[Node]) -> None:
        self.chain, self.settings, self.nodes = chain, settings, nodes

    async def __call__(self, tx_hash: bytes) -> TransactionState:
        return await transaction_state(
            self.nodes,
            self.settings,
            tx_hash,
            safe_number=await self.chain.block_number("safe"),
            latest_number=await self.chain.block_number(),
        )


@pytest.fixture
def ask(
    chain: SandboxChain,
    settings: ChainSettings,
    endpoint: RpcProxy,
    second: RpcProxy,
    open_node: Callable[[str], Node],
) -> Asked:
    return Asked(chain, settings, [open_node(endpoint.url), open_node(second.url)])


async def pay(chain: SandboxChain, order: int) -> bytes:
    return await chain.pay(chain.wallets[0], chain.quote_calls(order.to_bytes(32, "big"), PREMIUM, FAR))


async def test_a_hash_that_nobody_knows_is_not_found(ask: Asked) -> None:
    assert await ask(NOBODYS) == TransactionState(TransactionStage.NOT_FOUND)


async def test_a_transaction_that_waits_is_pending_until_its_block_is_safe(
    ask: Asked, chain: SandboxChain
) -> None:
    await chain.set_automine(False)
    tx_hash = await pay(chain, 1)
    assert (await ask(tx_hash)).stage is TransactionStage.PENDING
    await chain.mine(4)
    assert (await ask(tx_hash)).stage is TransactionStage.PENDING
    await chain.mine(1)
    assert (await ask(tx_hash)).stage is TransactionStage.INCLUDED


async def test_an_included_payment_names_its_order_and_another_transaction_names_none(
    ask: Asked, chain: SandboxChain
) -> None:
    tx_hash = await pay(chain, 5)
    receipt = await chain.transfer(chain.wallets[1], chain.treasury, 9)
    await chain.finalize()
    (paid,) = (await ask(tx_hash)).payments
    assert (int.from_bytes(paid.purchase_order_id, "big"), paid.amount) == (5, PREMIUM)
    other = await ask(bytes.fromhex(receipt["transactionHash"][2:]))
    assert other == TransactionState(TransactionStage.INCLUDED)


async def test_a_second_payment_of_the_same_order_reverts_and_counts_only_at_the_safe_head(
    ask: Asked, chain: SandboxChain
) -> None:
    await pay(chain, 1)
    reverted = await pay(chain, 1)
    assert (await ask(reverted)).stage is TransactionStage.PENDING
    await chain.mine(4)
    assert await ask(reverted) == TransactionState(TransactionStage.REVERTED)


@pytest.mark.parametrize("wrong", ["unavailable", "html", "rate_limited", "lag"])
async def test_nothing_follows_while_one_endpoint_fails_or_is_late(
    ask: Asked, chain: SandboxChain, second: RpcProxy, wrong: str
) -> None:
    tx_hash = await pay(chain, 1)
    await chain.mine(4)
    setattr(second, wrong, 2)
    for asked in (tx_hash, NOBODYS):
        state = await ask(asked)
        assert state.stage is TransactionStage.UNKNOWN
        assert state.detail


async def test_nothing_follows_while_an_endpoint_serves_another_chain(ask: Asked, second: RpcProxy) -> None:
    second.rewrite = lambda method, _, result: "0x1" if method == "eth_chainId" else result
    assert (await ask(NOBODYS)).stage is TransactionStage.UNKNOWN


async def test_nothing_follows_when_the_endpoints_do_not_agree(
    ask: Asked, chain: SandboxChain, second: RpcProxy
) -> None:
    tx_hash = await pay(chain, 1)
    await chain.mine(4)
    second.rewrite = lambda method, _, result: (
        {**result, "status": "0x0"} if method == "eth_getTransactionReceipt" else result
    )
    assert (await ask(tx_hash)).stage is TransactionStage.UNKNOWN


async def test_a_transaction_that_one_pool_does_not_know_yet_is_pending(
    ask: Asked, chain: SandboxChain, second: RpcProxy
) -> None:
    await chain.set_automine(False)
    tx_hash = await pay(chain, 1)
    second.rewrite = lambda method, _, result: None if method == "eth_getTransactionByHash" else result
    assert await ask(tx_hash) == TransactionState(TransactionStage.PENDING)
    await chain.drop(tx_hash)
    assert await ask(tx_hash) == TransactionState(TransactionStage.NOT_FOUND)
