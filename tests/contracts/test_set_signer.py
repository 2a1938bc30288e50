"""setSigner: the owner says whose quotes count; the old ones are void at once."""

from dataclasses import replace

from liqpass.hexes import to_hex
from liqpass.sandbox.anvil import encode_call, wallet
from liqpass.sandbox.chain import SandboxChain
from tests.contracts.actors import approve, as_owner, new_quote, pay, refusal

NEW = wallet("new quote signer")
# Answers ERC-1271's magic value to whatever it is asked; the other one answers zero.
YES_SAYER = bytes.fromhex("631626ba7e60e01b60005260206000f3")
NO_SAYER = bytes.fromhex("60206000f3")


async def test_after_the_change_only_the_new_signers_quotes_are_paid(chain: SandboxChain) -> None:
    payer = chain.wallets[0]
    await approve(chain, payer)
    old = await new_quote(chain)
    receipt = await as_owner(chain, "setSigner(address)", NEW.address)
    assert [topic[-40:] for topic in receipt["logs"][0]["topics"][1:]] == [
        chain.signer.address.hex(),
        NEW.address.hex(),
    ]
    assert (await chain.call(chain.checkout, "signer()"))[-20:] == NEW.address
    assert await refusal(chain, payer, old.data()) == "QuoteNotSigned"
    await pay(chain, payer, old.signed(chain, key=NEW.key))


async def test_only_the_owner_changes_the_signer(chain: SandboxChain) -> None:
    change = encode_call("setSigner(address)", NEW.address)
    for other in (chain.wallets[0], chain.signer):
        await chain.rpc("anvil_setBalance", [to_hex(other.address), hex(10**20)])
        assert await refusal(chain, other, change) == "OwnableUnauthorizedAccount"


async def test_there_is_always_a_signer(chain: SandboxChain) -> None:
    change = encode_call("setSigner(address)", bytes(20))
    assert await refusal(chain, chain.owner, change) == "ZeroAddress"


async def test_a_contract_can_sign_quotes(chain: SandboxChain) -> None:
    """An ERC-1271 signer is asked itself, so what its signature looks like is its own affair."""
    await chain.rpc("anvil_setCode", [to_hex(NEW.address), to_hex(YES_SAYER)])
    await as_owner(chain, "setSigner(address)", NEW.address)
    await approve(chain, chain.wallets[0])
    quote = replace(await new_quote(chain), signature=b"as the contract likes it")
    await pay(chain, chain.wallets[0], quote)
    assert await refusal(chain, chain.wallets[0], quote.data()) == "AlreadyPaid"


async def test_a_contract_that_does_not_say_yes_has_not_signed(chain: SandboxChain) -> None:
    await chain.rpc("anvil_setCode", [to_hex(NEW.address), to_hex(NO_SAYER)])
    await as_owner(chain, "setSigner(address)", NEW.address)
    await approve(chain, chain.wallets[0])
    quote = (await new_quote(chain)).signed(chain, key=NEW.key)
    assert await refusal(chain, chain.wallets[0], quote.data()) == "QuoteNotSigned"
