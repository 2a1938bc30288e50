"""The queries of the chain: the cursor, and what was seen. Written by the watcher, set by set."""

from datetime import datetime

from msgspec import Struct

from liqpass.chain.view import Cursor, Stage
from liqpass.db import Connection, query


class PaymentRow(Struct, frozen=True):
    """A row of `premium_payments`; amount in micro-USDC."""

    tx_hash: bytes
    log_index: int
    block_number: int
    block_hash: bytes
    purchase_order_id: bytes
    payer: bytes
    amount: int
    stage: Stage


class TransferRow(Struct, frozen=True):
    """A row of `usdc_transfers`: USDC into the treasury, or out of it where a recipient is named; amount in
    micro-USDC."""

    tx_hash: bytes
    log_index: int
    block_number: int
    block_hash: bytes
    sender: bytes
    recipient: bytes | None
    amount: int
    stage: Stage


@query("""
    select finalized_number, finalized_hash, safe_number, safe_time, latest_number, latest_time,
        read_at, doubtful_views, doubt, halted
    from chain_cursors where chain_id = $1
""")
async def cursor_of(conn: Connection, chain_id: int) -> Cursor | None:
    """How far this chain is read."""


@query("""
    insert into chain_cursors (chain_id, finalized_number, finalized_hash, safe_number, safe_time,
        latest_number, latest_time, read_at)
    values ($1, $2, $3, $2, $4, $2, $4, $5)
    on conflict (chain_id) do nothing
""")
async def start_cursor(
    conn: Connection, chain_id: int, number: int, block_hash: bytes, time: datetime, now: datetime
) -> None:
    """Begin after this block, unless somebody has begun already."""


@query("""
    update chain_cursors
    set finalized_number = $5, finalized_hash = $6, safe_number = $7, safe_time = $8,
        latest_number = $9, latest_time = $10, read_at = $11, doubt = $12,
        doubtful_views = doubtful_views + $13
    where chain_id = $1 and finalized_number = $2 and finalized_hash = $3 and read_at = $4
        and halted is null
    returning true
""")
async def move_cursor(
    conn: Connection,
    chain_id: int,
    old_number: int,
    old_hash: bytes,
    old_read_at: datetime,
    finalized_number: int,
    finalized_hash: bytes,
    safe_number: int,
    safe_time: datetime,
    latest_number: int,
    latest_time: datetime,
    now: datetime,
    doubt: str | None,
    doubted: int,
) -> bool | None:
    """Compare and set: None when another watcher's view came in between. Locks the row until commit.
    `doubted` is 1 when something of the view was in doubt, else 0."""


@query("""
    update chain_cursors set doubtful_views = doubtful_views + $6, doubt = $5
    where chain_id = $1 and finalized_number = $2 and finalized_hash = $3 and read_at = $4
        and halted is null
    returning true
""")
async def note_doubt(
    conn: Connection,
    chain_id: int,
    number: int,
    block_hash: bytes,
    read_at: datetime,
    doubt: str,
    doubted: int,
) -> bool | None:
    """Keep what is in the way, and no more. `doubted` is 1 when there was a view to doubt, else 0."""


@query("""
    update chain_cursors set halted = $5
    where chain_id = $1 and finalized_number = $2 and finalized_hash = $3 and read_at = $4
        and halted is null
    returning true
""")
async def halt(
    conn: Connection, chain_id: int, number: int, block_hash: bytes, read_at: datetime, reason: str
) -> bool | None:
    """Stop all watchers of the chain until somebody lifts it."""


@query("update chain_cursors set halted = null where chain_id = $1 and halted is not null returning true")
async def lift_halt(conn: Connection, chain_id: int) -> bool | None:
    """Let the watchers go on."""


@query("""
    select tx_hash, log_index, block_number, block_hash, purchase_order_id, payer, amount, stage
    from premium_payments
    where chain_id = $1 and (stage in ('SEEN', 'SAFE') or tx_hash = any($2))
""")
async def payments(conn: Connection, chain_id: int, tx_hashes: list[bytes]) -> list[PaymentRow]:
    """All open payments, and whatever is known of these transactions."""


@query("""
    select tx_hash, log_index, block_number, block_hash, sender, recipient, amount, stage
    from usdc_transfers
    where chain_id = $1 and (stage in ('SEEN', 'SAFE') or tx_hash = any($2))
""")
async def transfers(conn: Connection, chain_id: int, tx_hashes: list[bytes]) -> list[TransferRow]:
    """All open transfers, and whatever is known of these transactions."""


@query("""
    select tx_hash, log_index, block_number, block_hash, purchase_order_id, payer, amount, stage
    from premium_payments
    where chain_id = $1 and stage = 'FINAL' and block_number <= $2
    order by block_number limit 1
""")
async def first_final_payment(conn: Connection, chain_id: int, upto: int) -> PaymentRow | None:
    """The oldest final payment, if it is at or below this block."""


@query("""
    insert into premium_payments (chain_id, tx_hash, log_index, block_number, block_hash, block_time,
        purchase_order_id, payer, amount, stage, changed_at)
    select $1, n.tx_hash, n.log_index, n.block_number, n.block_hash, n.block_time,
        n.purchase_order_id, n.payer, n.amount, n.stage::chain_stage, $2
    from unnest($3::bytea[], $4::int[], $5::bigint[], $6::bytea[], $7::timestamptz[],
            $8::bytea[], $9::bytea[], $10::bigint[], $11::text[])
        as n (tx_hash, log_index, block_number, block_hash, block_time,
            purchase_order_id, payer, amount, stage)
    order by n.tx_hash  -- the keys' indexes are filled page by page
    on conflict (chain_id, tx_hash, log_index) do update
    set block_number = excluded.block_number, block_hash = excluded.block_hash,
        block_time = excluded.block_time, purchase_order_id = excluded.purchase_order_id,
        payer = excluded.payer, amount = excluded.amount, stage = excluded.stage,
        changed_at = excluded.changed_at
""")
async def put_payments(
    conn: Connection,
    chain_id: int,
    now: datetime,
    tx_hashes: list[bytes],
    log_indexes: list[int],
    block_numbers: list[int],
    block_hashes: list[bytes],
    block_times: list[datetime],
    purchase_order_ids: list[bytes],
    payers: list[bytes],
    amounts: list[int],
    stages: list[str],
) -> None:
    """Add payments, and bring those that are known to their present block and stage."""


@query("""
    insert into usdc_transfers (chain_id, tx_hash, log_index, block_number, block_hash, block_time,
        sender, recipient, amount, stage, changed_at)
    select $1, n.tx_hash, n.log_index, n.block_number, n.block_hash, n.block_time,
        n.sender, n.recipient, n.amount, n.stage::chain_stage, $2
    from unnest($3::bytea[], $4::int[], $5::bigint[], $6::bytea[], $7::timestamptz[],
            $8::bytea[], $9::bytea[], $10::bigint[], $11::text[])
        as n (tx_hash, log_index, block_number, block_hash, block_time, sender, recipient, amount, stage)
    order by n.tx_hash
    on conflict (chain_id, tx_hash, log_index) do update
    set block_number = excluded.block_number, block_hash = excluded.block_hash,
        block_time = excluded.block_time, sender = excluded.sender, recipient = excluded.recipient,
        amount = excluded.amount, stage = excluded.stage, changed_at = excluded.changed_at
""")
async def put_transfers(
    conn: Connection,
    chain_id: int,
    now: datetime,
    tx_hashes: list[bytes],
    log_indexes: list[int],
    block_numbers: list[int],
    block_hashes: list[bytes],
    block_times: list[datetime],
    senders: list[bytes],
    recipients: list[bytes | None],
    amounts: list[int],
    stages: list[str],
) -> None:
    """Add transfers, and bring those that are known to their present block and stage. No recipient: the
    treasury."""


@query("""
    update premium_payments as p set stage = 'DROPPED', changed_at = $2
    from unnest($3::bytea[], $4::int[]) as gone (tx_hash, log_index)
    where p.chain_id = $1 and p.tx_hash = gone.tx_hash and p.log_index = gone.log_index
""")
async def drop_payments(
    conn: Connection, chain_id: int, now: datetime, tx_hashes: list[bytes], log_indexes: list[int]
) -> None:
    """These have left the chain. The rows stay."""


@query("""
    update usdc_transfers as t set stage = 'DROPPED', changed_at = $2
    from unnest($3::bytea[], $4::int[]) as gone (tx_hash, log_index)
    where t.chain_id = $1 and t.tx_hash = gone.tx_hash and t.log_index = gone.log_index
""")
async def drop_transfers(
    conn: Connection, chain_id: int, now: datetime, tx_hashes: list[bytes], log_indexes: list[int]
) -> None:
    """These have left the chain. The rows stay."""
