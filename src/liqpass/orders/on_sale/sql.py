"""The statements that quotes and orders begin with: who asks, and all that a price is made of."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.db import Connection, many_rows, query
from liqpass.exposure.rooms import ROOMS_AS_JSON
from liqpass.market.reading import NEWEST_AS_JSON
from liqpass.orders.sql import Quotable
from liqpass.orders.states import OrderStatus
from liqpass.positions.readings import ASKED_COLUMNS, ITS_ACCOUNT, Asked
from liqpass.signin.living import LIVING_SESSION


class LiveBinding(msgspec.Struct, frozen=True):
    """A living binding with its order; without one, the fields from `purchase_order_id` on are None."""

    id: UUID
    sku: str
    inst_id: str
    mgn_mode: str
    pos_side: str
    pos_id: str
    pos_created_ms: int
    purchase_order_id: bytes | None
    status: OrderStatus | None
    pay_before: datetime | None
    coverage_start_at: datetime | None
    coverage_end_at: datetime | None


class OnSale(Asked, frozen=True):
    """Who asks for quotes of which account, the instruments of its reading (None without one), and what
    quotes are made of, as JSON: what more may be sold (`exposure.rooms.read`), how instruments move
    (`market.reading.by_instrument`), and the account's living bindings (`living`)."""

    inst_ids: list[str] | None
    rooms: str
    volatilities: str
    bindings: str

    def living(self) -> list[LiveBinding]:
        """The bindings."""
        return msgspec.json.decode(self.bindings, type=list[LiveBinding])


class AskingToOrder(msgspec.Struct, frozen=True):
    """By which session, by which binding."""

    token_sha256: bytes
    binding_id: UUID


class ToOrder(Asked, frozen=True):
    """One of several who ask to order: by which binding (all None without one of their own), whose order is
    `open_order` if it has one; how its instrument moves, as JSON; and which of them, counted from 1."""

    id: UUID | None
    status: str | None
    sku: str | None
    api_account_id: UUID | None
    inst_id: str | None
    mgn_mode: str | None
    pos_side: str | None
    pos_id: str | None
    pos_created_ms: int | None
    open_order: bytes | None
    volatilities: str
    place: int

    def binding(self) -> Quotable | None:
        """The binding."""
        return msgspec.convert(self, Quotable, from_attributes=True) if self.id is not None else None


_ROOMS = ROOMS_AS_JSON.format(
    user="s.user_id", account="a.id", instruments="r.inst_ids", now="$3::timestamptz"
)
_VOLATILITIES = NEWEST_AS_JSON.format(instruments="r.inst_ids", since="$4")


@query(f"""
    select {ASKED_COLUMNS}, r.inst_ids,
        {_ROOMS} as rooms, {_VOLATILITIES} as volatilities, (
        select coalesce(json_agg(living), '[]')::text from (
            select b.id, b.sku, b.inst_id, b.mgn_mode, b.pos_side, b.pos_id, b.pos_created_ms,
                encode(o.purchase_order_id, 'base64') as purchase_order_id,
                o.status, o.pay_before, o.coverage_start_at, o.coverage_end_at
            from insured_bindings b
            left join purchase_orders o on o.user_id = b.user_id and o.id = b.order_id
            where b.user_id = s.user_id and b.api_account_id = a.id and b.status in ('DRAFT', 'ACTIVE')
        ) living) as bindings
    from sessions s
    {ITS_ACCOUNT.format(account="$2")}
    where {LIVING_SESSION.format("$1", "$3")}
""")
async def on_sale(
    conn: Connection,
    token_sha256: bytes,
    api_account_id: UUID,
    now: datetime,
    read_since: datetime,
) -> OnSale | None:
    """The session's own account as it was last read, what is on sale for the positions in it, and its living
    bindings (the order of a living binding is open): in one round trip. None without a living session."""
    ...


_TO_ORDER = many_rows({"token_sha256": "bytea", "binding_id": "uuid"})
_MOVES = NEWEST_AS_JSON.format(instruments="array[b.inst_id]", since="$4")


@query(f"""
    with asked as ({_TO_ORDER})
    select {ASKED_COLUMNS}, b.id, b.status, b.sku, b.api_account_id, b.inst_id, b.mgn_mode, b.pos_side,
        b.pos_id, b.pos_created_ms, o.purchase_order_id as open_order, {_MOVES} as volatilities, asked.place
    from asked join sessions s on {LIVING_SESSION.format("asked.token_sha256", "$3")}
    left join insured_bindings b on b.user_id = s.user_id and b.id = asked.binding_id
    left join purchase_orders o on o.user_id = b.user_id and o.id = b.order_id
    {ITS_ACCOUNT.format(account="b.api_account_id")}
""")
async def to_order(
    conn: Connection, asked: list[AskingToOrder], now: datetime, read_since: datetime
) -> list[ToOrder]:
    """Who asks, their binding with its order, its account as it was last read, and how its instrument moves:
    for several at once."""
    ...
