"""A desk that sells out of a pool, on a fresh database."""

import pytest

from liqpass.db import Database
from tests.exposure.pool import Desk
from tests.exposure.shares import all_of_it


@pytest.fixture
async def desk(db: Database) -> Desk:
    """All of its pool, which is empty, may stand behind one cover."""
    await all_of_it(db)
    return Desk(db)
