"""UUIDv7 as RFC 9562 lays it out, and the public ids of orders."""

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from liqpass.ids import ORDER_RANDOM_BYTES, RANDOM_BYTES, order_id, uuid7

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
random_bytes = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)
order_bytes = st.binary(min_size=ORDER_RANDOM_BYTES, max_size=ORDER_RANDOM_BYTES)


def test_the_example_of_the_rfc() -> None:
    """RFC 9562, A.6: unix_ts_ms 0x017F22E279B0, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F."""
    random = (0xCC3 << 62 | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    made = uuid7(datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC), random)
    assert made == UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")


@given(moments, random_bytes)
def test_version_and_variant_are_those_of_version_7(now: datetime, random: bytes) -> None:
    made = uuid7(now, random)
    assert (made.version, made.variant) == (7, RFC_4122)


@given(moments, random_bytes)
def test_the_first_48_bits_are_the_whole_milliseconds(now: datetime, random: bytes) -> None:
    assert uuid7(now, random).int >> 80 == (now - EPOCH) // timedelta(milliseconds=1)


@given(moments, st.integers(1, 10**9), random_bytes, random_bytes)
def test_a_later_millisecond_sorts_after_an_earlier_one(
    now: datetime, later_ms: int, first: bytes, second: bytes
) -> None:
    early, late = uuid7(now, first), uuid7(now + timedelta(milliseconds=later_ms), second)
    assert early.bytes < late.bytes
    assert str(early) < str(late)


@given(moments, random_bytes, random_bytes)
def test_all_74_random_bits_are_in_it(now: datetime, first: bytes, second: bytes) -> None:
    def bits(random: bytes) -> int:
        return int.from_bytes(random, "big") & (1 << 74) - 1

    assert (uuid7(now, first) == uuid7(now, second)) == (bits(first) == bits(second))


def test_the_id_of_an_order_is_its_minute_and_28_random_bytes() -> None:
    """2026-11-30 21:36 is 29,934,576 minutes after 1970 began."""
    made = order_id(datetime(2026, 11, 30, 21, 36, 59, tzinfo=UTC), bytes(range(28)))
    assert made.hex() == "01c8c3f0" + bytes(range(28)).hex()


@given(moments, st.integers(1, 10**6), order_bytes, order_bytes)
def test_an_order_of_a_later_minute_sorts_after_an_earlier_one(
    now: datetime, later: int, first: bytes, second: bytes
) -> None:
    early, late = order_id(now, first), order_id(now + timedelta(minutes=later), second)
    assert early < late
    assert len(early) == len(late) == 32


@given(moments, order_bytes, order_bytes)
def test_all_random_bytes_are_in_the_id_of_an_order(now: datetime, first: bytes, second: bytes) -> None:
    assert (order_id(now, first) == order_id(now, second)) == (first == second)
