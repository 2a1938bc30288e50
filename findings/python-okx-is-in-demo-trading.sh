#!/usr/bin/env bash
# python-okx 0.4.4 (OKX's client for Python).
#
# A client that is made with a key, a secret and a passphrase asks OKX's *demo trading*: `flag` is "1" unless told, and
# goes out as the header x-simulated-trading: 1. The live account takes flag="0".
#
# Bites: OKX refuses a key of the live account there ("APIKey does not match current environment": okxapi/python-okx,
# issue 30). Public data needs no key and is asked for in the same way, without a word.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -qq --disable-pip-version-check install python-okx==0.4.4
"$work/venv/bin/python" - << 'PY'
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from okx.Account import AccountAPI
from okx.MarketData import MarketAPI

arrived = []


class Exchange(BaseHTTPRequestHandler):
    def do_GET(self):
        arrived.append((self.path, self.headers["x-simulated-trading"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"code": "0", "data": [], "msg": ""}')

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Exchange)
Thread(target=server.serve_forever, daemon=True).start()
at = f"http://127.0.0.1:{server.server_port}"
AccountAPI("key", "secret", "passphrase", domain=at).get_account_balance()
MarketAPI(domain=at).get_ticker("BTC-USDT")
AccountAPI("key", "secret", "passphrase", flag="0", domain=at).get_account_balance()
for path, simulated in arrived:
    print(f"{path}  x-simulated-trading: {simulated}")
assert [simulated for _, simulated in arrived] == ["1", "1", "0"]
PY
echo "As told: demo trading, unless flag=\"0\" is said."
