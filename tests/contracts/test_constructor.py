"""The constructor refuses terms under which a premium would be lost."""

from msgspec.structs import replace
from pytest import mark

from liqpass.chain.checkout import word
from liqpass.chain.verify import Terms, creation_code
from liqpass.sandbox.chain import SandboxChain
from tests.contracts.actors import simulated_refusal


async def refused(chain: SandboxChain, terms: Terms, owner: bytes) -> str:
    return await simulated_refusal(chain, chain.deployer, creation_code(terms, owner), to=b"")


async def test_the_sandboxs_own_terms_are_accepted(chain: SandboxChain) -> None:
    assert await refused(chain, chain.terms(), chain.owner.address) == ""


async def test_a_token_without_code_is_refused(chain: SandboxChain) -> None:
    for empty in (bytes(20), chain.wallets[0].address):
        terms = replace(chain.terms(), usdc=empty)
        assert await refused(chain, terms, chain.owner.address) == "TokenWithoutCode"


@mark.parametrize("field", ["treasury", "signer"])
async def test_a_zero_treasury_or_signer_is_refused(chain: SandboxChain, field: str) -> None:
    terms = replace(chain.terms(), **{field: bytes(20)})
    assert await refused(chain, terms, chain.owner.address) == "ZeroAddress"


async def test_a_zero_owner_is_refused(chain: SandboxChain) -> None:
    assert await refused(chain, chain.terms(), bytes(20)) == "OwnableInvalidOwner"


async def test_what_was_given_is_what_can_be_read(chain: SandboxChain) -> None:
    for function, address in (
        ("token()", chain.usdc),
        ("treasury()", chain.treasury),
        ("signer()", chain.signer.address),
        ("owner()", chain.owner.address),
    ):
        assert await chain.call(chain.checkout, function) == word(address)
