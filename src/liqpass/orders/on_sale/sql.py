"""The one statement that quotes are made of."""

from datetime import datetime
from uuid import UUID

import msgspec

from liqpass.db import Connection, query
from liqpass.exposure.rooms import ROOMS_AS_JSON
from liqpass.market.reading import NEWEST_AS_JSON
from liqpass.orders.states import OrderStatus
from liqpass.positions.readings import StoredReading


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


class OnSale(msgspec.Struct, frozen=True):
    """Who asks for quotes, of which account (`exchange` to `inst_ids`: None without one, or without a
    reading), and what quotes are made of, as JSON: what more may be sold (`exposure.rooms.read`), how
    instruments move (`market.reading.by_instrument`), and the account's living bindings (`living`)."""

    user_id: bytes
    exchange: str | None
    uid: str | None
    demo: bool | None
    held_reason: str | None
    read_at: datetime | None
    body: bytes | None
    inst_ids: list[str] | None
    rooms: str
    volatilities: str
    bindings: str

    def account(self) -> StoredReading | None:
        """The account with what was last read of it."""
        if self.exchange is None or self.uid is None or self.demo is None:
            return None
        return StoredReading(self.exchange, self.uid, self.demo, self.held_reason, self.read_at, self.body)

    def living(self) -> list[LiveBinding]:
        """The bindings."""
        return msgspec.json.decode(self.bindings, type=list[LiveBinding])


_ROOMS = ROOMS_AS_JSON.format(
    user="s.user_id", account="a.id", instruments="r.inst_ids", now="$3::timestamptz"
)
_VOLATILITIES = NEWEST_AS_JSON.format(instruments="r.inst_ids", since="$4")


@query(f"""
    select s.user_id, a.exchange, a.uid, a.demo, a.held_reason, r.read_at, r.body, r.inst_ids,
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
    left join api_accounts a on a.user_id = s.user_id and a.id = $2 and a.revoked_at is null
    left join position_readings r on r.user_id = a.user_id and r.api_account_id = a.id
    where s.token_sha256 = $1 and s.expires_at > $3 and s.revoked_at is null
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
