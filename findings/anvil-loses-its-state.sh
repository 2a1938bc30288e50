#!/usr/bin/env bash
# anvil 1.7.1 (npm's @foundry-rs/anvil). Linux; needs npm and python3.
#
# After some hundreds of anvil_reorg over some hundreds of blocks, everything that stood on the chain is gone: the code
# of a contract is "0x" at `latest`, with no error. Blocks go on being made, and a call of the contract that is no more
# succeeds without a log. With --prune-history and a number above that of all blocks ever made, it is still there.
#
# Bites: a long simulation goes on happily on an empty chain. Ask for a contract's code now and then, or keep all states
# in memory (here a third of a megabyte each).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --prefix . @foundry-rs/anvil@1.7.1 > npm.log
python3 - node_modules/@foundry-rs/anvil-linux-*/bin/anvil << 'PY'
import json
import random
import subprocess
import sys
import threading
import urllib.request

CONTRACT = "0x" + "11" * 20


def rounds(*options):
    """How many reorgs it took until the code was gone, and at which block; None if it stayed."""
    anvil = subprocess.Popen(
        [sys.argv[1], "--port", "0", "--color", "never", *options], stdout=subprocess.PIPE, text=True
    )
    try:
        url = next("http://" + line.split()[-1] for line in anvil.stdout if line.startswith("Listening on"))
        threading.Thread(target=lambda: [None for _ in anvil.stdout], daemon=True).start()

        def rpc(method, *params):
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
            asked = urllib.request.Request(url, body, {"content-type": "application/json"})
            return json.load(urllib.request.urlopen(asked))["result"]

        rpc("anvil_setCode", CONTRACT, "0x6001600055")
        rpc("anvil_mine", "0x28")
        draw = random.Random(1)
        for reorgs in range(500):
            if rpc("eth_getCode", CONTRACT, "latest") == "0x":
                return reorgs, int(rpc("eth_blockNumber"), 16)
            rpc("anvil_mine", "0x4")
            rpc("anvil_reorg", draw.randint(1, 12), [])
        return None
    finally:
        anvil.kill()
        anvil.wait()


usual, kept = rounds(), rounds("--prune-history", "100000")
print("as it comes: gone after", usual, "reorgs and blocks; with all states in memory:", kept)
assert usual is not None and usual[0] > 100 and kept is None
PY
# Seen on 30 November 2026:
# as it comes: gone after (212, 888) reorgs and blocks; with all states in memory: None
