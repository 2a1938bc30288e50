#!/usr/bin/env bash
# PyPI's siwe 4.4.0 with abnf 2.9.1, the newest that it asks for.
#
# `import siwe` fails in an environment made today: its grammar defines ALPHA and other core rules of RFC 5234 anew,
# and abnf 2.9.1 refuses that. The package allows any abnf from 2.2 up to 3. With abnf 2.2.0 it imports.
#
# Bites: a server that verifies Sign-In with Ethereum in Python starts on the developer's machine, where an older abnf
# is installed, and not in the image that was built today. Pin abnf, or read the message by a parser of your own.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
install() { "$work/venv/bin/pip" -qq --disable-pip-version-check install "$@"; }

install siwe==4.4.0 abnf==2.9.1
"$work/venv/bin/pip" check
if "$work/venv/bin/python" -c 'import siwe' 2> "$work/said"; then exit 1; fi
tail -n 1 "$work/said" | cut -c 1-150
grep -q "GrammarError: 'ALPHA' is a core rule" "$work/said"

install abnf==2.2.0
"$work/venv/bin/pip" check
"$work/venv/bin/python" -c 'import siwe'
echo "As told: siwe 4.4.0 imports with abnf 2.2.0 and not with 2.9.1; pip finds nothing wrong with either."
