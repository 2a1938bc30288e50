"""A database to restore into, beside the one of the test."""

import os
from collections.abc import AsyncIterator
from itertools import count

import pytest

from tests.conftest import in_database, on_server

_numbers = count(1)


@pytest.fixture
async def empty_url(server_url: str) -> AsyncIterator[str]:
    """An empty database, gone after the test."""
    name = f"liqpass_restored_{os.getpid()}_{next(_numbers)}"
    await on_server(server_url, f"create database {name}")
    yield in_database(server_url, name)
    await on_server(server_url, f"drop database {name} with (force)")
