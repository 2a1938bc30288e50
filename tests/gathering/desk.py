"""A desk at which claims are gathered: the sandbox exchange over HTTP, a database, covers written into it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import msgspec

from liqpass.claims import sql as claims_sql
from liqpass.claims.bundling import bundle_of
from liqpass.claims.case import Verdict
from liqpass.claims.opening import opened_for
from liqpass.claims.policy import CURRENT
from liqpass.claims.sql import Claim, ClaimEvent, EvidenceRow
from liqpass.claims.states import ClaimStatus, Opener
from liqpass.db import Database
from liqpass.exchange.okx import Credentials, OkxGateway
from liqpass.exchange.records import Position
from liqpass.gathering.step import gather_due
from liqpass.sandbox.okx_margin import Key
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.vault import api_accounts
from liqpass.vault.cipher import KeyRing
from tests.clock import SettableClock
from tests.schema import rows

BTC, ETH = "BTC-USDT-SWAP", "ETH-USDT-SWAP"
PAYOUT = 100_000_000
HOURS = 24
_NAMES = UUID(int=7)


@dataclass(frozen=True)
class Cover:
    """A cover that runs, of a position of the exchange."""

    user: bytes
    order_id: UUID
    public_id: bytes
    uid: str
    position: Position
    end_at: datetime


def priced_from(position: Position, read_at: datetime) -> str:
    """What an order keeps of its pricing."""
    said = {
        "version": "1",
        "sku": "LIQPASS_24H",
        "facts": {},
        "position": position.row_json,
        "position_sha256": position.row_sha256.hex(),
        "read_at": read_at.isoformat(),
    }
    return msgspec.json.encode(said).decode()


@dataclass
class Desk:
    """What tests do at it."""

    db: Database
    exchange: SandboxExchange
    gateway: OkxGateway
    keyring: KeyRing
    clock: SettableClock

    def key(self, label: str = "reads one") -> Key:
        """One of the exchange's keys by its label."""
        return next(key for key in self.exchange.books.keys.values() if key.label == label)

    def credentials(self, key: Key) -> Credentials:
        """What its owner knows of it."""
        region = self.exchange.books.accounts[key.uid].region
        return Credentials(key.api_key, key.secret, key.passphrase, region, demo=False)

    async def hand_over(self, user: bytes, key: Key) -> UUID:
        """Its owner gives a key; the account's id."""
        creds = self.credentials(key)
        config = await self.gateway.account_config(creds)
        stored = await self.db.run(
            lambda conn: api_accounts.store(conn, self.clock(), self.keyring, user, creds, config, None)
        )
        return stored.id

    async def cover(
        self,
        label: str = "reads one",
        inst_id: str = BTC,
        *,
        owner: int = 1,
        hours: int = HOURS,
        policy: str = CURRENT.version,
    ) -> Cover:
        """A cover of this account's isolated position that begins now, priced a moment ago."""
        key, user = self.key(label), bytes([owner]) * 20
        account = await self.hand_over(user, key)
        read = (await self.gateway.positions(self.credentials(key))).positions
        position = next(p for p in read if p.inst_id == inst_id and p.mgn_mode == "isolated")
        made = self.clock() - timedelta(seconds=10)
        named = f"{owner} {key.uid} {inst_id}"
        ids = uuid5(_NAMES, f"binding {named}"), uuid5(_NAMES, f"order {named}")
        cover = Cover(
            user,
            ids[1],
            ids[1].bytes * 2,
            key.uid,
            position,
            self.clock() + timedelta(hours=hours),
        )
        await self._write(cover, ids[0], account, made, hours, policy)
        return cover

    async def _write(
        self, cover: Cover, binding_id: UUID, account: UUID, made: datetime, hours: int, policy: str
    ) -> None:
        """Its binding, its order, and what is watched of it."""
        position, whose = cover.position, {"user_id": cover.user, "exchange_uid": cover.uid}
        times = {"coverage_start_at": self.clock(), "coverage_end_at": cover.end_at}
        bound = {
            "inst_id": position.inst_id,
            "mgn_mode": position.mgn_mode,
            "pos_side": position.pos_side,
            "pos_id": position.pos_id,
            "pos_created_ms": position.c_time_ms,
            "position_as_read": position.row_json,
            "position_sha256": position.row_sha256,
            "read_at": made,
        }
        promised = {
            "claims_policy": policy,
            "payout_amount": PAYOUT,
            "priced_from": priced_from(position, made),
            "coverage_delay_sec": 0,
            "duration_sec": hours * 3600,
        }
        names = {"purchase_order_id": cover.public_id, "user_id": cover.user}
        paid = {"pay_tx_hash": cover.public_id, "payer": cover.user, "submitted_at": made}
        of_it = {"id": binding_id, "api_account_id": account, "order_id": cover.order_id, "created_at": made}
        active = {"status": "ACTIVE", **times}
        async with self.db.transaction() as conn:
            await rows.binding(conn, **whose, **bound, **of_it, **active)
            made_and_paid = {"created_at": made, "pay_before": self.clock(), "paid_at": self.clock(), **paid}
            ids = {"id": cover.order_id, "binding_id": binding_id, **names}
            await rows.order(conn, **ids, **promised, **made_and_paid, **active)
            await rows.insert(conn, "order_refs", order_id=cover.order_id, **names)
            watched = {"penalty": position.row["liqPenalty"], "ends_at": cover.end_at}
            await rows.insert(
                conn, "watched_covers", order_id=cover.order_id, exchange_uid=cover.uid, **names, **watched
            )

    async def open(self, cover: Cover) -> Claim:
        """Its claim, opened as its owner does."""
        claim = await self.db.run(
            lambda conn: opened_for(
                conn,
                self.clock(),
                cover.order_id.bytes[:10],
                cover.user,
                cover.order_id,
                by=Opener.TRADER,
                reason="ASKED_FOR",
            )
        )
        assert claim is not None
        return claim

    async def gather(self) -> int:
        """One step."""
        return await gather_due(self.db, self.gateway, self.keyring, self.clock)

    async def gather_for(self, **time: float) -> None:
        """So long, looking every ten seconds at first, then as seldom as a step of a hundredth."""
        end = self.clock() + timedelta(**time)
        step = max(timedelta(seconds=10), timedelta(**time) / 100)
        while self.clock() < end:
            await self.gather()
            self.clock.now = min(end, self.clock() + step)
        await self.gather()

    async def claim(self, cover: Cover) -> Claim:
        """As it stands."""
        async with self.db.pool.acquire() as conn:
            claim_id = await conn.fetchval("select id from claims where order_id = $1", cover.order_id)
            claim = await claims_sql.find_claim(conn, cover.user, claim_id)
        assert claim is not None
        return claim

    async def status(self, cover: Cover) -> ClaimStatus:
        """Its state."""
        return (await self.claim(cover)).status

    async def evidence(self, cover: Cover, endpoint: str = "") -> list[EvidenceRow]:
        """What was kept, of endpoints whose path ends so."""
        claim = await self.claim(cover)
        async with self.db.pool.acquire() as conn:
            kept = await claims_sql.evidence(conn, cover.user, claim.id, 2**31 - 1)
        return [row for row in kept if row.endpoint.endswith(endpoint)]

    async def history(self, cover: Cover) -> list[ClaimEvent]:
        """Its moves."""
        claim = await self.claim(cover)
        async with self.db.pool.acquire() as conn:
            return await claims_sql.history(conn, cover.user, claim.id)

    async def moves(self, cover: Cover) -> list[str]:
        """Its states one after the other."""
        return [str(event.to_status) for event in await self.history(cover)]

    async def verdict(self, cover: Cover) -> Verdict:
        """The newest."""
        claim = await self.claim(cover)
        async with self.db.pool.acquire() as conn:
            row = await claims_sql.newest_verdict(conn, cover.user, claim.id)
        assert row is not None
        return msgspec.json.decode(row.verdict, type=Verdict)

    async def bundle(self, cover: Cover) -> bytes:
        """Rebuilt from the rows."""
        claim = await self.claim(cover)
        async with self.db.pool.acquire() as conn:
            return await bundle_of(conn, cover.user, claim.id)

    async def ask_soon(self, cover: Cover) -> None:
        """What watching does when it sees a change."""
        claim = await self.claim(cover)
        await self.db.run(lambda conn: claims_sql.ask_soon(conn, cover.user, claim.id, self.clock()))

    async def approve(self, cover: Cover) -> None:
        """All that is owed is approved, as review does it."""
        claim = await self.claim(cover)
        await self.execute(
            "update claims set approved_amount = $2, disbursement_id = $1 where id = $1",
            claim.id,
            claim.amount,
        )
        await self.move(cover, ClaimStatus.APPROVED)

    async def pay(self, cover: Cover) -> None:
        """Its payout is safe on the chain."""
        await self.execute(
            "update claims set pay_tx_hash = $2 where order_id = $1", cover.order_id, cover.public_id
        )
        await self.move(cover, ClaimStatus.PAID)

    async def move(self, cover: Cover, to: ClaimStatus) -> None:
        """Somebody else's move."""
        claim, by = await self.claim(cover), "liv"
        where = (cover.user, claim.id, claim.event_seq, claim.status, to, "BY_HAND", "OPERATOR", by, "{}")
        assert await self.db.run(lambda conn: claims_sql.move(conn, *where, self.clock())) is not None

    async def value(self, select: str, *values: object) -> Any:
        """One value of the database."""
        async with self.db.pool.acquire() as conn:
            return await conn.fetchval(select, *values)

    async def execute(self, statement: str, *values: object) -> None:
        """A hand in the database."""
        async with self.db.pool.acquire() as conn:
            await conn.execute(statement, *values)
