"""What commands on the books share: the database, the settings of the chain, options, words."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from liqpass.terminal import tell

if TYPE_CHECKING:
    from liqpass.chain.rpc import Node
    from liqpass.db import Database
    from liqpass.reads import Reads
    from liqpass.settings import ChainSettings


def text(typed: str) -> str:
    """What a person typed, if it can be kept. A terminal of another encoding than UTF-8 sends what cannot."""
    if not typed.isascii() and any("\ud800" <= sign <= "\udfff" for sign in typed):
        raise typer.BadParameter("it is not UTF-8: set your terminal to it, or type plain letters")
    return typed


By = Annotated[str, typer.Option(help="Who says so: your name.", metavar="NAME", callback=text)]


class Form(StrEnum):
    """How to write a list."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


FormOption = Annotated[Form, typer.Option("--format", help="How to write it.")]


@asynccontextmanager
async def opened(name: str) -> "AsyncIterator[tuple[Database, ChainSettings]]":
    """Database and chain, by this process's environment; `name` shows in the database. Raises SettingError,
    MigrationError."""
    from liqpass.settings import chain_from_env

    chain = chain_from_env(os.environ)
    async with database(name) as db:
        yield db, chain


@asynccontextmanager
async def endpoints(chain: "ChainSettings") -> "AsyncIterator[tuple[Node, ...]]":
    """The nodes of these settings, closed in the end."""
    from liqpass.chain.rpc import Node

    async with AsyncExitStack() as stack:
        yield tuple([await stack.enter_async_context(Node(url)) for url in chain.rpc_urls])


@asynccontextmanager
async def database(name: str) -> "AsyncIterator[Database]":
    """The database alone: what was kept can be read where no chain is set. Raises the same."""
    from liqpass.place import database_place, ready_database

    with database_place(os.environ, tell) as place:
        async with ready_database(place, name, tell) as db:
            yield db


@asynccontextmanager
async def to_read(name: str) -> "AsyncIterator[Reads]":
    """For what decides nothing: the replica of LIQPASS_READ_URL, or the database. Raises the same."""
    from liqpass.place import database_place, ready_to_read

    with database_place(os.environ, tell) as place:
        async with ready_to_read(place, name, tell) as reads:
            yield reads


def counted(number: int, noun: str) -> str:
    """1 order, 2 orders."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
