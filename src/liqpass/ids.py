"""UUIDv7 (RFC 9562, 5.7): made by the application, sorted by time, so that indexes grow at one end."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

RANDOM_BYTES = 10
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def uuid7(now: datetime, random: bytes) -> UUID:
    """48 bits of Unix milliseconds, version 7, 74 random bits (`random` is 10 bytes, 6 bits unused)."""
    millis = (now - EPOCH) // timedelta(milliseconds=1)
    tail = int.from_bytes(random[:RANDOM_BYTES], "big")
    rand_a = (tail >> 62) & 0xFFF
    rand_b = tail & ((1 << 62) - 1)
    return UUID(int=(millis & (1 << 48) - 1) << 80 | 7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b)
