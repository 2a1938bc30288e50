"""Exchange accounts: which key is let in, how it is kept, who may use it, and asking again what it may do."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from liqpass.clock import Clock
from liqpass.db import DATABASE_AWAY, Connection, Database
from liqpass.exchange.errors import ExchangeError, Kind
from liqpass.exchange.okx import Credentials, OkxGateway
from liqpass.exchange.records import AccountConfig, key_refusal
from liqpass.hexes import to_hex
from liqpass.ids import RANDOM_BYTES, uuid7
from liqpass.problems import Problem
from liqpass.vault import sql
from liqpass.vault.cipher import CipherError, KeyRing
from liqpass.vault.exchange_trouble import ABOUT_THE_KEY, problem_of

CHECK_EVERY = timedelta(hours=6)
CHECKS_PER_STEP = 10_000
CHECKS_AT_ONCE = 4
UNANSWERED_AT_MOST = 3
# After a restore. Whether its owner has removed a key since the backup nobody knows: it is theirs to say.
GIVE_AGAIN = "LiqPass was restored from a backup. Hand this key over again, or delete it."
ASKED_AGAIN = "LiqPass was restored from a backup. OKX is asked again what this key may do."
OF_THE_REGION = (Kind.UNAVAILABLE, Kind.RATE_LIMITED, Kind.CLOCK)

# The columns that hold secrets: a part of the place that each is sealed for.
SECRET = "secret_enc"  # noqa: S105, a column's name
PASSPHRASE = "passphrase_enc"  # noqa: S105, a column's name

Random = Callable[[int], bytes]

log = structlog.get_logger()


class OpenedAccount(msgspec.Struct, frozen=True):
    """An account whose key may be used now. `uid` is the exchange's own name of it."""

    id: UUID
    uid: str
    main_uid: str
    credentials: Credentials


def context_of(user: bytes, account_id: UUID, column: str) -> tuple[str, str, str, str]:
    """The place that a secret is sealed for."""
    return ("api_accounts", to_hex(user), str(account_id), column)


async def admit(gateway: OkxGateway, given: Credentials) -> tuple[Credentials, AccountConfig]:
    """The key gate: ask OKX what this key may do, and let it in only if that is to read.

    Returns the credentials with the region that knows them. Raises Problem; no transaction may be open here.
    """
    try:
        region, config = await gateway.find_region(given)
    except ExchangeError as error:
        raise problem_of(error) from None
    why_not = key_refusal(config)
    if why_not is not None:
        raise Problem("API_KEY_NOT_READ_ONLY", why_not, permissions=sorted(config.perm))
    return replace(given, region=region), config


async def store(
    conn: Connection,
    now: datetime,
    keyring: KeyRing,
    user: bytes,
    creds: Credentials,
    config: AccountConfig,
    label: str | None,
    random: Random = os.urandom,
) -> sql.ApiAccount:
    """Keep an admitted key. One that this user gave before keeps its id, and lives again if revoked."""

    def sealed_for(account_id: UUID) -> tuple[str, str]:
        return (
            keyring.seal(creds.secret, context_of(user, account_id, SECRET)),
            keyring.seal(creds.passphrase, context_of(user, account_id, PASSPHRASE)),
        )

    account_id = uuid7(now, random(RANDOM_BYTES))
    whose = (creds.region, creds.demo, config.uid, config.main_uid)
    permissions, bound = sorted(config.perm), config.ip_bound
    sealed, called = sealed_for(account_id), config.label if label is None else label
    stored = await sql.add_account(
        conn, user, account_id, *whose, creds.api_key, *sealed, called, permissions, bound, now
    )
    if stored.id == account_id:
        return stored
    sealed = sealed_for(stored.id)
    return await sql.renew_account(conn, user, stored.id, *whose, *sealed, label, permissions, bound, now)


async def revoke(conn: Connection, now: datetime, user: bytes, account_id: UUID) -> None:
    """Destroy the secrets; orders and bindings stay. Again is harmless. Raises API_ACCOUNT_NOT_FOUND."""
    if await sql.revoke_account(conn, user, account_id, now) is None:
        raise not_found()


async def own_accounts(conn: Connection, user: bytes) -> list[sql.ApiAccount]:
    """The user's living accounts, oldest first."""
    return await sql.accounts_of(conn, user)


async def credentials(conn: Connection, keyring: KeyRing, user: bytes, api_account_id: UUID) -> OpenedAccount:
    """The user's own account, opened for use.

    Raises Problem API_ACCOUNT_NOT_FOUND (also when it is somebody else's, or revoked) or API_ACCOUNT_ON_HOLD;
    CipherError when the key ring does not fit the database, which is the operator's trouble.
    """
    sealed = await sql.sealed_account(conn, user, api_account_id)
    if sealed is None:
        raise not_found()
    if sealed.held_reason is not None:
        raise on_hold(sealed.held_reason)
    return _opened(keyring, sealed)


async def accounts_of_uid(
    conn: Connection, keyring: KeyRing, user: bytes, exchange_uid: str
) -> list[OpenedAccount]:
    """The user's own keys of one account of the exchange that may be used now, the oldest first; none, and no
    error, when each is revoked or on hold. One that does not open keeps no other from its use.

    Raises CipherError when none opens: the key ring does not fit the database, the operator's trouble.
    """
    opened, closed = list[OpenedAccount](), None
    for sealed in await sql.sealed_of_uid(conn, user, exchange_uid):
        try:
            opened.append(_opened(keyring, sealed))
        except CipherError as error:
            log.exception("vault_does_not_open", account=str(sealed.id))
            closed = error
    if closed is not None and not opened:
        raise closed
    return opened


async def recheck_due(
    db: Database,
    gateway: OkxGateway,
    keyring: KeyRing,
    clock: Clock,
    *,
    every: timedelta = CHECK_EVERY,
    at_most: int = CHECKS_PER_STEP,
) -> int:
    """Ask again what keys may do whose last check is older than `every`, until none is left; how many were.

    A key that grew, or that OKX refuses, is put on hold; one that is read-only again is released, but for one
    that its owner has to hand over again. An exchange
    that does not answer changes nothing: its region is asked a few times in a row, then not before the next
    step, because the others would not be answered either. An answer that cannot be read, or is refused for a
    reason that we do not know, is one account's: it keeps no other from its turn.
    """
    async with db.pool.acquire() as conn:
        due = iter(await sql.accounts_due(conn, clock() - every, at_most, GIVE_AGAIN))
    unanswered = Counter[str]()

    async def take_turns() -> int:
        checked = 0
        for account in due:  # the one list, of which each takes the next
            if unanswered[account.region] < UNANSWERED_AT_MOST:
                noted = await _ask_again(db, gateway, keyring, clock, account)
                unanswered[account.region] = unanswered[account.region] + 1 if noted is None else 0
                checked += noted is True
        return checked

    # Each goes on to its end, whatever happens to another: none is left behind when the step is over.
    ends = await asyncio.gather(*(take_turns() for _ in range(CHECKS_AT_ONCE)), return_exceptions=True)
    checked = 0
    for end in ends:
        if isinstance(end, BaseException):
            raise end
        checked += end
    return checked


async def _ask_again(
    db: Database, gateway: OkxGateway, keyring: KeyRing, clock: Clock, due: sql.DueAccount
) -> bool | None:
    """Whether a finding was noted; None when the exchange does not answer, as it will not for others."""
    async with db.pool.acquire() as conn:
        account = await sql.sealed_account(conn, due.user_id, due.id)
    if account is None:
        return False
    try:
        return await _recheck(db, gateway, keyring, clock, account)
    except CipherError:
        log.exception("vault_does_not_open", account=str(account.id))
        return False
    except ExchangeError as error:
        log.warning("recheck_without_answer", account=str(account.id), code=error.code)
        return None if error.kind in OF_THE_REGION else False
    except DATABASE_AWAY:
        raise
    except Exception:
        log.exception("key_cannot_be_checked", account=str(account.id))
        return False


async def _recheck(
    db: Database, gateway: OkxGateway, keyring: KeyRing, clock: Clock, account: sql.SealedAccount
) -> bool:
    """Whether a finding was noted. Raises ExchangeError when nothing is known, and CipherError."""
    permissions: list[str] | None = None
    ip_bound: bool | None = None
    try:
        config = await gateway.account_config(_opened(keyring, account).credentials)
        permissions, ip_bound, why_not = sorted(config.perm), config.ip_bound, key_refusal(config)
    except ExchangeError as error:
        if error.kind not in ABOUT_THE_KEY:
            raise
        why_not = error.message_for_user
    if why_not != account.held_reason:
        log.warning("api_account_hold", account=str(account.id), held=why_not is not None, why=why_not)
    noted = await db.run(
        lambda conn: sql.note_check(
            conn,
            account.user_id,
            account.id,
            account.checked_at,
            permissions,
            ip_bound,
            clock(),
            why_not,
        )
    )
    return noted is not None


def _opened(keyring: KeyRing, sealed: sql.SealedAccount) -> OpenedAccount:
    user, account_id = sealed.user_id, sealed.id
    return OpenedAccount(
        id=account_id,
        uid=sealed.uid,
        main_uid=sealed.main_uid,
        credentials=Credentials(
            api_key=sealed.api_key,
            secret=keyring.open(sealed.secret_enc, context_of(user, account_id, SECRET)),
            passphrase=keyring.open(sealed.passphrase_enc, context_of(user, account_id, PASSPHRASE)),
            region=sealed.region,
            demo=sealed.demo,
        ),
    )


def not_found() -> Problem:
    """One answer for what is not there, is revoked, or is somebody else's."""
    return Problem("API_ACCOUNT_NOT_FOUND", "You have no such exchange account.", field="apiAccountId")


def on_hold(reason: str) -> Problem:
    """The key is not used at present, for this reason."""
    return Problem("API_ACCOUNT_ON_HOLD", f"This account is on hold. {reason}", field="apiAccountId")
