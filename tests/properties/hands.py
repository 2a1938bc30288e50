"""What a superuser's hand does to the database, past all triggers, and how reconciliation has to name it.

Each hand takes something that the model knows: an order, or a log. What it `must` be called is one break;
other breaks may name only what it `touched`, and the sums.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import asyncpg

from tests.properties.books_model import ACTIVE, CANCELLED, EXPIRED, OPEN, Model, named
from tests.properties.shown import Came, Left, Shown

ORDER = "(user_id, id) = (select user_id, order_id from order_refs where purchase_order_id = $1)"
OF_ORDER = "(user_id, order_id) = (select user_id, order_id from order_refs where purchase_order_id = $1)"
BINDING = OF_ORDER.replace("(user_id, order_id) =", "(user_id, binding_id) =").replace(
    "select user_id, order_id from order_refs",
    "select user_id, binding_id from purchase_orders",
)
MADE_UP = b"\xfa\x15" * 16
NOBODYS = "0x" + MADE_UP.hex() + ":0"


@dataclass(frozen=True)
class Target:
    """An order's id and the log that pays it, as far as there are any; or a log."""

    order_id: bytes = b""
    log: Shown | None = None


@dataclass(frozen=True, repr=False)
class Hand:
    """`sql` may use $1, the order's id; $2 and $3, transaction and index of the log; $4, its ref."""

    name: str
    targets: Callable[[Model], list[Target]]
    sql: str
    type: str
    of_log: bool = False
    """Whether the break is named by the log; else by the order."""

    def __repr__(self) -> str:
        return repr(self.name)


@dataclass(frozen=True)
class Trace:
    """What was done."""

    name: str
    must: tuple[str, str]
    touched: frozenset[str]


def orders(*statuses: str) -> Callable[[Model], list[Target]]:
    """Orders of these statuses that nobody has paid, nor tried to."""

    def found(model: Model) -> list[Target]:
        tried = {getattr(one.log, "order_id", b"") for one in model.chain.shown()}
        return [Target(i) for i, o in model.orders.items() if o.status in statuses and i not in tried]

    return found


def covered(*statuses: str, final: bool = False) -> Callable[[Model], list[Target]]:
    """Orders of these statuses with the payment that covers them, if that is the only one."""

    def found(model: Model) -> list[Target]:
        head = model.chain.head("finalized" if final else "safe").number
        paid = [getattr(one.log, "order_id", b"") for one in model.chain.shown()]
        covering = model.covering()
        return [
            Target(covering[one.ref], one)
            for one in model.confirmed()
            if one.ref in covering
            and model.orders[covering[one.ref]].status in statuses
            and paid.count(covering[one.ref]) == 1
            and one.block.number <= head
            and len(one.tx.logs) == 2
        ]

    return found


def strays(model: Model) -> list[Target]:
    """Plain transfers, alone in their transactions."""
    return [Target(log=s) for s in model.confirmed() if isinstance(s.log, Came) and len(s.tx.logs) == 1]


def outflows(model: Model) -> list[Target]:
    """What left the treasury."""
    return [Target(log=one) for one in model.confirmed() if isinstance(one.log, Left)]


def anything(_model: Model) -> list[Target]:
    """It needs nothing that is there."""
    return [Target()]


_BY_LOG = "where (tx_hash, log_index) = ($2, $3)"
HANDS = [
    Hand(
        "a payment's amount",
        covered(ACTIVE, EXPIRED),
        f"update premium_payments set amount = amount + 1 {_BY_LOG}",
        "AMOUNT_DIFFERS",
    ),
    Hand(
        "a payment is gone",
        covered(ACTIVE, EXPIRED),
        f"delete from premium_payments {_BY_LOG}",
        "ORDER_PAID_WITHOUT_EVENT",
    ),
    Hand(
        "an order's premium",
        covered(ACTIVE, EXPIRED),
        f"update purchase_orders set premium_amount = premium_amount + 1 where {ORDER}",
        "AMOUNT_DIFFERS",
    ),
    Hand(
        "a premium is not posted",
        covered(ACTIVE, EXPIRED),
        "delete from ledger_transfers where (kind, ref) = ('PREMIUM', $1)",
        "EVENT_WITHOUT_LEDGER",
    ),
    Hand(
        "an order is gone",
        covered(ACTIVE, EXPIRED),
        f"delete from purchase_orders where {ORDER}",
        "EVENT_WITHOUT_ORDER",
        of_log=True,
    ),
    Hand(
        "an order is active",
        orders(OPEN),
        f"""update purchase_orders set status = 'ACTIVE', pay_tx_hash = $1, payer = user_id,
            submitted_at = created_at, paid_at = created_at,
            coverage_start_at = created_at + make_interval(secs => coverage_delay_sec),
            coverage_end_at = created_at + make_interval(secs => coverage_delay_sec)
                + make_interval(secs => duration_sec)
            where {ORDER}""",
        "ORDER_PAID_WITHOUT_EVENT",
    ),
    Hand(
        "nothing is held",
        orders(OPEN),
        "delete from ledger_transfers where (kind, ref) = ('HELD', $1)",
        "COVER_WITHOUT_CAPITAL",
    ),
    Hand(
        "something is still held",
        orders(CANCELLED),
        "delete from ledger_transfers where (kind, ref, leg) = ('HELD', $1, 2)",
        "COVER_WITHOUT_CAPITAL",
    ),
    Hand(
        "nothing is earned",
        covered(EXPIRED),
        "delete from ledger_transfers where (kind, ref) = ('EARNED', $1)",
        "PREMIUM_EARNED_WRONG",
    ),
    Hand(
        "the first event is gone",
        orders(OPEN, CANCELLED),
        f"delete from order_events where {OF_ORDER} and seq = 1",
        "HISTORY_BROKEN",
    ),
    Hand(
        "an event says something else",
        covered(ACTIVE, EXPIRED),
        f"update order_events set to_status = 'CANCELLED' where {OF_ORDER} and seq = 2",
        "HISTORY_BROKEN",
    ),
    Hand(
        "the binding is over",
        orders(OPEN),
        f"update insured_bindings set status = 'CANCELLED' where {OF_ORDER}",
        "BINDING_DISAGREES",
    ),
    Hand(
        "the binding's cover is longer",
        covered(ACTIVE),
        f"""update insured_bindings set coverage_end_at = coverage_end_at + interval '1 day'
            where {OF_ORDER}""",
        "BINDING_DISAGREES",
    ),
    Hand(
        "the position is free",
        covered(ACTIVE),
        f"delete from insured_positions where {BINDING}",
        "BINDING_DISAGREES",
    ),
    Hand(
        "a premium's transfer",
        covered(ACTIVE, EXPIRED, final=True),
        "update usdc_transfers set amount = amount + 1 where (tx_hash, log_index) = ($2, $3 - 1)",
        "AMOUNT_DIFFERS",
        of_log=True,
    ),
    Hand(
        "a stray transfer is gone",
        strays,
        f"delete from usdc_transfers {_BY_LOG}",
        "LEDGER_WITHOUT_EVENT",
        of_log=True,
    ),
    Hand(
        "a stray transfer is not posted",
        strays,
        "delete from ledger_transfers where (kind, ref) = ('RECEIVED', $4)",
        "EVENT_WITHOUT_LEDGER",
        of_log=True,
    ),
    Hand(
        "more of a stray transfer is posted",
        strays,
        "update ledger_transfers set amount = amount + 1 where (kind, ref, leg) = ('RECEIVED', $4, 1)",
        "AMOUNT_DIFFERS",
        of_log=True,
    ),
    Hand(
        "what left is gone",
        outflows,
        f"delete from usdc_transfers {_BY_LOG}",
        "LEDGER_WITHOUT_EVENT",
        of_log=True,
    ),
    Hand(
        "what left is not posted",
        outflows,
        "delete from ledger_transfers where ref = $4",
        "EVENT_WITHOUT_LEDGER",
        of_log=True,
    ),
    Hand(
        "something is posted that never came",
        anything,
        f"""insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at)
            values ('RECEIVED', '\\x{MADE_UP.hex()}00000000', 1, 'TREASURY', 'SUSPENSE', 5, now())""",
        "LEDGER_WITHOUT_EVENT",
        of_log=True,
    ),
]


async def reach_in(
    owner: asyncpg.Connection, model: Model, wanted: Sequence[tuple[Hand, int]]
) -> list[Trace]:
    """Let these hands do their work, each to something that no other one has touched."""
    done: list[Trace] = []
    for hand, which in wanted:
        touched = {subject for trace in done for subject in trace.touched}
        found = [(target, await _trace(owner, hand, target)) for target in hand.targets(model)]
        if free := [pair for pair in found if not pair[1].touched & touched]:
            target, trace = free[which % len(free)]
            await _do(owner, hand, target)
            done.append(trace)
    return done


async def _trace(owner: asyncpg.Connection, hand: Hand, target: Target) -> Trace:
    order = f"order 0x{target.order_id.hex()}"
    log = named(target.log.ref) if target.log else NOBODYS
    touched = {order} if target.order_id else {log}
    if target.log:
        touched |= {named(target.log.tx.hash + index.to_bytes(4, "big")) for index in range(99)}
    if target.order_id:
        refs = "select order_id from order_refs where purchase_order_id = $1"
        row = await owner.fetchval(refs, target.order_id)
        touched |= {f"order row {row}", f"binding {row}"}
    return Trace(hand.name, (hand.type, log if hand.of_log else order), frozenset(touched))


async def _do(owner: asyncpg.Connection, hand: Hand, target: Target) -> None:
    """$1 … become what PostgreSQL sees as its own $1 …: it wants each that is named, and no other."""
    tx, index, ref = (target.log.tx.hash, target.log.index, target.log.ref) if target.log else (b"", 0, b"")
    sql, values = hand.sql, []
    for number, value in enumerate((target.order_id, tx, index, ref), 1):
        if f"${number}" in sql:
            values.append(value)
            sql = sql.replace(f"${number}", f"${len(values)}")
    async with owner.transaction():
        await owner.execute("set local session_replication_role = replica")
        told = await owner.execute(sql, *values)
    assert told.split()[-1] != "0", f"{hand.name} did nothing"
