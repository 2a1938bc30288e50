"""Bytes and hexadecimal text: any case in, one spelling out (lower case; EIP-55 for addresses)."""

import re
from functools import lru_cache

from liqpass.keccak import keccak
from liqpass.problems import Problem

_BYTES32 = re.compile(r"0[xX][0-9a-fA-F]{64}")
_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")


def to_hex(raw: bytes) -> str:
    """`0x` and lower-case digits."""
    return "0x" + raw.hex()


def bytes32(text: str, field: str) -> bytes:
    """32 bytes from `0x` and 64 hex digits of any case. Raises Problem INVALID_FIELD that names `field`."""
    if not _BYTES32.fullmatch(text):
        raise Problem("INVALID_FIELD", f"{field} is 0x and 64 hexadecimal digits.", field=field)
    return bytes.fromhex(text[2:])


def address(text: str, field: str) -> bytes:
    """20 bytes from an address of any case. A mixed-case one must carry the right EIP-55 checksum.

    Raises Problem INVALID_FIELD that names `field`.
    """
    if not _ADDRESS.fullmatch(text):
        raise Problem("INVALID_FIELD", f"{field} is 0x and 40 hexadecimal digits.", field=field)
    raw = bytes.fromhex(text[2:])
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()) and checksum(raw)[2:] != digits:
        raise Problem(
            "INVALID_FIELD", f"{field} has a wrong EIP-55 checksum: a character is mistyped.", field=field
        )
    return raw


@lru_cache(maxsize=1024)
def checksum(raw: bytes) -> str:
    """An address in EIP-55's mixed case."""
    digits = raw.hex()
    digest = keccak(digits.encode()).hex()
    return "0x" + "".join(
        c.upper() if nibble >= "8" else c for c, nibble in zip(digits, digest, strict=False)
    )
