"""Ids that the application makes. They are sorted by time, so that indexes grow at one end."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

RANDOM_BYTES = 10
ORDER_RANDOM_BYTES = 28
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def uuid7(now: datetime, random: bytes) -> UUID:
    """UUIDv7 (RFC 9562, 5.7): 48 bits of Unix milliseconds, version 7, 74 random bits (`random` is 10 bytes,
    6 bits unused)."""
    millis = (now - EPOCH) // timedelta(milliseconds=1)
    tail = int.from_bytes(random[:RANDOM_BYTES], "big")
    rand_a = (tail >> 62) & 0xFFF
    rand_b = tail & ((1 << 62) - 1)
    return UUID(int=(millis & (1 << 48) - 1) << 80 | 7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b)


def order_id(now: datetime, random: bytes) -> bytes:
    """The public id of an order, 32 bytes: whole minutes since 1970 in 4, and 28 random ones.

    No finer time: among orders of a minute the place is random, so not all want the last page of an index.
    It tells no more than the chain does, where a payment's deadline shows the second of its order.
    """
    minutes = (now - EPOCH) // timedelta(minutes=1)
    return minutes.to_bytes(4, "big") + random[:ORDER_RANDOM_BYTES]
