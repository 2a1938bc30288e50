"""The sandbox exchange held to nautilus_trader's idea of OKX: its adapter, unmodified but for the host.

nautilus_trader is LGPL: it is no dependency of the product, nothing of ours imports it. It runs as a program
of its own (with_nautilus.py), in an environment that is made for this test and handed to nobody. That takes
0.6 to 0.9 GB, so `make test` leaves it out and `make conformance` does it, by requirements-nautilus.lock.
"""

from decimal import Decimal
from typing import Any

import pytest

from liqpass.clock import system_clock
from liqpass.sandbox.okx_server import SandboxExchange
from tests.conformance.asking import ask

BTC, ETH = "BTC-USDT-SWAP", "ETH-USDT-SWAP"


@pytest.mark.parametrize("label", ["reads one", "reads two"], ids=["hedge mode", "net mode"])
async def test_it_reads_an_account_with_a_liquidated_position(label: str) -> None:
    async with SandboxExchange(system_clock) as exchange:
        key = next(key for key in exchange.test_keys() if key["label"] == label)
        account = exchange.books.accounts[str(key["uid"])]
        gone = next(slot for (inst_id, _, _), slot in account.slots.items() if inst_id == BTC)
        exchange.books.liquidate(account.uid, BTC)
        host = exchange.hosts["global"]
        read = await ask("nautilus", {"host": host, "key": key, "liquidated": BTC, "open": ETH})
        still_open = [slot for slot in account.slots.values() if slot.contracts]
    instruments = {row["raw_symbol"]: row for row in read["instruments"]}
    assert instruments.keys() == exchange.books.instruments.keys()
    assert (instruments[BTC]["type"], instruments[BTC]["multiplier"]) == ("CryptoPerpetual", "0.01")
    assert (instruments[BTC]["price_increment"], instruments[BTC]["size_increment"]) == ("0.1", "0.01")
    assert read["currencies"] == ["BTC", "DOGE", "ETH", "SOL", "USDT"]
    assert {shown(row) for row in read["positions"]} == {
        (f"{slot.instrument.inst_id}.OKX", slot.sign * slot.contracts) for slot in still_open
    }
    assert [row["instrument_id"] for row in read["of one"]] == [f"{ETH}.OKX"]
    (balance,) = read["account"]["balances"]
    assert Decimal(balance["locked"]) + Decimal(balance["free"]) == Decimal(balance["total"])
    assert Decimal(balance["total"]) == pytest.approx(account.balance, abs=Decimal("1e-7"))  # cashBal
    (order,) = [row for row in read["orders"] if row["reduce_only"]]
    (fill,) = [row for row in read["fills"] if row["venue_order_id"] == order["venue_order_id"]]
    assert (order["order_status"], Decimal(order["filled_qty"])) == ("FILLED", gone.closed_contracts)
    assert (Decimal(fill["last_px"]), Decimal(fill["last_qty"])) == (gone.trigger_px, gone.closed_contracts)
    assert len(read["bars"]) == 30
    assert Decimal(read["bars"][-1]["close"]) == exchange.books.instruments[BTC].mark
    assert read["time"] > 0


def shown(row: dict[str, Any]) -> tuple[str, Decimal]:
    return row["instrument_id"], Decimal(row["signed_decimal_qty"])
