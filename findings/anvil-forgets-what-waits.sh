#!/usr/bin/env bash
# anvil 1.7.1 (npm's @foundry-rs/anvil). Linux; needs npm and python3.
#
# A transaction waits in the pool; anvil_reorg takes the one before it, of the same account, out of the chain. Sent
# again, that one comes into the next block; the one that waited, for which it is the right predecessor, does not: it
# is thrown away there, and neither pool nor chain knows it any more. txpool_status showed both as pending a moment
# before. Without a reorg anvil keeps what waits for its predecessor (the second case), as nodes do.
#
# Bites: in a simulation with reorgs a wallet that sends each transaction once, as wallets do, stands still for ever.
# Take what waits behind out of the pool after a reorg, and send it again after its predecessor.
set -euo pipefail
work=$(mktemp -d)
trap 'kill ${anvil:-} 2> /dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --prefix . @foundry-rs/anvil@1.7.1 > npm.log
node_modules/@foundry-rs/anvil-linux-*/bin/anvil --port 0 --no-mining --color never > anvil.log &
anvil=$!
for _ in $(seq 100); do grep -q '^Listening on ' anvil.log && break; sleep 0.2; done

python3 - "$(sed -n 's/^Listening on //p' anvil.log)" << 'PY'
import json
import sys
import urllib.request


def rpc(method, *params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    asked = urllib.request.Request(f"http://{sys.argv[1]}", body, {"content-type": "application/json"})
    return json.load(urllib.request.urlopen(asked))["result"]


def send(account, nonce):
    return rpc(
        "eth_sendTransaction",
        {"from": account, "to": account, "nonce": hex(nonce), "gas": "0x5208", "gasPrice": "0x77359400"},
    )


def where(*hashes):
    """In a block, in the pool, or nowhere."""
    found = [rpc("eth_getTransactionByHash", hash) for hash in hashes]
    return ["nowhere" if it is None else "a block" if it["blockNumber"] else "the pool" for it in found]


one, other = rpc("eth_accounts")[:2]

first = send(one, 0)
rpc("anvil_mine")
second = send(one, 1)
assert where(first, second) == ["a block", "the pool"]
rpc("anvil_reorg", 1, [])
assert send(one, 0) == first
pool = rpc("txpool_status")
assert pool == {"pending": "0x2", "queued": "0x0"}
rpc("anvil_mine", "0x3")
print("after a reorg, in the pool:", pool, "three blocks later:", where(first, second))
assert where(first, second) == ["a block", "nowhere"]

second = send(other, 1)
rpc("anvil_mine", "0x3")
first = send(other, 0)
rpc("anvil_mine")
print("without one:", where(first, second))
assert where(first, second) == ["a block", "a block"]
PY
# Seen on 30 November 2026:
# after a reorg, in the pool: {'pending': '0x2', 'queued': '0x0'} three blocks later: ['a block', 'nowhere']
# without one: ['a block', 'a block']
