"""A pool and covers of it, written as the product's statements write them, without what is around them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from liqpass.db import Database
from liqpass.exposure.rooms import HELD_BY
from liqpass.ledger.book import NEVER_OVERDRAWN, Entry, Kind, chain_ref
from liqpass.ledger.posting import post

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SELL = """
    with risked as (
        insert into order_risks (purchase_order_id, direction, inst_id, main_uid, wallet)
        select * from unnest($1::bytea[], $2::cover_direction[], $3::text[], $4::text[], $5::bytea[])
    )
    insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at)
    select 'HELD', ref, 1, 'POOL_FREE', 'POOL_LOCKED', amount, $7
    from unnest($1::bytea[], $6::bigint[]) o (ref, amount)
"""


@dataclass(frozen=True)
class Cover:
    """A cover to be sold; what is not said is of nobody else."""

    number: int
    payout: int
    direction: str = "long"
    inst_id: str = ""
    main_uid: str = ""
    wallet: bytes = b""

    @property
    def ref(self) -> bytes:
        """The public id of its order."""
        return self.number.to_bytes(32, "big")

    def row(self) -> tuple[bytes, str, str, str, bytes, int]:
        """As SELL takes it."""
        own = str(self.number)
        wallet = self.wallet or self.number.to_bytes(20, "big")
        return self.ref, self.direction, self.inst_id or own, self.main_uid or own, wallet, self.payout


@dataclass
class Desk:
    """Sells out of a pool, and says what is counted. The time is set by hand."""

    db: Database
    now: datetime = NOW
    sold: list[Cover] = field(default_factory=list)

    async def capital(self, amount: int) -> None:
        """The whole pool is this."""
        ref = chain_ref(1)
        await self.stand((Kind.OPENING, ref, amount), (Kind.CAPITAL, ref, amount))

    async def stand(self, *entries: tuple[Kind, bytes, int]) -> None:
        """Post in a transaction of its own."""
        await self.db.run(lambda conn: post(conn, self.now, [Entry(*entry) for entry in entries]))

    async def sell(self, *covers: Cover) -> str:
        """In one statement: "sold", or by what the database refused it."""
        columns = [list(column) for column in zip(*(cover.row() for cover in covers), strict=True)]
        try:
            await self.db.pool.execute(SELL, *columns, self.now)
        except asyncpg.CheckViolationError as error:
            assert error.constraint_name in (*HELD_BY, NEVER_OVERDRAWN)
            return str(error.constraint_name)
        self.sold += covers
        return "sold"

    async def sums(self, scope: str) -> dict[str, int]:
        """What is counted of a scope, by key."""
        rows = await self.db.pool.fetch("select key, open_sum from exposures where scope = $1", scope)
        return {row["key"]: row["open_sum"] for row in rows}

    async def claims(self, cover: Cover, takes: int) -> None:
        """A claim of the cover takes so much, or may take it, since now."""
        await self.db.pool.execute(
            "update order_risks set claimed = $2, claimed_at = $3 where purchase_order_id = $1",
            cover.ref,
            takes,
            self.now,
        )

    async def found(self, cover: Cover, takes: int) -> None:
        """The claim of the cover turns out to take so much."""
        await self.db.pool.execute(
            "update order_risks set claimed = $2 where purchase_order_id = $1", cover.ref, takes
        )

    def later(self, **by: float) -> None:
        """Time passes."""
        self.now += timedelta(**by)


def alike(scope: str) -> dict[str, Any]:
    """What two covers have in common that count together in this scope."""
    common: dict[str, dict[str, Any]] = {
        "DIRECTION": {"direction": "short"},
        "INSTRUMENT": {"inst_id": "BTC-USDT-SWAP"},
        "ACCOUNT": {"main_uid": "a main account"},
        "WALLET": {"wallet": b"\x07" * 20},
    }
    return common[scope]
