"""Queries of the products' versions. A version's numbers are kept once, and never changed."""

from datetime import datetime

import msgspec

from liqpass.db import Connection, query


class Kept(msgspec.Struct, frozen=True):
    """A product's numbers in a version of the file (`terms`: canonical JSON)."""

    version: str
    sku: str
    terms: str


@query("select version, sku, terms from product_versions where $1::text is null or version = $1")
async def kept(conn: Connection, version: str | None) -> list[Kept]:
    """Of a version; None: of all."""
    ...


@query("""
    insert into product_versions (version, sku, terms, sha256, first_seen_at) values ($1, $2, $3, $4, $5)
    on conflict (version, sku) do nothing
""")
async def keep(
    conn: Connection, version: str, sku: str, terms: str, sha256: bytes, first_seen_at: datetime
) -> None:
    """Whoever comes first; waits for whoever does it at the same moment."""
    ...
