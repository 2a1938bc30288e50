"""Who is asking: a text to sign, its signature once and within five minutes, a session for seven days."""

import base64
import binascii
import hashlib
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar import Request
from litestar.di import NamedDependency

from liqpass.db import Connection, Database
from liqpass.problems import Problem
from liqpass.signin import siwe, sql
from liqpass.signin.contract_checks import ContractChecks

COOKIE = "liqpass_session"
# Browsers take a name with this prefix from the host itself only, over https: no sibling domain can plant a
# session of its own, into which the visitor would hand over their key.
HOST_COOKIE = f"__Host-{COOKIE}"
NONCE_LIVES = timedelta(minutes=5)
SESSION_LIVES = timedelta(days=7)

Random = Callable[[int], bytes]

# What a route asks for when it needs to know who is calling: the address, 20 bytes.
User = NamedDependency[bytes]


def not_signed_in() -> Problem:
    """Without a living session."""
    return Problem("NOT_SIGNED_IN", "Sign in first: there is no session, or it has ended.")


class Token(msgspec.Struct, frozen=True):
    """A session's secret (32 bytes), which only its browser keeps: the database has its SHA-256."""

    secret: bytes

    def __repr__(self) -> str:
        return "Token(…)"

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.secret).digest()

    @property
    def cookie(self) -> str:
        return base64.urlsafe_b64encode(self.secret).decode()


# What a route asks for whose own first statement finds out who is calling, a round trip less: the session
# may have ended.
Session = NamedDependency[Token]


def token_in(request: Request[Any, Any, Any], cookie: str) -> Token | None:
    """The token in the request's cookie of that name; None when there is none that could be ours."""
    return _token(request.cookies.get(cookie, ""))


def token_of(header: str, cookie: str) -> Token | None:
    """The same of a header of cookies as it came; None, too, where that is anything but plain."""
    name = f"{cookie}="
    texts = [part.strip()[len(name) :] for part in header.split(";") if part.strip().startswith(name)]
    return _token(texts[0]) if len(texts) == 1 else None


def _token(text: str) -> Token | None:
    if len(text) != 44:
        return None
    try:
        secret = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return Token(secret) if len(secret) == 32 else None


async def signed_in(
    request: Request[Any, Any, Any],
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    session_cookie: NamedDependency[str],
) -> bytes:
    """The user's address, as a dependency of every route that needs one. Raises Problem NOT_SIGNED_IN."""
    user = await reader_of(request, db, now, session_cookie)
    if user is None:
        raise not_signed_in()
    return user


def session_of(request: Request[Any, Any, Any], session_cookie: NamedDependency[str]) -> Token:
    """The request's token as a dependency. Raises Problem NOT_SIGNED_IN without one."""
    token = token_in(request, session_cookie)
    if token is None:
        raise not_signed_in()
    return token


async def reader_of(
    request: Request[Any, Any, Any], db: Database, now: datetime, session_cookie: str
) -> bytes | None:
    """The address of whoever reads a page that does not need one; None without a living session.

    A single statement, so it is sent without the round trips of a transaction around it.
    """
    token = token_in(request, session_cookie)
    if token is None:
        return None
    async with db.pool.acquire() as conn:
        return await sql.living_session(conn, token.sha256, now)


async def lives_on(db: Database, now: datetime, token: Token, user: bytes) -> bool:
    """Whether it is this user's living session still: for what goes on after the request has begun."""
    async with db.pool.acquire() as conn:
        return await sql.living_session(conn, token.sha256, now) == user


async def write_message(
    conn: Connection, now: datetime, site: siwe.Site, address: bytes, random: Random = os.urandom
) -> siwe.Message:
    """Write and keep a text for this address to sign."""
    issued_at = now.replace(microsecond=0)
    message = siwe.Message(
        site=site,
        address=address,
        nonce=random(16).hex(),
        issued_at=issued_at,
        expires_at=issued_at + NONCE_LIVES,
    )
    text = siwe.text_of(message)
    await sql.keep_message(conn, message.nonce, address, site.chain_id, text, message.expires_at)
    return message


async def check_message(conn: Connection, now: datetime, site: siwe.Site, text: str) -> siwe.Message:
    """The message, if it is the very text that we wrote and it is good here and now. Raises Problem."""
    message = siwe.parse(text)
    why_not = siwe.refusal(message, site, now)
    if why_not is None and await sql.kept_message(conn, message.nonce, now) != text:
        why_not = "This message was not written by this server, or it was used before: ask for a new one."
    if why_not is not None:
        raise Problem("SIGNIN_REJECTED", why_not)
    return message


async def is_signed(checks: ContractChecks, now: datetime, message: siwe.Message, signature: bytes) -> bool:
    """Whether the message's address signed it. Raises what `ContractChecks.accepts` raises: nothing is known.

    Only what no key of an ordinary account explains is asked of a node (and of its contract wallet), so most
    people sign in while all nodes are down. No transaction may be open here.
    """
    hashed = siwe.digest(siwe.text_of(message))
    if siwe.signer_of(hashed, signature) == message.address:
        return True
    return await checks.accepts(now, message, hashed, signature)


async def burn(conn: Connection, message: siwe.Message) -> None:
    """Use the message up without a session: each may cost one question to a node, not one per try."""
    await sql.burn_nonce(conn, message.nonce)


async def open_session(
    conn: Connection, now: datetime, message: siwe.Message, random: Random = os.urandom
) -> Token:
    """Burn the nonce and open a session. Raises Problem SIGNIN_REJECTED when somebody was quicker."""
    token = Token(random(32))
    if await sql.use_nonce(conn, message.nonce, now, token.sha256, now + SESSION_LIVES) is None:
        raise Problem("SIGNIN_REJECTED", "This message was used before: ask for a new one.")
    return token


async def end(conn: Connection, now: datetime, token: Token, *, everywhere: bool = False) -> None:
    """Revoke this session; `everywhere`: all of its user's, if it is still a living one."""
    revoke = sql.revoke_all_sessions if everywhere else sql.revoke_session
    await revoke(conn, token.sha256, now)


async def purge(conn: Connection, now: datetime) -> int:
    """Delete expired nonces and sessions; how many. For the worker, every minute or so."""
    return await sql.delete_expired(conn, now)
