#!/bin/sh
# ccxt: fetch_positions_history of okx with `since` leaves out positions that were closed after it but opened before.
#
# OKX's history of positions is a list of what was closed, and its pages go by the time of the last change (uTime). ccxt
# does not send `since`, but drops every position that was opened (cTime) before it: who asks each hour for what was
# closed or liquidated since the last time misses all that lived for longer than an hour, and nothing is raised. Nor are
# positions beyond the newest hundred asked for. With {"before": since} in params OKX itself filters by uTime, and the
# position is there. What the row says of a liquidation (type, liqPenalty, triggerPx) is in `info` alone.
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

HOUR_MS = 3_600_000
OPENED_MS = 1_700_000_000_000
LIQUIDATED_MS = OPENED_MS + 3 * HOUR_MS
ROW = {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "mgnMode": "isolated", "posId": "1", "ccy": "USDT",
       "cTime": str(OPENED_MS), "uTime": str(LIQUIDATED_MS), "type": "3", "direction": "long", "posSide": "long",
       "openAvgPx": "60000", "closeAvgPx": "57257.6", "openMaxPos": "10", "closeTotalPos": "10", "lever": "20.0",
       "pnl": "-274.24", "fee": "-5.86", "fundingFee": "0", "liqPenalty": "-22.9", "realizedPnl": "-303",
       "pnlRatio": "-1.01", "triggerPx": "57257.6", "uly": "BTC-USDT"}


class FromDocuments(ccxt.okx):
    """OKX with one instrument and one position, which was liquidated three hours after it was opened."""

    sent = {}

    def fetch(self, url, method="GET", headers=None, body=None):
        asked = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        if asked.path == "/api/v5/public/instruments":
            swap = {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "uly": "BTC-USDT", "instFamily": "BTC-USDT",
                    "settleCcy": "USDT", "ctVal": "0.01", "ctType": "linear", "state": "live"}
            return {"code": "0", "msg": "", "data": [swap] if query["instType"] == "SWAP" else []}
        if asked.path != "/api/v5/account/positions-history":
            return {"code": "0", "msg": "", "data": []}
        self.sent = query
        shown = int(ROW["uTime"]) > int(query.get("before", 0))
        return {"code": "0", "msg": "", "data": [ROW] if shown else []}


exchange = FromDocuments({"apiKey": "k", "secret": "s", "password": "p", "enableRateLimit": False})
an_hour_before = LIQUIDATED_MS - HOUR_MS
since = exchange.fetch_positions_history(None, an_hour_before)
sent = dict(exchange.sent)
by_params = exchange.fetch_positions_history(None, None, None, {"before": an_hour_before})
whole = exchange.fetch_positions_history()
print(f"ccxt {ccxt.__version__}: a position that was opened at 0:00 and liquidated at 3:00:")
print(f"since 2:00 {len(since)} positions are given (sent: {sent}), with before=2:00 {len(by_params)}")
told = {name: value for name, value in whole[0].items() if name != "info" and value is not None}
print(f"what is told beside info: {', '.join(told)}")
same = (len(since), len(by_params), len(whole)) == (0, 1, 1) and "before" not in sent and "begin" not in sent
sys.exit(0 if same else 1)
EOF
