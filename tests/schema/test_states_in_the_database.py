"""What the database refuses, whoever asks: as the application's role, and as the owner."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from enum import StrEnum
from itertools import product
from uuid import UUID

import asyncpg
import pytest

from liqpass.chain.view import Stage
from liqpass.claims import states as claim_states
from liqpass.claims.states import ClaimStatus, Opener
from liqpass.connecting import APP_ROLE
from liqpass.exposure.limits import Cause, Direction, Scope
from liqpass.orders.states import LEGAL_MOVES, OrderStatus
from liqpass.payments.matching import Outcome
from liqpass.positions.sql import BindingStatus
from liqpass.treasury.pairing import Purpose
from tests.schema import rows
from tests.schema.rows import BINDING, COVER, MADE, ORDER, OTHER_USER, PAID, PAYMENT, START, TX, USER

CHECK = asyncpg.CheckViolationError
FOREIGN_KEY = asyncpg.ForeignKeyViolationError
FORBIDDEN = asyncpg.InsufficientPrivilegeError
RESTRICTED = asyncpg.RestrictViolationError


FREE_BINDING = UUID(int=4)
NEW = {"id": UUID(int=5), "purchase_order_id": b"\x05" * 32, "binding_id": FREE_BINDING}


@pytest.fixture
async def owner(owner: asyncpg.Connection) -> asyncpg.Connection:
    """The owner's connection; there is an account with a binding that has a draft order, and a free one."""
    await rows.account(owner)
    await rows.binding(owner)
    await rows.binding(owner, id=FREE_BINDING, inst_id="ETH-USDT-SWAP")
    await rows.order(owner)
    await rows.event(owner)
    return owner


@asynccontextmanager
async def refused(conn: asyncpg.Connection, *errors: type[Exception]) -> AsyncIterator[None]:
    """What happens inside fails with one of the errors, and leaves the transaction usable."""
    with pytest.raises(errors):
        async with conn.transaction():
            yield


# Python and PostgreSQL say the same -----------------------------------------------------------------------


async def test_the_legal_moves_are_the_same_in_python_and_in_the_database(app: asyncpg.Connection) -> None:
    stored = await app.fetch("select from_status, to_status from order_moves")
    assert {(OrderStatus(r["from_status"]), OrderStatus(r["to_status"])) for r in stored} == LEGAL_MOVES


async def test_the_legal_moves_of_claims_are_the_same_in_python_and_in_the_database(
    app: asyncpg.Connection,
) -> None:
    stored = await app.fetch("select from_status, to_status from claim_moves")
    moves = {(ClaimStatus(r["from_status"]), ClaimStatus(r["to_status"])) for r in stored}
    assert moves == claim_states.LEGAL_MOVES


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("order_status", OrderStatus),
        ("binding_status", BindingStatus),
        ("chain_stage", Stage),
        ("settle_outcome", Outcome),
        ("claim_status", ClaimStatus),
        ("claim_opener", Opener),
        ("disbursement_purpose", Purpose),
        ("cover_direction", Direction),
        ("exposure_scope", Scope),
        ("stop_cause", Cause),
    ],
)
async def test_an_enum_has_the_same_members_in_python_and_in_the_database(
    app: asyncpg.Connection, name: str, members: type[StrEnum]
) -> None:
    assert await app.fetchval(f"select enum_range(null::{name})::text[]") == list(members)


# Orders and their history ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "column",
    ["premium_amount", "payout_amount", "sku", "duration_sec", "coverage_delay_sec", "pay_before"],
)
async def test_the_application_may_not_change_what_an_order_promises(
    app: asyncpg.Connection, column: str
) -> None:
    async with refused(app, FORBIDDEN):
        await app.execute(f"update purchase_orders set {column} = {column}")


async def test_a_move_is_stored_exactly_when_it_is_legal(app: asyncpg.Connection) -> None:
    for seq, (before, after) in enumerate(product(OrderStatus, OrderStatus), 2):
        if (before, after) in LEGAL_MOVES:
            await rows.event(app, seq=seq, from_status=before, to_status=after)
        else:
            async with refused(app, FOREIGN_KEY):
                await rows.event(app, seq=seq, from_status=before, to_status=after)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seq": 2, "from_status": None},
        {"seq": 0},
        {"order_id": UUID(int=9), "to_status": "ACTIVE"},
        {"order_id": UUID(int=9), "from_status": "DRAFT", "to_status": "CANCELLED"},
        {"seq": 2, "from_status": "DRAFT", "to_status": "CANCELLED", "actor": "SOMEBODY"},
    ],
)
async def test_a_history_begins_with_a_draft_and_names_who_moved(
    app: asyncpg.Connection, wrong: dict[str, object]
) -> None:
    with pytest.raises(CHECK):
        await rows.event(app, **wrong)


async def test_a_history_does_not_continue_another_users_order(app: asyncpg.Connection) -> None:
    with pytest.raises(FOREIGN_KEY):
        await rows.event(app, user_id=OTHER_USER)


DRAFT, PENDING, CANCELLED = {"status": "DRAFT"}, {"status": "PAID_PENDING_CONFIRM"}, {"status": "CANCELLED"}
ACTIVE, EXPIRED = {"status": "ACTIVE"}, {"status": "EXPIRED"}
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    "columns",
    [
        DRAFT,
        PENDING | PAYMENT,
        ACTIVE | PAYMENT | COVER,
        EXPIRED | PAYMENT | COVER,
        CANCELLED,
        CANCELLED | PAYMENT,
    ],
    ids=lambda columns: columns["status"],
)
async def test_a_state_is_stored_with_the_columns_that_it_needs(
    app: asyncpg.Connection, columns: dict[str, object]
) -> None:
    await rows.order(app, **NEW, **columns)


@pytest.mark.parametrize(
    "columns",
    [
        DRAFT | PAYMENT,
        DRAFT | {"payer": USER},
        DRAFT | COVER,
        DRAFT | {"paid_at": PAID},
        PENDING,
        PENDING | PAYMENT | {"pay_tx_hash": None},
        PENDING | PAYMENT | {"submitted_at": None},
        PENDING | PAYMENT | COVER,
        PENDING | PAYMENT | {"paid_at": PAID},
        ACTIVE,
        ACTIVE | PAYMENT,
        ACTIVE | COVER,
        ACTIVE | PAYMENT | COVER | {"paid_at": None},
        ACTIVE | PAYMENT | COVER | {"coverage_start_at": None},
        ACTIVE | PAYMENT | COVER | {"coverage_end_at": None},
        ACTIVE | PAYMENT | COVER | {"payer": None},
        EXPIRED | PAYMENT,
        CANCELLED | PAYMENT | COVER,
        # The cover begins exactly the waiting period after the payment, and lasts as long as was sold.
        ACTIVE | PAYMENT | COVER | {"coverage_start_at": PAID},
        ACTIVE | PAYMENT | COVER | {"coverage_start_at": START - SECOND},
        ACTIVE | PAYMENT | COVER | {"paid_at": PAID + SECOND},
        ACTIVE | PAYMENT | COVER | {"coverage_end_at": START},
        # Numbers and hashes
        {"premium_amount": 0},
        {"payout_amount": -1},
        {"coverage_delay_sec": -1},
        {"duration_sec": 0},
        {"pay_before": MADE},
        {"purchase_order_id": b"short"},
        PENDING | PAYMENT | {"pay_tx_hash": TX.hex().encode()},
    ],
)
async def test_a_state_without_its_columns_or_with_anothers_is_refused(
    owner: asyncpg.Connection, columns: dict[str, object]
) -> None:
    with pytest.raises(CHECK):
        await rows.order(owner, **NEW | columns)


async def test_a_binding_has_a_cover_exactly_when_its_order_has(owner: asyncpg.Connection) -> None:
    cover = {name: COVER[name] for name in ("coverage_start_at", "coverage_end_at")}
    new = {"id": UUID(int=9), "inst_id": "LTC-USDT-SWAP"}
    await rows.binding(owner, **new, status="ACTIVE", **cover)
    for wrong in ({"status": "ACTIVE"}, {"status": "DRAFT"} | cover, {"status": "CANCELLED"} | cover):
        async with refused(owner, CHECK):
            await rows.binding(owner, **{**new, "id": UUID(int=10), "inst_id": "SOL-USDT-SWAP"}, **wrong)


async def test_a_binding_has_one_open_order_and_any_number_of_closed_ones(app: asyncpg.Connection) -> None:
    for number in (11, 12):
        public_id = bytes([number]) * 32
        await rows.order(app, **CANCELLED, id=UUID(int=number), purchase_order_id=public_id)
    with pytest.raises(asyncpg.UniqueViolationError, match="uniq_open_order_per_binding"):
        await rows.order(app, id=UUID(int=13), purchase_order_id=b"\x0d" * 32)


async def test_an_order_cannot_be_of_another_users_binding(app: asyncpg.Connection) -> None:
    with pytest.raises(FOREIGN_KEY):
        await rows.order(app, user_id=OTHER_USER)


# Accounts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "revoked_at = now()",
        "revoked_at = now(), secret_enc = null",
        "revoked_at = now(), passphrase_enc = null",
        "secret_enc = null",
        "held_at = now()",
        "held_reason = 'it can trade'",
        "exchange = 'another'",
        "uid = ''",
    ],
)
async def test_revoking_destroys_both_ciphertexts_and_holding_has_a_reason(
    app: asyncpg.Connection, change: str
) -> None:
    async with refused(app, CHECK):
        await app.execute(f"update api_accounts set {change}")
    await app.execute("update api_accounts set revoked_at = now(), secret_enc = null, passphrase_enc = null")


async def test_deleting_an_account_that_has_orders_is_refused_even_for_the_owner(
    owner: asyncpg.Connection,
) -> None:
    for table in ("api_accounts", "insured_bindings", "purchase_orders"):
        async with refused(owner, FOREIGN_KEY, RESTRICTED):
            await owner.execute(f"delete from {table}")
    assert await owner.fetchval("select count(*) from purchase_orders") == 1


# Append-only and final ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "update order_events set reason = 'nicer'",
        "delete from order_events",
        "truncate order_events",
        "delete from purchase_orders",
        "truncate purchase_orders cascade",
        "delete from premium_payments",
        "delete from usdc_transfers",
        "delete from payment_settlements",
        "truncate premium_payments cascade",
        "update order_refs set order_id = order_id",
        "delete from order_refs",
        "delete from api_accounts",
        "delete from insured_bindings",
        "delete from chain_cursors",
        "insert into order_moves values ('EXPIRED', 'DRAFT', 'again')",
        "delete from order_moves",
        "delete from schema_migrations",
        "alter table purchase_orders add column x integer",
        "alter table purchase_orders disable trigger all",
        "alter table premium_payments disable trigger final_is_final",
        "drop trigger final_is_final on premium_payments",
        "create or replace function refuse_change_of_final() returns trigger language plpgsql as 'begin end'",
        "alter type order_status add value 'FREE'",
        "drop table sessions",
        "create table mine (id integer)",
        "create function mine() returns integer language sql as 'select 1'",
        "set session_replication_role = replica",
    ],
)
async def test_the_application_may_not(app: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(FORBIDDEN):
        await app.execute(statement)


@pytest.mark.parametrize("table", ["premium_payments", "usdc_transfers"])
@pytest.mark.parametrize("who", ["owner", "application"])
async def test_a_final_row_is_never_changed(owner: asyncpg.Connection, table: str, who: str) -> None:
    await rows.payment(owner)
    await rows.transfer(owner)
    if who == "application":
        await owner.execute(f"set local role {APP_ROLE}")
    await owner.execute(f"update {table} set stage = 'SAFE'")
    await owner.execute(f"update {table} set stage = 'FINAL'")
    for change in ("stage = 'DROPPED'", "amount = amount + 1", "changed_at = now()"):
        async with refused(owner, RESTRICTED):
            await owner.execute(f"update {table} set {change}")
    async with refused(owner, RESTRICTED if who == "owner" else FORBIDDEN):
        await owner.execute(f"delete from {table}")


async def test_a_payment_that_changes_waits_to_be_settled(app: asyncpg.Connection) -> None:
    await rows.payment(app)
    await app.execute("delete from settle_queue")
    await app.execute("update premium_payments set stage = 'SAFE'")
    assert await app.fetchval("select tx_hash from settle_queue") == TX


async def test_one_position_one_cover_and_one_hash_one_order_over_all_users(app: asyncpg.Connection) -> None:
    position = {"exchange": "okx", "exchange_uid": "1", "inst_id": "BTC-USDT-SWAP", "mgn_mode": "isolated"}
    held = position | {"pos_side": "long", "api_account_id": UUID(int=1), "binding_id": BINDING}
    await rows.insert(app, "insured_positions", user_id=USER, **held)
    async with refused(app, asyncpg.UniqueViolationError):
        await rows.insert(app, "insured_positions", user_id=OTHER_USER, **held)
    await rows.insert(app, "submitted_txs", tx_hash=TX, user_id=USER, order_id=ORDER)
    with pytest.raises(asyncpg.UniqueViolationError, match="uniq_pay_tx_hash"):
        await rows.insert(app, "submitted_txs", tx_hash=TX, user_id=OTHER_USER, order_id=UUID(int=9))
