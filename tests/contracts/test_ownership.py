"""Ownership changes in two steps, so that a mistyped address cannot lose it, and it cannot be given up."""

from liqpass.sandbox.anvil import encode_call
from liqpass.sandbox.chain import SandboxChain
from tests.contracts.actors import as_owner, refusal


async def test_the_new_owner_has_to_accept(chain: SandboxChain) -> None:
    heir = chain.wallets[0]
    await as_owner(chain, "transferOwnership(address)", heir.address)
    assert (await chain.call(chain.checkout, "owner()"))[-20:] == chain.owner.address
    assert await refusal(chain, heir, encode_call("pause()")) == "OwnableUnauthorizedAccount"
    await chain.transact(heir, chain.checkout, encode_call("acceptOwnership()"))
    assert (await chain.call(chain.checkout, "owner()"))[-20:] == heir.address
    await chain.transact(heir, chain.checkout, encode_call("pause()"))


async def test_the_old_owner_has_no_say_after_the_new_one_accepted(chain: SandboxChain) -> None:
    heir = chain.wallets[0]
    await as_owner(chain, "transferOwnership(address)", heir.address)
    await chain.transact(heir, chain.checkout, encode_call("acceptOwnership()"))
    for call in (
        encode_call("pause()"),
        encode_call("setSigner(address)", heir.address),
        encode_call("rescue(address)", chain.usdc),
        encode_call("transferOwnership(address)", chain.owner.address),
    ):
        assert await refusal(chain, chain.owner, call) == "OwnableUnauthorizedAccount"


async def test_nobody_else_accepts_or_transfers(chain: SandboxChain) -> None:
    await as_owner(chain, "transferOwnership(address)", chain.wallets[0].address)
    thief = chain.wallets[1]
    take = encode_call("transferOwnership(address)", thief.address)
    assert await refusal(chain, thief, encode_call("acceptOwnership()")) == "OwnableUnauthorizedAccount"
    assert await refusal(chain, thief, take) == "OwnableUnauthorizedAccount"


async def test_ownership_cannot_be_renounced(chain: SandboxChain) -> None:
    assert await refusal(chain, chain.owner, encode_call("renounceOwnership()")) == "OwnerRequired"
