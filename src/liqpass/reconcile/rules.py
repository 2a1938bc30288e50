"""The invariants of the books as a table: each is a name, one sentence, and a query that must return no rows.

Each query is one statement over whole tables: it sees one moment, takes no lock that an order waits for, and
needs seconds at a million orders. What comes out is a fault of ours, or somebody's hand in the database:
these hold the books against themselves, reconciliation holds them against the chain.
"""

import msgspec

from liqpass.ledger.book import SIGNED
from liqpass.reconcile.checks import SAME_AMOUNTS


class Invariant(msgspec.Struct, frozen=True):
    """A query that returns what breaks it: `subject`, short, and `said`, what is wrong with it.

    `broken` says in one sentence what a row means; `since` is the migration whose tables the query needs. The
    query may ask `given` for `long_ago`. `delay`: nothing is wrong, something does not get on; one payment
    that cannot be settled is no reason to sell nothing to anybody.
    """

    name: str
    broken: str
    since: int
    sql: str
    delay: bool = False


def _stands(*kinds: str) -> str:
    """What these kinds together stand at, by ref."""
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    return f"""
        select t.ref, sum({SIGNED})::bigint as stands
        from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
        where t.kind in ({listed}) group by t.ref
    """


def _usd(micro: str) -> str:
    """An amount as `money.usd` writes it, for people."""
    return f"to_char(({micro}) / 1000000.0, 'FM999999999999990.009999')"


_HEX = "'0x' || encode({}, 'hex')"
_ORDER = _HEX.format("o.purchase_order_id")
_LEG = "kind || ' ' || " + _HEX.format("ref")
_TX = _HEX.format("tx_hash")
# A row of chain that was there before the last migration may wait since then only.
_WAITS_SINCE = "greatest({}, (select max(applied_at) from schema_migrations))"

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        "debits_equal_credits",
        "The balances of all accounts together are not zero.",
        2,
        f"""
        select 'all accounts' as subject, 'debits exceed credits by ' || {_usd("sum(debits)")} as said
        from (select case side when 'DEBIT' then balance else -balance end as debits from ledger_accounts) a
        having sum(debits) <> 0
        """,
    ),
    Invariant(
        "balances_are_sums",
        "An account's balance is not the sum of its transfers.",
        2,
        f"""
        with pairs as (
            select debit, credit, sum(amount)::bigint as amount from ledger_transfers group by debit, credit
        ),
        sums as (
            select account, sum(amount)::bigint as debits from (
                select debit as account, amount from pairs union all select credit, -amount from pairs
            ) as sides
            group by account
        )
        select coalesce(a.id, s.account)::text as subject,
            format('the balance is %s, its transfers make %s',
                coalesce({_usd("a.balance")}, 'missing'),
                {_usd("case a.side when 'CREDIT' then -1 else 1 end * coalesce(s.debits, 0)")}) as said
        from ledger_accounts a full join sums s on s.account = a.id
        where a.balance is distinct from case a.side when 'DEBIT' then 1 else -1 end * coalesce(s.debits, 0)
        """,
    ),
    Invariant(
        "transfers_are_legal",
        "A transfer in the ledger is between two accounts between which its kind moves nothing.",
        2,
        f"""
        select {_LEG} as subject,
            format('leg %s: %s from %s to %s', leg, {_usd("amount")}, credit, debit) as said
        from ledger_transfers t
        where not exists (
            select from ledger_kinds k where (k.kind, k.debit, k.credit) = (t.kind, t.debit, t.credit))
        """,
    ),
    Invariant(
        "legs_without_gaps",
        "The legs of one fact are not numbered 1, 2, 3, …: a transfer is missing.",
        2,
        f"""
        select {_LEG} as subject, format('%s legs, the last is number %s', count(*), max(leg)) as said
        from ledger_transfers group by kind, ref having max(leg) <> count(*)
        """,
    ),
    Invariant(
        "nothing_below_zero",
        "More of a fact was reversed than was ever posted.",
        2,
        # HELD, most of all reversals, is held to the unit by held_is_payout.
        f"""
        with reversed as (
            select distinct t.kind, t.ref
            from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
            where not k.forward and t.kind <> 'HELD'
        )
        select {_LEG} as subject, 'stands at ' || {_usd(f"sum({SIGNED})")} as said
        from reversed join ledger_transfers t using (kind, ref)
        join ledger_kinds k using (kind, debit, credit)
        group by kind, ref having sum({SIGNED}) < 0
        """,
    ),
    Invariant(
        "earned_within_premium",
        "More was earned of an order than was paid for it, or not all of a cover that is over.",
        2,
        f"""
        select {_HEX.format("coalesce(o.purchase_order_id, b.ref)")} as subject,
            format('%s: earned %s of %s', coalesce(o.status::text, 'no such order'), {_usd("b.earned")},
                {_usd("b.paid")}) as said
        from (
            select t.ref, coalesce(sum({SIGNED}) filter (where t.kind = 'PREMIUM'), 0)::bigint as paid,
                coalesce(sum({SIGNED}) filter (where t.kind = 'EARNED'), 0)::bigint as earned
            from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
            where t.kind in ('PREMIUM', 'EARNED') group by t.ref
        ) b left join purchase_orders o on o.purchase_order_id = b.ref
        where b.earned > b.paid
          or b.earned <> case o.status when 'EXPIRED' then b.paid when 'ACTIVE' then b.earned else 0 end
        """,
    ),
    Invariant(
        "active_is_paid",
        "An order is ACTIVE, and its premium does not stand in the ledger.",
        2,
        f"""
        select {_ORDER} as subject,
            format('the premium is %s, paid is %s', {_usd("o.premium_amount")},
                {_usd("coalesce(p.stands, 0)")}) as said
        from purchase_orders o left join ({_stands("PREMIUM")}) p on p.ref = o.purchase_order_id
        where o.status = 'ACTIVE' and o.premium_amount <> coalesce(p.stands, 0)
          and not exists (select from settle_queue q join premium_payments p
            using (chain_id, tx_hash, log_index) where p.purchase_order_id = o.purchase_order_id)
        """,
    ),
    Invariant(
        "suspense_given_once",
        "More of what came in was given away than came in.",
        2,
        f"""
        select {_HEX.format("g.ref")} as subject,
            format('given away %s of %s', {_usd("g.stands")}, {_usd("coalesce(c.stands, 0)")}) as said
        from ({_stands("CAPITAL", "REFUND")}) g left join ({_stands("RECEIVED", "OPENING")}) c using (ref)
        where g.stands > coalesce(c.stands, 0)
        """,
    ),
    Invariant(
        "held_is_payout",
        "The capital held for an order is not its payout while it is open, or not zero when it is over.",
        2,
        f"""
        select {_HEX.format("coalesce(o.purchase_order_id, h.ref)")} as subject,
            format('%s: the payout is %s, held is %s', coalesce(o.status::text, 'no such order'),
                {_usd("o.payout_amount")}, {_usd("coalesce(h.stands, 0)")}) as said
        from purchase_orders o full join ({_stands("HELD")}) h on h.ref = o.purchase_order_id
        where coalesce(h.stands, 0) <> case
            when o.status in ('DRAFT', 'PAID_PENDING_CONFIRM', 'ACTIVE') then o.payout_amount else 0 end
        """,
    ),
    Invariant(
        "status_is_last_event",
        "An order's status is not what its last event says, or an event is missing.",
        1,
        f"""
        select {_ORDER} as subject, format('%s after %s events; the history has %s, the last is %s', o.status,
                o.event_seq, coalesce(e.events, 0), coalesce(last.to_status::text, 'missing')) as said
        from purchase_orders o
        left join (
            select user_id, order_id, count(*) as events from order_events group by user_id, order_id
        ) e on e.user_id = o.user_id and e.order_id = o.id
        left join order_events last
            on last.user_id = o.user_id and last.order_id = o.id and last.seq = o.event_seq
        where e.events is distinct from o.event_seq or last.to_status is distinct from o.status
        """,
    ),
    Invariant(
        "events_follow_each_other",
        "An event does not begin where the one before it ended.",
        1,
        """
        select order_id::text as subject,
            format('event %s goes from %s, the one before it went to %s', seq, from_status, was) as said
        from (
            select order_id, seq, from_status, lag(to_status) over history as was,
                lag(seq) over history as seq_was
            from order_events window history as (partition by user_id, order_id order by seq)) as followed
        where from_status is distinct from was or seq <> coalesce(seq_was, 0) + 1
        """,
    ),
    Invariant(
        "orders_have_refs",
        "An order cannot be found by its public id, or a public id leads nowhere.",
        1,
        f"""
        select {_HEX.format("coalesce(o.purchase_order_id, r.purchase_order_id)")} as subject,
            case when r.purchase_order_id is null then 'has no row in order_refs'
                when o.purchase_order_id is null then 'is no order' else 'leads to another order' end as said
        from purchase_orders o full join order_refs r on r.purchase_order_id = o.purchase_order_id
        where o.user_id is distinct from r.user_id or o.id is distinct from r.order_id
        """,
    ),
    Invariant(
        "payments_are_settled",
        "A payment is not settled as it stands, and does not wait to be.",
        1,
        f"""
        select {_TX} || ' ' || log_index as subject,
            format('%s, settled as %s', p.stage, coalesce(s.stage::text, 'nothing')) as said
        from premium_payments p left join payment_settlements s using (chain_id, tx_hash, log_index)
        where (s.stage is distinct from p.stage or s.block_hash is distinct from p.block_hash)
          and not exists (select from settle_queue q
                          where (q.chain_id, q.tx_hash, q.log_index) = (p.chain_id, p.tx_hash, p.log_index))
        """,
    ),
    Invariant(
        "transfers_are_booked",
        "A final transfer into the treasury pays no premium and is not in the ledger, or is there twice.",
        2,
        f"""
        select {_TX} as subject, format('came in %s, premiums %s, booked by themselves %s',
            {_usd("coalesce(sum(amount) filter (where what = 'came'), 0)")},
            {_usd("coalesce(-sum(amount) filter (where what = 'paid'), 0)")},
            {_usd("coalesce(-sum(amount) filter (where what = 'booked'), 0)")}) as said
        from (
            select 'came' as what, chain_id, tx_hash, amount from usdc_transfers
            where stage = 'FINAL' and recipient is null
            union all
            select 'paid', chain_id, tx_hash, -amount from premium_payments where stage <> 'DROPPED'
            union all
            select 'booked', t.chain_id, t.tx_hash, -r.stands
            from ({_stands("RECEIVED")}) r
            join usdc_transfers t on t.tx_hash || int4send(t.log_index) = r.ref
            where t.stage = 'FINAL' and t.recipient is null
        ) as moved
        group by chain_id, tx_hash
        having sum(amount) <> 0 and bool_or(what = 'came')
          and not exists (
            select from transfer_queue q where (q.chain_id, q.tx_hash) = (moved.chain_id, moved.tx_hash))
        """,
    ),
    Invariant(
        "outflows_are_booked",
        "A final transfer out of the treasury is not booked with its amount, or not as it was asked for.",
        2,
        f"""
        select {_TX} || ' ' || log_index as subject, concat('went out ', {_usd("t.amount")}, ' to ',
            {_HEX.format("t.recipient")}, ', booked ', {_usd("coalesce(b.stands, 0)")},
            ', asked for ' || {_usd("d.amount")}, case when d.elsewhere then ', to somebody else' end) as said
        from usdc_transfers t
        left join ({_stands("REFUND_PAID", "WITHDRAWAL_PAID", "PAID_OUT")}) b
            on b.ref = t.tx_hash || int4send(t.log_index)
        left join ({_stands("REFUND_PAID", "WITHDRAWAL_PAID")}) p using (ref)
        left join (
            select tx_hash || int4send(log_index) as ref, sum(d.amount)::bigint as amount,
                bool_or(d.recipient is distinct from u.recipient) as elsewhere
            from usdc_transfers u join disbursements_made m using (chain_id, tx_hash, log_index)
            join disbursements d on d.id = m.disbursement_id group by tx_hash, log_index
        ) d using (ref)
        where t.stage = 'FINAL' and t.recipient is not null and (d.elsewhere
            or t.amount <> coalesce(b.stands, 0) or coalesce(d.amount, 0) <> coalesce(p.stands, 0))
          and not exists (
            select from transfer_queue q where (q.chain_id, q.tx_hash) = (t.chain_id, t.tx_hash))
        """,
    ),
    Invariant(
        "settling_goes_on",
        "A payment has waited to be settled for more than ten minutes.",
        2,
        f"""
        select {_TX} || ' ' || log_index as subject,
            coalesce('since ' || p.changed_at, 'there is no such payment') as said
        from settle_queue left join premium_payments p using (chain_id, tx_hash, log_index), given
        where p.changed_at is null or {_WAITS_SINCE.format("p.changed_at")} < given.long_ago
        """,
        delay=True,
    ),
    Invariant(
        "booking_goes_on",
        "A transaction's transfers have waited to be booked for more than ten minutes.",
        2,
        f"""
        select {_TX} as subject, coalesce('since ' || changed_at, 'nothing of it is stored') as said
        from (
            select tx_hash, greatest(
                (select max(changed_at) from usdc_transfers t
                    where t.chain_id = q.chain_id and t.tx_hash = q.tx_hash),
                (select max(changed_at) from premium_payments p
                    where p.chain_id = q.chain_id and p.tx_hash = q.tx_hash)) as changed_at
            from transfer_queue q
        ) as waiting, given
        where changed_at is null or {_WAITS_SINCE.format("changed_at")} < given.long_ago
        """,
        delay=True,
    ),
    Invariant(
        "one_cover_per_position",
        "A living binding does not hold its position, or a position is held by none.",
        1,
        """
        select coalesce(b.id, p.binding_id)::text as subject, case
                when p.binding_id is null then b.status || ', and its position is free'
                when b.id is null then p.inst_id || ' is held by a binding that does not live'
                else p.inst_id || ' is held in the place of ' || b.inst_id end as said
        from (select * from insured_bindings where status in ('DRAFT', 'ACTIVE')) b
        full join insured_positions p on p.user_id = b.user_id and p.binding_id = b.id
        where (b.api_account_id, b.exchange_uid, b.inst_id, b.mgn_mode, b.pos_side)
            is distinct from (p.api_account_id, p.exchange_uid, p.inst_id, p.mgn_mode, p.pos_side)
        """,
    ),
    Invariant(
        "bindings_follow_orders",
        "A binding is not where its order is, or follows another order, or none.",
        1,
        f"""
        select coalesce({_ORDER}, b.id::text) as subject, format('the order is %s, the binding %s',
            coalesce(o.status::text, 'missing'), b.status) as said
        from insured_bindings b
        left join purchase_orders o on o.user_id = b.user_id and o.binding_id = b.id
        where b.order_id is distinct from o.id
          or b.status::text is distinct from case
            when o.status is null then case b.status when 'CANCELLED' then 'CANCELLED' else 'DRAFT' end
            when o.status = 'PAID_PENDING_CONFIRM' then 'DRAFT' else o.status::text end
          or (b.coverage_start_at, b.coverage_end_at)
            is distinct from (o.coverage_start_at, o.coverage_end_at)
        """,
    ),
    Invariant(
        "disbursements_are_due",
        "What is still to be paid out is not what the ledger says is due.",
        2,
        f"""
        select a.id::text as subject, format('due are %s, open disbursements make %s',
            {_usd("a.balance")}, {_usd("coalesce(d.amount, 0)")}) as said
        from ledger_accounts a
        left join (
            select purpose, sum(amount)::bigint as amount from disbursements d
            where cancelled_at is null
              and not exists (select from disbursements_made m where m.disbursement_id = d.id)
            group by purpose
        ) d on d.purpose::text || 'S' = replace(a.id::text, '_DUE', '')
        where a.id in ('REFUNDS_DUE', 'WITHDRAWALS_DUE') and a.balance <> coalesce(d.amount, 0)
        """,
    ),
    Invariant(
        "given_is_written_down",
        "Money was given to the pool, back or out, and nobody's word for it is kept, or for another amount.",
        2,
        f"""
        with posted as (
            select t.kind, t.ref, sum({SIGNED})::bigint as stands
            from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
            where t.kind in ('CAPITAL', 'REFUND', 'WITHDRAWAL') group by t.kind, t.ref
        ),
        written as (
            select 'CAPITAL'::ledger_kind as kind, ref, sum(amount)::bigint as amount
            from pool_deposits group by ref
            union all
            select purpose::text::ledger_kind, ref, sum(amount)::bigint
            from disbursements where cancelled_at is null group by purpose, ref
        )
        select format('%s 0x%s', kind, encode(ref, 'hex')) as subject,
            format('the ledger has %s, what was asked for makes %s',
                {_usd("coalesce(p.stands, 0)")}, {_usd("coalesce(w.amount, 0)")}) as said
        from posted p full join written w using (kind, ref)
        where coalesce(p.stands, 0) <> coalesce(w.amount, 0)
        """,
    ),
    Invariant(
        "closed_by_somebody",
        "A break is closed, and that somebody closed it, why, and at which amounts is not written down.",
        3,
        f"""
        select format('%s %s', b.type, b.subject) as subject,
            format('break %s is closed by %s: %s', b.id, b.closed_by, b.close_reason) as said
        from reconciliation_breaks b
        left join reconciliation_closings c on c.break_id = b.id and c.first_run = b.first_run
        where b.closed_at is not null and ((b.closed_at, b.closed_by, b.close_reason)
            is distinct from (c.closed_at, c.closed_by, c.reason)
            or b.accepted and not {SAME_AMOUNTS.format("c")})
        """,
    ),
)
