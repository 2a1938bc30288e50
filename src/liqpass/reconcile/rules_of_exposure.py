"""Invariants of exposure: what stands behind covers is what the ledger holds, claims weigh what they take."""

from liqpass.reconcile.invariant import HEX, Invariant, usd

EXPOSURE: tuple[Invariant, ...] = (
    Invariant(
        "exposures_are_sums",
        "What is counted for a direction, instrument, account or wallet is not what the ledger holds for it.",
        10,
        f"""
        with locked as (
            select ref, sum(case when credit = 'POOL_LOCKED' then amount else -amount end)::bigint as amount
            from ledger_transfers where kind in ('HELD', 'CLAIM') group by ref
        ),
        sums as (
            select k.scope, k.key, sum(l.amount)::bigint as amount
            from locked l join order_risks r on r.purchase_order_id = l.ref
            cross join lateral (values
                ('DIRECTION'::exposure_scope, r.direction::text), ('INSTRUMENT', r.inst_id),
                ('ACCOUNT', r.main_uid), ('WALLET', '0x' || encode(r.wallet, 'hex'))) k (scope, key)
            group by k.scope, k.key
        )
        select lower(scope::text) || ' ' || key as subject, format('counted are %s, the ledger holds %s',
            {usd("coalesce(e.open_sum, 0)")}, {usd("coalesce(s.amount, 0)")}) as said
        from exposures e full join sums s using (scope, key)
        where coalesce(e.open_sum, 0) <> coalesce(s.amount, 0)
        union all
        select {HEX.format("l.ref")}, format('%s are held, and nobody wrote down what for', {usd("l.amount")})
        from locked l left join order_risks r on r.purchase_order_id = l.ref
        where l.amount <> 0 and r.purchase_order_id is null
        """,
    ),
    Invariant(
        "claims_weigh_what_they_take",
        "A claim does not count in the sale of its direction with what it takes, or may take.",
        10,
        f"""
        select {HEX.format("coalesce(c.purchase_order_id, r.purchase_order_id)")} as subject,
            format('the claim is %s, counted are %s', coalesce(c.status::text, 'missing'),
                coalesce({usd("r.claimed")}, 'nothing')) as said
        from (
            select c.*, case c.status when 'OPEN' then o.payout_amount when 'GATHERING' then o.payout_amount
                when 'PAYABLE' then greatest(c.amount, c.approved_amount) else c.approved_amount end as takes,
                o.payout_amount
            from claims c join purchase_orders o on o.user_id = c.user_id and o.id = c.order_id
        ) c full join (select * from order_risks where claimed_at is not null) r using (purchase_order_id)
        where r.claimed is distinct from c.takes
          and not (c.status = 'IN_REVIEW' and r.claimed in (c.payout_amount, c.takes))
          -- its payout was cancelled a moment ago: an operator is about to decide again
          and not (c.status in ('APPROVED', 'BATCHED') and exists (
            select from disbursements d where d.id = c.disbursement_id and d.cancelled_at is not null))
          or c.id is null
        """,
    ),
)
