"""The invariants of the books."""

from datetime import UTC, datetime

from liqpass.db import Database
from liqpass.reconcile.invariants import broken, statement
from liqpass.reconcile.rules import INVARIANTS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


async def test_the_application_may_ask_every_invariant_and_an_empty_database_breaks_none(
    db: Database,
) -> None:
    async with db.transaction() as conn:
        for invariant in INVARIANTS:
            columns = (await conn.prepare(statement(invariant))).get_attributes()
            assert [(c.name, c.type.name) for c in columns] == [
                ("subject", "text"),
                ("said", "text"),
                ("of", "int8"),
            ], invariant.name
        assert await broken(conn, NOW) == []
