"""Signing and recovering on secp256k1, by libwally's build of libsecp256k1. Keys and digests are 32 bytes."""

import secrets

import wallycore

_RECOVERABLE = wallycore.EC_FLAG_ECDSA | wallycore.EC_FLAG_RECOVERABLE
_UNCOMPRESSED_KEY = 31  # the first byte of a recoverable signature is this and the recovery id

wallycore.secp_randomize(secrets.token_bytes(32))  # blinds what is done with a key against who measures it


def is_private_key(key: bytes) -> bool:
    """Whether it is one: from 1 to below the group's order."""
    try:
        wallycore.ec_private_key_verify(key)
    except ValueError:
        return False
    return True


def public_key(key: bytes) -> bytes:
    """Of a private key: x and y, 64 bytes. Raises ValueError when it is none."""
    _refuse_no_key(key)
    return _whole(wallycore.ec_public_key_from_private_key(key))


def sign(key: bytes, digest: bytes) -> tuple[bytes, int]:
    """r and s, 64 bytes, with s in the lower half, and the recovery id; always the same for the same (RFC
    6979). Raises ValueError when the key is none."""
    _refuse_no_key(key)
    signed = bytes(wallycore.ec_sig_from_bytes(key, digest, _RECOVERABLE))
    return signed[1:], signed[0] - _UNCOMPRESSED_KEY


def recovered(digest: bytes, signature: bytes, recovery_id: int) -> bytes | None:
    """The public key, 64 bytes, whose signature (r and s, 64 bytes) it is; None when it is nobody's."""
    try:
        return _whole(
            wallycore.ec_sig_to_public_key(digest, bytes([_UNCOMPRESSED_KEY + recovery_id]) + signature)
        )
    except ValueError:
        return None


def _refuse_no_key(key: bytes) -> None:
    if not is_private_key(key):
        raise ValueError("A private key has 32 bytes, and lies between 0 and the group's order.")


def _whole(compressed: bytes) -> bytes:
    return bytes(wallycore.ec_public_key_decompress(compressed)[1:])
