"""Sealing the secrets of exchange keys: AES-256-GCM with a ring of keys. Pure: randomness is given to it.

What is sealed is bound by associated data to where it is stored (table, user, row, column): moved anywhere
else it does not open. Text form: `v1.<key id>.<base64url of nonce 12, ciphertext, tag 16>`. The first version
of this product wrote base64(nonce 12, tag 16, ciphertext) without associated data; that is still opened.
"""

import base64
import binascii
import os
import re
from collections.abc import Callable, Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from liqpass.settings import SettingError

SETTING = "API_KEYS_ENC_KEY"
_HOW = (
    "make one with: liqpass keys generate (32 random bytes in base64; or a ring k2:…,k1:…, the first seals)"
)

VERSION = "v1"
# The id of a key that stands alone. A ring made later names it k1 to open what it has sealed.
ONLY_KEY_ID = "k1"
KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16

_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SEALED = re.compile(rf"{VERSION}\.({_KEY_ID.pattern})\.([A-Za-z0-9_-]+)")


class CipherError(Exception):
    """A sealed text was not opened. No message holds any part of it, or of what was in it."""


class MalformedError(CipherError):
    """It has neither of the two layouts."""


class UnknownKeyError(CipherError):
    """It was sealed with a key that is not in the ring."""


class DoesNotOpenError(CipherError):
    """It was changed, or moved from another place, or sealed with another key of the same id."""


class KeyRing:
    """Keys by id, each of 32 bytes. The first one seals, all of them open."""

    def __init__(self, keys: Mapping[str, bytes], random: Callable[[int], bytes] = os.urandom) -> None:
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._sealing_id = next(iter(keys))
        self._random = random

    @classmethod
    def from_env(cls, text: str) -> "KeyRing":
        """The ring that API_KEYS_ENC_KEY describes. Raises SettingError."""
        keys: dict[str, bytes] = {}
        for entry in text.strip().split(","):
            key_id, separator, encoded = entry.strip().rpartition(":")
            if separator and not _KEY_ID.fullmatch(key_id):
                raise SettingError(SETTING, f"has a key without a proper id: {_HOW}")
            key_id = key_id or ONLY_KEY_ID
            if key_id in keys:
                raise SettingError(SETTING, f"has the id {key_id} twice: {_HOW}")
            keys[key_id] = _key(encoded)
        return cls(keys)

    @property
    def ids(self) -> list[str]:
        """Of its keys, the sealing one first."""
        return list(self._keys)

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    def seal(self, plaintext: str, context: Sequence[str]) -> str:
        """Seal a text for the place that `context` names. The same text is sealed differently each time."""
        nonce = self._random(_NONCE_BYTES)
        bound_to = _associated_data(self._sealing_id, context)
        body = nonce + self._keys[self._sealing_id].encrypt(nonce, plaintext.encode(), bound_to)
        return f"{VERSION}.{self._sealing_id}.{base64.urlsafe_b64encode(body).decode().rstrip('=')}"

    def open(self, sealed: str, context: Sequence[str]) -> str:
        """The text that was sealed for this place. Raises CipherError."""
        found = _SEALED.fullmatch(sealed)
        if not found:
            return self._open_old(sealed)
        key_id, body = found[1], _decoded(found[2])
        if key_id not in self._keys:
            raise UnknownKeyError(f"It was sealed with the key {key_id}, which is not in {SETTING}.")
        if body is None or len(body) < _NONCE_BYTES + _TAG_BYTES:
            raise MalformedError("It is too short to be a sealed text.")
        nonce, rest = body[:_NONCE_BYTES], body[_NONCE_BYTES:]
        plaintext = _decrypted(self._keys[key_id], nonce, rest, _associated_data(key_id, context))
        if plaintext is None:
            raise DoesNotOpenError("It was changed, or it belongs to another place or key.")
        return plaintext

    def needs_rewrap(self, sealed: str) -> bool:
        """Whether sealing it again would change its layout or its key."""
        return not sealed.startswith(f"{VERSION}.{self._sealing_id}.")

    def _open_old(self, sealed: str) -> str:
        body = _decoded(sealed)
        if body is None or len(body) < _NONCE_BYTES + _TAG_BYTES:
            raise MalformedError("It is not a sealed text.")
        nonce, tag, ciphertext = body[:12], body[12:28], body[28:]
        for key in self._keys.values():
            plaintext = _decrypted(key, nonce, ciphertext + tag, None)
            if plaintext is not None:
                return plaintext
        raise DoesNotOpenError("It has the old layout, and no key of the ring opens it.")


def is_bound(sealed: str) -> bool:
    """Whether a sealed text has the present layout, which opens only in its own place."""
    return _SEALED.fullmatch(sealed) is not None


def _associated_data(key_id: str, context: Sequence[str]) -> bytes:
    """Every part behind its length, so that no two different lists of parts give the same bytes."""
    parts = [part.encode() for part in ("liqpass", VERSION, key_id, *context)]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _decrypted(key: AESGCM, nonce: bytes, body: bytes, bound_to: bytes | None) -> str | None:
    try:
        return key.decrypt(nonce, body, bound_to).decode()
    except (InvalidTag, UnicodeDecodeError):
        return None


def _key(text: str) -> bytes:
    key = _decoded(text.strip())
    if key is None:
        raise SettingError(SETTING, f"is not base64: {_HOW}")
    if len(key) != KEY_BYTES:
        raise SettingError(SETTING, f"holds a key of {len(key)} bytes instead of {KEY_BYTES}: {_HOW}")
    return key


def _decoded(text: str) -> bytes | None:
    """Base64 in either alphabet, padded or not; None when it is neither."""
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
