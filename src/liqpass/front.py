"""The three calls of an order's loop, answered before the framework: by the same functions and models.

Taking a request apart and putting its answer together took the framework half of the API's time for such a
call. What is not plain (no session's cookie, a body that is large, chunked or malformed) is left to it.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from litestar.types import ASGIApp, Receive, Scope, Send

from liqpass.problems import Problem
from liqpass.signin.sessions import Token, token_of

MOST_BYTES = 4096

# Who asks, and what for → the answer.
Answering = Callable[[Token, Any], Awaitable[msgspec.Struct]]
Calls = Mapping[str, tuple[type[msgspec.Struct], Answering]]


def front(
    app: ASGIApp,
    calls: Calls,
    cookie: str,
    refuse: Callable[[Send, Exception], Awaitable[None]],
) -> ASGIApp:
    """The application, with these calls (POST, by path) in front of it. `refuse` answers an error."""
    decoders = {path: msgspec.json.Decoder(model) for path, (model, _) in calls.items()}
    encode = msgspec.json.Encoder().encode

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        plain = _plain(scope, cookie) if path in decoders and scope.get("method") == "POST" else None
        if plain is None:
            return await app(scope, receive, send)
        token, length = plain
        messages, body = [], b""
        try:
            while len(body) < length:
                message: Any = await receive()
                messages.append(message)
                body += message.get("body", b"")
                if not message.get("more_body"):
                    break
        except Problem as problem:  # it broke off, or did not come in time
            scope["path_template"] = path
            return await refuse(send, problem)
        try:
            data = decoders[path].decode(body)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            return await app(scope, _again(messages, receive), send)
        scope["path_template"] = path
        try:
            answer = encode(await calls[path][1](token, data))
        except Exception as error:
            return await refuse(send, error)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer, "more_body": False})

    return answered


def _plain(scope: Any, cookie: str) -> tuple[Token, int] | None:
    """The token and the body's length of a request with a short body of JSON and one cookie of that name."""
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"")
    if (
        len(headers) != len(scope["headers"])  # one comes twice: cookies may come in parts
        or not length.isdigit()
        or int(length) > MOST_BYTES
        or b"expect" in headers
        or headers.get(b"content-type") != b"application/json"
    ):
        return None
    token = token_of(headers.get(b"cookie", b"").decode("latin-1"), cookie)
    return (token, int(length)) if token else None


def _again(messages: list[Any], receive: Receive) -> Receive:
    """What was received already, and then the rest."""

    async def received() -> Any:
        return messages.pop(0) if messages else await receive()

    return received
