"""The sandbox's chain does what tests and the demo believe it does."""

import pytest

from liqpass.chain.checkout import decode_premium_paid, word
from liqpass.hexes import to_hex
from liqpass.sandbox.anvil import RevertedError, encode_call
from liqpass.sandbox.chain import SandboxChain

ORDER = bytes.fromhex("5a" * 32)
PREMIUM = 3_000_000


async def paid(chain: SandboxChain) -> bytes:
    """A paid order; the hash of its payment."""
    _, _, now = await chain.block()
    return await chain.pay(chain.wallets[0], chain.quote_calls(ORDER, PREMIUM, now + 900))


async def test_safe_lags_one_epoch_and_finalized_two(chain: SandboxChain) -> None:
    await chain.mine(20)
    latest = await chain.block_number()
    assert await chain.block_number("safe") == latest - chain.slots_in_an_epoch
    assert await chain.block_number("finalized") == latest - 2 * chain.slots_in_an_epoch


async def test_what_was_deployed_is_final_and_every_wallet_has_usdc(chain: SandboxChain) -> None:
    assert await chain.block_number("finalized") >= chain.start_block
    assert len(chain.wallets) >= 6
    assert [await chain.usdc_balance(one.address) for one in chain.wallets] == [10_000_000_000] * len(
        chain.wallets
    )


async def test_a_reorg_takes_the_payment_away_for_good(chain: SandboxChain) -> None:
    tx_hash = await paid(chain)
    height, old_hash, _ = await chain.block()
    await chain.reorg(2)
    assert await chain.receipt(tx_hash) is None
    assert (await chain.block(height))[1] != old_hash
    await chain.mine(3)
    assert await chain.receipt(tx_hash) is None


async def test_a_reorg_can_keep_the_payment_in_another_block(chain: SandboxChain) -> None:
    before = await chain.receipt(tx_hash := await paid(chain))
    raw = await chain.rpc("eth_getRawTransactionByHash", ["0x" + tx_hash.hex()])
    await chain.reorg(1, keep=[bytes.fromhex(raw[2:])])
    after = await chain.receipt(tx_hash)
    assert before is not None
    assert after is not None
    assert after["blockHash"] != before["blockHash"]
    assert decode_premium_paid(after["logs"][1], chain.checkout).purchase_order_id == ORDER


async def test_a_reorg_of_empty_blocks_changes_their_hashes(chain: SandboxChain) -> None:
    await chain.mine(3)
    height, first, _ = await chain.block()
    await chain.reorg(1)
    _, second, _ = await chain.block(height)
    await chain.reorg(1)
    _, third, _ = await chain.block(height)
    assert len({first, second, third}) == 3


async def test_time_that_was_warped_stays_warped_after_a_reorg(chain: SandboxChain) -> None:
    _, _, before = await chain.block()
    await chain.warp(86_400)
    await chain.reorg(1)
    await chain.mine()
    _, _, after = await chain.block()
    assert after >= before + 86_400


async def test_a_dropped_transaction_is_never_mined(chain: SandboxChain) -> None:
    await chain.set_automine(False)
    tx_hash = await chain.send(
        chain.wallets[0], chain.usdc, encode_call("approve(address,uint256)", chain.checkout, 1)
    )
    await chain.drop(tx_hash)
    await chain.mine()
    assert await chain.receipt(tx_hash) is None


async def test_blocks_come_by_themselves_when_told_to(chain: SandboxChain) -> None:
    await chain.mine_every(1)
    receipt = await chain.transfer(chain.wallets[0], chain.treasury, PREMIUM)
    assert receipt["status"] == "0x1"
    assert await chain.usdc_balance(chain.treasury) == PREMIUM


async def test_a_transaction_that_fails_says_so(chain: SandboxChain) -> None:
    await chain.pause_usdc()
    with pytest.raises(RevertedError):
        await chain.transfer(chain.wallets[0], chain.treasury, PREMIUM)


async def test_capital_is_in_the_treasury_before_the_chain_is_read_and_its_wallet_can_send_it() -> None:
    async with SandboxChain(capital=5_000_000) as chain:
        assert await chain.usdc_balance(chain.treasury) == 5_000_000
        read = {"fromBlock": hex(chain.start_block), "address": to_hex(chain.usdc)}
        treasury = to_hex(word(chain.treasury))
        assert await chain.rpc("eth_getLogs", [{**read, "topics": [None, None, treasury]}]) == []
        await chain.transfer(chain.treasury_wallet, chain.wallets[0].address, 2_000_000)
        assert await chain.usdc_balance(chain.treasury) == 3_000_000
