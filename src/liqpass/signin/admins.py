"""Admins: wallets that the settings name, signed in as everybody else is."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler

from liqpass.clock import Clock
from liqpass.db import Database
from liqpass.signin.sessions import reader_of

Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]


def only(admins: frozenset[bytes], db: Database, clock: Clock, cookie: str) -> Guard:
    """Everybody but `admins` (addresses of 20 bytes) gets what an unknown path gets, signed in or not.

    A guard comes before anything of the call is looked at: not even a malformed one tells that there is
    something here.
    """

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        request = cast(Request[Any, Any, Any], connection)
        if not admins or await reader_of(request, db, clock(), cookie) not in admins:
            raise NotFoundException

    return guard
