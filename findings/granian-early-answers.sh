#!/usr/bin/env bash
# granian 2.8.7 (hyper).
#
# An application that answers without having read the request's body, as every refusal does, answers on a kept connection
# without `connection: close`. If the body was not all there yet, the server closes after the answer all the same, and the
# client's next request on the connection is lost. The same application, with the body read to its end or the header said
# by itself, loses none.
#
# Bites: a 401, 404 or 413 to a client that sends head and body in two pieces, as Python's http.client does. Its next call
# on the connection fails with a broken pipe, or ends without an answer.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -qq --disable-pip-version-check install granian==2.8.7
"$work/venv/bin/python" - << 'PY'
import asyncio
import http.client
import logging
import select
import socket

from granian.constants import Interfaces
from granian.server.embed import Server

logging.disable(logging.WARNING)
TIMES, SIZE = 20, 3_000


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    headers = [(b"content-length", b"2")]
    if scope["path"] == "/reads":
        while (await receive()).get("more_body"):
            pass
    if scope["path"] == "/says":
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": b"no"})


def lost(port, path):
    """How many of the requests after a refused one get no answer."""
    failed = 0
    for _ in range(TIMES):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        client.putrequest("POST", path)
        client.putheader("content-length", str(SIZE))
        client.endheaders()
        select.select([client.sock], [], [], 0.3)  # the body is slower than the answer, if that waits for none
        try:
            client.send(b"x" * SIZE)
            client.getresponse().read()
            client.request("GET", "/reads")
            client.getresponse().read()
        except (OSError, http.client.HTTPException):
            failed += 1
        client.close()
    return failed


async def main():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(app, address="127.0.0.1", port=port, interface=Interfaces.ASGINL)
    task = asyncio.create_task(server.serve())
    while True:
        try:
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
            break
        except OSError:
            await asyncio.sleep(0.05)
    found = {path: await asyncio.to_thread(lost, port, path) for path in ("/silent", "/reads", "/says")}
    server.stop()
    await asyncio.wait([task], timeout=5)
    print("next requests lost, of", TIMES, found)
    assert found["/silent"] > 0
    assert found["/reads"] == found["/says"] == 0


asyncio.run(main())
PY
echo "As told: the next request is lost after an answer that did not wait for the body."
