"""Booking: what came into the treasury and what left it becomes entries of the ledger.

Convergent: each step says what the transfers of a transaction shall stand at, whatever was said before. So a
reorg undoes itself, a payment that shows up later takes its transfer out of suspense, and doing it again
changes nothing. Any number of workers may run it.
"""

from collections.abc import Sequence
from datetime import datetime

from liqpass.batches import in_batches
from liqpass.chain.rpc import Node
from liqpass.clock import Clock
from liqpass.db import Connection, Database
from liqpass.ledger.posting import overdrawn, post
from liqpass.settings import ChainSettings
from liqpass.treasury import sql
from liqpass.treasury.opening import open_books
from liqpass.treasury.pairing import Made, Transfer, assign, entries, undone, waiting

BATCH = 200


async def step(db: Database, nodes: Sequence[Node], chain: ChainSettings, clock: Clock) -> None:
    """Open the books if that was not done, then book until nothing is left in the queue."""
    if not await open_books(db, nodes, chain, clock):
        return
    chain_id = chain.chain_id
    await db.run(lambda conn: sql.queue_what_may_be_due(conn, chain_id), one_statement=True)
    # What spends what is not booked yet is refused as overdrawn: nobody's fault, and it passes.
    await in_batches(db, lambda conn, **part: book(conn, clock(), chain_id, **part), BATCH, passes=overdrawn)


async def book(
    conn: Connection, now: datetime, chain_id: int, *, at_most: int = BATCH, passing_over: int = 0
) -> int:
    """Book the transactions that wait. How many were taken from the queue."""
    queued = await sql.take_queue(conn, chain_id, at_most, passing_over)
    if not queued:
        return 0
    transfers = await sql.transfers_of(conn, chain_id, queued)
    premiums = await sql.premiums_of(conn, chain_id, queued)
    made = await _match(conn, now, chain_id, queued, transfers)
    await sql.leave_queue(conn, chain_id, queued)
    await post(conn, now, entries(transfers, premiums, made))
    return len(queued)


async def _match(
    conn: Connection, now: datetime, chain_id: int, queued: list[bytes], transfers: list[Transfer]
) -> list[Made]:
    """Which disbursement each of these transfers makes, as it stands after this step."""
    made = await sql.made_by(conn, chain_id, queued)
    if gone := undone(transfers, made):
        await sql.unmake(conn, chain_id, [m.tx_hash for m in gone], [m.log_index for m in gone])
        made = [one for one in made if one not in gone]
    out = waiting(transfers, made)
    if not out:
        return made
    recipients, amounts = [t.recipient or b"" for t in out], [t.amount for t in out]
    dues = await sql.lock_dues(conn, chain_id, recipients, amounts)
    taken = set(await sql.made_among(conn, [due.id for due in dues]))
    new = assign(out, [due for due in dues if due.id not in taken])
    if new:
        ids = [m.disbursement_id for m in new]
        await sql.make(
            conn, chain_id, [m.tx_hash for m in new], [m.log_index for m in new], ids, now, None, None
        )
    return made + new
