"""What has to be known before a batch is made, or it would pay once more what is paid already: what has left
the treasury while the watcher stood still, and, after a restore, what happened since the backup."""

from collections.abc import Sequence
from datetime import datetime

from liqpass.chain.checkout import UsdcTransfer
from liqpass.chain.failures import NodeError
from liqpass.chain.reading import read_height
from liqpass.chain.reading_logs import read_transfers
from liqpass.chain.rpc import Node
from liqpass.chain.stored import cursor_of
from liqpass.db import Connection, Database
from liqpass.hexes import checksum, to_hex
from liqpass.money import usd
from liqpass.problems import Problem
from liqpass.settings import ChainSettings
from liqpass.treasury.known import sql

FURTHEST = 50_000  # blocks after those that are final here; a day of Base has 43,200
READ_ON = "See that liqpass work runs, and try again when it has read on; liqpass check says how far it is"


async def refuse_unread(db: Database, nodes: Sequence[Node], chain: ChainSettings) -> None:
    """Ask every endpoint that answers what has left the treasury after what is final here. Raises Problem:
    CHAIN_NOT_READ where any of it is not stored, NODE_UNAVAILABLE where nobody says."""
    async with db.pool.acquire() as conn:
        cursor = await cursor_of(conn, chain.chain_id)
    if cursor is None:
        raise Problem("CHAIN_NOT_READ", f"The chain was not read yet. {READ_ON}.")
    first = max(cursor.finalized_number + 1, chain.start_block)
    left = await _left(nodes, chain, first)
    async with db.pool.acquire() as conn:
        places = [log.place for log in left]
        stored = await sql.stored_logs(
            conn, chain.chain_id, [place.tx_hash for place in places], [place.log_index for place in places]
        )
    known = {(place.tx_hash, place.log_index) for place in stored}
    if unread := [log for log in left if (log.place.tx_hash, log.place.log_index) not in known]:
        one = min(unread, key=lambda log: (log.place.block_number, log.place.log_index))
        what = f"{usd(one.amount)} USDC to {checksum(one.recipient)} in {to_hex(one.place.tx_hash)}"
        more = f", and {len(unread) - 1} more" if len(unread) > 1 else ""
        raise Problem(
            "CHAIN_NOT_READ",
            f"Money has left the treasury of which these books do not know yet: {what}{more}. {READ_ON}.",
        )


async def unsettled(conn: Connection) -> sql.Restoration | None:
    """The restore after which nobody has said yet that no batch file is left."""
    return await sql.unsettled_restoration(conn)


async def refuse_unsettled(conn: Connection) -> None:
    """Raises Problem RESTORE_UNSETTLED: a file may be about of which these books know nothing."""
    if restored := await unsettled(conn):
        of = f"a backup of {restored.backup_made_at:%Y-%m-%dT%H:%M:%SZ}"
        raise Problem(
            "RESTORE_UNSETTLED",
            f"This database was restored from {of}, and does not know which batch files were written since. "
            "See that each is sent or can never be signed any more, then type liqpass suspense after-restore "
            "--by NAME --reason TEXT.",
        )


async def settle_restore(
    db: Database, nodes: Sequence[Node], chain: ChainSettings, now: datetime, *, by: str, reason: str
) -> list[sql.Restoration]:
    """Somebody says that no batch file of which these books do not know can be signed any more; what was sent
    has to be read first. What is settled by that; nothing where nothing was restored. Raises Problem."""
    await refuse_unread(db, nodes, chain)
    return await db.run(lambda conn: sql.settle_restorations(conn, now, by, reason))


async def _left(nodes: Sequence[Node], chain: ChainSettings, first: int) -> list[UsdcTransfer]:
    """What any endpoint shows as having left the treasury from this block on."""
    found, failures = dict[tuple[bytes, int], UsdcTransfer](), []
    for node in nodes:
        try:
            last = await read_height(node)
            if last - first >= FURTHEST:
                far = f"{node.name} is {last - first:,} blocks further than what is final here"
                raise Problem("CHAIN_NOT_READ", f"{far}. {READ_ON}.")
            shown = await read_transfers(node, chain, first, last)
        except NodeError as error:
            failures.append(error.detail)
            continue
        if shown.waits is not None:
            failures.append(shown.waits)
        else:
            logs = [log for log in shown.logs if log.sender == chain.treasury]
            found |= {(log.place.tx_hash, log.place.log_index): log for log in logs}
    if len(failures) == len(nodes):
        what = f"No endpoint says what has left the treasury lately ({'; '.join(failures)})"
        raise Problem("NODE_UNAVAILABLE", f"{what}. Nothing was written; try again soon.")
    return list(found.values())
