"""What hands do to books: each fault as SQL, and the break that a reconciliation has to find for it.

Written from what the books mean, not from how reconciliation looks for it. The orders that are struck are
drawn by hash, none twice; what is struck is remembered: that, and nothing else, has to be found.
"""

from collections import Counter
from itertools import groupby

import asyncpg
import msgspec

from bench.books import SET_BALANCES

Break = tuple[str, str]
"""The type of a break, and in hex the public id of its order or, where it has none, its transaction."""

ONE_IN = 1000
"""One in so many orders is struck for each type of break; the faults of a type share them."""


class Fault(msgspec.Struct, frozen=True):
    """`type`: the break that it makes. `of`: which orders it strikes. `hand`: what is done to those in the
    table `hit`. `names`: what the break names, an expression over `hit`. `also`: further breaks, their types
    and what they name. `chain`: how often the premium of each really came into the treasury by it."""

    type: str
    of: str
    hand: str
    names: str = "poid"
    also: tuple[tuple[str, str], ...] = ()
    chain: int = 0


# The orders that may be struck: nothing ever happened to them but the usual; what is over is so for days.
# owner, the_order and bound are the keys of order and binding, poid the public id, paid_by the transaction;
# air is a transaction that is made up for it, nobody an order that is not there.
_WHOLE = """
    create temp table whole as
    select user_id as owner, id as the_order, binding_id as bound, purchase_order_id as poid,
        pay_tx_hash as paid_by, premium_amount as premium, payout_amount as payout, created_at as day, sort,
        sha256('air' || purchase_order_id) as air, sha256('nobody' || purchase_order_id) as nobody,
        row_number() over (
            partition by sort order by sha256(convert_to($1, 'UTF8') || purchase_order_id)
        ) as turn
    from (
        select o.*, case
            when status in ('DRAFT', 'ACTIVE') and duration_sec <= 86400 then status::text
            when created_at > newest - interval '3 days' then null
            when status = 'ACTIVE' then 'LONG' else status::text end as sort
        from purchase_orders o, (select max(created_at) as newest from purchase_orders) t
        where event_seq = array_position('{DRAFT,CANCELLED,ACTIVE,EXPIRED}'::order_status[], status)
          and (status <> 'EXPIRED' or duration_sec <= 86400)
    ) o
    where sort is not null and (
        select count(*) from premium_payments p where p.purchase_order_id = o.purchase_order_id
    ) = case when sort in ('DRAFT', 'CANCELLED') then 0 else 1 end
"""
_LEG = "insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at) select"
_COPIED = "chain_id, block_number, block_hash, block_time, changed_at, stage"


def _order(change: str) -> str:
    return f"update purchase_orders set {change} from hit where (user_id, id) = (owner, the_order);"


def _binding(change: str) -> str:
    return f"update insured_bindings set {change} from hit where (user_id, id) = (owner, bound);"


def _event(change: str, seq: int) -> str:
    return f"""update order_events set {change} from hit
        where (user_id, order_id, seq) = (owner, the_order, {seq});"""


def _no_leg(kind: str, leg: int = 1) -> str:
    return f"delete from ledger_transfers using hit where (kind, ref, leg) = ('{kind}', poid, {leg});"


def _no_event(seq: int) -> str:
    return f"delete from order_events using hit where (user_id, order_id, seq) = (owner, the_order, {seq});"


def _transfer(sender: str, recipient: str) -> str:
    """A final transfer of the premium in `air`, in the block of the order's own."""
    return f"""insert into usdc_transfers ({_COPIED}, tx_hash, log_index, sender, recipient, amount)
        select {_COPIED}, air, 0, {sender}, {recipient}, premium
        from hit join usdc_transfers on tx_hash = paid_by;"""


_INTO = _transfer("sender", "null")
_OUT = _transfer("(select treasury from given)", "owner")
_RECEIVED = f"{_LEG} 'RECEIVED', air || int4send(0), 1, 'TREASURY', 'SUSPENSE', premium, day from hit;"
_NO_PAYMENT = """
    delete from payment_settlements using hit where tx_hash = paid_by;
    delete from premium_payments using hit where tx_hash = paid_by;
    delete from usdc_transfers using hit where tx_hash = paid_by;
"""
_NOT_FREED = """
    insert into insured_positions (exchange, exchange_uid, inst_id, mgn_mode, pos_side, user_id,
        api_account_id, binding_id)
    select 'okx', exchange_uid, inst_id, mgn_mode, pos_side, user_id, api_account_id, id
    from insured_bindings join hit on (user_id, id) = (owner, bound);
"""
_NOT_SETTLED = """update watched_covers w set settled_at = null, settled_by = null from hit
    where (w.user_id, w.order_id) = (owner, the_order);"""
_NEVER_ENDED = _no_leg("HELD", 2) + _NOT_SETTLED + _NOT_FREED


def _owed(amount: str) -> str:
    """A claim is approved for that much, and the ledger says so, too."""
    return f"""insert into claims (user_id, id, order_id, purchase_order_id, status, event_seq, opened_at,
            opened_by, approved_amount, recipient)
        select owner, gen_random_uuid(), the_order, poid, 'IN_REVIEW', 1, day, 'OPERATOR', {amount}, owner
        from hit;
        {_LEG} 'CLAIM', poid, 1, 'POOL_LOCKED', 'CLAIMS_PAYABLE', {amount}, day from hit;"""


def _asked(amount: str, *, to: str = "owner", since: str = "1 hour") -> str:
    """It is to be paid out."""
    return f"""insert into disbursements
            (id, chain_id, purpose, ref, recipient, amount, reason, asked_by, asked_at)
        select gen_random_uuid(), (select chain_id from chain_cursors), 'CLAIM', poid, {to}, {amount},
            'a claim', 'Ada', now() - interval '{since}' from hit;"""


_PAID_TWICE = f"""{_OUT} {_OUT.replace("air, 0", "nobody, 0")}
    insert into disbursements_made (chain_id, tx_hash, log_index, disbursement_id, made_at)
        select d.chain_id, air, 0, d.id, now() from hit join disbursements d on d.ref = poid;
    {_LEG} 'CLAIM_PAID', air || int4send(0), 1, 'CLAIMS_PAYABLE', 'TREASURY', premium, day from hit;
    {_LEG} 'PAID_OUT', nobody || int4send(0), 1, 'OUTFLOW_UNEXPLAINED', 'TREASURY', premium, day from hit;
"""

FAULTS: tuple[Fault, ...] = (
    # covered, and nobody paid
    Fault("ORDER_PAID_WITHOUT_EVENT", "ACTIVE", _NO_PAYMENT + _no_leg("PREMIUM"), chain=-1),
    Fault(
        "ORDER_PAID_WITHOUT_EVENT",
        "DRAFT",
        _order(
            """status = 'ACTIVE', pay_tx_hash = air, payer = owner, submitted_at = created_at,
            paid_at = created_at, coverage_start_at = created_at + make_interval(secs => coverage_delay_sec),
            coverage_end_at = created_at + make_interval(secs => coverage_delay_sec + duration_sec)"""
        ),
        also=(("HISTORY_BROKEN", "poid"), ("BINDING_DISAGREES", "poid")),
    ),
    Fault(
        "ORDER_PAID_WITHOUT_EVENT",
        "ACTIVE",
        """delete from payment_settlements using hit where tx_hash = paid_by;
        delete from premium_payments using hit where tx_hash = paid_by;""",
        also=(("EVENT_WITHOUT_LEDGER", "paid_by"),),
    ),
    # paid for an order that is not there
    Fault(
        "EVENT_WITHOUT_ORDER",
        "EXPIRED",
        f"""{_INTO}
        insert into premium_payments ({_COPIED}, tx_hash, log_index, purchase_order_id, payer, amount)
        select {_COPIED}, air, 1, nobody, payer, amount from hit join premium_payments on tx_hash = paid_by;
        insert into payment_settlements (chain_id, tx_hash, log_index, stage, block_hash, outcome, settled_at)
        select chain_id, air, 1, stage, block_hash, 'UNKNOWN_ORDER', settled_at
        from hit join payment_settlements on tx_hash = paid_by;
        """
        + _RECEIVED.replace("int4send(0)", "int4send(1)"),
        "nobody",
        chain=1,
    ),
    Fault(
        "EVENT_WITHOUT_ORDER",
        "EXPIRED",
        """delete from purchase_orders using hit where (user_id, id) = (owner, the_order);
        delete from insured_bindings using hit where (user_id, id) = (owner, bound);
        delete from order_events using hit where (user_id, order_id) = (owner, the_order);
        delete from order_refs using hit where purchase_order_id = poid;""",
        also=(("PREMIUM_EARNED_WRONG", "poid"),),
    ),
    # order, event and ledger have three amounts
    Fault(
        "AMOUNT_DIFFERS",
        "ACTIVE",
        "update ledger_transfers set amount = amount - 1 from hit where (kind, ref) = ('PREMIUM', poid);",
    ),
    Fault("AMOUNT_DIFFERS", "ACTIVE", _order("premium_amount = premium_amount + 1")),
    Fault(
        "AMOUNT_DIFFERS",
        "ACTIVE",
        """update premium_payments set amount = amount + 1 from hit where tx_hash = paid_by;
        update usdc_transfers set amount = amount + 1 from hit where tx_hash = paid_by;""",
    ),
    Fault(
        "AMOUNT_DIFFERS",
        "ACTIVE",
        f"{_LEG} 'PREMIUM', poid, 2, 'TREASURY', 'UNEARNED_PREMIUM', premium, day from hit;",
    ),
    # booked, and never paid
    Fault(
        "LEDGER_WITHOUT_EVENT",
        "CANCELLED",
        f"{_LEG} 'PREMIUM', poid, 1, 'TREASURY', 'UNEARNED_PREMIUM', premium, day from hit;",
    ),
    Fault(
        "LEDGER_WITHOUT_EVENT",
        "EXPIRED",
        f"""{_RECEIVED}
        {_LEG} 'CAPITAL', air || int4send(0), 1, 'SUSPENSE', 'POOL_FREE', premium, day from hit;""",
        "air",
    ),
    # paid, and never booked
    Fault("EVENT_WITHOUT_LEDGER", "ACTIVE", _no_leg("PREMIUM")),
    Fault("EVENT_WITHOUT_LEDGER", "EXPIRED", _INTO, "air", chain=1),
    Fault("EVENT_WITHOUT_LEDGER", "EXPIRED", _OUT, "air", chain=-1),
    # nothing stands behind a cover, too little does, or still something behind one that is over
    Fault("COVER_WITHOUT_CAPITAL", "ACTIVE", _no_leg("HELD")),
    Fault("COVER_WITHOUT_CAPITAL", "ACTIVE", _order("payout_amount = payout_amount + 1")),
    Fault("COVER_WITHOUT_CAPITAL", "EXPIRED", _no_leg("HELD", 2)),
    # over for days, and nobody ended it; never paid for days, and nobody cancelled it
    Fault(
        "ORDER_STUCK",
        "EXPIRED",
        _NEVER_ENDED
        + _no_leg("EARNED")
        + _no_event(4)
        + _order("status = 'ACTIVE', event_seq = 3")
        + _binding("status = 'ACTIVE'"),
    ),
    Fault(
        "ORDER_STUCK",
        "CANCELLED",
        _NEVER_ENDED
        + _no_event(2)
        + _order("status = 'DRAFT', event_seq = 1")
        + _binding("status = 'DRAFT'"),
    ),
    Fault(
        "ORDER_STUCK",
        "CANCELLED",
        _NEVER_ENDED
        + _event("to_status = 'PAID_PENDING_CONFIRM', reason = 'HASH_SUBMITTED'", 2)
        + _order("status = 'PAID_PENDING_CONFIRM', pay_tx_hash = air, submitted_at = created_at")
        + _binding("status = 'DRAFT'"),
    ),
    # as the first, and a little less was paid: one fault does not make up for another
    Fault(
        "ORDER_STUCK",
        "EXPIRED",
        _NEVER_ENDED
        + _no_leg("EARNED")
        + _no_event(4)
        + _order("status = 'ACTIVE', event_seq = 3")
        + _binding("status = 'ACTIVE'")
        + """update premium_payments set amount = amount - 1 from hit where tx_hash = paid_by;
        update usdc_transfers set amount = amount - 1 from hit where tx_hash = paid_by;""",
        also=(("AMOUNT_DIFFERS", "poid"),),
    ),
    # the binding says something else than its order, or the position is free, or still held
    Fault("BINDING_DISAGREES", "ACTIVE", _binding("coverage_end_at = coverage_end_at + interval '1 day'")),
    Fault("BINDING_DISAGREES", "EXPIRED", _binding("order_id = null")),
    Fault("BINDING_DISAGREES", "EXPIRED", _binding("status = 'ACTIVE'") + _NOT_FREED),
    Fault(
        "BINDING_DISAGREES",
        "ACTIVE",
        "delete from insured_positions using hit where (user_id, binding_id) = (owner, bound);",
    ),
    Fault("BINDING_DISAGREES", "EXPIRED", _NOT_FREED),
    # nobody has said whose it is
    Fault("MONEY_IN_SUSPENSE", "EXPIRED", _INTO + _RECEIVED, "air", chain=1),
    Fault(
        "MONEY_LEFT_UNEXPLAINED",
        "EXPIRED",
        f"""{_OUT}
        {_LEG} 'PAID_OUT', air || int4send(0), 1, 'OUTFLOW_UNEXPLAINED', 'TREASURY', premium, day
        from hit;""",
        "air",
        chain=-1,
    ),
    # too little, too much, too early
    Fault("PREMIUM_EARNED_WRONG", "EXPIRED", _no_leg("EARNED")),
    Fault(
        "PREMIUM_EARNED_WRONG",
        "ACTIVE",
        f"{_LEG} 'EARNED', poid, 1, 'UNEARNED_PREMIUM', 'EARNED_PREMIUM', premium, day from hit;",
    ),
    Fault(
        "PREMIUM_EARNED_WRONG",
        "LONG",
        """update ledger_transfers set amount = amount - 1 from hit
        where (kind, ref, leg) = ('EARNED', poid, 2);""",
    ),
    Fault("HISTORY_BROKEN", "EXPIRED", _no_event(2)),
    Fault("HISTORY_BROKEN", "EXPIRED", _no_event(4)),
    Fault("HISTORY_BROKEN", "EXPIRED", _event("from_status = 'DRAFT'", 3)),
    Fault("HISTORY_BROKEN", "ACTIVE", _event("to_status = 'CANCELLED'", 3)),
    Fault(
        "HISTORY_BROKEN",
        "EXPIRED",
        _event("to_status = 'ACTIVE'", 2) + _event("to_status = 'PAID_PENDING_CONFIRM'", 3),
    ),
    Fault(
        "HISTORY_BROKEN",
        "EXPIRED",
        _event("from_status = 'ACTIVE'", 3) + _event("from_status = 'PAID_PENDING_CONFIRM'", 4),
    ),
    # owed for a claim, to nobody; by nobody's word; paid twice; to a stranger; for too long
    Fault("CLAIM_WITHOUT_PAYOUT", "ACTIVE", _owed("payout")),
    Fault("PAYOUT_WITHOUT_CLAIM", "ACTIVE", _asked("payout")),
    Fault(
        "CLAIM_PAID_TWICE",
        "ACTIVE",
        _owed("premium") + _asked("premium") + _PAID_TWICE,
        also=(("MONEY_LEFT_UNEXPLAINED", "nobody"),),
        chain=-2,
    ),
    Fault("CLAIM_PAID_TO_ANOTHER", "ACTIVE", _owed("payout") + _asked("payout", to="substr(air, 1, 20)")),
    Fault("CLAIM_OVERDUE", "ACTIVE", _owed("payout") + _asked("payout", since="4 days")),
    # the balance is right, and a leg is missing before it
    Fault(
        "LEDGER_INCONSISTENT",
        "EXPIRED",
        "update ledger_transfers set leg = 3 from hit where (kind, ref, leg) = ('HELD', poid, 2);",
    ),
)


class Struck(msgspec.Struct, frozen=True):
    """What a reconciliation has to find; `chain`: by how much more came into the treasury than before."""

    breaks: frozenset[Break]
    chain: int


async def strike(owner: asyncpg.Connection, treasury: bytes, *, seed: str = "faults") -> Struck:
    """Damage the books of `write_books`. Afterwards the balances are again the sums of their transfers.

    `owner` has to be a superuser. The same books and seed are damaged in the same way.
    """
    each = await owner.fetchval("select count(*) from purchase_orders") // ONE_IN
    breaks: set[Break] = set()
    used, chain = Counter[str](), 0
    async with owner.transaction():
        await owner.execute("set local session_replication_role = replica")
        await owner.execute("create temp table given as select $1::bytea as treasury", treasury)
        await owner.execute(_WHOLE, seed)
        for _, faults in groupby(FAULTS, key=lambda fault: fault.type):
            ways = list(faults)
            for nth, fault in enumerate(ways):
                count = each // len(ways) + (nth < each % len(ways))
                found, came = await _one(owner, fault, used[fault.of], count)
                used[fault.of] += count
                breaks |= found
                chain += came * fault.chain
        await owner.execute(SET_BALANCES)
        await owner.execute("drop table given, whole")
    return Struck(frozenset(breaks), chain)


async def _one(owner: asyncpg.Connection, fault: Fault, used: int, count: int) -> tuple[set[Break], int]:
    await owner.execute(
        "create temp table hit as select * from whole where sort = $1 and turn > $2 and turn <= $3",
        fault.of, used, used + count,
    )  # fmt: skip
    told = ((fault.type, fault.names), *fault.also)
    named = [await owner.fetch(f"select encode({names}, 'hex') as named from hit") for _, names in told]
    premiums = await owner.fetchval("select coalesce(sum(premium), 0)::bigint from hit")
    if len(named[0]) != count:
        raise ValueError(f"there are too few {fault.of} orders for {count} of {fault.type}")
    await owner.execute(fault.hand)
    await owner.execute("drop table hit")
    breaks = {
        (kind, "0x" + row["named"]) for (kind, _), rows in zip(told, named, strict=True) for row in rows
    }
    return breaks, premiums
