"""Covers that ended or run, of as many wallets as a test wants, written straight into the tables by a
superuser whom no trigger and no foreign key holds back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import asyncpg

from tests.schema import rows

ENDED = datetime(2026, 11, 28, 12, tzinfo=UTC)
"""When covers end, unless a test says otherwise."""


@dataclass(frozen=True)
class Cover:
    """What a figure may tell of a cover. `approved`: micro-USDC for its claim; `settled`: its outcome is
    known."""

    wallet: int
    chance_ppm: int | None = 10_000
    sku: str = "LIQPASS_8H"
    ends: datetime = ENDED
    approved: int = 0
    settled: bool = True
    runs: bool = False
    direction: str = "long"
    payout: int = 100_000_000


def of_wallets(
    count: int, chance_ppm: int = 10_000, *, first: int = 0, sku: str = "LIQPASS_8H"
) -> list[Cover]:
    """One cover of each."""
    return [Cover(first + number, chance_ppm, sku) for number in range(count)]


async def write(url: str, covers: Iterable[Cover]) -> None:
    """All of them, beside those that are there."""
    owner = await asyncpg.connect(url)
    try:
        await owner.execute("set session_replication_role = replica")
        already = await owner.fetchval("select count(*) from purchase_orders")
        for number, cover in enumerate(covers, already):
            await _write_one(owner, number, cover)
    finally:
        await owner.close()


async def forget(url: str) -> None:
    """No cover, and no figure."""
    owner = await asyncpg.connect(url)
    try:
        await owner.execute("set session_replication_role = replica")
        for table in ("claims", "watched_covers", "order_risks", "purchase_orders", "published_figures"):
            await owner.execute(f"delete from {table}")
    finally:
        await owner.close()


async def _write_one(owner: asyncpg.Connection, number: int, cover: Cover) -> None:
    wallet, order_id = bytes([1 + cover.wallet]) * 20, UUID(int=number + 1)
    public_id = sha256(b"cover %d" % number).digest()
    start = cover.ends - timedelta(seconds=rows.DURATION_SEC)
    paid = start - timedelta(seconds=rows.DELAY_SEC)
    await rows.order(
        owner, user_id=wallet, id=order_id, purchase_order_id=public_id, binding_id=order_id, sku=cover.sku,
        status="ACTIVE" if cover.runs else "EXPIRED", payout_amount=cover.payout, chance_ppm=cover.chance_ppm,
        pay_tx_hash=public_id, payer=wallet, submitted_at=paid, paid_at=paid, coverage_start_at=start,
        coverage_end_at=cover.ends, created_at=paid - timedelta(minutes=1), pay_before=paid,
    )  # fmt: skip
    settled = {"settled_at": cover.ends, "settled_by": "ENDED"} if cover.settled and not cover.runs else {}
    await rows.insert(
        owner, "watched_covers", user_id=wallet, order_id=order_id, purchase_order_id=public_id,
        exchange_uid="1", ends_at=cover.ends, **settled,
    )  # fmt: skip
    await rows.insert(
        owner, "order_risks", purchase_order_id=public_id, direction=cover.direction, inst_id="BTC-USDT-SWAP",
        main_uid="1", wallet=wallet,
    )  # fmt: skip
    if cover.approved:
        await rows.insert(
            owner, "claims", user_id=wallet, id=order_id, order_id=order_id, purchase_order_id=public_id,
            status="APPROVED", event_seq=1, opened_at=cover.ends, opened_by="WATCHER", recipient=wallet,
            approved_amount=cover.approved, amount=cover.approved, disbursement_id=order_id,
        )  # fmt: skip
