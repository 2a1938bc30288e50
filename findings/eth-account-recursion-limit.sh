#!/usr/bin/env bash
# eth-account 0.14.0, with eth-keyfile 0.10.0 and py_ecc 8.0.0 behind it.
#
# Importing eth_account lifts Python's limit of recursion for the whole process: from 1,000 to 100,000. It comes from
# py_ecc, which eth-keyfile uses for keys of validators; nobody who signs a transaction needs it.
#
# Bites: whoever counts on a RecursionError at the usual depth has another limit from the first import on, which may be
# far from the code that counts on it. Set the limit again after importing, or keep eth_account out of that process.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -qq --disable-pip-version-check install eth-account==0.14.0 eth-keyfile==0.10.0 py_ecc==8.0.0
limit() { "$work/venv/bin/python" -c "import sys; $1; print(sys.getrecursionlimit())"; }
for line in 'pass' 'import eth_account' 'import eth_keys' 'import py_ecc'; do echo "$line: $(limit "$line")"; done
[ "$(limit 'pass')" = 1000 ]
[ "$(limit 'import eth_keys')" = 1000 ]
[ "$(limit 'import eth_account')" = 100000 ]
echo "As told: importing eth_account lifts the limit to 100,000."
