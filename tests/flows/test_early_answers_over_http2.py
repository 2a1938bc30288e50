"""Over HTTP/2 a stream that nobody reads to its end is reset: curl 7.88 then throws the answer away."""

import asyncio

from tests.world import TestWorld

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING = 0x0, 0x1, 0x3, 0x4, 0x6
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
# HPACK's static table: indexed fields, and the names of literal ones
POST, HTTP, AUTHORITY, PATH, CONTENT_LENGTH = b"\x83", b"\x86", b"\x01", b"\x04", b"\x0f\x0d"
BODY = 60_000  # within the window that a connection begins with
HANGS_SEC = 30


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name: bytes, value: bytes) -> bytes:
    return name + bytes([len(value)]) + value


def head(path: bytes) -> bytes:
    fields = POST + HTTP + literal(AUTHORITY, b"x") + literal(PATH, path)
    fields += literal(CONTENT_LENGTH, str(BODY).encode())
    return PREFACE + frame(SETTINGS, 0, 0, b"") + frame(HEADERS, END_HEADERS, 1, fields)


async def comes(reader: asyncio.StreamReader) -> tuple[int, int, int, bytes]:
    """The next frame: kind, flags, stream, payload."""
    start = await reader.readexactly(9)
    payload = await reader.readexactly(int.from_bytes(start[:3], "big"))
    return start[3], start[4], int.from_bytes(start[5:], "big"), payload


async def told(world: TestWorld, path: bytes) -> tuple[bytes, set[int]]:
    """The answer's body, and the kinds of the frames that came on its stream."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.api.rpartition(":")[2]))
    writer.write(head(path))
    await comes(reader)  # the server is there, and has read the head
    for start in range(0, BODY, 1_000):
        writer.write(frame(DATA, END_STREAM if start + 1_000 == BODY else 0, 1, b"x" * 1_000))
        await asyncio.sleep(0)
    said, kinds = b"", set()
    while True:
        kind, flags, stream, payload = await comes(reader)
        if stream == 1:
            kinds.add(kind)
            said += payload if kind == DATA else b""
        if stream == 1 and kind == DATA and flags & END_STREAM:
            writer.write(frame(PING, 0, 0, b"anything"))
        if kind == PING and flags & ACK:
            writer.close()
            return said, kinds


async def test_an_early_answer_comes_without_a_reset_of_its_stream(town: TestWorld) -> None:
    for _ in range(40):
        said, kinds = await asyncio.wait_for(told(town, b"/nothing"), HANGS_SEC)
        assert b'"code":"NOT_FOUND"' in said
        assert RESET not in kinds
