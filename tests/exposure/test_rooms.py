"""What is told of the room that limits leave."""

import pytest

from liqpass.exposure.limits import Direction, Scope
from liqpass.exposure.rooms import Rooms
from tests.exposure.pool import NOW


@pytest.mark.parametrize(
    ("free", "limit", "room"), [(999_999, "CAPITAL", "0.99"), (10**9, "WALLET", "61.72")]
)
def test_the_room_for_a_payout_is_told_in_whole_cents_and_never_as_more_than_there_is(
    free: int, limit: str, room: str
) -> None:
    found = Rooms(
        free=free,
        whole=1_234_567_899,
        shares={**dict.fromkeys(Scope, 10_000), Scope.WALLET: 500},
        sums={},
        claimed=dict.fromkeys(Direction, 0),
        stops=[],
    )
    refusal = found.of(Direction.LONG, "BTC-USDT-SWAP", NOW).refusal(10**12)
    assert refusal is not None
    assert refusal.values == {"limit": limit, "roomUsd": room, "freeUsd": room}
    assert f"for {room} USDC" in refusal.words
