"""Why a call would fail: what a contract gives back when it refuses. Pure."""

from eth_hash.auto import keccak
from msgspec import Struct

WORDS_MOST = 200

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

_ERROR = keccak(b"Error(string)")[:4]
_NAMES = {keccak(error.encode())[:4]: error.partition("(")[0] for error in ERRORS}


class Revert(Struct, frozen=True):
    """A refusal: the name of one of our contract's errors, or "" and the words of another contract, such as
    the token's. Both are "" when it gave no reason."""

    name: str = ""
    words: str = ""


def decoded(data: bytes) -> Revert:
    """What `data`, as it came with the revert, says; of an error that we do not know its first four bytes."""
    if not data:
        return Revert()
    if data[:4] == _ERROR:
        return Revert(words=(abi_text(data[4:]) or "")[:WORDS_MOST])
    name = _NAMES.get(data[:4])
    return Revert(name=name) if name is not None else Revert(words=f"0x{data[:4].hex()}")


def abi_text(raw: bytes) -> str | None:
    """A `string` that stands alone in ABI encoding: offset, length, bytes. None when it is none."""
    length = int.from_bytes(raw[32:64], "big")
    if len(raw) < 64 + length:
        return None
    return raw[64 : 64 + length].decode("utf-8", "replace")
