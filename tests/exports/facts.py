"""Books in which everything happens that can happen, written fact by fact: what the chain shows, and what was
posted for it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from liqpass.db import Database
from liqpass.ledger.book import Entry, Kind, chain_ref, log_ref
from liqpass.ledger.posting import post
from tests.schema.rows import CHAIN, insert

START = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
SENDER, RECIPIENT, PAYER = b"\x51" * 20, b"\x52" * 20, b"\x53" * 20
FINALIZED = 900
OPENING = 1_000_000_000_001
MIDNIGHT = datetime(2026, 7, 10, tzinfo=UTC)


def block_hash(number: int) -> bytes:
    """The hash of a block."""
    return number.to_bytes(32, "big")


def order_id(number: int) -> bytes:
    """An order's public id."""
    return b"\x0a" * 31 + bytes([number])


def tx(number: int) -> bytes:
    """The hash of a transaction."""
    return b"\x0b" * 31 + bytes([number])


class Books:
    """A database whose books are written as a test says. Time passes by a minute with every posting."""

    def __init__(self, owner: asyncpg.Connection, db: Database, url: str) -> None:
        self.owner, self.db, self.url, self.now = owner, db, url, START

    async def write_all(self) -> None:
        """Everything below."""
        for part in PARTS:
            await part(self)

    async def open(self) -> None:
        """The watcher's cursor, the opening balance, and capital of almost all of it."""
        times = {"safe_time": self.now, "latest_time": self.now, "read_at": self.now}
        heads = {"finalized_number": FINALIZED, "finalized_hash": block_hash(FINALIZED)}
        await insert(
            self.owner, "chain_cursors", chain_id=CHAIN, safe_number=950, latest_number=960, **heads, **times
        )
        opening = {"block_number": 1, "block_hash": block_hash(1), "treasury_balance": OPENING}
        await insert(
            self.owner, "ledger_openings", chain_id=CHAIN, opening=OPENING, opened_at=self.now, **opening
        )
        await self.post(Entry(Kind.OPENING, chain_ref(CHAIN), OPENING))
        await self.post(Entry(Kind.CAPITAL, chain_ref(CHAIN), OPENING - 1_000_000))

    async def post(self, *entries: Entry) -> None:
        """As a worker does it."""
        self.now += timedelta(minutes=1)
        await self.db.run(lambda conn: post(conn, self.now, entries))

    async def moved(
        self, number: int, amount: int, block: int, *, out: bool = False, stage: str = "FINAL"
    ) -> bytes:
        """A transfer of USDC in transaction `number`; the ref of its log."""
        sender, recipient = (b"\x7e" * 20, RECIPIENT) if out else (SENDER, None)
        place = {
            "tx_hash": tx(number),
            "log_index": 7,
            "block_number": block,
            "block_hash": block_hash(block),
        }
        known = {"sender": sender, "recipient": recipient, "amount": amount, "stage": stage}
        times = {"block_time": self.now, "changed_at": self.now}
        await insert(self.owner, "usdc_transfers", chain_id=CHAIN, **place, **known, **times)
        await self.owner.execute("delete from transfer_queue")
        return log_ref(tx(number), 7)

    async def paid(
        self,
        number: int,
        order: int,
        amount: int,
        block: int,
        *,
        stage: str = "FINAL",
        outcome: str = "MATCHED",
    ) -> bytes:
        """A premium in transaction `number`, with its transfer; the ref of its own log."""
        await self.moved(number, amount, block, stage=stage)
        place = {
            "tx_hash": tx(number),
            "log_index": 8,
            "block_number": block,
            "block_hash": block_hash(block),
        }
        known = {"purchase_order_id": order_id(order), "payer": PAYER, "amount": amount, "stage": stage}
        times = {"block_time": self.now, "changed_at": self.now}
        await insert(self.owner, "premium_payments", chain_id=CHAIN, **place, **known, **times)
        settled = {
            "stage": stage,
            "outcome": outcome,
            "block_hash": block_hash(block),
            "settled_at": self.now,
        }
        await insert(
            self.owner, "payment_settlements", chain_id=CHAIN, tx_hash=tx(number), log_index=8, **settled
        )
        await self.owner.execute("delete from settle_queue")
        await self.owner.execute("delete from transfer_queue")
        return log_ref(tx(number), 8)

    async def asked(self, number: int, purpose: str, ref: bytes, amount: int, reason: str) -> UUID:
        """A disbursement, asked for at the moment of the next posting."""
        key = UUID(int=number)
        what = {"purpose": purpose, "ref": ref, "recipient": RECIPIENT, "amount": amount, "reason": reason}
        at = self.now + timedelta(minutes=1)
        await insert(self.owner, "disbursements", id=key, chain_id=CHAIN, asked_by="ada", asked_at=at, **what)
        return key

    async def made(self, number: int, disbursement: UUID) -> None:
        """Transaction `number` made the disbursement."""
        await insert(
            self.owner,
            "disbursements_made",
            chain_id=CHAIN,
            tx_hash=tx(number),
            log_index=7,
            disbursement_id=disbursement,
            made_at=self.now,
        )


async def orders(books: Books) -> None:
    """Order 1 is covered and ends; 2 is paid, reorged away, and paid again by another transaction; order
    3 is cancelled."""
    await books.post(Entry(Kind.HELD, order_id(1), 250_000_000))
    await books.paid(1, 1, 12_345_678, 110)
    await books.post(Entry(Kind.PREMIUM, order_id(1), 12_345_678))
    await books.post(Entry(Kind.EARNED, order_id(1), 4_115_226))
    await books.post(Entry(Kind.EARNED, order_id(1), 12_345_678), Entry(Kind.HELD, order_id(1), 0))
    await books.post(Entry(Kind.HELD, order_id(2), 99_999_999))
    await books.post(Entry(Kind.PREMIUM, order_id(2), 3_000_001))
    await books.paid(2, 2, 3_000_001, 120, stage="DROPPED", outcome="DROPPED")
    await books.post(Entry(Kind.PREMIUM, order_id(2), 0))
    await books.paid(3, 2, 3_000_001, 125)
    await books.post(Entry(Kind.PREMIUM, order_id(2), 3_000_001))
    await books.post(Entry(Kind.HELD, order_id(3), 1))
    await books.post(Entry(Kind.HELD, order_id(3), 0))


async def stray_money(books: Books) -> None:
    """What pays no order: made capital, refunded, taken away by a reorg, paid for an order unknown here."""
    first = await books.moved(4, 70_000_003, 130)
    await books.post(Entry(Kind.RECEIVED, first, 70_000_003))
    await books.post(Entry(Kind.CAPITAL, first, 20_000_001))
    refund = await books.asked(1, "REFUND", first, 50_000_002, 'sent "by hand", see #7; twice')
    await books.post(Entry(Kind.REFUND, first, 50_000_002))
    paid = await books.moved(5, 50_000_002, 140, out=True)
    await books.made(5, refund)
    await books.post(Entry(Kind.REFUND_PAID, paid, 50_000_002))
    gone = await books.moved(6, 999, 150, stage="DROPPED")
    await books.post(Entry(Kind.RECEIVED, gone, 999))
    await books.post(Entry(Kind.RECEIVED, gone, 0))
    unknown = await books.paid(7, 99, 5_000_000, 160, outcome="UNKNOWN_ORDER")
    await books.post(Entry(Kind.RECEIVED, unknown, 5_000_000))


async def payouts(books: Books) -> None:
    """Capital is withdrawn, another withdrawal is given up, and something leaves for no known reason."""
    key = await books.asked(2, "WITHDRAWAL", b"pool", 500_000_000, "=1+1")
    await books.post(Entry(Kind.WITHDRAWAL, key.bytes, 500_000_000))
    paid = await books.moved(8, 500_000_000, 170, out=True)
    await books.made(8, key)
    await books.post(Entry(Kind.WITHDRAWAL_PAID, paid, 500_000_000))
    given_up = await books.asked(3, "WITHDRAWAL", b"pool", 1_000, "提取资本, 取消")
    await books.post(Entry(Kind.WITHDRAWAL, given_up.bytes, 1_000))
    await books.post(Entry(Kind.WITHDRAWAL, given_up.bytes, 0))
    odd = await books.moved(9, 77, 180, out=True)
    await books.post(Entry(Kind.PAID_OUT, odd, 77))


async def around_midnight(books: Books) -> None:
    """In a block before midnight, booked after it."""
    books.now = MIDNIGHT - timedelta(seconds=90)
    late = await books.moved(10, 31, 190)
    books.now = MIDNIGHT
    await books.post(Entry(Kind.RECEIVED, late, 31))


async def at_the_head(books: Books) -> None:
    """Booked, but newer than the finalized block; and final, but waiting to be booked."""
    await books.paid(11, 4, 8_000_000, FINALIZED + 20, stage="SAFE")
    await books.post(Entry(Kind.HELD, order_id(4), 5), Entry(Kind.PREMIUM, order_id(4), 8_000_000))
    newer = await books.moved(12, 41, FINALIZED + 21, stage="SAFE")
    await books.post(Entry(Kind.RECEIVED, newer, 41))
    await books.moved(13, 43, FINALIZED - 1)
    await books.owner.execute("insert into transfer_queue (chain_id, tx_hash) values ($1, $2)", CHAIN, tx(13))


PARTS: tuple[Callable[[Books], Awaitable[None]], ...] = (
    Books.open,
    orders,
    stray_money,
    payouts,
    around_midnight,
    at_the_head,
)
# What the chain shows of all this at the finalized block, counted by hand.
HELD_ON_CHAIN = (
    OPENING + 12_345_678 + 3_000_001 + 70_000_003 - 50_000_002 + 5_000_000 - 500_000_000 - 77 + 31 + 43
)
IN_TRANSIT = 8_000_000 + 41 - 43
