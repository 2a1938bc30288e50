"""What commands on the books share: the database, and the settings of the chain."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from liqpass.terminal import tell

if TYPE_CHECKING:
    from liqpass.db import Database
    from liqpass.settings import ChainSettings


@asynccontextmanager
async def opened(name: str) -> "AsyncIterator[tuple[Database, ChainSettings]]":
    """Both, by this process's environment; `name` shows in the database. Raises SettingError,
    MigrationError."""
    from liqpass.place import database_place, ready_database
    from liqpass.settings import chain_from_env

    chain = chain_from_env(os.environ)
    with database_place(os.environ, tell) as place:
        async with ready_database(place, name, tell) as db:
            yield db, chain


def counted(number: int, noun: str) -> str:
    """1 order, 2 orders."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
