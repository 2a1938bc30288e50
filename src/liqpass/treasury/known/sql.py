"""Queries of what has to be known before a batch is made: which transfers are stored, and whether a restore
is settled."""

from datetime import datetime

import msgspec

from liqpass.db import Connection, query


class Place(msgspec.Struct, frozen=True):
    """Of a log."""

    tx_hash: bytes
    log_index: int


@query("""
    select t.tx_hash, t.log_index
    from usdc_transfers t
    join unnest($2::bytea[], $3::int[]) as shown (tx_hash, log_index) using (tx_hash, log_index)
    where t.chain_id = $1 and t.stage <> 'DROPPED'
""")
async def stored_logs(
    conn: Connection, chain_id: int, tx_hashes: list[bytes], log_indexes: list[int]
) -> list[Place]:
    """Those of these logs that are stored as they are shown: not as dropped."""
    ...


class Restoration(msgspec.Struct, frozen=True):
    """That the database was made from a backup."""

    restored_at: datetime
    backup_made_at: datetime


@query("""
    select restored_at, backup_made_at from restorations
    where settled_at is null order by backup_made_at limit 1
""")
async def unsettled_restoration(conn: Connection) -> Restoration | None:
    """The one from the oldest backup after which nobody has said yet that no batch file is left."""
    ...


@query("""
    update restorations set settled_at = $1, settled_by = $2, settled_reason = $3 where settled_at is null
    returning restored_at, backup_made_at
""")
async def settle_restorations(conn: Connection, now: datetime, by: str, reason: str) -> list[Restoration]:
    """Somebody says so, of all that there are."""
    ...
