"""The claims as a table: one row a claim, as it stands when it is written."""

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from liqpass.db import Connection
from liqpass.exports import parquet, spreadsheet, sql
from liqpass.exports.books import PAGE, Period
from liqpass.exports.formats import Format
from liqpass.exports.rows import usdc
from liqpass.hexes import checksum, to_hex
from liqpass.reads import Reads
from liqpass.settings import ChainSettings

COLUMNS = (
    "claim_id",
    "order_id",
    "status",
    "opened_at_utc",
    "opened_by",
    "liquidated_at_utc",
    "trigger_price",
    "amount_usdc",
    "approved_usdc",
    "paid_usdc",
    "recipient",
    "tx_hash",
    "policy_version",
    "bundle_sha256",
)
_TIME = pa.timestamp("us", tz="UTC")
_USDC = pa.decimal128(38, 6)
SCHEMA = pa.schema(
    [
        pa.field("claim_id", pa.string(), nullable=False),
        pa.field("order_id", pa.string(), nullable=False),
        pa.field("status", parquet.NAMES, nullable=False),
        pa.field("opened_at", _TIME, nullable=False),
        pa.field("opened_by", parquet.NAMES, nullable=False),
        pa.field("liquidated_at", _TIME),
        pa.field("trigger_price", pa.string()),
        pa.field("amount_usdc", _USDC),
        pa.field("approved_usdc", _USDC, nullable=False),
        pa.field("paid_usdc", _USDC, nullable=False),
        pa.field("recipient", pa.string(), nullable=False),
        pa.field("tx_hash", pa.string()),
        pa.field("policy_version", pa.string(), nullable=False),
        pa.field("bundle_sha256", pa.string()),
    ]
)


async def export_claims(
    reads: Reads,
    chain: ChainSettings,
    period: Period,
    path: Path,
    form: Format,
    *,
    mark: bool,
    progress: Callable[[str], None],
) -> None:
    """Write the claims that were opened within the period to a new file: a CSV, with a byte order `mark` or
    without, or Parquet. Raises OSError."""

    async def written(conn: Connection) -> None:
        pages = _pages(conn, chain.chain_id, period, progress)
        if form is Format.PARQUET:
            said = {"liqpass.chain_id": str(chain.chain_id)}
            await parquet.write_table(path, SCHEMA.with_metadata(said), _typed(pages))
            return
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(spreadsheet.header(COLUMNS, mark=mark))
            async for claims in pages:
                file.writelines(map(_line, claims))

    await reads.look(written)


async def _pages(
    conn: Connection, chain_id: int, period: Period, progress: Callable[[str], None]
) -> AsyncIterator[list[sql.ClaimRow]]:
    """In the order in which they were opened."""
    after, done = sql.NO_CLAIM, 0
    while found := await sql.claims(conn, chain_id, after, period.first, period.until, PAGE):
        yield found
        after, done = found[-1].id, done + len(found)
        if len(found) == PAGE:
            progress(f"{done:,} claims")


async def _typed(pages: AsyncIterator[list[sql.ClaimRow]]) -> AsyncIterator[list[dict[str, object]]]:
    async for claims in pages:
        yield [_columns(it) for it in claims]


def _columns(it: sql.ClaimRow) -> dict[str, object]:
    return {
        "claim_id": str(it.id),
        "order_id": to_hex(it.order_id),
        "status": it.status.value,
        "opened_at": it.opened_at,
        "opened_by": it.opened_by.value,
        "liquidated_at": it.liquidated_at,
        "trigger_price": it.trigger_px,
        "amount_usdc": None if it.amount is None else Decimal(it.amount).scaleb(-6),
        "approved_usdc": Decimal(it.approved).scaleb(-6),
        "paid_usdc": Decimal(it.paid).scaleb(-6),
        "recipient": checksum(it.recipient),
        "tx_hash": " ".join(map(to_hex, it.tx_hashes)) or None,
        "policy_version": it.policy_version,
        "bundle_sha256": to_hex(it.bundle_sha256) if it.bundle_sha256 else None,
    }


def _line(it: sql.ClaimRow) -> str:
    """As the transfers have it: times in whole seconds, decimals with all six places, no formulas."""
    known = _columns(it)
    known |= {
        "opened_at_utc": f"{it.opened_at:{spreadsheet.TIME}}",
        "liquidated_at_utc": f"{it.liquidated_at:{spreadsheet.TIME}}" if it.liquidated_at else None,
        "trigger_price": spreadsheet.as_text(it.trigger_px or ""),
        "amount_usdc": None if it.amount is None else usdc(it.amount),
        "approved_usdc": usdc(it.approved),
        "paid_usdc": usdc(it.paid),
        "policy_version": spreadsheet.as_text(it.policy_version),
    }
    return spreadsheet.cells([known[name] if known[name] is not None else "" for name in COLUMNS])
