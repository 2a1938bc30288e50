"""Taking connections, no more than so many at once."""

import asyncio
import errno
import socket

from liqpass.http1.connection import Connection
from liqpass.http1.house import House

OUT_OF = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
PAUSE_SEC = 0.1


async def accept(listener: socket.socket, house: House, room: asyncio.Semaphore) -> None:
    """For ever: a connection for each place in `room`, which `house.left` gives back. Whoever comes after the
    last of them waits in the listener's backlog."""
    while True:
        await room.acquire()
        try:
            client, _ = await house.loop.sock_accept(listener)
        except OSError as error:  # a client that has thought better of it, or no file is free just now
            room.release()
            await asyncio.sleep(PAUSE_SEC if error.errno in OUT_OF else 0)
            continue
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await house.loop.connect_accepted_socket(lambda: Connection(house), client)
        except OSError:
            client.close()
            room.release()
