"""Invariants of orders: their money, their history, their positions."""

from liqpass.ledger.book import SIGNED
from liqpass.orders.states import SETTLED
from liqpass.reconcile.invariant import HEX, ORDER, Invariant, stands, usd

ORDERS: tuple[Invariant, ...] = (
    Invariant(
        "earned_within_premium",
        "More was earned of an order than was paid for it, or not all of a cover that is over.",
        2,
        f"""
        select {HEX.format("coalesce(o.purchase_order_id, b.ref)")} as subject,
            format('%s: earned %s of %s', coalesce(o.status::text, 'no such order'), {usd("b.earned")},
                {usd("b.paid")}) as said
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
        select {ORDER} as subject,
            format('the premium is %s, paid is %s', {usd("o.premium_amount")},
                {usd("coalesce(p.stands, 0)")}) as said
        from purchase_orders o left join ({stands("PREMIUM")}) p on p.ref = o.purchase_order_id
        where o.status = 'ACTIVE' and o.premium_amount <> coalesce(p.stands, 0)
          and not exists (select from settle_queue q join premium_payments p
            using (chain_id, tx_hash, log_index) where p.purchase_order_id = o.purchase_order_id)
        """,
    ),
    Invariant(
        "held_is_payout",
        "The capital held for an order is not its payout, or once it is settled not what its claim takes.",
        9,
        f"""
        select {HEX.format("coalesce(o.purchase_order_id, h.ref)")} as subject,
            format('%s%s: the payout is %s, the claim takes %s, held is %s',
                coalesce(o.status::text, 'no such order'), case when {SETTLED} then ', settled' end,
                {usd("o.payout_amount")}, {usd("coalesce(c.stands, 0)")},
                {usd("coalesce(h.stands, 0)")}) as said
        from purchase_orders o full join ({stands("HELD")}) h on h.ref = o.purchase_order_id
        left join ({stands("CLAIM")}) c on c.ref = o.purchase_order_id
        left join watched_covers w on w.user_id = o.user_id and w.order_id = o.id
        where coalesce(h.stands, 0)
            <> case when {SETTLED} then coalesce(c.stands, 0) else o.payout_amount end
        """,
    ),
    Invariant(
        "status_is_last_event",
        "An order's status is not what its last event says, or an event is missing.",
        1,
        f"""
        select {ORDER} as subject, format('%s after %s events; the history has %s, the last is %s', o.status,
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
        select {HEX.format("coalesce(o.purchase_order_id, r.purchase_order_id)")} as subject,
            case when r.purchase_order_id is null then 'has no row in order_refs'
                when o.purchase_order_id is null then 'is no order' else 'leads to another order' end as said
        from purchase_orders o full join order_refs r on r.purchase_order_id = o.purchase_order_id
        where o.user_id is distinct from r.user_id or o.id is distinct from r.order_id
        """,
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
        select coalesce({ORDER}, b.id::text) as subject, format('the order is %s, the binding %s',
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
)
