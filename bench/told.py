"""A place as a process of its own, of whatever commit, that does what it is told over stdin.

It is run by its path, with that commit's tree on PYTHONPATH: all that it imports is that commit's, its
schema and its slots, too. Said at the start, and after each line on stdin (how many users, and when their
positions were read), is a line of JSON. It ends with stdin.

Of each commit that can be measured it needs `running_place(traders, tell)`, with server, port, api_pid,
worker_pid, folder, positions, script and variables, and `seed(owner, users, positions, read_at)`.
"""

import asyncio
import json
import sys
from datetime import datetime
from typing import Any

from bench.kept import tell
from bench.place import Place, running_place
from bench.slots import seed

STANDBY, OPTION = "--standby", "--set="


async def main() -> None:
    """Everything from start to stop."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin.buffer
    )
    more: dict[str, Any] = {"standby": True} if STANDBY in sys.argv else {}
    if options := [word.removeprefix(OPTION) for word in sys.argv if word.startswith(OPTION)]:
        more["options"] = dict(option.split("=", 1) for option in options)
    # nothing is handed over that earlier commits do not know
    async with running_place(1, tell, **more) as place:
        say(found(place))
        async for line in lines:
            users, read_at = json.loads(line)
            await seed(place.owner, users, place.positions, datetime.fromisoformat(read_at))
            say({"seeded": users})


def found(place: Place) -> dict[str, Any]:
    """What measuring needs to know of it: `Told` in servers.py."""
    return {
        "port": place.port,
        "pids": {"API": place.api_pid, "worker": place.worker_pid, "PostgreSQL": place.server.pid()},
        "url": place.server.url,
        "bin_dir": str(place.server.bin_dir),
        "log": str(place.server.log),
        "folder": str(place.folder),
        "script": str(place.script),
        "variables": dict(place.variables),
    }


def say(what: Any) -> None:
    """A line of JSON."""
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
