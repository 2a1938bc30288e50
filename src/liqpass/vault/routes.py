"""HTTP of the vault: /api/okx/api-accounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from liqpass.db import Database
from liqpass.exchange.okx import Credentials, OkxGateway
from liqpass.limits import Limiter, Rate
from liqpass.problems import Problem
from liqpass.signin.sessions import User
from liqpass.vault import api_accounts, sql
from liqpass.vault.cipher import KeyRing

KEYS_GIVEN = (Rate(6, timedelta(minutes=1)), Rate(30, timedelta(hours=1)))

Secret = Annotated[str, Meta(max_length=256)]


class KeyGiven(msgspec.Struct, frozen=True, rename="camel"):
    """A read-only OKX key. `region` is where to look first; `demo`: it is one of demo trading."""

    api_key: Secret
    secret: Secret
    passphrase: Secret
    label: Annotated[str, Meta(max_length=50)] | None = None
    region: Annotated[str, Meta(max_length=12)] | None = None
    demo: bool = False

    def __repr__(self) -> str:
        return "KeyGiven(…)"


class Account(msgspec.Struct, frozen=True, rename="camel"):
    """An exchange account; `heldReason` says why its key is not used at present."""

    api_account_id: UUID
    uid: str
    label: str
    api_key_last4: str
    permissions: list[str]
    ip_bound: bool
    region: str
    demo: bool
    held_reason: str | None
    checked_at: datetime
    created_at: datetime


class Accounts(msgspec.Struct, frozen=True, rename="camel"):
    """The user's living accounts, oldest first."""

    api_accounts: list[Account]


class Revoked(msgspec.Struct, frozen=True, rename="camel"):
    """The secrets are destroyed."""

    ok: bool


@dataclass(frozen=True)
class Vault:
    """How OKX is asked, what seals, the regions that exist, the first where nothing is said, and how often
    somebody may hand over a key: OKX shuts out an address that guesses."""

    gateway: OkxGateway
    keyring: KeyRing
    regions: Sequence[str]
    given: Limiter


def vault_router(*, gateway: OkxGateway, keyring: KeyRing, regions: Sequence[str]) -> Router:
    """Exchange accounts. `regions` are those of LIQPASS_OKX_HOSTS, in its order; `db`, `now` and `user` are
    provided by the app."""
    vault = Vault(gateway, keyring, tuple(regions), Limiter(*KEYS_GIVEN))
    return Router(
        path="/api/okx/api-accounts",
        route_handlers=[add, list_own, revoke],
        dependencies={"vault": Provide(lambda: vault, sync_to_thread=False)},
        tags=["exchange accounts"],
    )


@post("/", status_code=200, summary="Hand over a read-only key")
async def add(
    data: JSONBody[KeyGiven],
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    vault: NamedDependency[Vault],
    user: User,
) -> Account:
    """It is kept only if OKX says that it can read and nothing else."""
    given = Credentials(
        api_key=_filled(data.api_key, "apiKey"),
        secret=_filled(data.secret, "secret"),
        passphrase=_filled(data.passphrase, "passphrase"),
        region=data.region or vault.regions[0],
        demo=data.demo,
    )
    if given.region not in vault.regions:
        raise Problem("INVALID_FIELD", f"region is one of {', '.join(vault.regions)}.", field="region")
    label = None if data.label is None else _printable(data.label)
    vault.given.take(user, now, "You handed over many keys in a short time. Try again later.")
    creds, config = await api_accounts.admit(vault.gateway, given)
    stored = await db.run(
        lambda conn: api_accounts.store(conn, now, vault.keyring, user, creds, config, label)
    )
    return _shown(stored)


@get("/", summary="Your exchange accounts")
async def list_own(db: NamedDependency[Database], user: User) -> Accounts:
    """The accounts whose keys are kept."""
    async with db.pool.acquire() as conn:
        return Accounts(api_accounts=[_shown(account) for account in await sql.accounts_of(conn, user)])


@delete("/{api_account_id:str}", status_code=200, summary="Take a key back")
async def revoke(
    api_account_id: FromPath[str], db: NamedDependency[Database], now: NamedDependency[datetime], user: User
) -> Revoked:
    """Destroy a key's secrets for good. Orders and covers stay; repeating it is harmless."""
    try:
        account_id = UUID(api_account_id)
    except ValueError:
        raise api_accounts.not_found() from None
    await db.run(lambda conn: api_accounts.revoke(conn, now, user, account_id))
    return Revoked(ok=True)


def _shown(account: sql.ApiAccount) -> Account:
    return Account(
        api_account_id=account.id,
        uid=account.uid,
        label=account.label,
        api_key_last4=account.api_key[-4:],
        permissions=account.permissions,
        ip_bound=account.ip_bound,
        region=account.region,
        demo=account.demo,
        held_reason=account.held_reason,
        checked_at=account.checked_at,
        created_at=account.created_at,
    )


def _filled(text: str, field: str) -> str:
    """Without the white space that copying brings along."""
    stripped = text.strip()
    if not stripped:
        raise Problem("MISSING_FIELDS", f"{field} is empty.", field=field)
    return stripped


def _printable(text: str) -> str:
    return "".join(char for char in text if char.isprintable()).strip()
