"""A command of its own that uses the data folder's server until its standard input ends.

Says where the server is; says the process id again after every line it is sent, once the server runs.
`die` kills the command, `kill server` the server, after which it says so.
"""

import os
import signal
import sys
import time
from pathlib import Path

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
            else:
                server.ensure_running()
            sys.stdout.write(f"{server.pid()}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
