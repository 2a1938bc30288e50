"""The watcher: one step reads the whole unfinalized window again and stores what it shows.

Any number of watchers may run. A step is an optimistic transaction: it remembers the cursor, asks the nodes
without holding anything, and writes only if the cursor is still the same.
"""

import asyncio
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from liqpass.chain import sql
from liqpass.chain.reading import MovedError, read_blocks, read_start, read_view, read_witness
from liqpass.chain.rpc import Node, NodeError
from liqpass.chain.stored import keep, known, stored_payment
from liqpass.chain.view import Changes, Cursor, Head, StoredLog, View, Witness, compare, moved
from liqpass.clock import Clock
from liqpass.db import Connection, Database
from liqpass.settings import ChainSettings

WHAT_TO_DO = (
    "Nothing more is taken up. If that endpoint is wrong, take it out of LIQPASS_RPC_URLS and type "
    "liqpass lift-halt; "
    "if the chain was made anew (a test chain), begin with a fresh database."
)


class Outcome(StrEnum):
    """How a step ended."""

    GOOD = "GOOD"  # the view was stored
    DOUBTFUL = "DOUBTFUL"  # the view does not fit what is known: nothing changed, counted
    MOVED = "MOVED"  # the chain moved while it was read: nothing changed, read again
    OVERTAKEN = "OVERTAKEN"  # another watcher stored a view in between: nothing changed
    NO_NODE = "NO_NODE"  # no endpoint answered: nothing changed
    HALTED = "HALTED"  # what was final is not: nothing changes until an operator lifts the halt


class StepReport(Struct, frozen=True):
    """What one step did. `detail` says what is in the way, also of a good step (an endpoint that is down)."""

    outcome: Outcome
    detail: str | None = None
    added: int = 0
    advanced: int = 0
    dropped: int = 0
    blocks_left: int = 0  # between what was read and the head: above 0 only while catching up

    @property
    def changed(self) -> bool:
        """Payments or transfers are new, elsewhere, further, or gone."""
        return self.added + self.advanced + self.dropped > 0


async def step(db: Database, nodes: Sequence[Node], chain: ChainSettings, clock: Clock) -> StepReport:
    """Ask the first endpoint that answers for a view, the others whether they agree, and store it.

    Raises what the database raises; a failure of a node is an outcome.
    """
    cursor, stored = await db.run(lambda conn: _remembered(conn, chain))
    if cursor is not None and cursor.halted is not None:
        return StepReport(Outcome.HALTED, cursor.halted)
    failures = []
    for node in nodes:
        try:
            if cursor is None:
                cursor = await _start(db, node, chain, clock)
            view = await read_view(node, chain, cursor, stored, alone=len(nodes) == 1)
            others = [other for other in nodes if other is not node]
            return await _take(db, node, others, chain, clock, cursor, view)
        except NodeError as error:
            failures.append(error.detail)
        except MovedError as error:
            return StepReport(Outcome.MOVED, str(error))
    return StepReport(Outcome.NO_NODE, "; ".join(failures))


async def lift_halt(db: Database, chain: ChainSettings) -> bool:
    """Let halted watchers of this chain go on. False: there was no halt."""
    return await db.run(lambda conn: sql.lift_halt(conn, chain.chain_id)) is True


async def _start(db: Database, node: Node, chain: ChainSettings, clock: Clock) -> Cursor:
    """The first cursor of a new database: nothing before it is ever read."""
    head = await read_start(node, chain)

    async def begin(conn: Connection) -> Cursor | None:
        await sql.start_cursor(conn, chain.chain_id, head.number, head.hash, head.time, clock())
        return await sql.cursor_of(conn, chain.chain_id)

    cursor = await db.run(begin)
    if cursor is None:
        raise LookupError(f"chain_cursors has no row of chain {chain.chain_id} after it was made")
    return cursor


async def _take(
    db: Database,
    node: Node,
    others: Sequence[Node],
    chain: ChainSettings,
    clock: Clock,
    cursor: Cursor,
    view: View,
) -> StepReport:
    """Hold the view against the other endpoints and the stored rows, and keep what comes of it."""
    said = await asyncio.gather(*(_ask_witness(n, chain, cursor, view.heads.safe) for n in others))
    hashes = list({log.place.tx_hash for log in view.logs})
    stored = await db.run(lambda conn: known(conn, chain, hashes))
    if view.heads.finalized.number < cursor.finalized_number:
        stored, view = await _with_anchor(db, node, chain, stored, view)
    witnesses = [None if isinstance(one, str) else one for one in said]
    changes = compare(cursor, stored, view, witnesses)
    if changes.contradiction:
        changes = replace(changes, contradiction=f"{node.name}: {changes.contradiction} {WHAT_TO_DO}")
    elif changes.doubt:
        changes = replace(changes, doubt=f"{node.name}: {changes.doubt}")
    remark = None if changes.agreed else _remark(others, said, view)
    after = replace(moved(cursor, view, changes, clock()), doubt=remark)
    if not await db.run(lambda conn: keep(conn, chain.chain_id, cursor, after, view, changes)):
        return StepReport(Outcome.OVERTAKEN, "Another watcher was quicker.")
    for one in (node, *others):
        one.widen()
    return _report(changes, after, view)


def _report(changes: Changes, after: Cursor, view: View) -> StepReport:
    if changes.contradiction:
        return StepReport(Outcome.HALTED, changes.contradiction)
    if changes.doubt:
        return StepReport(Outcome.DOUBTFUL, changes.doubt)
    return StepReport(
        Outcome.GOOD,
        after.doubt,
        added=len(changes.add),
        advanced=len(changes.advance),
        dropped=len(changes.drop),
        blocks_left=view.heads.latest.number - view.upto,
    )


async def _remembered(conn: Connection, chain: ChainSettings) -> tuple[Cursor | None, list[StoredLog]]:
    return await sql.cursor_of(conn, chain.chain_id), await known(conn, chain, [])


async def _ask_witness(node: Node, chain: ChainSettings, cursor: Cursor, safe: Head) -> Witness | str:
    """What another endpoint shows, or why it cannot say."""
    try:
        return await read_witness(node, chain, cursor, safe)
    except NodeError as error:
        return error.detail
    except MovedError as error:
        return str(error)


def _remark(others: Sequence[Node], said: Sequence[Witness | str], view: View) -> str:
    """Why the endpoints do not agree: what keeps payments from becoming safe."""
    safe = {log for log in view.logs if log.place.block_number <= view.heads.safe.number}
    return "; ".join(
        one if isinstance(one, str) else f"{node.name} does not show {len(safe - one)} of the logs"
        for node, one in zip(others, said, strict=True)
        if isinstance(one, str) or safe - one
    )


async def _with_anchor(
    db: Database, node: Node, chain: ChainSettings, stored: list[StoredLog], view: View
) -> tuple[list[StoredLog], View]:
    """The node does not reach the cursor. It is late, unless a final payment's block is another one there:
    then the chain was made anew."""
    upto = view.heads.finalized.number
    row = await db.run(lambda conn: sql.first_final_payment(conn, chain.chain_id, upto))
    if row is None:
        return stored, view
    block = (await read_blocks(node, [row.block_number]))[row.block_number]
    blocks = {**view.blocks, row.block_number: block.head if block else None}
    return [*stored, stored_payment(row)], replace(view, blocks=blocks)
