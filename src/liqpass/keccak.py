"""Keccak-256, Ethereum's hash."""

import sys

# Where cffi is installed, pycryptodome reads its own C declarations with a parser of C; else it takes ctypes:
# 12 ms and 1.5 MB less for every process, and no slower to hash.
_parser = sys.modules.get("cffi")
sys.modules["cffi"] = None  # type: ignore[assignment]
from Crypto.Hash import keccak as _keccak  # noqa: E402

if _parser is None:
    del sys.modules["cffi"]
else:
    sys.modules["cffi"] = _parser


def keccak(data: bytes) -> bytes:
    """The 32 bytes of it."""
    return _keccak.new(data=data, digest_bits=256).digest()
