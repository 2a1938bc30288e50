#!/usr/bin/env bash
# DuckDB 2.0.1 and 1.2.2, pyarrow 26.0.1.
#
# A column called `at` cannot be named bare: `select at from t` is a syntax error at or near "from". In 1.2.2 it was a
# column like any other; 1.3.0 refuses too. `"at"`, `t.at` and `select *` work, and so does making one: `select 1 as at`
# is no error, nor is reading a Parquet file that has one. PostgreSQL takes `select at`.
#
# Bites: a file of events or bookings whose time is `at` is read by `select *`, so that the first look is fine, and
# every question about it is not; the message names the word after it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
cat > "$work/ask.py" << 'PY'
import sys

import duckdb

QUESTIONS = ["select *", "select at", 'select "at"', "select t.at", "select max(at)", "select 1 as at"]
for question, works in zip(QUESTIONS, sys.argv[1], strict=True):
    try:
        said = duckdb.sql(f"{question} from 'events.parquet' t").fetchall()
        took = True
    except duckdb.ParserException as error:
        said = str(error).splitlines()[0]
        took = False
    print(f"DuckDB {duckdb.__version__}  {question}: {said}")
    assert took is (works == "y")
PY
cd "$work"
install() { venv/bin/pip -qq --disable-pip-version-check install "$@"; }
install duckdb==1.2.2 pyarrow==26.0.1
venv/bin/python -c '
import pyarrow
from pyarrow import parquet
parquet.write_table(pyarrow.table({"at": [1767225600]}), "events.parquet")'
venv/bin/python ask.py yyyyyy
install duckdb==2.0.1
venv/bin/python ask.py ynyyny
echo "As told: at is no column's name any more, unless it is quoted or qualified."
