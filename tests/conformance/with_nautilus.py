"""A program for the environment .venv/nautilus: it reads an account with nautilus_trader's adapter for OKX.

Input is {"host", "key", "liquidated", "open"}, the last two names of instruments; output is what the adapter
made of each answer. Versions 1.221 (for Python 3.11) and 1.231 name two things differently.
"""

import asyncio
import json
import sys
from typing import Any

from nautilus_trader import __version__
from nautilus_trader.adapters.okx.providers import OKXInstrumentProvider
from nautilus_trader.core import nautilus_pyo3 as nautilus


async def read(host: str, key: dict[str, str], liquidated: str, still_open: str) -> dict[str, Any]:
    client = nautilus.OKXHttpClient(
        api_key=key["apiKey"], api_secret=key["secret"], api_passphrase=key["passphrase"], base_url=host
    )
    swaps, account = nautilus.OKXInstrumentType.SWAP, nautilus.AccountId("OKX-001")
    provider = OKXInstrumentProvider(client, (swaps,))
    await provider.load_all_async()
    remember = getattr(client, "cache_instrument", None) or client.add_instrument
    for each in provider.instruments_pyo3():
        remember(each)
    server_time = getattr(client, "get_server_time", None) or client.http_get_server_time
    btc = nautilus.InstrumentId.from_str(f"{liquidated}.OKX")
    eth = nautilus.InstrumentId.from_str(f"{still_open}.OKX")
    hours = nautilus.BarType.from_str(f"{btc}-1-HOUR-LAST-EXTERNAL")
    return {
        "version": __version__,
        "instruments": [each.to_dict() for each in provider.instruments_pyo3()],
        "currencies": sorted(provider.currencies()),
        "account": (await client.request_account_state(account)).to_dict(),
        "positions": dicts(await client.request_position_status_reports(account, swaps)),
        "of one": dicts(await client.request_position_status_reports(account, swaps, eth)),
        "orders": dicts(await client.request_order_status_reports(account, swaps, btc)),
        "fills": dicts(await client.request_fill_reports(account, swaps, btc)),
        "bars": dicts(await client.request_bars(hours, None, None, 30)),
        "time": await server_time(),
    }


def dicts(reports: list[Any]) -> list[dict[str, Any]]:
    return [report.to_dict() for report in reports]


def main() -> None:
    asked = json.load(sys.stdin)
    answers = asyncio.run(read(asked["host"], asked["key"], asked["liquidated"], asked["open"]))
    json.dump(answers, sys.stdout, default=str)


main()
