"""A program: an application that only takes a body and gives one, behind the HTTP server of a tree.

It says a line once it listens, and ends with its standard input.
"""

import asyncio
import sys
from typing import Any

import uvloop

from liqpass.serving import free_port, listening

BODY = b'{"ok":true,"status":"PAID_PENDING_CONFIRM"}'


async def app(scope: Any, receive: Any, send: Any) -> None:
    """ASGI's. It waits for a turn of the loop, as whatever asks a database does."""
    if scope["type"] != "http":
        return
    while (await receive())["more_body"]:
        pass
    await asyncio.sleep(0)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY, "more_body": False})


async def main() -> None:
    """Until standard input ends."""
    port = free_port()
    async with listening(app, "127.0.0.1", port):
        print(port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
