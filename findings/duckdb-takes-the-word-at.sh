#!/bin/sh
# DuckDB takes the word `at` for itself since 1.3.0, where 1.2.2 let a column be called so: a Parquet file with such a
# column is read, and `select at from …` is a syntax error that points at the word behind it. SQLite takes it bare.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/ask.py" <<'PYTHON'
import sqlite3
import sys

import duckdb

duckdb.sql(f"""copy (select 1 as "at") to '{sys.argv[1]}/t.parquet' (format parquet)""")
table = f"'{sys.argv[1]}/t.parquet' t"


def asked(query):
    try:
        return duckdb.sql(query).fetchall()
    except duckdb.Error as error:
        return str(error).splitlines()[0]


found = [asked(f"select {column} from {table}") for column in ("at", "t.at", '"at"')]
plain = sqlite3.connect(":memory:").execute("select at from (select 1 as at)").fetchall()
print(f"DuckDB {duckdb.__version__}: bare {found[0]}, t.at {found[1]}, quoted {found[2]}; SQLite {plain}")
refused = 'Parser Error: syntax error at or near "from"'
bare = refused if sys.argv[2] == "refused" else [(1,)]
sys.exit(found != [bare, [(1,)], [(1,)]] or plain != [(1,)])
PYTHON
for try in 1.2.2:taken 1.3.0:refused 2.0.1:refused; do
    version=${try%:*}
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install -q --disable-pip-version-check "duckdb==$version"
    "$folder/$version/bin/python" "$folder/ask.py" "$folder" "${try#*:}"
done
