"""Gathering: claims that are due are asked about, a few at once, each for itself."""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import structlog

from liqpass.claims import sql as claims_sql
from liqpass.claims.case import Missing
from liqpass.claims.sql import Claim
from liqpass.clock import Clock
from liqpass.db import DATABASE_AWAY, Connection, Database
from liqpass.exchange.okx import OkxGateway
from liqpass.exchange.pace import INSTRUMENTS
from liqpass.gathering import sql
from liqpass.gathering.asking import PATIENCE_SEC, Gathered, ask, wanted_of
from liqpass.gathering.deciding import note, note_fault
from liqpass.gathering.pauses import FIRST
from liqpass.gathering.troubles import UNANSWERED, WITHOUT_KEY, Trouble
from liqpass.vault.api_accounts import UNANSWERED_AT_MOST, OpenedAccount, accounts_of_uid
from liqpass.vault.cipher import CipherError, KeyRing

AT_MOST = 200
AT_ONCE = 4
# Longer than asking takes: after that, whoever asked about a claim has died over it.
HELD = timedelta(seconds=PATIENCE_SEC + 60)
PUT_OFF = timedelta(seconds=30)

log = structlog.get_logger()


async def gather_due(
    db: Database,
    gateway: OkxGateway,
    keyring: KeyRing,
    clock: Clock,
    *,
    at_most: int = AT_MOST,
    at_once: int = AT_ONCE,
) -> int:
    """Ask the exchange about the claims that are due; how many were. No transaction is open meanwhile.

    One that fails by a fault of ours is told, and holds up no other; a region that does not answer a few
    times in a row is left alone for a while.
    """
    async with db.pool.acquire() as conn:
        due = iter(await sql.due_claims(conn, clock(), WITHOUT_KEY, at_most))
    unanswered = Counter[str]()

    async def take_turns() -> int:
        done = 0
        for each in due:  # the one list, of which each takes the next
            done += await _gather(db, gateway, keyring, clock, each, unanswered)
        return done

    # Each goes on to its end, whatever happens to another: none is left behind when the step is over.
    ends = await asyncio.gather(*(take_turns() for _ in range(at_once)), return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException):
            raise end
    return sum(end for end in ends if not isinstance(end, BaseException))


async def _gather(
    db: Database,
    gateway: OkxGateway,
    keyring: KeyRing,
    clock: Clock,
    due: sql.DueClaim,
    unanswered: Counter[str],
) -> bool:
    """Whether something was noted."""
    async with db.pool.acquire() as conn:
        order = await claims_sql.case_order(conn, due.user_id, due.order_id)
        known = {one.endpoint for one in await sql.stored_answers(conn, due.user_id, due.id)}
        keys, trouble = await _keys(conn, keyring, due)
        now, region = clock(), keys[0].credentials.region if keys else ""
        if unanswered[region] >= UNANSWERED_AT_MOST:
            until = now + PUT_OFF
            await sql.put_off(conn, due.user_id, due.id, due.ask_at, until, Trouble.UNANSWERED)
            return False
        claim = await sql.take(conn, due.user_id, due.id, due.ask_at, now + HELD)
    if claim is None or order is None:
        return False
    gathered = Gathered(trouble=trouble)
    try:
        if trouble is None:
            # An answer that has the contract's value stays true; one that has not is asked for again.
            told = set() if Missing.CONTRACT_VALUE in claim.missing else known & {INSTRUMENTS}
            gathered = await ask(gateway, keys, wanted_of(order), now, told)
            gone = not gathered.answers and gathered.trouble in UNANSWERED
            unanswered[region] = unanswered[region] + 1 if gone else 0
        return await db.run(lambda conn: note(conn, clock(), claim, order, gathered))
    except DATABASE_AWAY:
        await _give_back(db, clock, claim)
        raise
    except Exception:
        log.exception("claim_cannot_be_gathered", claim=str(due.id))
    await db.run(lambda conn: note_fault(conn, clock(), claim, order, gathered))
    return True


async def _give_back(db: Database, clock: Clock, claim: Claim) -> None:
    """What was answered could not be kept: it is asked for again soon, not when the claim is held no more."""
    taken, until = claim.ask_at, clock() + FIRST
    if taken is not None:
        with suppress(*DATABASE_AWAY):
            await db.run(lambda conn: sql.put_off(conn, claim.user_id, claim.id, taken, until, claim.trouble))


async def _keys(
    conn: Connection, keyring: KeyRing, due: sql.DueClaim
) -> tuple[list[OpenedAccount], str | None]:
    """The keys that may show it, the binding's own first; and what keeps all of them shut."""
    try:
        keys = await accounts_of_uid(conn, keyring, due.user_id, due.exchange_uid)
    except CipherError:
        return [], Trouble.VAULT
    return sorted(keys, key=lambda key: key.id != due.api_account_id), None
