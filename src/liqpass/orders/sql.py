"""Queries of orders. Whatever moves one ends with `states.MOVE`."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.db import Connection, many_rows, one_row, query
from liqpass.exposure.limits import Direction
from liqpass.orders.states import MOVE, OrderStatus
from liqpass.positions.readings import STANDS


class Quotable(msgspec.Struct, frozen=True):
    """A binding that may get an order: its slot, its account, the open order it follows."""

    id: UUID
    status: str
    sku: str
    api_account_id: UUID
    inst_id: str
    mgn_mode: str
    pos_side: str
    pos_id: str
    pos_created_ms: int
    open_order: bytes | None


class Order(msgspec.Struct, frozen=True):
    """An order by itself. Money in micro-USDC. `chance_ppm`: how probable its payout was when it was priced,
    in millionths; None for those that were priced by the table before."""

    id: UUID
    purchase_order_id: bytes
    sku: str
    premium_amount: int
    payout_amount: int
    chance_ppm: int | None
    status: OrderStatus
    event_seq: int
    coverage_delay_sec: int
    duration_sec: int
    pay_before: datetime
    chain_id: int
    checkout: bytes
    coverage_start_at: datetime | None
    coverage_end_at: datetime | None


ORDER_COLUMNS = """id, purchase_order_id, sku, premium_amount, payout_amount, chance_ppm, status, event_seq,
    coverage_delay_sec, duration_sec, pay_before, chain_id, checkout, coverage_start_at, coverage_end_at"""


class OrderAt(Order, frozen=True):
    """One of several: which, counted from 1."""

    place: int


class ShownOrder(msgspec.Struct, frozen=True):
    """An order with the slot that it covers and the payment that was seen for it."""

    order_id: UUID
    purchase_order_id: bytes
    binding_id: UUID
    inst_id: str
    mgn_mode: str
    pos_side: str
    sku: str
    premium_amount: int
    payout_amount: int
    chance_ppm: int | None
    status: OrderStatus
    event_seq: int
    coverage_delay_sec: int
    duration_sec: int
    pay_before: datetime
    chain_id: int
    checkout: bytes
    pay_tx_hash: bytes | None
    payer: bytes | None
    paid_at: datetime | None
    coverage_start_at: datetime | None
    coverage_end_at: datetime | None
    created_at: datetime
    claim_id: UUID | None
    claim_status: str | None
    claim_amount: int | None


class OrderClaim(msgspec.Struct, frozen=True):
    """The claim of an order: `amount` is what is owed for the order, None while unknown."""

    claim_id: UUID
    status: str
    amount: int | None
    event_seq: int


# What was approved is what is owed; before that, what the newest verdict says.
_CLAIM_AMOUNT = (
    "case when c.status in ('APPROVED', 'BATCHED', 'PAID') then c.approved_amount else c.amount end"
)
_SHOWN = f"""o.id as order_id, o.purchase_order_id, o.binding_id, b.inst_id, b.mgn_mode, b.pos_side,
    o.sku, o.premium_amount, o.payout_amount, o.chance_ppm, o.status, o.event_seq, o.coverage_delay_sec,
    o.duration_sec, o.pay_before, o.chain_id, o.checkout, o.pay_tx_hash, o.payer, o.paid_at,
    o.coverage_start_at, o.coverage_end_at, o.created_at, c.id as claim_id, c.status as claim_status,
    {_CLAIM_AMOUNT} as claim_amount
    from purchase_orders o join insured_bindings b on b.user_id = o.user_id and b.id = o.binding_id
    left join claims c on c.user_id = o.user_id and c.order_id = o.id"""


class Event(msgspec.Struct, frozen=True):
    """One move of an order's history."""

    seq: int
    from_status: OrderStatus | None
    to_status: OrderStatus
    reason: str
    actor: str
    details: str
    at: datetime


class SeenPayment(msgspec.Struct, frozen=True):
    """A payment of an order as the watcher saw it."""

    tx_hash: bytes
    block_number: int
    block_time: datetime
    payer: bytes
    amount: int
    stage: str


class StatusCount(msgspec.Struct, frozen=True):
    """One line of the metrics."""

    status: OrderStatus
    orders: int


class NewOrder(msgspec.Struct, frozen=True):
    """What an order is asked for with: the parameters of `draft`. `read_at` and `volatility_at` are times of
    readings that it was priced from: of the account, and of how its instrument moves."""

    token_sha256: bytes
    new_id: UUID
    purchase_order_id: bytes
    binding_id: UUID
    sku: str
    premium_amount: int
    payout_amount: int
    priced_from: str
    coverage_delay_sec: int
    duration_sec: int
    pay_before: datetime
    chain_id: int
    checkout: bytes
    now: datetime
    pos_id: str
    pos_created_ms: int
    claims_policy: str
    chance_ppm: int
    direction: Direction
    read_at: datetime
    volatility_at: datetime


# The same as columns, with their types.
_ASKED = {
    "token_sha256": "bytea",
    "new_id": "uuid",
    "purchase_order_id": "bytea",
    "binding_id": "uuid",
    "sku": "text",
    "premium_amount": "bigint",
    "payout_amount": "bigint",
    "priced_from": "text",
    "coverage_delay_sec": "integer",
    "duration_sec": "integer",
    "pay_before": "timestamptz",
    "chain_id": "bigint",
    "checkout": "bytea",
    "created_at": "timestamptz",
    "pos_id": "text",
    "pos_created_ms": "bigint",
    "claims_policy": "text",
    "chance_ppm": "integer",
    "direction": "cover_direction",
    "read_at": "timestamptz",
    "volatility_at": "timestamptz",
}
_OF_ITS_BINDING = {
    "binding": "join insured_bindings b on b.user_id = s.user_id and b.id = g.binding_id",
    "account": "b.api_account_id",
    "inst_id": "b.inst_id",
}
_DRAFT = f"""
    binding as (
        select g.*, s.user_id, b.inst_id, b.order_id, a.main_uid
        from given g {STANDS.format(**_OF_ITS_BINDING)}
          and b.sku = g.sku and b.status in ('DRAFT', 'ACTIVE')
          and b.pos_id = g.pos_id and b.pos_created_ms = g.pos_created_ms
        order by b.user_id, b.id
        for update of b
    ),
    drafted as (
        insert into purchase_orders
            (user_id, id, purchase_order_id, binding_id, sku, premium_amount, payout_amount, priced_from,
             status, event_seq, coverage_delay_sec, duration_sec, pay_before, chain_id, checkout, created_at,
             claims_policy, chance_ppm)
        select user_id, new_id, purchase_order_id, binding_id, sku, premium_amount, payout_amount,
            priced_from, 'DRAFT', 1, coverage_delay_sec, duration_sec, pay_before, chain_id, checkout,
            created_at, claims_policy, chance_ppm from binding
        on conflict (user_id, binding_id) where status in ('DRAFT', 'PAID_PENDING_CONFIRM', 'ACTIVE')
        do update set binding_id = excluded.binding_id
        returning {ORDER_COLUMNS}, user_id, binding_id, created_at
    ),
    made as (
        select d.*, b.inst_id, b.main_uid, b.direction
        from drafted d join binding b on b.user_id = d.user_id and b.new_id = d.id
            and b.order_id is distinct from d.id -- else made already: committed, and we did not hear of it
    ),
    ref as (
        insert into order_refs (purchase_order_id, user_id, order_id)
        select purchase_order_id, user_id, id from made
    ),
    told as (
        insert into order_events (user_id, order_id, seq, from_status, to_status, reason, actor, details, at)
        select user_id, id, 1, null, 'DRAFT', 'ORDERED', 'USER', '{{}}', created_at from made
    ),
    tied as (
        update insured_bindings b set order_id = m.id
        from made m where b.user_id = m.user_id and b.id = m.binding_id
    ),
    risked as (
        insert into order_risks (purchase_order_id, direction, inst_id, main_uid, wallet)
        select purchase_order_id, direction, inst_id, main_uid, user_id from made
    ),
    held as (
        insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at)
        select 'HELD', purchase_order_id, 1, 'POOL_FREE', 'POOL_LOCKED', payout_amount, created_at from made
    )
"""


@query(f"with given as ({one_row(_ASKED)}), {_DRAFT} select {ORDER_COLUMNS} from drafted")
async def draft(conn: Connection, order: NewOrder) -> Order | None:
    """Insert or return the one open order of a binding, with its payout held out of the free capital; None
    when what it was priced from no longer stands. Raises asyncpg.CheckViolationError, with nothing stored,
    where free capital (never_overdrawn) or limits (`exposure.rooms.beyond_limits`) leave less."""
    ...


@query(f"""
    with given as ({many_rows(_ASKED)}), {_DRAFT}
    select {ORDER_COLUMNS}, place from drafted
    join (select user_id as asker, binding_id as asked_for, place from binding) b
        on (asker, asked_for) = (user_id, binding_id)
""")
async def draft_many(conn: Connection, orders: list[NewOrder]) -> list[OrderAt]:
    """The same for several, of as many bindings, each with its place. Where one is refused, all are."""
    ...


@query(f"""
    select {ORDER_COLUMNS} from purchase_orders where user_id = $1 and purchase_order_id = $2
""")
async def find_order(conn: Connection, user_id: bytes, purchase_order_id: bytes) -> Order | None:
    """The user's own order."""
    ...


@query(f"""
    select {_SHOWN}
    where o.user_id = $1 and o.purchase_order_id = $2
""")
async def show_order(conn: Connection, user_id: bytes, purchase_order_id: bytes) -> ShownOrder | None:
    """The user's own order with what it covers."""
    ...


@query(f"""
    select {_SHOWN}
    where o.user_id = $1 and o.id < $2
    order by o.id desc
    limit $3
""")
async def list_orders(conn: Connection, user_id: bytes, before: UUID, at_most: int) -> list[ShownOrder]:
    """The user's own orders, newest first (ids are sorted by time), below `before`."""
    ...


@query(f"""
    select {_SHOWN}
    where o.user_id = $1 and o.status in ('DRAFT', 'PAID_PENDING_CONFIRM', 'ACTIVE')
    order by o.id desc
    limit $2
""")
async def open_orders(conn: Connection, user_id: bytes, at_most: int) -> list[ShownOrder]:
    """The user's own orders that are not over, newest first."""
    ...


@query("select priced_from from purchase_orders where user_id = $1 and purchase_order_id = $2")
async def priced_from(conn: Connection, user_id: bytes, purchase_order_id: bytes) -> str | None:
    """What the price of the user's own order was made from, as JSON."""
    ...


@query("""
    select seq, from_status, to_status, reason, actor, details, at
    from order_events where user_id = $1 and order_id = $2 and seq > $3 order by seq
""")
async def history(conn: Connection, user_id: bytes, order_id: UUID, after_seq: int) -> list[Event]:
    """The moves of one of the user's own orders."""
    ...


@query("""
    select tx_hash, block_number, block_time, payer, amount, stage
    from premium_payments where chain_id = $1 and purchase_order_id = $2
    order by stage = 'DROPPED', block_number desc limit 1
""")
async def seen_payment(conn: Connection, chain_id: int, purchase_order_id: bytes) -> SeenPayment | None:
    """The payment that the chain shows for an order; one that was dropped only when there is no other."""
    ...


@query(f"""
    select c.id as claim_id, c.status, {_CLAIM_AMOUNT} as amount, c.event_seq
    from claims c where c.user_id = $1 and c.order_id = $2
""")
async def claim_of(conn: Connection, user_id: bytes, order_id: UUID) -> OrderClaim | None:
    """The claim of the user's own order."""
    ...


@query(f"""
    with found as (
        select user_id, id, status, event_seq from purchase_orders
        where user_id = $1 and purchase_order_id = $2
        for update
    ),
    wanted as (
        select user_id, id as order_id, event_seq as seq, status as from_status,
            'CANCELLED'::order_status as to_status,
            'CANCELLED_BY_USER' as reason, 'USER' as actor, '{{}}' as details, $3::timestamptz as at,
            null::bytea as pay_tx_hash, null::bytea as payer, null::timestamptz as submitted_at,
            null::timestamptz as paid_at, null::timestamptz as coverage_start_at,
            null::timestamptz as coverage_end_at
        from found where status = 'DRAFT'
    ),
    {MOVE}
    select coalesce((select to_status from moved), found.status) from found
""")
async def cancel(
    conn: Connection, user_id: bytes, purchase_order_id: bytes, now: datetime
) -> OrderStatus | None:
    """Cancel a draft. The status after it; None when the user has no such order."""
    ...


@query("select status, count(*) as orders from purchase_orders group by status")
async def count_by_status(conn: Connection) -> list[StatusCount]:
    """How many orders are in each state, for the metrics."""
    ...
