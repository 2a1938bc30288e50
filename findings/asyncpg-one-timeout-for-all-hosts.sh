#!/bin/sh
# asyncpg: with several hosts in an address, a first one that is silent keeps the others from being tried.
#
# libpq gives each host its own connect_timeout. asyncpg has one `timeout` around all of them: a host that takes the
# connection and says nothing (its machine hangs, a firewall drops) uses all of it up, and TimeoutError is raised without
# the second host having been asked, on each attempt. One that refuses the connection is passed over. And connect_timeout
# in the address is sent to the server as a setting, which servers refuse.
# No server is needed to see it: here the second host is one that notes who comes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q --disable-pip-version-check --only-binary=:all: asyncpg==0.32.0
"$folder/bin/python" - <<'EOF'
import asyncio
import socket
import sys

import asyncpg


async def visits(first_port: int) -> int:
    """How often the second host was asked within three seconds, a second being more than enough for two hosts."""
    came = 0

    async def note(_reader, writer):
        nonlocal came
        came += 1
        writer.close()

    second = await asyncio.start_server(note, "127.0.0.1", 0)
    hosts = f"127.0.0.1:{first_port},127.0.0.1:{second.sockets[0].getsockname()[1]}"
    try:
        await asyncpg.connect(f"postgresql://somebody@{hosts}/db?sslmode=disable", timeout=3)
    except (OSError, asyncpg.PostgresError):
        pass
    second.close()
    return came


with socket.create_server(("127.0.0.1", 0)) as silent:
    behind_silent = asyncio.run(visits(silent.getsockname()[1]))
    closed = silent.getsockname()[1]
behind_closed = asyncio.run(visits(closed))
print("asyncpg", asyncpg.__version__)
print("the second host was asked", behind_closed, "times behind one that refuses,", behind_silent, "behind a silent one")
sys.exit(0 if behind_closed and not behind_silent else 1)
EOF
