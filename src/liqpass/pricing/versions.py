"""The numbers of every version of the products, kept for good: from them, and from what is stored with an
order, its price can be computed again when the file is long another one."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

import msgspec

from liqpass.db import Connection, Database
from liqpass.pricing import sql
from liqpass.pricing.skus import Products, Sku
from liqpass.settings import SettingError


def terms_of(sku: Sku) -> str:
    """A product as canonical JSON, without its title: that is words, and may be written better."""
    terms = msgspec.to_builtins(sku)
    del terms["title"]
    return msgspec.json.encode(terms, order="sorted").decode()


async def keep(db: Database, products: Products, now: datetime) -> None:
    """Keep the numbers with which prices are made from here on; writes nothing where they are there.

    Raises SettingError where the version is there with other numbers, and what the database raises.
    """

    async def work(conn: Connection) -> None:
        if await are_kept(conn, products):
            return
        for sku in sorted(products.sku, key=lambda one: one.id):  # in one order: no deadlocks
            terms = terms_of(sku)
            digest = sha256(terms.encode()).digest()
            await sql.keep(conn, products.version, sku.id, terms, digest, now)
        await are_kept(conn, products)  # somebody may have come first

    await db.run(work)


async def are_kept(conn: Connection, products: Products) -> bool:
    """Whether all are there. Raises SettingError where the version is there with other numbers."""
    there = {one.sku: one.terms for one in await sql.kept(conn, products.version)}
    for sku in products.sku:
        terms = terms_of(sku)
        if (was := there.get(sku.id, terms)) != terms:
            raise SettingError(
                "LIQPASS_SKUS",
                f"version {products.version} was sold with other numbers ({sku.id}: {_changed(was, terms)}); "
                "give the file a new version",
            )
    return all(sku.id in there for sku in products.sku)


def _changed(was: str, now: str) -> str:
    before, after = msgspec.json.decode(was), msgspec.json.decode(now)
    return ", ".join(name for name in sorted(before | after) if before.get(name) != after.get(name))


async def all_kept(conn: Connection) -> Mapping[tuple[str, str], Sku]:
    """Every product of every version that was ever loaded, by version and id."""
    return {
        (one.version, one.sku): msgspec.convert({"title": one.sku, **msgspec.json.decode(one.terms)}, Sku)
        for one in await sql.kept(conn, None)
    }
