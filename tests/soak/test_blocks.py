"""What the soak knows of the transactions that it sent."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from liqpass.sandbox.anvil import encode_call
from liqpass.sandbox.chain import USDC, SandboxChain
from soak.blocks import Blocks

SENT = 3


async def test_what_a_reorg_takes_away_while_others_come_back_comes_back_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else its wallet has a gap in its numbers, and nothing that it sends later comes into a block."""
    async with SandboxChain(slots_in_an_epoch=4, capital=1000 * USDC) as chain:
        await chain.set_automine(False)
        blocks, now = Blocks(chain), datetime.now(UTC) + timedelta(hours=1)
        owner, trader = chain.treasury_wallet, chain.wallets[0]
        data = encode_call("transfer(address,uint256)", trader.address, USDC)
        await blocks.call(trader, chain.usdc, data, faithful=True)
        await blocks.mine(1, now)
        await blocks.reorg(1, Nothing())
        sent = [await blocks.call(owner, chain.usdc, data, faithful=True) for _ in range(SENT)]
        await blocks.mine(1, now)
        rpc = chain.rpc

        async def struck(method: str, params: list[Any]) -> Any:
            if method == "eth_sendRawTransaction":
                monkeypatch.setattr(chain, "rpc", rpc)
                await blocks.reorg(1, Nothing())
            return await rpc(method, params)

        monkeypatch.setattr(chain, "rpc", struck)
        await blocks.come_back()
        await blocks.come_back()
        await blocks.mine(1, now)
        assert [await blocks.at(tx) is not None for tx in sent] == [True] * SENT


async def test_what_is_dropped_while_a_reorg_looks_for_what_it_takes_away_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with SandboxChain(slots_in_an_epoch=4, capital=1000 * USDC) as chain:
        await chain.set_automine(False)
        blocks, trader = Blocks(chain), chain.wallets[0]
        data = encode_call("transfer(address,uint256)", trader.address, USDC)
        taken = await blocks.call(chain.treasury_wallet, chain.usdc, data, faithful=True)
        await blocks.mine(1, datetime.now(UTC) + timedelta(hours=1))
        dropped = await blocks.call(trader, chain.usdc, data)
        rpc = chain.rpc

        async def struck(method: str, params: list[Any]) -> Any:
            if method == "txpool_content":
                monkeypatch.setattr(chain, "rpc", rpc)
                await blocks.come_back()
                await blocks.drop(dropped)
            return await rpc(method, params)

        monkeypatch.setattr(chain, "rpc", struck)
        await blocks.reorg(1, Nothing())
        assert dropped in {one.hash for one in blocks.gone}
        await blocks.come_back()
        await blocks.mine(1, datetime.now(UTC) + timedelta(hours=1))
        assert await blocks.at(taken) is not None


@pytest.mark.parametrize("empty_blocks", [0, 1])
async def test_what_waits_behind_what_a_reorg_takes_away_comes_back_with_it(empty_blocks: int) -> None:
    async with SandboxChain(slots_in_an_epoch=4, capital=1000 * USDC) as chain:
        await chain.set_automine(False)
        blocks, now = Blocks(chain), datetime.now(UTC) + timedelta(hours=1)
        owner, trader = chain.treasury_wallet, chain.wallets[0]
        data = encode_call("transfer(address,uint256)", trader.address, USDC)
        sent = [await blocks.call(owner, chain.usdc, data, faithful=True) for _ in range(SENT)]
        await blocks.mine(1, now)
        sent += [await blocks.call(owner, chain.usdc, data, faithful=True) for _ in range(SENT)]
        await blocks.reorg(1, Nothing())
        for _ in range(empty_blocks):
            await blocks.mine(1, now)
        await blocks.come_back()
        await blocks.mine(1, now)
        assert [await blocks.at(tx) is not None for tx in sent] == [True] * (2 * SENT)


async def test_what_one_wallet_is_asked_to_send_twice_at_once_is_sent_twice() -> None:
    """Else one of them is refused, for it has the other's number: a wallet stayed on USDC's list for ever."""
    async with SandboxChain(slots_in_an_epoch=4, capital=1000 * USDC) as chain:
        await chain.set_automine(False)
        blocks, owner = Blocks(chain), chain.treasury_wallet
        data = encode_call("transfer(address,uint256)", chain.wallets[0].address, USDC)
        sent = await asyncio.gather(*(blocks.call(owner, chain.usdc, data) for _ in range(SENT)))
        await blocks.mine(1, datetime.now(UTC) + timedelta(hours=1))
        assert [await blocks.at(tx) is not None for tx in sent] == [True] * SENT


class Nothing(random.Random):
    """Draws reorgs that leave nothing where it was."""

    def choices(self, population: Any, *_: Any, **__: Any) -> list[Any]:
        return [population[-1]]
