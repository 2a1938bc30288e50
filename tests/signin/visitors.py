"""Browsers with wallets, before an application that has a slice's routes and the edge's error documents."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, cast

import httpx
from eth_account import Account
from eth_account.messages import encode_defunct
from litestar import Litestar, Router
from litestar.di import Provide

from liqpass.chain.failures import NodeError, NodeErrorKind
from liqpass.db import Database
from liqpass.edge import answer_problem
from liqpass.hexes import checksum, to_hex
from liqpass.sandbox.anvil import Wallet
from liqpass.signin.contract_wallet import EthCall
from liqpass.signin.routes import session_cookie, signin_router
from liqpass.signin.sessions import signed_in

SITE = "http://127.0.0.1:8000"
CHAIN_ID = 8453


class FakeNode:
    """Answers every eth_call alike, remembers what it was asked, and can be down."""

    def __init__(self, answer: bytes = bytes(32)) -> None:
        self.answer = answer
        self.down = False
        self.asked: list[dict[str, str]] = []

    async def __call__(self, call: dict[str, str]) -> bytes:
        self.asked.append(call)
        if self.down:
            raise NodeError(NodeErrorKind.DOWN, "cannot be reached")
        return self.answer


class SlowNode:
    """Answers no to everybody, once it is told to go on; remembers how many waited for it at once."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.most_at_once = 0
        self._asked = 0

    async def __call__(self, _call: dict[str, str]) -> bytes:
        self._asked += 1
        self.most_at_once = max(self.most_at_once, self._asked)
        await self.go_on.wait()
        self._asked -= 1
        return bytes(32)


def door(
    db: Database,
    clock: Callable[[], datetime],
    eth_call: EthCall,
    *,
    site: str = SITE,
    chain_id: int = CHAIN_ID,
) -> Router:
    """The routes of sign-in for one site."""
    return provided(db, clock, signin_router(rpc=eth_call, public_url=site, chain_id=chain_id))


def provided(db: Database, clock: Callable[[], datetime], router: Router) -> Router:
    """Routes with what the app provides to all."""
    return Router(
        path="/",
        route_handlers=[router],
        dependencies={
            "db": Provide(lambda: db, sync_to_thread=False),
            "now": Provide(lambda: clock(), sync_to_thread=False),  # noqa: PLW0108
            "user": Provide(signed_in),
        },
    )


@asynccontextmanager
async def browser(
    *routers: Router, site: str = SITE, peer: str = "127.0.0.1"
) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client with a cookie jar. Errors come back as documents, as they would from the server."""
    app = Litestar(
        list(routers),
        exception_handlers={Exception: answer_problem},
        dependencies={"session_cookie": Provide(lambda: session_cookie(site), sync_to_thread=False)},
        openapi_config=None,
    )
    transport = httpx.ASGITransport(cast(Any, app), client=(peer, 5000))
    async with httpx.AsyncClient(transport=transport, base_url=site) as client:
        yield client


def signature_of(text: str, signer: Wallet) -> str:
    """What the wallet's `personal_sign` gives."""
    return to_hex(bytes(Account.sign_message(encode_defunct(text=text), signer.key).signature))


def compact(signature: str) -> str:
    """The same in 64 bytes (EIP-2098)."""
    raw = bytearray.fromhex(signature[2:])
    raw[32] |= (raw[64] - 27) << 7
    return to_hex(bytes(raw[:64]))


async def message_for(http: httpx.AsyncClient, address: bytes) -> str:
    """A text to sign, from the server."""
    answer = await http.post("/api/auth/nonce", json={"address": checksum(address)})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["message"])


async def verify(http: httpx.AsyncClient, message: str, signature: str) -> httpx.Response:
    """Hand over a signed text."""
    return await http.post("/api/auth/verify", json={"message": message, "signature": signature})


async def sign_in(http: httpx.AsyncClient, visitor: Wallet) -> None:
    """The whole way in: from now on the client's cookie is the visitor's."""
    message = await message_for(http, visitor.address)
    answer = await verify(http, message, signature_of(message, visitor))
    assert answer.status_code == 200, answer.text


def refusal(answer: httpx.Response) -> tuple[int, Any]:
    """Status and code of a problem document."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]
