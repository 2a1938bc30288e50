"""That every open cover can be paid, for everybody to check: what the treasury held at one block, and what
may have to be paid from it, by the last reconciliation.

What covers hold is rounded up: an hour in which one order was made would tell its payout, and so how large
its position is. All other amounts are exact, and add up to what the chain shows.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from liqpass.chain.balances import BALANCE_OF
from liqpass.chain.checkout import word
from liqpass.db import Connection
from liqpass.hexes import checksum, to_hex
from liqpass.ledger.book import Account
from liqpass.money import MICRO, ceil_div
from liqpass.problems import Problem
from liqpass.reconcile.kept import Kept, kept, newest_measured, newest_whole
from liqpass.reconcile.runs import EVERY
from liqpass.settings import ChainSettings

LATE = 2 * EVERY
STEP = 1_000 * MICRO


class Standing(StrEnum):
    """What the last look says: the first of these that holds."""

    NONE = "NONE"
    """There was none yet."""
    CHANGED = "CHANGED"
    """What was written of it is not what was hashed."""
    SHORT = "SHORT"
    """The treasury holds less than what may have to be paid."""
    DIFFERS = "DIFFERS"
    """The treasury holds another amount than the books say, and nothing on its way explains it."""
    LATE = "LATE"
    """It is more than two hours old: it says nothing of now."""
    GOOD = "GOOD"
    """Every open cover could be paid."""


class Question(msgspec.Struct, frozen=True, rename="camel"):
    """What to ask any node (`eth_call` at the block), and the answer that it gives."""

    to: str
    data: str
    block_number: int
    block_hash: str
    answer: str


class Looked(msgspec.Struct, frozen=True, rename="camel"):
    """One look, a reconciliation. Micro-USDC as strings.

    balance = capital + premiums + claims_payable + refunds_due + withdrawals_due + suspense − unexplained
    − not_final + difference. `held_at_most`: of the capital, for open covers and unpaid orders, rounded up
    to whole thousands of USDC. `to_pay_at_most`: this, and all that is owed. `not_final`: in the books, of
    blocks after this one.
    """

    run: int
    finished_at: datetime
    balance: str
    capital: str
    held_at_most: str
    premiums: str
    claims_payable: str
    refunds_due: str
    withdrawals_due: str
    suspense: str
    unexplained: str
    not_final: str
    difference: str
    to_pay_at_most: str
    breaks_open: int
    sha256: str
    previous_sha256: str | None
    question: Question


class Reserve(msgspec.Struct, frozen=True, rename="camel"):
    """`looked`: the newest look at which the chain could be read. `unread`: there was a later one at which no
    node said what the treasury holds."""

    standing: Standing
    chain_id: int
    treasury: str
    usdc: str
    looked: Looked | None
    unread: bool


async def reserve(conn: Connection, now: datetime, chain: ChainSettings) -> Reserve:
    """As it stands. In one moment of the database."""
    measured, newest = await newest_measured(conn, chain.chain_id), await newest_whole(conn)
    standing, looked = Standing.NONE, None
    if measured is not None:
        try:
            standing, looked = _judged(await kept(conn, measured.id), now, chain)
        except Problem:
            standing = Standing.CHANGED
    return Reserve(
        standing=standing,
        chain_id=chain.chain_id,
        treasury=checksum(chain.treasury),
        usdc=checksum(chain.usdc),
        looked=looked,
        unread=newest is not None and (measured is None or newest.id > measured.id),
    )


def _judged(found: Kept, now: datetime, chain: ChainSettings) -> tuple[Standing, Looked]:
    run, accounts = found.row, {Account(name): int(it) for name, it in found.document["accounts"].items()}
    balance = run.chain_balance or 0
    difference = balance - run.ledger_balance
    not_final = accounts[Account.TREASURY] - run.ledger_balance
    capital = accounts[Account.POOL_FREE] + accounts[Account.POOL_LOCKED]
    held = accounts[Account.POOL_LOCKED]
    owed = sum(
        accounts[one]
        for one in (
            Account.CLAIMS_PAYABLE,
            Account.REFUNDS_DUE,
            Account.WITHDRAWALS_DUE,
            Account.SUSPENSE,
        )
    )
    held_at_most = at_most(held, capital, balance + not_final - owed)
    looked = Looked(
        run=run.id,
        finished_at=run.finished_at,
        balance=str(balance),
        capital=str(capital),
        held_at_most=str(held_at_most),
        premiums=str(accounts[Account.UNEARNED_PREMIUM] + accounts[Account.EARNED_PREMIUM]),
        claims_payable=str(accounts[Account.CLAIMS_PAYABLE]),
        refunds_due=str(accounts[Account.REFUNDS_DUE]),
        withdrawals_due=str(accounts[Account.WITHDRAWALS_DUE]),
        suspense=str(accounts[Account.SUSPENSE]),
        unexplained=str(accounts[Account.OUTFLOW_UNEXPLAINED]),
        not_final=str(not_final),
        difference=str(difference),
        to_pay_at_most=str(held_at_most + owed),
        breaks_open=run.breaks_open,
        sha256=to_hex(run.sha256),
        previous_sha256=to_hex(run.previous_sha256) if run.previous_sha256 else None,
        question=_question(found, chain),
    )
    if balance + not_final < held + owed:
        return Standing.SHORT, looked
    if difference and not _on_its_way(found.document):
        return Standing.DIFFERS, looked
    return Standing.LATE if now - run.finished_at > LATE else Standing.GOOD, looked


def at_most(held: int, capital: int, there: int) -> int:
    """What is held, rounded up, but to no more than there is. `there`: held by the treasury beyond what is
    owed."""
    rounded = min(capital, ceil_div(held, STEP) * STEP)
    return rounded if there < held else min(rounded, there)


def _on_its_way(document: dict[str, Any]) -> bool:
    return bool(document["balance"]["waiting"])


def _question(found: Kept, chain: ChainSettings) -> Question:
    run = found.row
    return Question(
        to=checksum(chain.usdc),
        data=to_hex(BALANCE_OF + word(chain.treasury)),
        block_number=run.to_block or 0,
        block_hash=to_hex(run.block_hash or b""),
        answer=to_hex((run.chain_balance or 0).to_bytes(32, "big")),
    )
