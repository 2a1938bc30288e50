"""Where the books begin: what the treasury held before the first transfer that is stored of it."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import structlog

from liqpass.chain.balances import treasury_balance
from liqpass.chain.failures import NodeError
from liqpass.chain.rpc import Node
from liqpass.chain.stored import cursor_of
from liqpass.chain.view import Cursor
from liqpass.clock import Clock
from liqpass.db import Connection, Database
from liqpass.ledger.book import Account, Entry, Kind, chain_ref
from liqpass.ledger.posting import balance, post
from liqpass.money import usd
from liqpass.settings import ChainSettings
from liqpass.treasury import sql

log = structlog.get_logger()


async def open_books(db: Database, nodes: Sequence[Node], chain: ChainSettings, clock: Clock) -> bool:
    """Begin the books of the chain, once. False while that cannot be: nothing was read yet, or no node says
    what the treasury held at the finalized head; then the next call tries again.

    The opening is the balance there, less what is stored as having come in, plus what left.
    """
    async with db.pool.acquire() as conn:
        if await sql.is_open(conn, chain.chain_id):
            return True
        cursor = await cursor_of(conn, chain.chain_id)
    if cursor is None:
        return False
    try:
        held = await treasury_balance(nodes, chain, cursor.finalized_hash)
    except NodeError as error:
        log.warning("books_not_opened_yet", block=cursor.finalized_number, why=error.detail)
        return False
    return await db.run(partial(_open, clock(), chain.chain_id, cursor, held))


async def _open(now: datetime, chain_id: int, cursor: Cursor, held: int, conn: Connection) -> bool:
    moved = await sql.moved_upto(conn, chain_id, cursor.finalized_number)
    opening = held - moved.came_in + moved.went_out
    # Below zero only in a database older than the books: more has left than was stored then. What came in has
    # to be booked before it, so the books stay unopened, and booked into, until it is there.
    if opening + await balance(conn, Account.TREASURY) < 0:
        log.warning("books_opened_later", opening=usd(opening), why="what came in is not booked yet")
        return True
    block, block_hash = cursor.finalized_number, cursor.finalized_hash
    if await sql.keep_opening(conn, chain_id, block, block_hash, held, opening, now):
        kind = Kind.OPENING if opening > 0 else Kind.PAID_OUT
        await post(conn, now, [Entry(kind, chain_ref(chain_id), abs(opening))])
        log.info("books_opened", block=block, balance=usd(held), opening=usd(opening))
    return True
