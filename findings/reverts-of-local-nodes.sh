#!/bin/sh
# One eth_call that reverts with a custom error of four bytes (0x83951599), asked of four local nodes from npm: each
# answers in a shape of its own. hardhat 2 puts the data into data.data, hardhat 3.1.9 loses both the data and the
# word for it, ganache has another code; only anvil answers as geth does. Wants node 20, npm and curl.
set -eu
folder=$(mktemp -d)
node=""
trap '[ -z "$node" ] || kill "$node" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

# PUSH4 83951599, PUSH1 e0, SHL, PUSH1 0, MSTORE, PUSH1 4, PUSH1 0, REVERT: run as if it created a contract
asked='{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"data":"0x638395159960e01b60005260046000fd"},"latest"]}'

install() {
    mkdir -p "$1"
    npm install --silent --no-audit --no-fund --prefix "$1" "$2"
}

# says NAME PORT PATTERN COMMAND…: start the node, ask, and compare its error with the pattern
says() {
    name=$1 port=$2 pattern=$3
    shift 3
    (cd "$name" && exec "$@") >"$name/log" 2>&1 &
    node=$!
    for _ in $(seq 120); do
        answer=$(curl -s -H 'content-type: application/json' -d "$asked" "http://127.0.0.1:$port/" || true)
        [ -z "$answer" ] || break
        sleep 1
    done
    kill "$node" && wait "$node" 2>/dev/null || true
    node=""
    echo "$name: $answer" | cut -c1-400
    echo "$answer" | grep -Eq "$pattern" || { echo "$name: no longer $pattern"; exit 1; }
}

install anvil-1.7.1 @foundry-rs/anvil@1.7.1
install hardhat-2.29.1 hardhat@2.29.1
install hardhat-3.1.9 hardhat@3.1.9
install ganache-7.9.2 ganache@7.9.2
echo 'module.exports = {}' >hardhat-2.29.1/hardhat.config.cjs
echo '{"type":"module"}' >hardhat-3.1.9/package.json
echo 'export default { networks: { node: { type: "edr-simulated" } } }' >hardhat-3.1.9/hardhat.config.js

says anvil-1.7.1 28601 '"code":3,.*"data":"0x83951599"' node_modules/.bin/anvil --port 28601
says hardhat-2.29.1 28602 '"code":-32603,.*"data":\{.*"data":"0x83951599"' \
    node node_modules/hardhat/internal/cli/cli.js --config hardhat.config.cjs node --port 28602
says hardhat-3.1.9 28603 '"code":-32603,"message":"Internal error","data":\{"message":"Internal error"\}' \
    node node_modules/hardhat/dist/src/cli.js node --network node --port 28603
says ganache-7.9.2 28604 '"code":-32000,.*"data":"0x83951599"|"data":"0x83951599".*"code":-32000' \
    node node_modules/ganache/dist/node/cli.js --server.port 28604
