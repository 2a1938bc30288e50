"""payPremium: one signed quote, paid once, exactly, before its deadline, straight to the treasury."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liqpass.chain.checkout import decode_premium_paid, decode_transfer, word
from liqpass.hexes import to_hex
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.chain import SandboxChain
from tests.contracts.actors import PREMIUM, Quote, approve, as_owner, is_paid, new_quote, pay, refusal

# A wallet in 36 bytes: calls the address in the first word with the rest, and reverts when that fails.
FORWARDER = bytes.fromhex("6020360360206000376000600060203603600060006000355af115601f57005b60006000fd")
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


async def test_a_signed_quote_is_paid_straight_to_the_treasury(chain: SandboxChain) -> None:
    payer, quote = chain.wallets[0], await new_quote(chain)
    before = await chain.usdc_balance(payer.address)
    await approve(chain, payer, quote.amount)
    receipt = await pay(chain, payer, quote)
    assert await chain.usdc_balance(chain.treasury) == PREMIUM
    assert await chain.usdc_balance(payer.address) == before - PREMIUM
    assert await chain.usdc_balance(chain.checkout) == 0
    assert await is_paid(chain, quote.order_id)
    moved, paid = receipt["logs"]
    assert decode_transfer(moved, chain.usdc).recipient == chain.treasury
    event = decode_premium_paid(paid, chain.checkout)
    assert (event.purchase_order_id, event.payer, event.amount) == (quote.order_id, payer.address, PREMIUM)


async def test_the_calls_that_the_server_hands_out_pay_the_quote(chain: SandboxChain) -> None:
    payer, quote = chain.wallets[1], await new_quote(chain)
    await chain.wait(await chain.pay(payer, chain.quote_calls(quote.order_id, quote.amount, quote.deadline)))
    assert await is_paid(chain, quote.order_id)
    assert await chain.usdc_balance(chain.treasury) == quote.amount


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amount=st.integers(min_value=1, max_value=10_000_000_000), seconds=st.integers(0, 10**9))
async def test_any_amount_that_the_payer_has_is_paid_to_the_last_unit(
    chain: SandboxChain, amount: int, seconds: int
) -> None:
    payer, before = chain.wallets[0], await chain.usdc_balance(chain.treasury)
    await chain.mint(payer.address, amount)
    await approve(chain, payer, amount)
    fresh = await new_quote(chain)
    quote = Quote(fresh.order_id, amount, fresh.deadline + seconds).signed(chain)
    await pay(chain, payer, quote)
    assert await chain.usdc_balance(chain.treasury) == before + amount


async def test_anyone_may_pay_for_anyone(chain: SandboxChain) -> None:
    quote = await new_quote(chain)
    for payer in chain.wallets[:2]:
        await approve(chain, payer)
    receipt = await pay(chain, chain.wallets[1], quote)
    assert decode_premium_paid(receipt["logs"][1], chain.checkout).payer == chain.wallets[1].address
    assert await refusal(chain, chain.wallets[0], quote.data()) == "AlreadyPaid"


async def test_the_treasury_cannot_pay_itself_and_so_pay_nothing(chain: SandboxChain) -> None:
    quote = await new_quote(chain)
    await chain.mint(chain.treasury, PREMIUM)
    await approve(chain, chain.treasury_wallet)
    assert await refusal(chain, chain.treasury_wallet, quote.data()) == "TreasuryCannotPay"
    assert not await is_paid(chain, quote.order_id)


async def test_a_contract_wallet_pays_from_its_own_balance_and_is_the_payer(chain: SandboxChain) -> None:
    contract = wallet("contract wallet").address
    await chain.rpc("anvil_setCode", [to_hex(contract), to_hex(FORWARDER)])
    await chain.mint(contract, PREMIUM)
    _, _, now = await chain.block()
    for call in chain.quote_calls(wallet("an order").key, PREMIUM, now + 900):
        receipt = await chain.transact(chain.wallets[0], contract, word(call.to) + call.data)
    assert decode_premium_paid(receipt["logs"][1], chain.checkout).payer == contract
    assert await chain.usdc_balance(contract) == 0


async def test_the_same_order_is_not_paid_twice(chain: SandboxChain) -> None:
    payer, quote = chain.wallets[0], await new_quote(chain)
    await approve(chain, payer)
    await pay(chain, payer, quote)
    assert await refusal(chain, payer, quote.data()) == "AlreadyPaid"
    dearer = replace(quote, amount=quote.amount + 1).signed(chain)
    assert await refusal(chain, payer, dearer.data()) == "AlreadyPaid"


async def test_a_zero_amount_is_refused_even_when_it_was_signed(chain: SandboxChain) -> None:
    quote = await new_quote(chain, amount=0)
    assert await refusal(chain, chain.wallets[0], quote.data()) == "ZeroAmount"


async def test_a_zero_order_id_is_refused_even_when_it_was_signed(chain: SandboxChain) -> None:
    quote = replace(await new_quote(chain), order_id=bytes(32)).signed(chain)
    await approve(chain, chain.wallets[0])
    assert await refusal(chain, chain.wallets[0], quote.data()) == "ZeroPurchaseOrderId"


async def test_the_deadline_is_the_last_second_in_which_a_quote_can_be_paid(chain: SandboxChain) -> None:
    payer = chain.wallets[0]
    await approve(chain, payer)
    in_time, late = await new_quote(chain), await new_quote(chain)
    await chain.rpc("evm_setNextBlockTimestamp", [in_time.deadline])
    await pay(chain, payer, in_time)
    await chain.rpc("evm_setNextBlockTimestamp", [late.deadline + 1])
    await chain.mine()
    assert await refusal(chain, payer, late.data()) == "QuoteExpired"


@pytest.mark.parametrize("change", ["amount", "deadline", "order_id"])
async def test_a_quote_that_was_changed_after_signing_is_refused(chain: SandboxChain, change: str) -> None:
    quote = await new_quote(chain)
    await approve(chain, chain.wallets[0])
    others: dict[str, list[dict[str, Any]]] = {
        "amount": [{"amount": quote.amount - 1}, {"amount": quote.amount + 1}, {"amount": 1}],
        "deadline": [{"deadline": quote.deadline + 1}, {"deadline": 2**256 - 1}],
        "order_id": [{"order_id": bytes.fromhex("01" * 32)}],
    }
    for other in others[change]:
        changed = replace(quote, **other)
        assert await refusal(chain, chain.wallets[0], changed.data()) == "QuoteNotSigned"


async def test_the_signature_of_another_signer_is_refused(chain: SandboxChain) -> None:
    await approve(chain, chain.wallets[0])
    for other in (chain.owner, chain.wallets[0], wallet("a stranger")):
        forged = (await new_quote(chain)).signed(chain, key=other.key)
        assert await refusal(chain, chain.wallets[0], forged.data()) == "QuoteNotSigned"


async def test_a_signature_for_another_chain_is_refused(chain: SandboxChain) -> None:
    await approve(chain, chain.wallets[0])
    elsewhere = (await new_quote(chain)).signed(chain, chain_id=84532)
    assert await refusal(chain, chain.wallets[0], elsewhere.data()) == "QuoteNotSigned"


async def test_a_signature_for_another_checkout_is_refused(chain: SandboxChain) -> None:
    other = await chain.deploy_checkout(chain.owner.address)
    await approve(chain, chain.wallets[0])
    quote = (await new_quote(chain)).signed(chain, checkout=other)
    assert await refusal(chain, chain.wallets[0], quote.data()) == "QuoteNotSigned"


async def test_the_high_s_twin_of_a_good_signature_is_refused(chain: SandboxChain) -> None:
    quote = await new_quote(chain)
    await approve(chain, chain.wallets[0])
    r, s, v = quote.signature[:32], int.from_bytes(quote.signature[32:64], "big"), quote.signature[64]
    twin = r + (CURVE_ORDER - s).to_bytes(32, "big") + bytes([55 - v])
    assert await refusal(chain, chain.wallets[0], replace(quote, signature=twin).data()) == "QuoteNotSigned"
    await pay(chain, chain.wallets[0], quote)


async def test_a_signature_of_another_shape_is_refused(chain: SandboxChain) -> None:
    quote = await new_quote(chain)
    await approve(chain, chain.wallets[0])
    good = quote.signature
    for bad in (b"", good[:64], good + b"\0", bytes(65), good[:64] + b"\x00", good[:64] + b"\x1d"):
        assert (
            await refusal(chain, chain.wallets[0], replace(quote, signature=bad).data()) == "QuoteNotSigned"
        )


async def test_without_an_allowance_nothing_is_paid(chain: SandboxChain) -> None:
    payer, quote = chain.wallets[0], await new_quote(chain)
    await approve(chain, payer, quote.amount - 1)
    assert await refusal(chain, payer, quote.data()) == "ERC20: transfer amount exceeds allowance"
    assert not await is_paid(chain, quote.order_id)


async def test_without_the_money_nothing_is_paid(chain: SandboxChain) -> None:
    payer = chain.wallets[0]
    quote = await new_quote(chain, amount=1 + await chain.usdc_balance(payer.address))
    await approve(chain, payer)
    assert await refusal(chain, payer, quote.data()) == "ERC20: transfer amount exceeds balance"
    assert not await is_paid(chain, quote.order_id)


async def test_a_blacklisted_payer_cannot_pay_and_another_still_can(chain: SandboxChain) -> None:
    quote = await new_quote(chain)
    for payer in chain.wallets[:2]:
        await approve(chain, payer)
    await chain.blacklist(chain.wallets[0].address)
    assert "blacklisted" in await refusal(chain, chain.wallets[0], quote.data())
    await pay(chain, chain.wallets[1], quote)


async def test_a_blacklisted_treasury_stops_all_sales(chain: SandboxChain) -> None:
    quote = await new_quote(chain)
    await approve(chain, chain.wallets[0])
    await chain.blacklist(chain.treasury)
    assert "blacklisted" in await refusal(chain, chain.wallets[0], quote.data())
    assert not await is_paid(chain, quote.order_id)
    await chain.unblacklist(chain.treasury)
    await pay(chain, chain.wallets[0], quote)


async def test_paused_usdc_stops_all_sales(chain: SandboxChain) -> None:
    quote = await new_quote(chain)
    await approve(chain, chain.wallets[0])
    await chain.pause_usdc()
    assert await refusal(chain, chain.wallets[0], quote.data()) == "Pausable: paused"
    await chain.unpause_usdc()
    await pay(chain, chain.wallets[0], quote)


async def test_a_paused_checkout_takes_no_payment(chain: SandboxChain) -> None:
    quote = await new_quote(chain)
    await approve(chain, chain.wallets[0])
    await as_owner(chain, "pause()")
    assert await refusal(chain, chain.wallets[0], quote.data()) == "EnforcedPause"


async def test_ether_is_not_taken(chain: SandboxChain) -> None:
    quote = await new_quote(chain)
    call = {"from": "0x" + chain.wallets[0].address.hex(), "to": "0x" + chain.checkout.hex(), "value": "0x1"}
    for data in (b"", quote.data()):
        with pytest.raises(Exception, match="revert"):
            await chain.rpc("eth_call", [{**call, "data": "0x" + data.hex()}, "latest"])
