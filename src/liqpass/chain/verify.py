"""Is the deployed checkout the committed one, made for these settings? And is anything stopping the sale?

Serves `liqpass contract verify`, `liqpass check` and the start of the server. `rpc` is any function that does
one JSON-RPC call: an outage is its NodeError and passes through, because unknown is not wrong.
"""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import NamedTuple

import msgspec

from liqpass.chain.checkout import DOMAIN_NAME, DOMAIN_VERSION, domain_separator, word
from liqpass.chain.failures import NodeError
from liqpass.chain.reverts import abi_text
from liqpass.chain.rpc import revert_of
from liqpass.hexes import checksum, to_hex
from liqpass.keccak import keccak

Rpc = Callable[[str, list[object]], Awaitable[object]]

# The old bridged token of Base: it looks like USDC to a reader, and is none.
USDBC = bytes.fromhex("d9aaec86b65d86f6a7b5b1b0c42ffa531710b6ca")


class Row(NamedTuple):
    """One thing that was compared."""

    name: str
    ok: bool
    detail: str


class Artefact(msgspec.Struct, frozen=True, rename={"deployed": "deployedBytecode"}):
    """The committed compilation (contracts/build.mjs). `immutables`: name → offsets of their words."""

    bytecode: str
    deployed: str
    immutables: dict[str, list[int]]


class Terms(msgspec.Struct, frozen=True):
    """What a checkout is made for. Addresses are 20 bytes."""

    chain_id: int
    usdc: bytes
    treasury: bytes
    signer: bytes


def artefact() -> Artefact:
    """The compilation that this package carries."""
    text = (files("liqpass.chain") / "premium_checkout.json").read_bytes()
    return msgspec.json.decode(text, type=Artefact)


def creation_code(terms: Terms, owner: bytes) -> bytes:
    """What a deployment sends: the code and the constructor's arguments."""
    code = bytes.fromhex(artefact().bytecode[2:])
    return code + word(terms.usdc) + word(terms.treasury) + word(terms.signer) + word(owner)


async def verify(rpc: Rpc, checkout: bytes, terms: Terms, owner: bytes | None = None) -> list[Row]:
    """Compare chain, USDC and checkout with the settings. `owner` None: it is shown, not compared."""
    chain_id = int(str(await rpc("eth_chainId", [])), 16)
    rows = [_compared("chain id", str(chain_id), str(terms.chain_id))]
    rows += await verify_usdc(rpc, terms)
    code_rows = await _code_rows(rpc, checkout, terms)
    rows += code_rows
    # Asking foreign code for its owner would only add noise.
    if all(row.ok for row in code_rows):
        rows += await _state_rows(rpc, checkout, terms, owner)
    return rows


async def verify_usdc(rpc: Rpc, terms: Terms) -> list[Row]:
    """The token: a permit signed for another name, version or chain would fail without a word."""
    if terms.chain_id == 8453 and terms.usdc == USDBC:
        return [Row("USDC", False, "this is USDbC, the old bridged token, not USDC")]
    code = await _code(rpc, terms.usdc)
    if not code:
        return [Row("USDC", False, f"there is no contract at {checksum(terms.usdc)}")]
    name, version = await _text(rpc, terms.usdc, "name()"), await _text(rpc, terms.usdc, "version()")
    if name is None or version is None:
        return [Row("USDC", False, f"{checksum(terms.usdc)} has no name() or no version()")]
    decimals = await ask(rpc, terms.usdc, "decimals()")
    separator = await ask(rpc, terms.usdc, "DOMAIN_SEPARATOR()")
    expected = domain_separator(terms.chain_id, terms.usdc, name, version)
    return [
        Row("USDC", True, f"{checksum(terms.usdc)}: {name}, version {version}"),
        _compared("USDC decimals()", str(int.from_bytes(decimals or b"", "big")), "6"),
        _compared("USDC DOMAIN_SEPARATOR()", to_hex(separator or b""), to_hex(expected)),
    ]


async def sale_obstacles(rpc: Rpc, checkout: bytes, usdc: bytes, treasury: bytes) -> list[str]:
    """Why no premium can be paid at present, one sentence each; empty when nothing is in the way."""
    asked = [
        (checkout, "paused()", b"", "The checkout is paused."),
        (usdc, "paused()", b"", "USDC itself is paused by its issuer."),
        (usdc, "isBlacklisted(address)", word(treasury), "The treasury is on the blacklist of USDC."),
    ]
    answers = [(await ask(rpc, to, function, tail), sentence) for to, function, tail, sentence in asked]
    return [sentence for answer, sentence in answers if answer and any(answer)]


async def ask(rpc: Rpc, to: bytes, function: str, arguments: bytes = b"") -> bytes | None:
    """The raw answer of a view function; None when the contract has no such function or refuses."""
    data = to_hex(keccak(function.encode())[:4] + arguments)
    try:
        answer = await rpc("eth_call", [{"to": to_hex(to), "data": data}, "latest"])
    except NodeError as error:
        if revert_of(error) is None:
            raise
        return None
    return bytes.fromhex(str(answer)[2:]) or None


def deployed_code(checkout: bytes, terms: Terms) -> bytes:
    """The exact code that the committed contract has when it is deployed there, for these terms."""
    made = artefact()
    code = bytearray.fromhex(made.deployed[2:])
    for name, value in _immutables(checkout, terms).items():
        for start in made.immutables[name]:
            code[start : start + 32] = value
    return bytes(code)


def _immutables(checkout: bytes, terms: Terms) -> dict[str, bytes]:
    """The words that the constructor writes into the code. The underscored ones are OpenZeppelin's EIP712."""
    return {
        "token": word(terms.usdc),
        "treasury": word(terms.treasury),
        "_cachedChainId": word(terms.chain_id),
        "_cachedThis": word(checkout),
        "_cachedDomainSeparator": domain_separator(terms.chain_id, checkout, DOMAIN_NAME, DOMAIN_VERSION),
        "_hashedName": keccak(DOMAIN_NAME.encode()),
        "_hashedVersion": keccak(DOMAIN_VERSION.encode()),
        "_name": _short_string(DOMAIN_NAME),
        "_version": _short_string(DOMAIN_VERSION),
    }


def _short_string(text: str) -> bytes:
    return text.encode().ljust(31, b"\0") + bytes([len(text)])


async def _code_rows(rpc: Rpc, checkout: bytes, terms: Terms) -> list[Row]:
    found, expected = await _code(rpc, checkout), deployed_code(checkout, terms)
    if not found:
        return [Row("checkout code", False, f"there is no contract at {checksum(checkout)}")]
    if found == expected:
        return [Row("checkout code", True, f"{len(found)} bytes, as committed, immutables included")]
    wrong = {
        name: start
        for name, places in artefact().immutables.items()
        for start in places
        if _at(found, start) != _at(expected, start)
    }
    if _blank(found) != _blank(expected):
        return [Row("checkout code", False, "it is not the committed PremiumCheckout")]
    return [
        _compared(f"checkout {name} in its code", to_hex(_at(found, start)), to_hex(_at(expected, start)))
        for name, start in wrong.items()
    ]


def _at(code: bytes, start: int) -> bytes:
    return code[start : start + 32]


def _blank(code: bytes) -> bytes:
    """The code without its immutables, as the compiler leaves it."""
    blank = bytearray(code)
    for places in artefact().immutables.values():
        for start in places:
            blank[start : start + 32] = bytes(32)
    return bytes(blank)


async def _state_rows(rpc: Rpc, checkout: bytes, terms: Terms, owner: bytes | None) -> list[Row]:
    found = {
        name: checksum((await ask(rpc, checkout, f"{name}()") or b"")[-20:])
        for name in ("token", "treasury", "signer", "owner")
    }
    domain = await ask(rpc, checkout, "eip712Domain()")
    return [
        _compared("checkout token()", found["token"], checksum(terms.usdc)),
        _compared("checkout treasury()", found["treasury"], checksum(terms.treasury)),
        _compared("checkout signer()", found["signer"], checksum(terms.signer)),
        _compared("checkout owner()", found["owner"], checksum(owner) if owner else found["owner"]),
        Row(
            "checkout eip712Domain()",
            domain == _domain(checkout, terms.chain_id),
            f"{DOMAIN_NAME}, version {DOMAIN_VERSION}, chain {terms.chain_id}",
        ),
    ]


def _domain(checkout: bytes, chain_id: int) -> bytes:
    """The answer of ERC-5267's eip712Domain(): seven words of head, then name, version, no extensions."""
    head = [
        b"\x0f".ljust(32, b"\0"),
        word(0xE0),
        word(0x120),
        word(chain_id),
        word(checkout),
        word(0),
        word(0x160),
    ]
    texts = [word(len(text)) + text.encode().ljust(32, b"\0") for text in (DOMAIN_NAME, DOMAIN_VERSION)]
    return b"".join([*head, *texts, word(0)])


async def _code(rpc: Rpc, contract: bytes) -> bytes:
    return bytes.fromhex(str(await rpc("eth_getCode", [to_hex(contract), "latest"]))[2:])


async def _text(rpc: Rpc, to: bytes, function: str) -> str | None:
    """A `string` that a view function answers."""
    return abi_text(await ask(rpc, to, function) or b"")


def _compared(name: str, found: str, expected: str) -> Row:
    return Row(name, found == expected, found if found == expected else f"is {found}, expected {expected}")
