"""Limits as tests want them."""

import os
from datetime import UTC, datetime

from liqpass.db import Database
from liqpass.exposure.changing import Said, set_limit
from liqpass.exposure.limits import SHARE, Scope
from liqpass.ids import RANDOM_BYTES

BY_A_TEST = Said("Ada", "a test")
EVER = datetime(2026, 1, 1, tzinfo=UTC)


async def share(db: Database, scope: Scope, bps: int) -> None:
    """From now on so much of the pool is the most."""
    await db.run(lambda conn: set_limit(conn, EVER, os.urandom(RANDOM_BYTES), scope, bps, BY_A_TEST))


async def all_of_it(db: Database) -> None:
    """All of the pool may stand behind one cover."""
    for scope in Scope:
        await share(db, scope, SHARE)
