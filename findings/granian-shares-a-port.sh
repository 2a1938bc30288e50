#!/usr/bin/env bash
# granian 2.8.7 on Linux.
#
# A second granian on a port where one listens already starts without a word, and without having been asked to share:
# each sets SO_REUSEPORT. The kernel then deals out connections to both. (uvicorn, gunicorn and asyncio say that the
# address is in use.)
#
# Bites: a server that was not stopped before the new release was started answers some of the requests, with old code
# and old settings, for as long as nobody looks at `ss -tlnp`. Try to bind the port without SO_REUSEPORT first.
set -euo pipefail
work=$(mktemp -d)
trap 'kill $(jobs -p) 2> /dev/null || true; wait; rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" -qq --disable-pip-version-check install granian==2.8.7
cat > "$work/app.py" << 'PY'
import os


async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": os.environ["NAME"].encode()})
PY
cd "$work"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
listens() { for _ in $(seq 100); do grep -q 'Started worker' "$1.log" && return; sleep 0.2; done; return 1; }
for name in old new; do
    NAME=$name venv/bin/granian --interface asgi --host 127.0.0.1 --port "$port" app:app > $name.log 2>&1 &
    listens $name
done
sed 's/^/new: /' new.log
if grep -qiE 'error|in use|warn' old.log new.log; then exit 1; fi
[ "$(jobs -rp | wc -l)" = 2 ]

python3 - "$port" << 'PY'
import sys
import time
from collections import Counter
from urllib.request import ProxyHandler, build_opener

open_ = build_opener(ProxyHandler({})).open
answers = Counter()
for _ in range(200):  # each on a connection of its own
    answers[open_(f"http://127.0.0.1:{sys.argv[1]}/").read().decode()] += 1
    time.sleep(0.005)
    if len(answers) == 2 and min(answers.values()) >= 5:
        break
print("answered:", dict(answers))
assert set(answers) == {"old", "new"}
PY
echo "As told: two servers that know nothing of each other answer on one port."
