"""Why a call would fail: what a contract gives back when it refuses, and how nodes pass that on. Pure."""

import re
from collections.abc import Iterator

from msgspec import Struct

from liqpass.keccak import keccak

WORDS_MOST = 200
NESTED_MOST = 5  # levels of a node's error in which the contract's data was seen: two

TOO_LITTLE_ALLOWED = "ERC20: transfer amount exceeds allowance"
TOO_LITTLE_HELD = "ERC20: transfer amount exceeds balance"
PAUSED = "Pausable: paused"
BLACKLISTED = "Blacklistable: account is blacklisted"

# What PremiumCheckout and the OpenZeppelin contracts in it can refuse with.
ERRORS = (
    "AlreadyPaid(bytes32)",
    "EnforcedPause()",
    "ExpectedPause()",
    "InvalidShortString()",
    "OwnableInvalidOwner(address)",
    "OwnableUnauthorizedAccount(address)",
    "OwnerRequired()",
    "QuoteExpired(uint256)",
    "QuoteNotSigned()",
    "SafeERC20FailedOperation(address)",
    "StringTooLong(string)",
    "TokenWithoutCode(address)",
    "TreasuryCannotPay()",
    "ZeroAddress()",
    "ZeroAmount()",
    "ZeroPurchaseOrderId()",
)

# JSON-RPC's code of a revert, in geth and most others; of any failure of the machine, in Parity's line.
REVERTED, MACHINE_FAILED = 3, -32015

_ERROR, _PANIC = keccak(b"Error(string)")[:4], keccak(b"Panic(uint256)")[:4]
_NAMES = {keccak(error.encode())[:4]: error.partition("(")[0] for error in ERRORS}

# Four bytes and whole words, as compilers write errors: so hashes and addresses beside them are none.
_DATA = re.compile(r"0x([0-9a-fA-F]{8}(?:[0-9a-fA-F]{64})*)(?![0-9a-fA-F])")
_NAMED = re.compile(rf"\b({'|'.join(_NAMES.values())})\(")
_TOKENS_WORDS = (TOO_LITTLE_ALLOWED, TOO_LITTLE_HELD, PAUSED, BLACKLISTED)
_AFTER_REVERT = re.compile(
    r"\brevert(?:ed)?(?! opcode)(?: with reason string| with| reason)?[ :]+(.+)", re.IGNORECASE
)
# What nodes write in the place of a reason: Nethermind, Lotus, Hardhat, Hedera.
_NO_WORDS = re.compile(
    r"revert(ed)?|none\b.*|without a reason.*|contract_revert_executed|0x.*", re.IGNORECASE
)


class Revert(Struct, frozen=True):
    """A refusal: the name of one of our contract's errors, or "" and the words of another contract, such as
    the token's. Both are "" when it gave no reason."""

    name: str = ""
    words: str = ""


UNEXPLAINED = Revert()


def told(code: int | None, message: str, data: object) -> Revert | None:
    """The refusal of a contract in a node's JSON-RPC error, however that node tells it; None when the error
    tells of none.

    The contract's data stand in `data`, some after a word of the node's own; or levels deeper in it, under
    names that differ; or in the message. Some nodes tell its words alone, and some that it reverted, no more.
    """
    texts = [message, *_texts(data)]
    found = [decoded(bytes.fromhex(one)) for text in texts for one in _DATA.findall(text)]
    if code != REVERTED and not any("revert" in text.lower() for text in texts):
        return found[0] if found and code == MACHINE_FAILED else None
    named = [Revert(name=one) for text in texts for one in _NAMED.findall(text)]
    tokens = [Revert(words=one) for one in _TOKENS_WORDS if any(one in text for text in texts)]
    in_words = [Revert(words=words) for text in texts if (words := _words_of(text))]
    explained = [one for one in (*found, *named, *tokens, *in_words) if one != UNEXPLAINED]
    return explained[0] if explained else UNEXPLAINED


def decoded(data: bytes) -> Revert:
    """What `data`, as it came with the revert, says; of an error that we do not know its first four bytes."""
    if not data:
        return UNEXPLAINED
    if data[:4] == _ERROR:
        return Revert(words=(abi_text(data[4:]) or "")[:WORDS_MOST])
    if data[:4] == _PANIC:
        return Revert(words=f"Panic(0x{data[-1]:02x})")
    name = _NAMES.get(data[:4])
    return Revert(name=name) if name is not None else Revert(words=f"0x{data[:4].hex()}")


def abi_text(raw: bytes) -> str | None:
    """A `string` that stands alone in ABI encoding: offset, length, bytes. None when it is none."""
    length = int.from_bytes(raw[32:64], "big")
    if len(raw) < 64 + length:
        return None
    return raw[64 : 64 + length].decode("utf-8", "replace")


def _texts(data: object, depth: int = NESTED_MOST) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict | list) and depth:
        for part in data.values() if isinstance(data, dict) else data:
            yield from _texts(part, depth - 1)


def _words_of(text: str) -> str:
    """What a node writes after its word for a revert; "" when that is nothing a contract has said."""
    found = _AFTER_REVERT.search(text)
    words = found[1].strip(" '\"") if found else ""
    printable = "".join(char if char.isprintable() else " " for char in words).strip()
    return "" if _NO_WORDS.fullmatch(printable) else printable[:WORDS_MOST]
