"""Payouts of claims that USDC would not take now: told before one is approved, noted while it waits."""

import asyncio

import structlog

from liqpass.db import Database
from liqpass.problems import Problem
from liqpass.review import sql
from liqpass.settings import ChainSettings
from liqpass.treasury import disbursements
from liqpass.treasury.holding import (
    LOOK_SEC,
    NOT_KNOWN,
    Held,
    Nodes,
    held,
    refusal,
    token_says,
    token_says_of,
)
from liqpass.treasury.pairing import Purpose

log = structlog.get_logger()


async def told(nodes: Nodes, chain: ChainSettings, recipient: bytes, amount: int) -> Held | None:
    """Why the token would not pay this recipient now, NOT_KNOWN where no endpoint says soon; no transaction
    may be open."""
    try:
        async with asyncio.timeout(LOOK_SEC):
            return refusal(recipient, await token_says_of(nodes, chain, {recipient: amount}))
    except (Problem, TimeoutError):
        return NOT_KNOWN


async def note_held(db: Database, nodes: Nodes, chain: ChainSettings) -> None:
    """Ask the token about all that is due, and keep with each claim why it is held, or that it is not. Where
    no endpoint answers, what was known stays."""
    async with db.pool.acquire() as conn:
        dues = [due for due in await disbursements.dues(conn, chain) if due.shown is None]
    of_claims = [due.id for due in dues if due.purpose == Purpose.CLAIM]
    if not of_claims:
        return
    try:
        why = held(dues, await token_says(nodes, chain, dues))
    except Problem as unknown:
        log.warning("held_not_known", detail=unknown.detail)
        return
    codes = [str(why[id_].code) if id_ in why else None for id_ in of_claims]
    await db.run(lambda conn: sql.note_held(conn, of_claims, codes), one_statement=True)
