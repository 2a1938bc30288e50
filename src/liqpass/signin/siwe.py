"""EIP-4361: the text that a wallet shows and signs, and who signed it. Pure: no I/O, no clock.

The server writes the whole text and keeps it, so what comes back must be the identical text; its parts are
compared all the same, because the settings may have changed since it was written.
"""

import re
from datetime import UTC, datetime

import msgspec

from liqpass.hexes import checksum
from liqpass.keccak import keccak
from liqpass.problems import Problem
from liqpass.secp256k1 import recovered

STATEMENT = "Sign in to LiqPass. This signature moves no money and permits nobody to move any."

_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
_TEXT = re.compile(
    r"(?P<domain>[!-~]{1,255}) wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9a-fA-F]{40})\n"
    r"\n"
    r"(?P<statement>[ -~]{1,200})\n"
    r"\n"
    r"URI: (?P<uri>[!-~]{1,300})\n"
    r"Version: 1\n"
    r"Chain ID: (?P<chain_id>[1-9][0-9]{0,15})\n"
    r"Nonce: (?P<nonce>[0-9a-zA-Z]{8,64})\n"
    rf"Issued At: (?P<issued_at>{_TIME})\n"
    rf"Expiration Time: (?P<expires_at>{_TIME})"
)

# Half the order of secp256k1: of the two values of s that sign the same, only the lower is taken (EIP-2).
_HIGHEST_S = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class Site(msgspec.Struct, frozen=True):
    """For whom the text is written: host (with its port, if it has one), address of the site, chain."""

    domain: str
    uri: str
    chain_id: int


class Message(msgspec.Struct, frozen=True):
    """What the text says. `address` is 20 bytes; times are whole seconds in UTC."""

    site: Site
    address: bytes
    nonce: str
    issued_at: datetime
    expires_at: datetime
    statement: str = STATEMENT


def text_of(message: Message) -> str:
    """The text to be signed."""
    return (
        f"{message.site.domain} wants you to sign in with your Ethereum account:\n"
        f"{checksum(message.address)}\n"
        "\n"
        f"{message.statement}\n"
        "\n"
        f"URI: {message.site.uri}\n"
        "Version: 1\n"
        f"Chain ID: {message.site.chain_id}\n"
        f"Nonce: {message.nonce}\n"
        f"Issued At: {message.issued_at:%Y-%m-%dT%H:%M:%SZ}\n"
        f"Expiration Time: {message.expires_at:%Y-%m-%dT%H:%M:%SZ}"
    )


def parse(text: str) -> Message:
    """The message of which `text_of` writes exactly this text. Raises Problem INVALID_FIELD for any other."""
    found = _TEXT.fullmatch(text)
    if not found:
        raise _malformed()
    try:
        message = Message(
            site=Site(found["domain"], found["uri"], int(found["chain_id"])),
            address=bytes.fromhex(found["address"][2:]),
            nonce=found["nonce"],
            issued_at=_time(found["issued_at"]),
            expires_at=_time(found["expires_at"]),
            statement=found["statement"],
        )
    except ValueError:
        raise _malformed() from None
    # What is left after the pattern: the checksum of the address (EIP-55).
    if text_of(message) != text:
        raise _malformed()
    return message


def refusal(message: Message, site: Site, now: datetime) -> str | None:
    """Why this message does not sign anybody in here and now; None when nothing speaks against it."""
    if message.site.domain != site.domain:
        return "The message was written for another domain."
    if message.site.uri != site.uri:
        return "The message was written for another site."
    if message.site.chain_id != site.chain_id:
        return "The message was written for another chain."
    if now < message.issued_at:
        return "The message is not valid yet."
    if now >= message.expires_at:
        return "The message has expired: ask for a new one."
    return None


def digest(text: str) -> bytes:
    """What `personal_sign` signs of a text (EIP-191, version 0x45)."""
    raw = text.encode()
    return keccak(b"\x19Ethereum Signed Message:\n%d" % len(raw) + raw)


def signer_of(hashed: bytes, signature: bytes) -> bytes | None:
    """The address whose key signed: r, s in the lower half, v of 27, 28, 0 or 1; or that in 64 bytes. None
    where it is not so."""
    signature = expanded(signature)
    if len(signature) != 65 or signature[64] not in (27, 28, 0, 1):
        return None
    if int.from_bytes(signature[32:64], "big") > _HIGHEST_S:
        return None
    key = recovered(hashed, signature[:64], signature[64] % 27)
    return keccak(key)[-20:] if key else None


def expanded(signature: bytes) -> bytes:
    """A compact signature (EIP-2098: r, and s whose highest bit is v) as r, s, v; any other as it is."""
    if len(signature) != 64:
        return signature
    v, highest = divmod(signature[32], 0x80)
    return signature[:32] + bytes([highest]) + signature[33:] + bytes([27 + v])


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _malformed() -> Problem:
    return Problem("INVALID_FIELD", "message is not the text that /api/auth/nonce gave.", field="message")
