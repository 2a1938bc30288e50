#!/usr/bin/env bash
# anvil 1.7.1 (npm's @foundry-rs/anvil), listened to with PyPI's websockets 15.0.1. Linux; needs npm.
#
# Three things that anvil_reorg does and a chain does not:
# - It replaces blocks at and below `finalized`, which goes on naming the same height.
# - Nobody is told of a log that is gone: neither eth_subscribe nor eth_getFilterChanges sends it again with
#   `removed: true`, as geth does. The heads come again with lower numbers.
# - What evm_increaseTime added is forgotten: the next block is as much earlier than the one it replaces or follows.
#
# Bites: a test that a reorganisation takes a payment back holds for anvil and not for a chain, or the other way round.
# Compare the hashes of blocks, stay above `finalized`, and add the time again after each reorganisation.
set -euo pipefail
work=$(mktemp -d)
trap 'kill ${anvil:-} 2> /dev/null || true; wait; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -qq --disable-pip-version-check install websockets==15.0.1
cd "$work"
npm install --silent --no-audit --no-fund --prefix . @foundry-rs/anvil@1.7.1 > npm.log
node_modules/@foundry-rs/anvil-linux-*/bin/anvil --port 0 --slots-in-an-epoch 1 --color never > anvil.log &
anvil=$!
for _ in $(seq 100); do grep -q '^Listening on ' anvil.log && break; sleep 0.2; done

venv/bin/python - "$(sed -n 's/^Listening on //p' anvil.log)" << 'PY'
import json
import sys

from websockets.sync.client import connect

EMITS_A_LOG = "0x6560006000a0006000526006601af3"  # deploys: LOG0 of nothing
told = []


def rpc(method, *params):
    socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    while "id" not in (answer := json.loads(socket.recv(30))):
        told.append(answer["params"]["result"])
    return answer["result"]


def block(name):
    found = rpc("eth_getBlockByNumber", name, False)
    return int(found["number"], 16), found["hash"], int(found["timestamp"], 16)


def send(**transaction):
    return rpc("eth_sendTransactionSync", {"from": account, **transaction})


with connect(f"ws://{sys.argv[1]}", proxy=None) as socket:
    account = rpc("eth_accounts")[0]
    contract = send(data=EMITS_A_LOG)["contractAddress"]
    rpc("eth_subscribe", "logs", {"address": contract})
    rpc("eth_subscribe", "newHeads")
    polled = rpc("eth_newFilter", {"address": contract})
    paid = send(to=contract)
    rpc("anvil_mine", "0x4")
    paid_in, before, _ = block(paid["blockNumber"])
    final = block("finalized")[0]
    assert final >= paid_in and len(rpc("eth_getFilterChanges", polled)) == 1

    rpc("anvil_reorg", block("latest")[0] - paid_in + 1, [])
    assert rpc("eth_getTransactionReceipt", paid["transactionHash"]) is None
    assert block(paid["blockNumber"])[1] != before and block("finalized")[0] == final
    print(f"finalized was {final} and is {block('finalized')[0]}; block {paid_in} is another")

    again = send(to=contract)
    while not any(it.get("transactionHash") == again["transactionHash"] for it in told):
        told.append(json.loads(socket.recv(30))["params"]["result"])
    logs = [(int(it["blockNumber"], 16), it["removed"]) for it in told if "removed" in it]
    print("logs that were told, and whether as removed:", logs)
    assert logs == [(paid_in, False), (int(again["blockNumber"], 16), False)]
    assert [it["removed"] for it in rpc("eth_getFilterChanges", polled)] == [False]
    heads = [int(it["number"], 16) for it in told if "parentHash" in it]
    assert heads.count(paid_in) == 2

    rpc("evm_increaseTime", 86_400)
    rpc("anvil_mine")
    shown = block("latest")[2]
    rpc("anvil_reorg", 1, [])
    rpc("anvil_mine")
    back = shown - block("latest")[2]
    print(f"a day was added; after a reorg of one block the clock is {back} s back")
    assert 86_000 < back <= 86_400
PY
echo "As told: final blocks change, no log is taken back, and the time that was added is gone."
