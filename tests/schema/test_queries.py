"""Every declared query beside PostgreSQL's own opinion of it: parameters, columns, types, permissions."""

import importlib
import pkgutil
import re
import types
import typing
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

import liqpass
from liqpass.db import QUERIES, Query
from liqpass.orders.states import MOVE, MOVED, OrderStatus

POSTGRES_TYPES: dict[Any, set[str]] = {
    bool: {"bool"},
    bytes: {"bytea"},
    date: {"date"},
    datetime: {"timestamptz"},
    int: {"int2", "int4", "int8"},
    str: {"text"},
    UUID: {"uuid"},
}


def shipped_queries() -> list[Query]:
    """Every query of the product."""
    for module in pkgutil.walk_packages(liqpass.__path__, "liqpass."):
        if module.name != "liqpass.__main__":
            importlib.import_module(module.name)
    return list(QUERIES)


async def enums_of(conn: asyncpg.Connection) -> dict[str, list[str]]:
    """The database's enums with their members in order."""
    rows = await conn.fetch("""
        select t.typname as name, array_agg(e.enumlabel::text order by e.enumsortorder) as members
        from pg_enum e join pg_type t on t.oid = e.enumtypid group by t.typname
    """)
    return {row["name"]: row["members"] for row in rows}


def misfit(annotation: Any, found: asyncpg.Type, enums: dict[str, list[str]], *, given: bool) -> str | None:
    """How a Python annotation and a PostgreSQL type differ; None when they fit.

    An enum fits the StrEnum of the same members. It fits `str` too: as a parameter (`given`) because the
    server checks it, as a column because the reader wants its text.
    """
    if isinstance(annotation, types.UnionType):
        (annotation,) = (a for a in annotation.__args__ if a is not types.NoneType)
    name = found.name
    if typing.get_origin(annotation) is list:
        if not name.endswith("[]"):
            return f"{annotation} is {name}"
        element = found._replace(name=name.removesuffix("[]"))
        return misfit(typing.get_args(annotation)[0], element, enums, given=given)
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        if name == "text" and given:
            return None
        if name not in enums or list(annotation) != enums[name]:
            return f"{annotation.__name__} is {name} {enums.get(name, '')}"
        return None
    if annotation is str and name in enums:
        return None
    return None if name in POSTGRES_TYPES.get(annotation, set()) else f"{annotation} is {name}"


async def findings(conn: asyncpg.Connection, declared: Query) -> list[str]:
    """Where a query and its annotations differ, one line each."""
    enums = await enums_of(conn)
    prepared = await conn.prepare(declared.sql)
    parameters, columns = prepared.get_parameters(), prepared.get_attributes()
    found = []
    if len(parameters) != len(declared.params):
        found.append(f"{len(parameters)} parameters, {len(declared.params)} annotated")
    for number, (annotation, parameter) in enumerate(zip(declared.params, parameters, strict=False), 1):
        if difference := misfit(annotation, parameter, enums, given=True):
            found.append(f"${number}: {difference}")
    return [f"{declared.name}: {line}" for line in found + column_findings(declared, columns, enums)]


def column_findings(
    declared: Query, columns: tuple[asyncpg.Attribute, ...], enums: dict[str, list[str]]
) -> list[str]:
    """Where the columns that come out differ from the struct that they fill."""
    names = [column.name for column in columns]
    if declared.shape == "none":
        return [f"the columns {names} are thrown away"] if names else []
    if isinstance(declared.row, type) and issubclass(declared.row, msgspec.Struct):
        fields = [(f.name, f.type) for f in msgspec.structs.fields(declared.row)]
        if names != [name for name, _ in fields]:
            return [f"columns {names}, fields {[name for name, _ in fields]}"]
    elif len(names) != 1:
        return [f"one value is wanted, the columns are {names}"]
    else:
        fields = [(names[0], declared.row)]
    return [
        f"{name}: {difference}"
        for (name, annotation), column in zip(fields, columns, strict=True)
        if (difference := misfit(annotation, column.type, enums, given=False))
    ]


async def test_every_query_fits_what_postgresql_makes_of_it(app: asyncpg.Connection) -> None:
    queries = shipped_queries()
    assert len(queries) > 40
    assert [line for declared in queries for line in await findings(app, declared)] == []


async def test_the_application_may_run_every_query(app: asyncpg.Connection) -> None:
    """Permissions are checked when a plan is made ready to run: EXPLAIN gets that far and changes nothing."""
    for declared in shipped_queries():
        prepared = await app.prepare(declared.sql)
        await prepared.explain(*[None] * len(prepared.get_parameters()))


def test_only_who_submits_a_payment_moves_an_order_by_the_beginning_of_the_door_alone() -> None:
    """From DRAFT to PAID_PENDING_CONFIRM binding, position and capital stay as they are; in no other move."""
    alone = [q for q in shipped_queries() if MOVED in q.sql and MOVE not in q.sql]
    assert {q.name for q in alone} == {"liqpass.payments.sql.submit", "liqpass.payments.sql.submit_many"}
    for q in alone:
        assert "from found where status = 'DRAFT'" in q.sql  # else it has no hash, and is not moved
        assert "'PAID_PENDING_CONFIRM'::order_status as to_status" in q.sql


def test_no_query_asks_the_database_for_the_time() -> None:
    words = ("now()", "clock_timestamp", "current_timestamp", "current_date", "localtimestamp")
    assert [q.name for q in shipped_queries() if any(word in q.sql.lower() for word in words)] == []


PER_USER = (
    "api_accounts",
    "position_readings",
    "insured_bindings",
    "purchase_orders",
    "order_events",
    "claims",
    "claim_events",
    "claim_evidence",
    "claim_verdicts",
    "claim_approvals",
    "watched_covers",
    "watched_changes",
    "watched_accounts",
)
# What the workers ask over all users, and why no user can reach it.
OVER_ALL_USERS = {
    "liqpass.exports.sql.claims",  # the books, for the operator
    "liqpass.treasury.sql.disbursement",  # the same
    "liqpass.treasury.sql.dues",  # what is due to whom; a claim's waits for its order's payment
    "liqpass.claims.sql.claimable",  # which order a public id names; the caller looks whose it is
    "liqpass.claims.sql.claim_of_any",  # for operators and the worker
    "liqpass.claims.covers.sql.lock_settleable",  # frees capital, whosever cover it stood behind
    "liqpass.claims.covers.sql.lock_claims_of",
    "liqpass.claims.covers.sql.settle",
    "liqpass.disclosure.sql.ended",  # told to everybody, and of no user alone (disclosure/figures.py)
    "liqpass.disclosure.sql.holders",
    "liqpass.disclosure.sql.open_by_direction",
    "liqpass.disclosure.sql.totals",
    "liqpass.gathering.sql.due_claims",  # whose turn it is; each is then read by its user
    "liqpass.orders.sql.count_by_status",  # counts for the metrics
    "liqpass.orders.stored.sql.stored_prices",  # prices computed again, for the operator
    "liqpass.payments.sql.lock_orders",  # whom a payment on the chain names
    "liqpass.payments.sql.move_orders",  # brings the users' ids along
    "liqpass.payments.sql.pending_without_payment",
    "liqpass.payments.sql.cancel_late",
    "liqpass.payments.sql.expire_over",
    "liqpass.payments.earned.sql.covers_to_earn",
    "liqpass.payments.earned.sql.earn_daily",
    "liqpass.positions.sql.give_up_unordered",
    "liqpass.treasury.owed.sql.lock_claim",  # the payout that is asked for or cancelled names its order
    "liqpass.treasury.owed.sql.lock_cover",
    "liqpass.treasury.owed.sql.cover",
    "liqpass.treasury.owed.sql.approved_for",
    "liqpass.treasury.owed.sql.waiting",
    "liqpass.treasury.owed.sql.open_cover",  # what capital is held for, by product
    "liqpass.review.sql.any_claim",  # for operators, and the queue that they look through
    "liqpass.review.sql.queue",
    "liqpass.review.sql.lock_followed",  # where payouts take their claims
    "liqpass.review.sql.keep_followed",
    "liqpass.review.sql.move_followed",
    "liqpass.review.sql.forget_transactions",
    "liqpass.review.sql.note_final",
    "liqpass.review.sql.lock_payable",  # what the policy approves
    "liqpass.review.sql.note_held",  # what the token says of them
    "liqpass.review.sql.moves_of",  # of claims that somebody was shown already, each with its user
    "liqpass.reconcile.suspects.sql.money_suspects",  # reconciliation looks at everything
    "liqpass.reconcile.suspects.sql.history_suspects",
    "liqpass.reconcile.suspects.sql.position_suspects",
    "liqpass.reconcile.facts.sql.order_facts",
    "liqpass.reconcile.claims.sql.claim_suspects",
    "liqpass.reconcile.sums.sql.orders",
    "liqpass.vault.sql.accounts_due",  # keys to be checked again
    "liqpass.vault.sql.ciphertexts_after",  # keys check, keys rewrap
    "liqpass.vault.sql.living_accounts",
    "liqpass.watching.sql.take_due",  # accounts to be read again
    "liqpass.watching.sql.sight",  # counts for the metrics, and what an operator should look at
    "liqpass.watching.sql.troubles",
    "liqpass.watching.sql.claims_by_status",
    "liqpass.watching.sql.closing",
    "liqpass.web.sql.since",  # sums for the operator's pages
    "liqpass.web.sql.open_cover",
    "liqpass.web.sql.by_day",
    "liqpass.web.sql.keys",
    "liqpass.web.sql.claims_by_status",  # the operator's queue
    "liqpass.web.sql.queued",
}
BOUND = (
    r"(user_id|\bs\.token_sha256)\s*=\s*\$1\b|values \(\$1,|select \$1(::bytea as user_id)?,"
    r"|select \$1::bytea as token_sha256,"
    r"|unnest\(\(select \$1::bytea\[\]\), .* as rows \((user_id|token_sha256),"  # of many at once
)


def without_user(declared: Query) -> bool:
    """Whether it reads or writes a user's rows and does not bind `user_id`, or the session that tells it, to
    its first parameter."""
    touches = any(re.search(rf"\b{table}\b", declared.sql) for table in PER_USER)
    bound = re.search(BOUND, declared.sql)
    return touches and (bound is None or declared.params[:1] not in ((bytes,), (list[bytes],)))


def test_every_query_of_a_users_rows_names_that_user() -> None:
    assert {q.name for q in shipped_queries() if without_user(q)} == OVER_ALL_USERS


async def test_the_tables_of_users_are_those_that_the_database_keys_by_user(
    owner: asyncpg.Connection,
) -> None:
    """Else a new one could be asked without its user."""
    keyed = await owner.fetch(
        """select c.relname from pg_class c
           join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
           join pg_index i on i.indrelid = c.oid and i.indisprimary
           join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0] and a.attname = 'user_id'"""
    )
    assert {name for (name,) in keyed} == set(PER_USER)


def test_a_query_that_forgets_the_user_is_found() -> None:
    sql = "select status from purchase_orders where purchase_order_id = $1"
    assert without_user(Query("forgetful", sql, (bytes,), str, "maybe"))


def test_every_query_has_one_name() -> None:
    names = [declared.name for declared in shipped_queries()]
    assert len(names) == len(set(names))


# That the comparison can fail -----------------------------------------------------------------------------


class Swapped(msgspec.Struct, frozen=True):
    """Two columns in the wrong order."""

    status: OrderStatus
    id: UUID


class Colour(StrEnum):
    """Nothing of ours."""

    RED = "RED"


class Coloured(msgspec.Struct, frozen=True):
    """Another enum's members."""

    status: Colour


def declared_here(
    sql: str, row: Any, *params: Any, shape: typing.Literal["none", "one", "maybe", "many"] = "many"
) -> Query:
    """A query that is in no registry."""
    return Query("wrong", sql, params, row, shape)


@pytest.mark.parametrize(
    ("wrong", "finding"),
    [
        (declared_here("select id, status from purchase_orders", Swapped), "wrong: columns ['id', 'status']"),
        (
            declared_here("select status from purchase_orders", Coloured),
            "wrong: status: Colour is order_status",
        ),
        (
            declared_here("select event_seq from purchase_orders", str),
            "wrong: event_seq: <class 'str'> is int4",
        ),
        (
            declared_here("select paid_at from purchase_orders", int),
            "wrong: paid_at: <class 'int'> is timest",
        ),
        (
            declared_here("select premium_amount::numeric from purchase_orders", int),
            "wrong: premium_amount: ",
        ),
        (
            declared_here("select permissions from api_accounts", str),
            "wrong: permissions: <class 'str'> is text[",
        ),
        (declared_here("select id, uid from api_accounts", UUID), "wrong: one value is wanted, the columns"),
        (
            declared_here("update sessions set revoked_at = null returning user_id", None, shape="none"),
            "wrong: the columns ['user_id'] are thrown away",
        ),
        (
            declared_here("select id from api_accounts where user_id = $1", UUID),
            "wrong: 1 parameters, 0 anno",
        ),
        (
            declared_here("select id from api_accounts where user_id = $1", UUID, str),
            "wrong: $1: <class 'str'>",
        ),
        (
            declared_here("select id from api_accounts where id = any($1)", UUID, UUID),
            "wrong: $1: <class 'uuid.UUID'> is uuid[]",
        ),
        (
            declared_here("select id from purchase_orders where status = $1", UUID, Colour),
            "wrong: $1: Colour is order_status",
        ),
    ],
)
async def test_a_wrong_annotation_is_found(app: asyncpg.Connection, wrong: Query, finding: str) -> None:
    (found,) = await findings(app, wrong)
    assert found.startswith(finding)


@pytest.mark.parametrize("sql", ["delete from order_events", "update order_refs set order_id = order_id"])
async def test_a_query_that_the_application_may_not_run_is_found(app: asyncpg.Connection, sql: str) -> None:
    prepared = await app.prepare(sql)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await prepared.explain()
