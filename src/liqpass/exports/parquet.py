"""The books as Parquet: the same columns as the CSV, typed. Hashes are 0x… as everywhere else, so that they
can be compared with what an explorer or an order's page shows. No name is a word that SQL engines reserve."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from liqpass.exports.rows import Head, Row, tags
from liqpass.hexes import checksum

ROW_GROUP = 50_000  # what readers skip or load at once
NAMES = pa.dictionary(pa.int8(), pa.string())
SCHEMA = pa.schema(
    [
        pa.field("seq", pa.int64()),
        pa.field("posted_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("kind", NAMES, nullable=False),
        pa.field("leg", pa.int32()),
        pa.field("reversal", pa.bool_(), nullable=False),
        pa.field("debit", NAMES, nullable=False),
        pa.field("credit", NAMES, nullable=False),
        pa.field("amount_usdc", pa.decimal128(38, 6), nullable=False),
        pa.field("order_id", pa.string()),
        pa.field("tx_hash", pa.string()),
        pa.field("log_index", pa.int32()),
        pa.field("block_number", pa.int64()),
        pa.field("counterparty", pa.string()),
        pa.field("disbursement_id", pa.string()),
        pa.field("reason", pa.string()),
    ]
)


async def write(path: Path, head: Head, pages: AsyncIterator[list[Row]]) -> None:
    """What the head says is in the file's metadata."""
    said = {
        "liqpass.chain_id": str(head.chain_id),
        "liqpass.treasury": checksum(head.treasury),
        "liqpass.first_day": str(head.first_day or ""),
        "liqpass.last_day": str(head.last_day or ""),
        "liqpass.last_seq": str(head.last_seq),
    }
    await write_table(path, SCHEMA.with_metadata(said), _typed(pages))


async def write_table(path: Path, schema: pa.Schema, pages: AsyncIterator[list[dict[str, object]]]) -> None:
    """Any table, page by page: each row by the schema's names."""
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        group: list[pa.RecordBatch] = []
        async for rows in pages:
            group.append(pa.RecordBatch.from_pylist(rows, schema=schema))
            if sum(map(len, group)) >= ROW_GROUP:
                file.write_table(pa.Table.from_batches(group))
                group = []
        if group:
            file.write_table(pa.Table.from_batches(group))


async def _typed(pages: AsyncIterator[list[Row]]) -> AsyncIterator[list[dict[str, object]]]:
    async for rows in pages:
        yield [_columns(row) for row in rows]


def _columns(row: Row) -> dict[str, object]:
    known = tags(row)
    return {
        "seq": row.seq,
        "posted_at": row.at,
        "kind": row.kind.value,
        "leg": row.leg,
        "reversal": row.reversal,
        "debit": row.debit.value,
        "credit": row.credit.value,
        "amount_usdc": Decimal(row.amount).scaleb(-6),
        "order_id": known.get("order"),
        "tx_hash": known.get("tx"),
        "log_index": row.log_index,
        "block_number": row.block_number,
        "counterparty": known.get("counterparty"),
        "disbursement_id": known.get("disbursement"),
        "reason": known.get("reason"),
    }
