"""payPremiumWithPermit: the same payment in one transaction; a permit may fail, the transfer decides."""

from liqpass.chain.checkout import decode_premium_paid
from liqpass.sandbox.anvil import encode_call
from liqpass.sandbox.chain import SandboxChain
from tests.contracts.actors import (
    PREMIUM,
    approve,
    as_owner,
    is_paid,
    new_quote,
    pay,
    permit,
    permit_data,
    refusal,
)

PERMIT = "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"
TOO_LITTLE = "ERC20: transfer amount exceeds allowance"


async def test_a_permit_pays_without_an_approval_before(chain: SandboxChain) -> None:
    payer, quote = chain.wallets[0], await new_quote(chain)
    signed = await permit(chain, payer, quote.amount, quote.deadline)
    receipt = await chain.transact(payer, chain.checkout, permit_data(quote, quote.deadline, *signed))
    assert decode_premium_paid(receipt["logs"][-1], chain.checkout).amount == PREMIUM
    assert await chain.usdc_balance(chain.treasury) == PREMIUM
    assert await chain.usdc_balance(chain.checkout) == 0
    allowance = await chain.call(chain.usdc, "allowance(address,address)", payer.address, chain.checkout)
    assert not any(allowance)


async def test_a_permit_that_somebody_submitted_first_does_not_block_the_payment(chain: SandboxChain) -> None:
    payer, thief, quote = chain.wallets[0], chain.wallets[1], await new_quote(chain)
    signed = await permit(chain, payer, quote.amount, quote.deadline)
    front_run = encode_call(PERMIT, payer.address, chain.checkout, quote.amount, quote.deadline, *signed)
    await chain.transact(thief, chain.usdc, front_run)
    await chain.transact(payer, chain.checkout, permit_data(quote, quote.deadline, *signed))
    assert await is_paid(chain, quote.order_id)


async def test_a_permit_of_somebody_else_does_not_spend_their_money(chain: SandboxChain) -> None:
    victim, thief, quote = chain.wallets[0], chain.wallets[1], await new_quote(chain)
    signed = await permit(chain, victim, quote.amount, quote.deadline)
    assert await refusal(chain, thief, permit_data(quote, quote.deadline, *signed)) == TOO_LITTLE


async def test_a_permit_for_less_or_too_late_or_for_another_name_pays_nothing(chain: SandboxChain) -> None:
    payer, quote = chain.wallets[0], await new_quote(chain)
    less = await permit(chain, payer, quote.amount - 1, quote.deadline)
    assert await refusal(chain, payer, permit_data(quote, quote.deadline, *less)) == TOO_LITTLE
    expired = await permit(chain, payer, quote.amount, 1)
    assert await refusal(chain, payer, permit_data(quote, 1, *expired)) == TOO_LITTLE
    misnamed = await permit(chain, payer, quote.amount, quote.deadline, usdc_name="USDC")
    assert await refusal(chain, payer, permit_data(quote, quote.deadline, *misnamed)) == TOO_LITTLE


async def test_a_bad_permit_over_a_standing_approval_still_pays(chain: SandboxChain) -> None:
    payer, quote = chain.wallets[0], await new_quote(chain)
    await approve(chain, payer, quote.amount)
    await chain.transact(payer, chain.checkout, permit_data(quote, 0, 27, bytes(32), bytes(32)))
    assert await is_paid(chain, quote.order_id)


async def test_the_rules_of_a_quote_hold_with_a_permit_too(chain: SandboxChain) -> None:
    payer = chain.wallets[0]
    quote = await new_quote(chain)
    signed = await permit(chain, payer, quote.amount, quote.deadline)
    forged = (await new_quote(chain)).signed(chain, key=payer.key)
    assert await refusal(chain, payer, permit_data(forged, forged.deadline, *signed)) == "QuoteNotSigned"
    await as_owner(chain, "pause()")
    assert await refusal(chain, payer, permit_data(quote, quote.deadline, *signed)) == "EnforcedPause"
    await as_owner(chain, "unpause()")
    await approve(chain, payer)
    await pay(chain, payer, quote)
    assert await refusal(chain, payer, permit_data(quote, quote.deadline, *signed)) == "AlreadyPaid"


async def test_a_blacklisted_payer_may_sign_a_permit_and_still_cannot_pay(chain: SandboxChain) -> None:
    payer, quote = chain.wallets[0], await new_quote(chain)
    signed = await permit(chain, payer, quote.amount, quote.deadline)
    await chain.blacklist(payer.address)
    assert "blacklisted" in await refusal(chain, payer, permit_data(quote, quote.deadline, *signed))
