"""The queries of sign-in. Nonces and sessions are found by a secret that only their owner knows."""

from datetime import datetime

from liqpass.db import Connection, query
from liqpass.signin.living import LIVING_SESSION


@query(
    "insert into signin_nonces (nonce, address, chain_id, message, expires_at) values ($1, $2, $3, $4, $5)"
)
async def keep_message(
    conn: Connection, nonce: str, address: bytes, chain_id: int, message: str, expires_at: datetime
) -> None:
    """Remember a text until it is signed or expires."""


@query("select message from signin_nonces where nonce = $1 and expires_at > $2")
async def kept_message(conn: Connection, nonce: str, now: datetime) -> str | None:
    """The text that was written with this nonce, unless it is used or expired."""


@query(
    """
    with used as (
        delete from signin_nonces where nonce = $1 and expires_at > $2 returning address
    )
    insert into sessions (token_sha256, user_id, created_at, expires_at)
    select $3, address, $2, $4 from used
    returning user_id
    """
)
async def use_nonce(
    conn: Connection, nonce: str, now: datetime, token_sha256: bytes, expires_at: datetime
) -> bytes | None:
    """Burn the nonce and open its owner's session, both or neither; None when it was already used."""


@query("delete from signin_nonces where nonce = $1")
async def burn_nonce(conn: Connection, nonce: str) -> None:
    """Forget a text: whatever signs it now signs nobody in."""


@query(f"select s.user_id from sessions s where {LIVING_SESSION.format('$1', '$2')}")
async def living_session(conn: Connection, token_sha256: bytes, now: datetime) -> bytes | None:
    """Whose session it is."""


@query("update sessions set revoked_at = $2 where token_sha256 = $1 and revoked_at is null")
async def revoke_session(conn: Connection, token_sha256: bytes, now: datetime) -> None:
    """End one session."""


@query(
    """
    update sessions set revoked_at = $2
    where revoked_at is null and user_id = (
        select user_id from sessions where token_sha256 = $1 and expires_at > $2 and revoked_at is null
    )
    """
)
async def revoke_all_sessions(conn: Connection, token_sha256: bytes, now: datetime) -> None:
    """End all sessions of the user whose living session this is."""


@query(
    """
    with nonces as (
        delete from signin_nonces where expires_at <= $1 returning 1
    ), ended as (
        delete from sessions where expires_at <= $1 returning 1
    )
    select (select count(*) from nonces) + (select count(*) from ended)
    """
)
async def delete_expired(conn: Connection, now: datetime) -> int:
    """Remove what time has ended; how many rows that were."""
