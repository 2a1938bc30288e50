"""A command of its own that uses the data folder's server until its standard input ends.

Says where the server is; says the process id again after every line it is sent, once the server runs.
`die` kills the command, `kill server` the server, after which it says so; `fill` writes until it fails.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import asyncpg

from liqpass.embedded import embedded_postgres


def main() -> None:
    with embedded_postgres(Path(sys.argv[1]), options={"fsync": "off"}) as server:
        sys.stdout.write(f"{server.pid()} {server.url}\n")
        sys.stdout.flush()
        for line in sys.stdin:
            if line == "die\n":
                os.kill(os.getpid(), signal.SIGKILL)
            elif line == "kill server\n":
                os.kill(server.pid() or 0, signal.SIGKILL)
                while server.pid():
                    time.sleep(0.02)
            elif line == "fill\n":
                asyncio.run(fill(server.url))
            else:
                server.ensure_running()
            sys.stdout.write(f"{server.pid()}\n")
            sys.stdout.flush()


async def fill(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "CREATE TABLE filler AS SELECT repeat(md5('1'), 9) FROM generate_series(1, 400000)"
    )


if __name__ == "__main__":
    main()
