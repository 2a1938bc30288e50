"""An order is shown as it was at one moment, although it moves while it is read."""

from typing import Any

import pytest

from liqpass.orders import sql as order_queries
from tests.flows.newcomers import Newcomer
from tests.world import TestWorld


async def test_the_history_of_an_order_tells_no_move_that_its_status_does_not_know(
    world: TestWorld, alice: Newcomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await alice.order()
    history = order_queries.history

    async def later(*args: Any) -> list[order_queries.Event]:
        """The order is cancelled after its row was read, before its history is."""
        monkeypatch.setattr(order_queries, "history", history)
        await alice.trader.call(
            "POST", "/api/insurance/cancel", {"purchaseOrderId": order["purchaseOrderId"]}
        )
        return await history(*args)

    monkeypatch.setattr(order_queries, "history", later)
    path = f"/api/insurance/orders/{order['purchaseOrderId']}"
    first, second = [await alice.trader.call("GET", path) for _ in range(2)]
    assert (first["status"], first["history"][-1]["toStatus"]) == ("DRAFT", "DRAFT")
    assert (second["status"], second["history"][-1]["toStatus"]) == ("CANCELLED", "CANCELLED")
    assert first["history"][-1]["seq"] < second["history"][-1]["seq"], "a page that waits for more is told"
