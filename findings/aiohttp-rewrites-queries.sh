#!/usr/bin/env bash
# aiohttp 3.14.5 with yarl 1.25.1.
#
# A query that was percent-encoded before it is handed to aiohttp's client is sent in another spelling: %2C becomes ",",
# %3A ":", %2F "/", %7E "~", while [ and ] become %5B and %5D. `params=` spells otherwise than urllib's urlencode.
# Wrapped in yarl.URL(…, encoded=True) it is sent as it is.
#
# Bites: exchanges (OKX, for one) want a signature over the path and query as they arrive. One that was made over
# urlencode's text is refused as soon as a list of instruments or a time is in the query, and only then.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -qq --disable-pip-version-check install aiohttp==3.14.5 yarl==1.25.1
"$work/venv/bin/python" - << 'PY'
import asyncio
from urllib.parse import urlencode

from aiohttp import ClientSession, web
from yarl import URL

arrived = []


async def keep(request: web.Request) -> web.Response:
    arrived.append(request.raw_path.removeprefix("/?"))
    return web.Response()


async def main() -> None:
    app = web.Application()
    app.router.add_get("/", keep)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = "http://127.0.0.1:{}/".format(runner.addresses[0][1])
    query = {"instId": "BTC-USDT,ETH-USDT", "begin": "2026-01-01T00:00:00Z", "note": "[a/b]~"}
    signed = urlencode(query)
    async with ClientSession() as session:
        await session.get(f"{base}?{signed}")
        await session.get(base, params=query)
        await session.get(URL(f"{base}?{signed}", encoded=True))
    await runner.cleanup()
    as_text, as_params, as_encoded = arrived
    print("urlencode:   ", signed, "sent as text:", as_text, "sent by params=:", as_params, sep="\n")
    assert signed == "instId=BTC-USDT%2CETH-USDT&begin=2026-01-01T00%3A00%3A00Z&note=%5Ba%2Fb%5D~"
    assert as_text == "instId=BTC-USDT,ETH-USDT&begin=2026-01-01T00:00:00Z&note=%5Ba/b%5D~"
    assert as_params == as_text
    assert as_encoded == signed


asyncio.run(main())
PY
echo "As told: what was encoded and signed is not what is sent."
