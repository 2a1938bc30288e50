"""By the shape of the code: who writes or decides has no way to a replica."""

import inspect
import pkgutil
from importlib import import_module
from typing import get_type_hints

from litestar.handlers import HTTPRouteHandler

import liqpass
from liqpass.reads import Reads, Replica

# Every route that is given the replica. One that is added here shows no button that decides anything, and is
# not what whoever acted looks at to see what became of it.
READING = {
    "liqpass.disclosure.routes.price",
    "liqpass.disclosure.routes.price_of_day",
    "liqpass.disclosure.routes.show_reserve",
    "liqpass.web.operator.show_overview",
    "liqpass.web.operator_claims.show_claims",
    "liqpass.web.price_page.show_price",
    "liqpass.web.reserve_page.show_reserve",
}


def routes() -> dict[str, HTTPRouteHandler]:
    """Every route of the product, by the name of its function."""
    found = {}
    for module in pkgutil.walk_packages(liqpass.__path__, "liqpass."):
        if module.name.endswith("__main__"):
            continue
        for route in vars(import_module(module.name)).values():
            if isinstance(route, HTTPRouteHandler):
                function = inspect.unwrap(route.fn)
                found[f"{function.__module__}.{function.__name__}"] = route
    return found


def test_the_routes_that_may_read_a_replica_are_these_and_take_nothing_in() -> None:
    reading = {
        name: route
        for name, route in routes().items()
        if {"reads", "replica"} & set(inspect.signature(route.fn).parameters)
    }
    assert set(reading) == READING
    for name, route in reading.items():
        assert route.http_methods <= {"GET", "HEAD", "OPTIONS"}, name
        assert "db" not in inspect.signature(route.fn).parameters, f"{name} has both"


def test_what_reads_has_no_way_to_write() -> None:
    """`look` is all that there is: its transaction is read only, on either server."""
    assert {name for name in vars(Reads) if not name.startswith("_")} == {"look"}
    assert get_type_hints(Reads.__init__)["replica"] == Replica | None
