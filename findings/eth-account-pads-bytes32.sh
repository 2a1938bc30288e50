#!/usr/bin/env bash
# eth-account 0.14.0 beside npm's viem 2.57.20 and ethers 6.17.0. Needs node and npm.
#
# Typed data (EIP-712) whose bytes32 is too short: eth-account signs it with zeros behind, so that "0x12" is
# 0x1200…00, and says nothing. viem and ethers refuse. A fixed array of another length than its type is signed by
# eth-account and viem, and refused by ethers.
#
# Bites: an id that is a number, written as hex without leading zeros. In Solidity bytes32(uint256(0x12)) is 0x00…12,
# and the contract recovers another signer. Pad by yourself, and check lengths before signing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -qq --disable-pip-version-check install eth-account==0.14.0
cd "$work"
npm install --silent --no-audit --no-fund --prefix . viem@2.57.20 ethers@6.17.0 > npm.log
cat > cases.json << 'JSON'
[["bytes32", "0x12"], ["bytes32", "0x1200000000000000000000000000000000000000000000000000000000000000"],
 ["bytes32", "0x0000000000000000000000000000000000000000000000000000000000000012"], ["uint256[2]", ["1", "2", "3"]]]
JSON
cat > sign.py << 'PY'
import json
from pathlib import Path

from eth_account import Account
from eth_account.messages import encode_typed_data

for kind, value in json.loads(Path("cases.json").read_text()):
    signable = encode_typed_data({"name": "a"}, {"M": [{"name": "v", "type": kind}]}, {"v": value})
    print(Account.sign_message(signable, b"\1" * 32).message_hash.to_0x_hex())
PY
cat > hash.mjs << 'JS'
import { readFileSync } from "node:fs"
import { TypedDataEncoder } from "ethers"
import { hashTypedData } from "viem"

const domain = { name: "a" }
const said = (hash) => {
  try { return hash() } catch (error) { return `refused: ${(error.shortMessage ?? error.message).split(" (")[0]}` }
}
for (const [type, v] of JSON.parse(readFileSync("cases.json"))) {
  const types = { M: [{ name: "v", type }] }
  console.log(said(() => hashTypedData({ domain, types, primaryType: "M", message: { v } })))
  console.log(said(() => TypedDataEncoder.hash(domain, types, { v })))
}
JS
mapfile -t python < <(venv/bin/python sign.py)
mapfile -t node < <(node hash.mjs)
row() {
    printf '%s\n  eth-account %s\n' "$1" "${python[$2]}"
    printf '  viem        %s\n  ethers      %s\n' "${node[2 * $2]}" "${node[2 * $2 + 1]}"
}
row 'bytes32 0x12' 0
row 'bytes32 0x12, zeros behind' 1
row 'bytes32 0x12, zeros before' 2
row 'uint256[2] of three' 3
[ "${python[0]}" = "${python[1]}" ]
[ "${python[0]}" != "${python[2]}" ]
[ "${node[0]}" = 'refused: Expected bytes32, got bytes1.' ]
[ "${node[1]}" = 'refused: invalid length for bytes32' ]
for good in 1 2; do
    [ "${python[good]}" = "${node[2 * good]}" ]
    [ "${python[good]}" = "${node[2 * good + 1]}" ]
done
[ "${python[3]}" = "${node[6]}" ]
[ "${node[7]}" = 'refused: array length mismatch; expected length 2' ]
echo "As told: eth-account fills up a short bytes32, and signs an array of the wrong length."
