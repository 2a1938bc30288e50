"""One invariant of the books, and the pieces of SQL that they are written from."""

import msgspec

from liqpass.ledger.book import SIGNED


class Invariant(msgspec.Struct, frozen=True):
    """A query that returns what breaks it: `subject`, short, and `said`, what is wrong with it.

    `broken` says in one sentence what a row means; `since` is the migration whose tables the query needs. The
    query may ask `given` for `long_ago`. `delay`: nothing is wrong, something does not get on; one payment
    that cannot be settled is no reason to sell nothing to anybody.
    """

    name: str
    broken: str
    since: int
    sql: str
    delay: bool = False


def stands(*kinds: str) -> str:
    """What these kinds together stand at, by ref."""
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    return f"""
        select t.ref, sum({SIGNED})::bigint as stands
        from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
        where t.kind in ({listed}) group by t.ref
    """


def usd(micro: str) -> str:
    """An amount as `money.usd` writes it, for people."""
    return f"to_char(({micro}) / 1000000.0, 'FM999999999999990.009999')"


HEX = "'0x' || encode({}, 'hex')"
ORDER = HEX.format("o.purchase_order_id")
LEG = "kind || ' ' || " + HEX.format("ref")
TX = HEX.format("tx_hash")
# A row of chain that was there before the last migration may wait since then only.
WAITS_SINCE = "greatest({}, (select max(applied_at) from schema_migrations))"
