"""HTTP of sign-in: /api/auth."""

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, JSONBody
from msgspec import Meta

from liqpass import hexes
from liqpass.db import Database
from liqpass.limits import Limiter, Rate
from liqpass.problems import Problem
from liqpass.signin import sessions, siwe
from liqpass.signin.contract_checks import ContractChecks
from liqpass.signin.contract_wallet import EthCall

MESSAGES = Rate(60, timedelta(minutes=1))

_SIGNATURE = re.compile(r"0[xX](?:[0-9a-fA-F]{2})*")


class NonceAsked(msgspec.Struct, frozen=True, rename="camel"):
    """Who wants to sign in, and on which chain (the one of this deployment)."""

    address: Annotated[str, Meta(max_length=42)]
    chain_id: int | None = None


class NonceGiven(msgspec.Struct, frozen=True, rename="camel"):
    """The whole EIP-4361 text, to be signed with `personal_sign` as it is."""

    message: str
    nonce: str


class Signed(msgspec.Struct, frozen=True, rename="camel"):
    """The text as it was given, and its signature in hex. A contract wallet's may be long, or `0x`, when its
    owners have approved the text on the chain."""

    message: Annotated[str, Meta(max_length=2000)]
    signature: Annotated[str, Meta(max_length=16_386)]


class SignedIn(msgspec.Struct, frozen=True, rename="camel"):
    """The user's address in EIP-55's spelling."""

    address: str


class SignedOut(msgspec.Struct, frozen=True, rename="camel"):
    """The session is over (or there was none)."""

    ok: bool


@dataclass(frozen=True)
class Door:
    """What stands at the door: the site that the texts name, who asks the nodes, how often somebody may ask
    for a text, and the cookie's name."""

    site: siwe.Site
    checks: ContractChecks
    messages: Limiter
    cookie_name: str

    def cookie(self, value: str, lives: timedelta) -> Cookie:
        return Cookie(
            self.cookie_name,
            value=value,
            path="/",
            max_age=int(lives.total_seconds()),
            secure=self.cookie_name == sessions.HOST_COOKIE,
            httponly=True,
            samesite="lax",
        )


def signin_router(*, rpc: EthCall, public_url: str, chain_id: int) -> Router:
    """Sign-in for the site at `public_url`. `rpc` does one eth_call (see `contract_wallet.EthCall`); `db`,
    `now` and `user` are provided by the app."""
    parts = urlsplit(public_url)
    site = siwe.Site(domain=parts.netloc.lower(), uri=public_url, chain_id=chain_id)
    door = Door(site, ContractChecks(rpc), Limiter(MESSAGES), session_cookie(public_url))
    return Router(
        path="/api/auth",
        route_handlers=[nonce, verify, logout, me],
        dependencies={"door": Provide(lambda: door, sync_to_thread=False)},
        tags=["sign-in"],
    )


def session_cookie(public_url: str) -> str:
    """The name of the session's cookie: a browser takes the safer one only over https."""
    return sessions.COOKIE if _is_loopback(urlsplit(public_url).hostname or "") else sessions.HOST_COOKIE


@post("/nonce", status_code=200, summary="Get a text to sign")
async def nonce(
    request: Request[Any, Any, Any],
    data: JSONBody[NonceAsked],
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    door: NamedDependency[Door],
) -> NonceGiven:
    """Good once, for five minutes."""
    address = hexes.address(data.address, "address")
    if data.chain_id not in (None, door.site.chain_id):
        raise Problem("INVALID_FIELD", f"chainId is {door.site.chain_id} here.", field="chainId")
    # Of the same peer only: else anybody could keep somebody out by asking in their name.
    who = (address, request.client.host if request.client else "")
    door.messages.take(who, now, "This address asked for too many messages. Try again soon.")
    message = await db.run(lambda conn: sessions.write_message(conn, now, door.site, address))
    return NonceGiven(message=siwe.text_of(message), nonce=message.nonce)


@post("/verify", status_code=200, summary="Sign in with the signed text")
async def verify(
    data: JSONBody[Signed],
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    door: NamedDependency[Door],
) -> Response[SignedIn]:
    """Sets the session's cookie, good for seven days. A message is good for one try."""
    signature = _signature(data.signature)
    message = await db.run(lambda conn: sessions.check_message(conn, now, door.site, data.message))
    if not await sessions.is_signed(door.checks, now, message, signature):
        await db.run(lambda conn: sessions.burn(conn, message))
        raise Problem("SIGNIN_REJECTED", "The message's address did not sign it: ask for a new one.")
    token = await db.run(lambda conn: sessions.open_session(conn, now, message))
    return Response(
        SignedIn(address=hexes.checksum(message.address)),
        cookies=[door.cookie(token.cookie, sessions.SESSION_LIVES)],
    )


@post("/logout", status_code=200, summary="End the session")
async def logout(
    request: Request[Any, Any, Any],
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    door: NamedDependency[Door],
    everywhere: FromQuery[bool] = False,
) -> Response[SignedOut]:
    """End this session, or with `?everywhere=true` all sessions of its user. Repeating it is harmless."""
    token = sessions.token_in(request, door.cookie_name)
    if token is not None:
        await db.run(lambda conn: sessions.end(conn, now, token, everywhere=everywhere))
    return Response(SignedOut(ok=True), cookies=[door.cookie("", timedelta())])


@get("/me", summary="Who is signed in")
async def me(user: sessions.User) -> SignedIn:
    """The address of the session."""
    return SignedIn(address=hexes.checksum(user))


def _signature(text: str) -> bytes:
    if not _SIGNATURE.fullmatch(text):
        raise Problem("INVALID_FIELD", "signature is 0x and hexadecimal digits.", field="signature")
    return bytes.fromhex(text[2:])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
