"""rescue: what was transferred to the checkout by mistake goes to the treasury, and nowhere else."""

from liqpass.chain.checkout import word
from liqpass.hexes import to_hex
from liqpass.sandbox.anvil import encode_call
from liqpass.sandbox.chain import SandboxChain
from tests.contracts.actors import PREMIUM, approve, as_owner, new_quote, pay, refusal


async def test_stray_usdc_goes_to_the_treasury_to_the_last_unit(chain: SandboxChain) -> None:
    await chain.transfer(chain.wallets[0], chain.checkout, 1_234_567)
    await as_owner(chain, "rescue(address)", chain.usdc)
    assert await chain.usdc_balance(chain.treasury) == 1_234_567
    assert await chain.usdc_balance(chain.checkout) == 0


async def test_a_payment_leaves_stray_usdc_where_it_is(chain: SandboxChain) -> None:
    await chain.transfer(chain.wallets[1], chain.checkout, 500)
    await approve(chain, chain.wallets[0])
    await pay(chain, chain.wallets[0], await new_quote(chain))
    assert await chain.usdc_balance(chain.checkout) == 500
    assert await chain.usdc_balance(chain.treasury) == PREMIUM


async def test_another_token_is_rescued_too(chain: SandboxChain) -> None:
    token = await chain.deploy_usdc()
    mint = encode_call("mint(address,uint256)", chain.checkout, 77)
    await chain.transact(chain.usdc_master, token, mint)
    await as_owner(chain, "rescue(address)", token)
    assert await chain.call(token, "balanceOf(address)", chain.treasury) == word(77)


async def test_only_the_owner_rescues(chain: SandboxChain) -> None:
    rescue = encode_call("rescue(address)", chain.usdc)
    assert await refusal(chain, chain.wallets[0], rescue) == "OwnableUnauthorizedAccount"


async def test_the_owner_cannot_rescue_what_payers_have_approved(chain: SandboxChain) -> None:
    payer = chain.wallets[0]
    await approve(chain, payer)
    before = await chain.usdc_balance(payer.address)
    await as_owner(chain, "rescue(address)", chain.usdc)
    assert await chain.usdc_balance(payer.address) == before
    assert to_hex(await chain.call(chain.usdc, "balanceOf(address)", chain.treasury)) == to_hex(bytes(32))
