"""What the database refuses about claims, whoever asks: evidence stays, moves are legal, states are whole."""

from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from tests.schema import rows
from tests.schema.rows import COVER, END, MADE, ORDER, OTHER_USER, PAYMENT, PUBLIC_ID, USER

FORBIDDEN = asyncpg.InsufficientPrivilegeError
CHECK = asyncpg.CheckViolationError
CLAIM = UUID(int=20)
NEW: dict[str, object] = {
    "user_id": USER,
    "id": CLAIM,
    "order_id": ORDER,
    "purchase_order_id": PUBLIC_ID,
    "status": "OPEN",
    "event_seq": 1,
    "opened_at": MADE,
    "opened_by": "WATCHER",
    "recipient": USER,
}
PAYOUT = {"disbursement_id": UUID(int=21)}
MOVED: dict[str, object] = {"user_id": USER, "claim_id": CLAIM, "reason": "R", "details": "{}", "at": MADE}


@pytest.fixture
async def app(app: asyncpg.Connection) -> asyncpg.Connection:
    """The application's connection; a covered order is there."""
    await rows.account(app)
    cover = {name: COVER[name] for name in ("coverage_start_at", "coverage_end_at")}
    await rows.binding(app, status="ACTIVE", **cover)
    await rows.order(app, status="ACTIVE", **PAYMENT, **COVER)
    return app


@pytest.mark.parametrize("verb", ["update {} set user_id = user_id", "delete from {}", "truncate {}"])
@pytest.mark.parametrize(
    "table", ["claim_events", "claim_evidence", "claim_verdicts", "claim_approvals", "watched_changes"]
)
async def test_what_a_claim_was_decided_from_is_only_added_to(
    app: asyncpg.Connection, table: str, verb: str
) -> None:
    with pytest.raises(FORBIDDEN):
        await app.execute(verb.format(table))


@pytest.mark.parametrize(
    "statement",
    [
        "delete from claims",
        "delete from watched_covers",
        "update claims set order_id = order_id",
        "update claims set purchase_order_id = purchase_order_id",
        "update claims set opened_by = 'TRADER'",
        "update claims set opened_at = now()",
        "update purchase_orders set claims_policy = 'a kinder one'",
        "insert into claim_moves values ('REFUSED', 'PAID', 'after all')",
    ],
)
async def test_whose_claim_it_is_and_by_which_rules_stays(app: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(FORBIDDEN):
        await app.execute(statement)


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "PAYABLE"},
        {"status": "APPROVED"},
        {"status": "BATCHED"},
        {"status": "PAID", **PAYOUT},
        {"amount": 0},
        {"approved_amount": -1},
        {"objection": "why"},
        {"objected_at": MADE},
        {"recipient": b"short"},
        {"bundle_sha256": b"short"},
    ],
)
async def test_a_claim_without_what_its_state_needs_is_refused(
    app: asyncpg.Connection, wrong: dict[str, object]
) -> None:
    with pytest.raises(CHECK):
        await rows.insert(app, "claims", **NEW | wrong)


async def test_an_order_has_one_claim_and_it_is_its_owners(app: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with app.transaction():
            await rows.insert(app, "claims", **NEW | {"user_id": OTHER_USER})
    await rows.insert(app, "claims", **NEW)
    with pytest.raises(asyncpg.UniqueViolationError):
        await rows.insert(app, "claims", **NEW | {"id": UUID(int=22)})


async def test_a_claims_history_begins_open_and_moves_as_the_table_says(app: asyncpg.Connection) -> None:
    await rows.insert(app, "claims", **NEW)
    first = {"from_status": None, "to_status": "OPEN", "seq": 1, "actor": "WATCHER"}
    for wrong in ({"to_status": "PAYABLE"}, {"seq": 2}, {"actor": "NOBODY"}):
        with pytest.raises(CHECK):
            async with app.transaction():
                await rows.insert(app, "claim_events", **MOVED | first | wrong)
    await rows.insert(app, "claim_events", **MOVED | first)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        jumped = {"from_status": "OPEN", "to_status": "PAID", "seq": 2, "actor": "CHAIN"}
        await rows.insert(app, "claim_events", **MOVED | jumped)


async def test_a_settled_cover_says_by_what(app: asyncpg.Connection) -> None:
    watched: dict[str, object] = {"user_id": USER, "order_id": ORDER, "purchase_order_id": PUBLIC_ID}
    watched |= {"exchange_uid": "1", "ends_at": END}
    with pytest.raises(CHECK):
        await rows.insert(app, "watched_covers", **watched, settled_at=END + timedelta(seconds=31))
