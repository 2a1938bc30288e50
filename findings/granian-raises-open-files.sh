#!/usr/bin/env bash
# granian 2.8.7.
#
# Importing it raises the process's soft limit of open files to the hard one; nothing else has been called.
#
# Bites: whoever reads or sets the soft limit before the import, or gives it to children: they inherit the raised one. A
# limit that is meant to hold has to be the hard one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -qq --disable-pip-version-check install granian==2.8.7
ulimit -S -n 256
ulimit -H -n 1000
"$work/venv/bin/python" - << 'PY'
import resource

before = resource.getrlimit(resource.RLIMIT_NOFILE)
import granian.server.embed

after = resource.getrlimit(resource.RLIMIT_NOFILE)
print("soft and hard before the import:", before, "after it:", after)
assert before == (256, 1000)
assert after == (1000, 1000)
PY
echo "As told: the import alone has raised the soft limit."
