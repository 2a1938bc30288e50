"""docs/who-may-see-what.md is true: every call that the router has, asked by everybody over HTTP about a
thing of every kind. A new route that has no row there fails here."""

from collections.abc import Iterator, Sequence

import pytest
from litestar import Litestar, get

from liqpass.front import Calls
from tests.seen.answers import Answer
from tests.seen.calls import CALLS, answered
from tests.seen.conftest import Seen, path_of
from tests.seen.table import FOR_ALL, OPERATORS, OWN, WHO, Row, told

UNSAFE = ("POST", "DELETE")
# Each tells the present moment.
OF_THE_MOMENT = (
    "GET /metrics",
    "GET /readyz",
    f"{UNSAFE[0]} /api/auth/nonce",
    f"{UNSAFE[0]} /api/auth/verify",
)
# They speak of a trader's things without their names.
WITHOUT_NAMES = ("GET /prices/picture", "GET /api/insurance/quotes", "GET /api/okx/positions", "GET /keys")
# What a browser asks before a page of another site may send something that is no form.
BEFORE_IT = {"origin": "https://elsewhere.example", "access-control-request-method": "POST"}
HIDDEN = ("/operator", "/api/admin")


def wanting(routes: dict[str, set[str]], rows: Sequence[Row]) -> dict[str, list[str]]:
    """Calls without a row, without a way to ask, and rows of no call."""
    there = {f"{method} {path}" for path, methods in routes.items() for method in methods}
    named = [row.call for row in rows]
    return {
        "without a row in docs/who-may-see-what.md": sorted(there - set(named)),
        "without a line in tests/seen/calls.py": sorted(there - set(CALLS)),
        "rows of what is not answered": sorted(set(named) - there),
        "lines of what is not answered": sorted(set(CALLS) - there),
        "told twice": sorted({call for call in named if named.count(call) > 1}),
    }


def of(seen: Seen, *headings: str) -> Iterator[tuple[Row, str]]:
    """Rows under these headings, with their methods."""
    for row in seen.rows:
        if row.heading in headings:
            yield row, row.call.split(" ", 1)[0]


def alike(answers: Sequence[Answer]) -> bool:
    return len({one.alike for one in answers}) == 1


async def test_every_call_that_is_answered_has_its_row_and_no_other_has(seen: Seen) -> None:
    assert {what: calls for what, calls in wanting(seen.routes, seen.rows).items() if calls} == {}


def test_a_new_route_without_a_row_is_named() -> None:
    @get("/brand-new")
    async def brand_new() -> str:
        return "here"

    before: Calls = {"/answered/before": (Row, brand_new)}  # type: ignore[dict-item]
    found = wanting(answered(Litestar([brand_new], openapi_config=None), before), [])
    wanted = ["GET /brand-new", "POST /answered/before"]
    assert found["without a row in docs/who-may-see-what.md"] == wanted
    assert found["without a line in tests/seen/calls.py"] == wanted


async def test_everybody_gets_what_the_page_says(seen: Seen) -> None:
    is_so = [Row(row.call, row.heading, seen.statuses(row.call)).line() for row in seen.rows]
    assert is_so == [row.line() for row in seen.rows]


async def test_who_may_not_has_changed_nothing(seen: Seen) -> None:
    assert seen.changed == []


async def test_the_page_puts_each_call_where_it_belongs(seen: Seen) -> None:
    """So that no cell can be made right by writing down what is wrong."""
    assert {row.heading for row in seen.rows} == {FOR_ALL, OWN, OPERATORS}
    for row, method in of(seen, FOR_ALL, OWN, OPERATORS):
        assert path_of(row.call).startswith(HIDDEN) == (row.heading == OPERATORS), row.call
        assert (row.of("foreign") == "403") == (method in UNSAFE), row.call
    for row, _ in of(seen, OWN):
        assert row.of("nobody") == row.of("over") == ("401" if row.call.split()[1][:5] == "/api/" else "303")
        assert row.of("other") == row.of("operator"), row.call
        assert row.of("other") in ("404", "200"), row.call
    for row, _ in of(seen, OPERATORS):
        assert {row.of(who) for who in ("nobody", "owner", "other", "over", "method")} == {"404"}, row.call


async def test_of_anothers_thing_is_told_what_is_told_of_nothing(seen: Seen) -> None:
    compared = 0
    for row, _ in of(seen, OWN, OPERATORS):
        for who, answers in seen.nothing[row.call].items():
            assert alike([*seen.answers[row.call][who], *answers]), (row.call, who)
            compared += len(answers)
    assert compared > 100


async def test_a_session_that_is_over_is_none(seen: Seen) -> None:
    for row, _ in of(seen, FOR_ALL, OWN, OPERATORS):
        given = seen.answers[row.call]
        if row.call not in OF_THE_MOMENT:
            assert alike([*given["nobody"], *given["over"]]), row.call


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html"])
async def test_for_others_what_operators_have_is_an_unknown_path(seen: Seen, accept: str) -> None:
    house = seen.house
    ended = [("over", cookie) for cookies in house.over.values() for cookie in cookies]
    others = [*((who, house.cookies[who]) for who in ("nobody", "owner", "other")), *ended]
    methods = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
    for row, _ in of(seen, OPERATORS):
        unknown = "/api/admin/nothing" if row.call.split()[1].startswith("/api/") else "/operator/nothing"
        for who, cookie in others:
            for method in methods:
                got = await house.ask(row.call, cookie, {"accept": accept}, method=method)
                nothing = await house.nowhere(unknown, row.call, cookie, method, {"accept": accept})
                assert got.alike == nothing.alike, (row.call, who, method)
                assert got.status == 404


async def test_nobody_is_told_the_names_of_a_traders_things_but_the_trader_and_operators(seen: Seen) -> None:
    marks = seen.house.things.marks
    for row, _ in of(seen, FOR_ALL, OWN, OPERATORS):
        told_to = {"owner", "foreign", *(["operator"] if row.heading == OPERATORS else [])}
        for who in set(WHO) - told_to:
            for answer in seen.answers[row.call][who]:
                assert [mark for mark in marks if mark in answer.text] == [], (row.call, who)


async def test_the_trader_is_told_them(seen: Seen) -> None:
    """Else the test before could not fail."""
    marks = seen.house.things.marks
    for row, method in of(seen, OWN, OPERATORS):
        who = "operator" if row.heading == OPERATORS else "owner"
        if method == "GET" and ("order" in row.call or "claim" in row.call) and row.call not in WITHOUT_NAMES:
            (answer,) = seen.answers[row.call][who]
            assert [mark for mark in marks if mark in answer.raw], row.call


async def test_no_page_of_another_site_can_read_an_answer(seen: Seen) -> None:
    for row, _ in of(seen, FOR_ALL, OWN, OPERATORS):
        for answer in [one for given in seen.answers[row.call].values() for one in given]:
            allowed = [name for name, _ in answer.headers if name.startswith("access-control-")]
            assert (allowed, answer.header("x-content-type-options")) == ([], "nosniff"), row.call
            assert answer.header("content-security-policy").startswith("default-src 'none'"), row.call
        asked = await seen.house.ask(row.call, seen.house.cookies["owner"], BEFORE_IT, method="OPTIONS")
        assert [name for name, _ in asked.headers if name.startswith("access-control-")] == [], row.call


async def test_no_cache_between_may_keep_an_answer_but_a_pages_fixed_parts(seen: Seen) -> None:
    for row, _ in of(seen, FOR_ALL, OWN, OPERATORS):
        for answer in [one for given in seen.answers[row.call].values() for one in given]:
            kept = answer.header("cache-control")
            if row.call.startswith("GET /static/") and answer.status == 200:
                assert kept == "public, max-age=31536000, immutable"
                assert "set-cookie" not in dict(answer.headers)
            else:
                assert kept == "no-store", (row.call, answer.status)
                assert "etag" not in dict(answer.headers), row.call


def test_a_row_that_is_not_whole_is_no_row() -> None:
    with pytest.raises(AssertionError):
        told("## For everybody\n| `GET /` | 200 | 200 |")
