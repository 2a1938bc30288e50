"""Queries of readings and bindings."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from liqpass.db import Connection, many_rows, one_row, query
from liqpass.market.reading import NEWEST_AS_JSON
from liqpass.signin.living import LIVING_SESSION


class BindingStatus(StrEnum):
    """The states of a binding."""

    DRAFT = "DRAFT"
    """Bound, not covered."""
    ACTIVE = "ACTIVE"
    """Covered by its order."""
    EXPIRED = "EXPIRED"
    """Its cover is over."""
    CANCELLED = "CANCELLED"
    """Given up before it was covered."""


class AskingToBind(msgspec.Struct, frozen=True):
    """By which session, a position of which account, in which instrument."""

    token_sha256: bytes
    api_account_id: UUID
    inst_id: str


class StoredReading(msgspec.Struct, frozen=True):
    """A living account of the user with its last positions answer, if there is one."""

    exchange: str
    uid: str
    demo: bool
    held_reason: str | None
    read_at: datetime | None
    body: bytes | None


class Asked(msgspec.Struct, frozen=True):
    """Who asks, by a living session, and of which account, as it was last read (None: no living account of
    that user, or nothing read)."""

    user_id: bytes
    exchange: str | None
    uid: str | None
    demo: bool | None
    held_reason: str | None
    read_at: datetime | None
    body: bytes | None

    def account(self) -> StoredReading | None:
        """The account with what was last read of it."""
        if self.exchange is None or self.uid is None or self.demo is None:
            return None
        return StoredReading(self.exchange, self.uid, self.demo, self.held_reason, self.read_at, self.body)


# The columns of Asked, and what they come from: a session `s` and the id of an account.
ASKED_COLUMNS = "s.user_id, a.exchange, a.uid, a.demo, a.held_reason, r.read_at, r.body"
ITS_ACCOUNT = """
    left join api_accounts a on a.user_id = s.user_id and a.id = {account} and a.revoked_at is null
    left join position_readings r on r.user_id = a.user_id and r.api_account_id = a.id
"""


# Of a row `g` that was made from what is known of an {account}: the session `s` of who asks still lives, the
# account `a` is theirs and not on hold, its reading `r` is the last one, and so is how {inst_id} moves.
STANDS = f"""
    join sessions s on {LIVING_SESSION.format("g.token_sha256", "g.created_at")}
    {{binding}}
    join api_accounts a on a.user_id = s.user_id and a.id = {{account}}
        and a.revoked_at is null and a.held_reason is null
    join position_readings r on r.user_id = a.user_id and r.api_account_id = a.id and r.read_at = g.read_at
    left join market_instruments m on m.inst_id = {{inst_id}}
    where m.doubted is not true and not exists (
        select from volatilities v where v.inst_id = {{inst_id}} and v.read_at > g.volatility_at
    )
"""


class ToBind(Asked, frozen=True):
    """One of several who ask to bind a position: which (counted from 1), and how its instrument moves, as
    JSON (`market.reading.by_instrument`)."""

    volatilities: str
    place: int


class Bound(msgspec.Struct, frozen=True):
    """The living binding of a slot; None fields where another account's binding holds the position."""

    mine: bool
    id: UUID | None
    sku: str | None
    status: BindingStatus | None
    order_id: UUID | None
    pos_id: str | None
    pos_created_ms: int | None


class BoundAt(Bound, frozen=True):
    """One of several: which, counted from 1."""

    place: int


@query("""
    select a.exchange, a.uid, a.demo, a.held_reason, r.read_at, r.body
    from api_accounts a
    left join position_readings r on r.user_id = a.user_id and r.api_account_id = a.id
    where a.user_id = $1 and a.id = $2 and a.revoked_at is null
""")
async def find_reading(conn: Connection, user_id: bytes, api_account_id: UUID) -> StoredReading | None:
    """The user's own account and what was last read of it."""
    ...


_TO_BIND = many_rows({"token_sha256": "bytea", "api_account_id": "uuid", "inst_id": "text"})
_MOVES = NEWEST_AS_JSON.format(instruments="array[asked.inst_id]", since="$5")


@query(f"""
    with asked as ({_TO_BIND})
    select {ASKED_COLUMNS}, {_MOVES} as volatilities, asked.place
    from asked join sessions s on {LIVING_SESSION.format("asked.token_sha256", "$4")}
    {ITS_ACCOUNT.format(account="asked.api_account_id")}
""")
async def to_bind(
    conn: Connection, asked: list[AskingToBind], now: datetime, read_since: datetime
) -> list[ToBind]:
    """Who asks, their account as it was last read, and how the instrument moves: for several at once."""
    ...


@query("""
    insert into position_readings (user_id, api_account_id, read_at, body, body_sha256, inst_ids)
    values ($1, $2, $3, $4, $5, $6)
    on conflict (user_id, api_account_id) do update
    set read_at = excluded.read_at, body = excluded.body, body_sha256 = excluded.body_sha256,
        inst_ids = excluded.inst_ids
    where position_readings.read_at < excluded.read_at or position_readings.read_at > $7
""")
async def keep_reading(
    conn: Connection,
    user_id: bytes,
    api_account_id: UUID,
    read_at: datetime,
    body: bytes,
    sha256: bytes,
    inst_ids: list[str],
    now: datetime,
) -> None:
    """Keep an answer, with the instruments of its open positions, unless a later one is there already; one
    of a time that is still to come was written before the clock was set back."""
    ...


class NewBinding(msgspec.Struct, frozen=True):
    """What a binding is asked for with: the parameters of `bind`."""

    token_sha256: bytes
    new_id: UUID
    api_account_id: UUID
    exchange: str
    exchange_uid: str
    inst_id: str
    mgn_mode: str
    pos_side: str
    sku: str
    pos_id: str
    pos_created_ms: int
    position_as_read: str
    position_sha256: bytes
    read_at: datetime
    now: datetime
    volatility_at: datetime | None


# The same as columns, with their types.
_ASKED = {
    "token_sha256": "bytea",
    "new_id": "uuid",
    "api_account_id": "uuid",
    "exchange": "text",
    "exchange_uid": "text",
    "inst_id": "text",
    "mgn_mode": "margin_mode",
    "pos_side": "position_side",
    "sku": "text",
    "pos_id": "text",
    "pos_created_ms": "bigint",
    "position_as_read": "text",
    "position_sha256": "bytea",
    "read_at": "timestamptz",
    "created_at": "timestamptz",
    "volatility_at": "timestamptz",
}
_ITS_STANDS = STANDS.format(binding="", account="g.api_account_id", inst_id="g.inst_id")
_BIND = f"""
    asked as (select s.user_id, g.* from given g {_ITS_STANDS}),
    held as (
        insert into insured_positions
            (exchange, exchange_uid, inst_id, mgn_mode, pos_side, user_id, api_account_id, binding_id)
        select exchange, exchange_uid, inst_id, mgn_mode, pos_side, user_id, api_account_id, new_id
        from asked order by exchange, exchange_uid, inst_id, mgn_mode, pos_side
        on conflict (exchange, exchange_uid, inst_id, mgn_mode, pos_side)
        do update set binding_id = insured_positions.binding_id
        returning exchange, exchange_uid, inst_id, mgn_mode, pos_side, user_id, api_account_id
    ),
    found as (
        select a.*, (h.user_id, h.api_account_id) = (a.user_id, a.api_account_id) as mine
        from asked a join held h on (h.exchange, h.exchange_uid, h.inst_id, h.mgn_mode, h.pos_side)
            = (a.exchange, a.exchange_uid, a.inst_id, a.mgn_mode, a.pos_side)
    ),
    bound as (
        insert into insured_bindings as b
            (user_id, id, api_account_id, exchange_uid, inst_id, mgn_mode, pos_side, sku, status,
             pos_id, pos_created_ms, position_as_read, position_sha256, read_at, created_at)
        select user_id, new_id, api_account_id, exchange_uid, inst_id, mgn_mode, pos_side, sku, 'DRAFT',
            pos_id, pos_created_ms, position_as_read, position_sha256, read_at, created_at
        from found where mine
        on conflict (user_id, api_account_id, inst_id, mgn_mode, pos_side) where status in ('DRAFT', 'ACTIVE')
        do update set
            sku = case when b.order_id is null then excluded.sku else b.sku end,
            pos_id = case when b.order_id is null then excluded.pos_id else b.pos_id end,
            pos_created_ms =
                case when b.order_id is null then excluded.pos_created_ms else b.pos_created_ms end,
            position_as_read =
                case when b.order_id is null then excluded.position_as_read else b.position_as_read end,
            position_sha256 =
                case when b.order_id is null then excluded.position_sha256 else b.position_sha256 end,
            read_at = case when b.order_id is null then excluded.read_at else b.read_at end
        returning b.user_id, b.api_account_id, b.inst_id, b.mgn_mode, b.pos_side,
            b.id, b.sku, b.status, b.order_id, b.pos_id, b.pos_created_ms
    )
    select f.mine, b.id, b.sku, b.status, b.order_id, b.pos_id, b.pos_created_ms
"""
_BOUND = """
    from found f left join bound b
        on (b.user_id, b.api_account_id, b.inst_id, b.mgn_mode, b.pos_side)
            = (f.user_id, f.api_account_id, f.inst_id, f.mgn_mode, f.pos_side)
"""


@query(f"with given as ({one_row(_ASKED)}), {_BIND} {_BOUND}")
async def bind(conn: Connection, binding: NewBinding) -> Bound | None:
    """Insert or return the living binding of a slot, and hold the position over all wallets.

    A binding without an order takes the new product and the new reading; one with an order stays as it is.
    None where what it was made from no longer stands.
    """
    ...


@query(f"with given as ({many_rows(_ASKED)}), {_BIND}, f.place {_BOUND}")
async def bind_many(conn: Connection, bindings: list[NewBinding]) -> list[BoundAt]:
    """The same for several, of as many positions, each told with its place."""
    ...


@query("""
    with stale as (
        select user_id, id from insured_bindings
        where status = 'DRAFT' and order_id is null and created_at < $1
        order by created_at, id
        limit $2 offset $3
        for update skip locked
    ),
    given_up as (
        update insured_bindings b set status = 'CANCELLED' from stale
        where b.user_id = stale.user_id and b.id = stale.id
        returning b.user_id, b.id
    ),
    freed as (
        delete from insured_positions p using given_up g
        where p.user_id = g.user_id and p.binding_id = g.id
    )
    select count(*) from given_up
""")
async def give_up_unordered(
    conn: Connection, created_before: datetime, at_most: int, passing_over: int
) -> int:
    """Cancel bindings that nobody ordered cover for, and free their positions."""
    ...
