"""An approved claim follows its payout: into a batch, onto the chain, off it again, and into an operator's
hands where the payout is cancelled."""

from liqpass.claims.states import ClaimStatus
from liqpass.hexes import checksum
from liqpass.sandbox.chain import USDC
from tests.claims.claimed import settle, step
from tests.commands.forked import liqpass
from tests.ledger.books import stands
from tests.review.conftest import SHA256, Office, bring

S = ClaimStatus
BATCH = "/api/admin/treasury/batch"


async def batch(office: Office, *, again: bool = False) -> None:
    await office.ada.call("POST", BATCH, {"again": again})
    await step(office.world, "follow payouts")


async def pay(office: Office, amount: int = 20 * USDC) -> str:
    """What the Safe's owners do, until it is safe; the transaction."""
    chain = office.world.chain
    receipt = await chain.transfer(chain.treasury_wallet, office.trader.wallet.address, amount)
    await chain.mine(chain.slots_in_an_epoch)
    await seen(office)
    return str(receipt["transactionHash"])


async def seen(office: Office) -> None:
    await step(office.world, "watch", "settle", "book transfers", "follow payouts")


async def approved(office: Office, amount: int = 20 * USDC) -> str:
    claim_id = await office.claim_in(S.PAYABLE, amount=amount)
    await office.approve(office.ada, claim_id)
    return claim_id


async def cancel(claim_id: str, office: Office, server_url: str) -> None:
    """An operator takes back the payout that the claim waits for."""
    named = "select disbursement_id::text from claims where id = $1"
    due = await office.world.db.pool.fetchval(named, claim_id)
    said = ("--by", "Ada", "--reason", "not his wallet")
    done = await liqpass("suspense", "cancel", due, *said, env=await office.env(server_url))
    assert done.status == 0, done
    await step(office.world, "follow payouts")


async def moves(office: Office, claim_id: str) -> list[tuple[str, str]]:
    """From the approval on: where to and why."""
    told = [(move["toStatus"], move["reason"]) for move in (await office.claim(claim_id))["history"]]
    return told[next(n for n, (to, _) in enumerate(told) if to == "APPROVED") :]


async def test_it_is_batched_then_paid_and_its_owner_has_a_receipt(office: Office) -> None:
    claim_id = await approved(office)
    await batch(office)
    assert (await office.claim(claim_id))["status"] == "BATCHED"
    tx_hash = await pay(office)
    claim = await office.claim(claim_id)
    assert (claim["status"], claim["payTxHash"], claim["amount"]) == ("PAID", tx_hash, str(20 * USDC))
    assert claim["history"][-1]["details"] == {"txHash": tx_hash}
    assert claim["history"][-1]["actor"] == "CHAIN"
    (receipt,) = claim["receipts"]
    assert receipt.pop("blockTime")
    assert receipt == {
        "amount": str(20 * USDC),
        "recipient": checksum(office.trader.wallet.address),
        "txHash": tx_hash,
        "bundleSha256": f"0x{SHA256.hex()}",
    }
    order = await office.trader.order(office.order["purchaseOrderId"])
    assert order["claim"] == {"claimId": claim_id, "status": "PAID", "amount": str(20 * USDC)}
    before = await moves(office, claim_id)
    await seen(office)
    assert await moves(office, claim_id) == before


async def test_whose_payout_is_final_is_looked_at_no_more(office: Office) -> None:
    claim_id = await approved(office)
    await pay(office)
    final = "select pay_final from claims where id = $1"
    assert await office.world.db.pool.fetchval(final, claim_id) is False
    await office.world.chain.finalize()
    await seen(office)
    assert await office.world.db.pool.fetchval(final, claim_id) is True
    assert (await office.claim(claim_id))["status"] == "PAID"


async def test_what_is_paid_by_hand_without_a_batch_is_paid(office: Office) -> None:
    claim_id = await approved(office)
    await pay(office)
    assert [to for to, _ in await moves(office, claim_id)] == ["APPROVED", "PAID"]


async def test_a_transfer_that_leaves_the_chain_is_waited_for_again(own_office: Office) -> None:
    office, chain = own_office, own_office.world.chain
    claim_id = await approved(office)
    await batch(office)
    before = await chain.block_number()
    tx_hash = await pay(office)
    await chain.reorg(await chain.block_number() - before)
    await seen(office)
    claim = await office.claim(claim_id)
    assert (claim["status"], claim["payTxHash"], claim["receipts"]) == ("BATCHED", None, [])
    last = claim["history"][-1]
    assert (last["reason"], last["details"]) == ("PAYOUT_LEFT_CHAIN", {"txHash": tx_hash})
    await pay(office)
    assert [to for to, _ in await moves(office, claim_id)] == [
        "APPROVED",
        "BATCHED",
        "PAID",
        "BATCHED",
        "PAID",
    ]


async def test_a_payout_that_leaves_the_chain_and_is_cancelled_finds_its_capital_held(
    own_office: Office, server_url: str
) -> None:
    office, chain = own_office, own_office.world.chain
    claim_id = await approved(office)
    await office.world.db.pool.execute("update claims set episode_over = true")
    await batch(office)
    before = await chain.block_number()
    await pay(office)
    assert await settle(office.world) == 0  # safe is not final
    await chain.reorg(await chain.block_number() - before)
    await seen(office)
    await cancel(claim_id, office, server_url)
    payout = int(office.order["payoutAmount"])
    assert await stands(office.world, "HELD", office.order["purchaseOrderId"]) == payout


async def test_a_payout_that_is_cancelled_puts_the_claim_before_an_operator_again(
    office: Office, server_url: str
) -> None:
    claim_id = await approved(office)
    await batch(office)
    await cancel(claim_id, office, server_url)
    claim = await office.claim(claim_id)
    assert (claim["status"], claim["history"][-1]["reason"]) == ("IN_REVIEW", "PAYOUT_CANCELLED")
    assert claim["amount"] == str(20 * USDC)
    # and it is approved anew, for less
    await office.approve(office.ada, claim_id, amount=str(19 * USDC))
    await pay(office, 19 * USDC)
    assert (await office.claim(claim_id))["status"] == "PAID"


async def test_a_part_that_is_liquidated_later_is_paid_beside_the_first(office: Office) -> None:
    claim_id = await approved(office, 20 * USDC)
    first = await pay(office)
    office.world.clock.advance(seconds=1)
    await bring(office.world.db, office.world.clock(), claim_id, (S.GATHERING, S.PAYABLE), amount=45 * USDC)
    await office.approve(office.ada, claim_id)
    assert [amount for _, amount, _ in await office.payouts()] == [20 * USDC, 25 * USDC]
    second = await pay(office, 25 * USDC)
    claim = await office.claim(claim_id)
    assert (claim["status"], claim["payTxHash"], claim["amount"]) == ("PAID", second, str(45 * USDC))
    assert [receipt["txHash"] for receipt in claim["receipts"]] == [first, second]


async def test_what_was_paid_stays_paid_when_a_second_payout_is_cancelled_and_not_owed(
    office: Office, server_url: str
) -> None:
    claim_id = await approved(office, 20 * USDC)
    first = await pay(office)
    await bring(office.world.db, office.world.clock(), claim_id, (S.GATHERING, S.PAYABLE), amount=45 * USDC)
    await office.approve(office.ada, claim_id)
    await cancel(claim_id, office, server_url)
    claim = await office.claim(claim_id)
    assert (claim["status"], claim["payTxHash"]) == ("IN_REVIEW", first)
    # the exchange shows that nothing more is owed
    await bring(office.world.db, office.world.clock(), claim_id, (S.GATHERING, S.PAID))
    await step(office.world, "follow payouts")
    assert (await office.claim(claim_id))["status"] == "PAID"


async def test_a_payout_of_which_a_part_was_sent_by_hand_is_paid_by_both_parts(
    office: Office, server_url: str
) -> None:
    chain, claim_id = office.world.chain, await approved(office)
    await chain.transfer(chain.treasury_wallet, office.trader.wallet.address, 5 * USDC)
    await chain.finalize()
    await seen(office)
    listed = await office.ada.call("GET", "/api/admin/treasury/suspense")
    due = next(one for one in listed["dues"] if one["recipient"] == checksum(office.trader.wallet.address))
    (by_hand,) = due["mayBePaidBy"]
    adopt = ("suspense", "adopt", by_hand["transfer"], "--due", due["id"])
    said = ("--by", "Ada", "--reason", "sent by hand, and mistyped")
    env = await office.env(server_url)
    assert (await liqpass(*adopt, *said, env=env)).status == 0
    await step(office.world, "follow payouts")
    assert (await office.claim(claim_id))["status"] == "APPROVED"
    await batch(office)
    assert (await office.claim(claim_id))["status"] == "BATCHED"
    rest = await pay(office, 15 * USDC)
    claim = await office.claim(claim_id)
    assert (claim["status"], claim["payTxHash"], claim["amount"]) == ("PAID", rest, str(20 * USDC))
    assert sorted(int(one["amount"]) for one in claim["receipts"]) == [5 * USDC, 15 * USDC]
    books = await liqpass("check", "--books", env=env)
    assert books.status == 0, books


async def test_payouts_together_are_what_the_limit_is_held_against(office: Office) -> None:
    claim_id = await approved(office, 40 * USDC)
    await pay(office, 40 * USDC)
    await bring(office.world.db, office.world.clock(), claim_id, (S.GATHERING, S.PAYABLE), amount=60 * USDC)
    assert not (await office.approve(office.ada, claim_id))["complete"]
    assert (await office.approve(office.bob, claim_id))["complete"]


async def test_a_step_more_moves_nothing(office: Office) -> None:
    claim_id = await approved(office)
    await batch(office)
    for _ in range(3):
        await step(office.world, "follow payouts")
    assert await moves(office, claim_id) == [("APPROVED", "APPROVED"), ("BATCHED", "BATCHED")]


async def test_while_the_payment_of_its_order_is_off_the_chain_a_payout_is_in_no_batch(
    own_office: Office,
) -> None:
    office, chain = own_office, own_office.world.chain
    (paid_by,) = await office.world.db.pool.fetch("select pay_tx_hash from purchase_orders")
    tx_hash = "0x" + paid_by["pay_tx_hash"].hex()
    raw = await chain.rpc("eth_getRawTransactionByHash", [tx_hash])
    claim_id = await approved(office)
    paid_in = int((await chain.wait(paid_by["pay_tx_hash"]))["blockNumber"], 16)
    await chain.reorg(await chain.block_number() - paid_in + 1)
    await office.world.work(2)
    made = await office.ada.call("POST", BATCH, {"again": False})
    assert (made["included"], [one["held"]["code"] for one in made["held"]]) == (0, ["ORDER_NOT_COVERED"])
    await step(office.world, "note what is held")
    assert (await office.claim(claim_id))["heldCode"] == "ORDER_NOT_COVERED"
    # and it goes into one when it is there again
    await chain.send_raw(bytes.fromhex(raw[2:]))
    await office.world.confirm()
    made = await office.ada.call("POST", BATCH, {"again": False})
    assert (made["included"], made["held"]) == (1, [])
