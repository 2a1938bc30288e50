"""The watcher: one step reads the whole unfinalized window again and stores what it shows.

Any number of watchers may run. A step is an optimistic transaction: it remembers the cursor, asks the nodes
without holding anything, and writes only if the cursor is still the same. The endpoint with the highest head
is the source, all others are its witnesses; what cannot be right as a source is tried the other way round.
"""

import asyncio
from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from liqpass.chain import sql
from liqpass.chain.checkout import PremiumPaid
from liqpass.chain.failures import NodeError
from liqpass.chain.reading import (
    MovedError,
    read_blocks,
    read_height,
    read_start,
    read_view,
    read_witness,
)
from liqpass.chain.rpc import Node
from liqpass.chain.stored import halt, keep, known, note_doubt, stored_payment
from liqpass.chain.view import (
    Changes,
    Cursor,
    Log,
    StoredLog,
    View,
    Witness,
    compare,
    known_by_all,
    moved,
)
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
    DOUBTFUL = "DOUBTFUL"  # no endpoint's view fits what is known: nothing changed, counted
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


OVERTAKEN = StepReport(Outcome.OVERTAKEN, "Another watcher was quicker.")


class _Judged(Struct, frozen=True):
    """A source's view, held against witnesses and rows. `said`: what each witness showed, or why nothing."""

    view: View
    changes: Changes
    said: Sequence[tuple[str, Witness | str]]


async def step(db: Database, nodes: Sequence[Node], chain: ChainSettings, clock: Clock) -> StepReport:
    """Ask the endpoint with the highest head for a view, the others whether they agree, and store it; if it
    cannot be right, or moves while it is read, ask the next one.

    Raises what the database raises; a failure of a node is an outcome.
    """
    cursor, stored = await db.run(lambda conn: _remembered(conn, chain))
    if cursor is not None and cursor.halted is not None:
        return StepReport(Outcome.HALTED, cursor.halted)
    up, down = await _by_height(nodes)
    failures, moves, doubts = list(down.values()), [], []
    for node in up:
        others = {other: down.get(other) for other in nodes if other is not node}
        try:
            if cursor is None:
                cursor = await _start(db, node, chain, clock)
            judged = await _judge(db, node, others, chain, cursor, stored)
        except NodeError as error:
            failures.append(error.detail)
        except MovedError as error:
            moves.append(str(error))
        else:
            if judged.changes.doubt is None:
                return await _take(db, nodes, chain, clock, cursor, judged)
            doubts.append(f"{node.name}: {judged.changes.doubt}")
    outcome = Outcome.DOUBTFUL if doubts else Outcome.MOVED if moves else Outcome.NO_NODE
    return await _without_view(db, chain, cursor, outcome, "; ".join(doubts + moves + failures))


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


async def _by_height(nodes: Sequence[Node]) -> tuple[list[Node], dict[Node, str]]:
    """The endpoints that answer, the highest head first and in their configured order where heads are equal;
    and why the others do not."""
    if len(nodes) == 1:
        return list(nodes), {}
    heights = dict(zip(nodes, await asyncio.gather(*map(_ask_height, nodes)), strict=True))
    up = {node: height for node, height in heights.items() if isinstance(height, int)}
    down = {node: why for node, why in heights.items() if isinstance(why, str)}
    return sorted(up, key=lambda node: -up[node]), down


async def _judge(
    db: Database,
    node: Node,
    others: Mapping[Node, str | None],
    chain: ChainSettings,
    cursor: Cursor,
    stored: list[StoredLog],
) -> _Judged:
    """Read a view, and hold it against the other endpoints and the stored rows. Raises NodeError, MovedError.

    `others` are the other endpoints, each with what is known to be wrong with it.
    """
    view = await read_view(node, others, chain, cursor, stored)
    said = await asyncio.gather(
        *(_ask_witness(other, wrong, chain, cursor, view) for other, wrong in others.items())
    )
    witnesses = [None if isinstance(one, str) else one for one in said]
    view = await _lowered(node, view, known_by_all(cursor, view, witnesses))
    hashes = list({log.place.tx_hash for log in view.logs})
    stored = await db.run(lambda conn: known(conn, chain, hashes))
    if view.heads.finalized.number < cursor.finalized_number:
        stored, view = await _with_anchor(db, node, chain, stored, view)
    changes = compare(cursor, stored, view, witnesses)
    if changes.contradiction:
        changes = replace(changes, contradiction=f"{node.name}: {changes.contradiction} {WHAT_TO_DO}")
    return _Judged(view, changes, list(zip((other.name for other in others), said, strict=True)))


async def _take(
    db: Database, nodes: Sequence[Node], chain: ChainSettings, clock: Clock, cursor: Cursor, judged: _Judged
) -> StepReport:
    """Store what comes of a view that is not in doubt, or halt."""
    view, changes = judged.view, judged.changes
    if contradiction := changes.contradiction:
        halted = await db.run(lambda conn: halt(conn, chain.chain_id, cursor, contradiction))
        return StepReport(Outcome.HALTED, contradiction) if halted else OVERTAKEN
    waits = [view.waits, *(one.waits for _, one in judged.said if isinstance(one, Witness))]
    doubted = cursor.doubtful_views + int(any(waits))
    after = replace(moved(cursor, view, changes, clock()), doubt=_remark(judged), doubtful_views=doubted)
    if not await db.run(lambda conn: keep(conn, chain, cursor, after, view, changes)):
        return OVERTAKEN
    for node in nodes:
        node.step()
    return StepReport(
        Outcome.GOOD,
        after.doubt,
        added=len(changes.add),
        advanced=len(changes.advance),
        dropped=len(changes.drop),
        # While the safe head waits for a witness, reading the same blocks again would not help.
        blocks_left=view.heads.latest.number - view.upto if after.safe_number > cursor.safe_number else 0,
    )


async def _without_view(
    db: Database, chain: ChainSettings, cursor: Cursor | None, outcome: Outcome, words: str
) -> StepReport:
    """Nothing can be taken. Why is kept: whoever looks learns of it at once, in the endpoint's words."""
    if cursor is not None:
        doubted = outcome is Outcome.DOUBTFUL
        if not await db.run(lambda conn: note_doubt(conn, chain.chain_id, cursor, words, doubted=doubted)):
            return OVERTAKEN
    return StepReport(outcome, words)


async def _remembered(conn: Connection, chain: ChainSettings) -> tuple[Cursor | None, list[StoredLog]]:
    return await sql.cursor_of(conn, chain.chain_id), await known(conn, chain, [])


async def _ask_height(node: Node) -> int | str:
    try:
        return await read_height(node)
    except NodeError as error:
        return error.detail


async def _ask_witness(
    node: Node, wrong: str | None, chain: ChainSettings, cursor: Cursor, view: View
) -> Witness | str:
    """What another endpoint shows, or why it cannot say."""
    if wrong is not None:
        return wrong
    try:
        return await read_witness(node, chain, cursor, view)
    except NodeError as error:
        return error.detail
    except MovedError as error:
        return str(error)


def _remark(judged: _Judged) -> str | None:
    """What keeps payments from becoming safe, or transfers from becoming final: endpoints that do not agree,
    or that cannot say."""
    safe = judged.view.heads.safe.number
    logs = {log for log in judged.view.logs if log.place.block_number <= safe}
    parts = [judged.view.waits]
    for name, one in judged.said:
        if isinstance(one, str):
            parts.append(one)
            continue
        parts.append(one.waits)
        if missing := [log for log in logs - one.logs if _is_read(log, one)]:
            parts.append(f"{name} does not show {len(missing)} of the logs")
    return "; ".join(part for part in parts if part) or None


def _is_read(log: Log, witness: Witness) -> bool:
    return isinstance(log, PremiumPaid) or log.place.block_number <= witness.transfers_upto


async def _lowered(node: Node, view: View, upto: int) -> View:
    """The view with a finalized head of at most `upto`: up to there the transfers are known."""
    if upto >= view.heads.finalized.number:
        return view
    block = (await read_blocks(node, [upto]))[upto]
    if block is None:
        raise MovedError(f"{node.name} is above block {upto:,} and does not know it")
    return replace(view, heads=replace(view.heads, finalized=block.head))


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
