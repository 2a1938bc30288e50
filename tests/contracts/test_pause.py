"""pause and unpause: the owner stops the sale and opens it again."""

import pytest

from liqpass.sandbox.anvil import encode_call
from liqpass.sandbox.chain import SandboxChain
from tests.contracts.actors import approve, as_owner, is_paid, new_quote, pay, refusal


async def test_a_quote_is_paid_after_the_pause_as_if_nothing_had_been(chain: SandboxChain) -> None:
    quote = await new_quote(chain)
    await approve(chain, chain.wallets[0])
    await as_owner(chain, "pause()")
    assert any(await chain.call(chain.checkout, "paused()"))
    assert await refusal(chain, chain.wallets[0], quote.data()) == "EnforcedPause"
    await as_owner(chain, "unpause()")
    assert not any(await chain.call(chain.checkout, "paused()"))
    await pay(chain, chain.wallets[0], quote)
    assert await is_paid(chain, quote.order_id)


@pytest.mark.parametrize("function", ["pause()", "unpause()"])
async def test_only_the_owner_pauses_and_unpauses(chain: SandboxChain, function: str) -> None:
    if function == "unpause()":
        await as_owner(chain, "pause()")
    assert await refusal(chain, chain.wallets[0], encode_call(function)) == "OwnableUnauthorizedAccount"


async def test_a_pause_does_not_keep_the_owner_from_working(chain: SandboxChain) -> None:
    await as_owner(chain, "pause()")
    await as_owner(chain, "setSigner(address)", chain.wallets[5].address)
    await as_owner(chain, "rescue(address)", chain.usdc)
    assert await refusal(chain, chain.owner, encode_call("pause()")) == "EnforcedPause"
