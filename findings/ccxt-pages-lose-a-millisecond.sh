#!/bin/sh
# ccxt: fetch_my_trades and fetch_ledger of okx with paginate lose rows that share a millisecond with the end of a page.
#
# A liquidation is one order with many fills in one millisecond, and funding is booked for all positions at once. OKX
# gives a hundred rows at a time and pages by id (`after`). ccxt pages by time instead: the next page ends a millisecond
# before the oldest row that came, so that what is left of that millisecond is asked for by nobody; nothing is raised,
# and the sums of the order's fills are wrong. Asking by {"after": billId} in params, page by page, gives every row once.
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

START_MS = 1_700_000_000_000
AT_MOST = {"maxEntriesPerRequest": 100}  # as many as OKX gives; ccxt asks for 1,000 unless it is told
# 20 rows, a liquidation in 60 fills of one millisecond, and 70 rows after it.
TIMES = [*range(START_MS, START_MS + 20), *[START_MS + 1_000] * 60, *range(START_MS + 2_000, START_MS + 2_070)]


def row(number):
    told = {"billId": str(number + 1), "ordId": "7" if 20 <= number < 80 else str(number + 1000), "instType": "SWAP",
            "instId": "BTC-USDT-SWAP", "tradeId": str(-number - 1), "ts": str(TIMES[number])}
    fill = {"fillTime": told["ts"], "fillPx": "60000", "fillSz": "1", "side": "sell", "posSide": "long", "fee": "-0.3",
            "feeCcy": "USDT", "execType": "T", "fillPnl": "-1", "subType": "104"}
    bill = {"bal": "1", "balChg": "-1", "ccy": "USDT", "type": "5", "sz": "1", "px": "60000", "pnl": "-1"}
    return {**told, **bill, **fill}


class FromDocuments(ccxt.okx):
    """OKX with one instrument and 150 fills."""

    def fetch(self, url, method="GET", headers=None, body=None):
        asked = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        if asked.path == "/api/v5/public/instruments":
            swap = {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "uly": "BTC-USDT", "instFamily": "BTC-USDT",
                    "settleCcy": "USDT", "ctVal": "0.01", "ctType": "linear", "state": "live"}
            return {"code": "0", "msg": "", "data": [swap] if query["instType"] == "SWAP" else []}
        if asked.path not in ("/api/v5/trade/fills-history", "/api/v5/account/bills"):
            return {"code": "0", "msg": "", "data": []}
        end, after = int(query.get("end", START_MS * 2)), int(query.get("after", 10**9))
        rows = [row(number) for number in reversed(range(len(TIMES)))]
        fitting = [each for each in rows if int(each["ts"]) <= end and int(each["billId"]) < after]
        return {"code": "0", "msg": "", "data": fitting[: min(int(query.get("limit", 100)), 100)]}


exchange = FromDocuments({"apiKey": "k", "secret": "s", "password": "p", "enableRateLimit": False})
symbol = "BTC/USDT:USDT"
trades = exchange.fetch_my_trades(symbol, START_MS, None, {"paginate": True, **AT_MOST})
ledger = exchange.fetch_ledger("USDT", START_MS, None, {"paginate": True, "type": "swap", **AT_MOST})
by_id, page = [], exchange.fetch_my_trades(symbol)
while page:
    by_id += page
    oldest = min(page, key=lambda trade: int(trade["info"]["billId"]))["info"]["billId"]
    page = exchange.fetch_my_trades(symbol, None, None, {"after": oldest})


def of_order(rows, name):
    return len([each for each in rows if each[name] == "7"])


counts = [(len(trades), of_order(trades, "order")), (len(ledger), of_order(ledger, "referenceId"))]
counts.append((len({each["info"]["billId"] for each in by_id}), of_order(by_id, "order")))
print(f"ccxt {ccxt.__version__}: of 150 fills, 60 of one order in one millisecond, come (all, of that order):")
for name, (found, of_it) in zip(("fetch_my_trades", "fetch_ledger", "pages by billId"), counts, strict=True):
    print(f"  {name}: {found}, {of_it}")
sys.exit(0 if counts == [(120, 30), (120, 30), (150, 60)] else 1)
EOF
