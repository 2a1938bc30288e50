#!/bin/sh
# ccxt: fetch_ohlcv of okx with paginate and price "mark" leaves out every second hundred of bars.
#
# OKX gives at most 100 bars of mark prices at once. ccxt pages in steps of 200 bars and cuts each request to
# the first 100 of them, so that the other 100 are never asked for; nothing is raised, and the gaps are silent. Pages of
# trades, of which OKX gives 300 at once, are whole. With {"maxEntriesPerRequest": 100} those of marks are, too.
# The transport is replaced by one that answers as OKX's documents say; nothing of LiqPass is used.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q --disable-pip-version-check --only-binary=:all: ccxt==4.5.90
"$folder/bin/python" - <<'EOF'
import sys
from urllib.parse import parse_qs, urlsplit

import ccxt

MINUTE_MS = 60_000


class FromDocuments(ccxt.okx):
    """OKX with one instrument, whose price has always been 1."""

    def fetch(self, url, method="GET", headers=None, body=None):
        asked = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        if asked.path == "/api/v5/public/instruments":
            swap = {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "uly": "BTC-USDT", "instFamily": "BTC-USDT",
                    "settleCcy": "USDT", "ctVal": "0.01", "ctType": "linear", "state": "live"}
            return {"code": "0", "msg": "", "data": [swap] if query["instType"] == "SWAP" else []}
        limit, last = int(query.get("limit", 100)), int(query["after"]) - 1
        assert limit <= (100 if "mark-price" in asked.path else 300), "OKX refuses that"
        newest = last - last % MINUTE_MS
        starts = [newest - number * MINUTE_MS for number in range(limit)]
        tail = ["1"] if "mark-price" in asked.path else ["1", "1", "1", "1"]
        data = [[str(ms), "1", "1", "1", "1", *tail] for ms in starts if ms > int(query["before"])]
        return {"code": "0", "msg": "", "data": data}


exchange = FromDocuments({"enableRateLimit": False})
hour = exchange.milliseconds() // (60 * MINUTE_MS) * 60 * MINUTE_MS
since = hour - 900 * MINUTE_MS


def bars(**how):
    found = exchange.fetch_ohlcv("BTC/USDT:USDT", "1m", since, 800, {"paginate": True, **how})
    return {int(bar[0]) for bar in found if since <= bar[0] < since + 800 * MINUTE_MS}


wanted = {since + number * MINUTE_MS for number in range(800)}
trades, marks, curbed = bars(), bars(price="mark"), bars(price="mark", maxEntriesPerRequest=100)
print(f"ccxt {ccxt.__version__}: of 800 minutes asked for with paginate, {len(trades)} bars of trades came,")
print(f"{len(marks)} of mark prices, and {len(curbed)} of mark prices with maxEntriesPerRequest 100")
holes = sorted(wanted - marks)
if holes:
    print(f"the first that is missing is number {(holes[0] - since) // MINUTE_MS + 1}")
sys.exit(0 if trades == wanted and 300 < len(marks) < 500 and curbed == wanted else 1)
EOF
