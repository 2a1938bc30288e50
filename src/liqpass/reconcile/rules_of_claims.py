"""Invariants of claims: what is owed, who said so, from which verdict; and that every cover is watched."""

from liqpass.reconcile.invariant import HEX, ORDER, Invariant, stands, usd

_CLAIM = HEX.format("c.purchase_order_id")

CLAIMS: tuple[Invariant, ...] = (
    Invariant(
        "claim_is_what_was_approved",
        "What the ledger owes for a claim is not what was approved for it.",
        9,
        f"""
        select {HEX.format("coalesce(c.purchase_order_id, l.ref)")} as subject,
            format('approved are %s, the ledger has %s', {usd("coalesce(c.approved_amount, 0)")},
                {usd("coalesce(l.stands, 0)")}) as said
        from (select * from claims where approved_amount > 0) c
        full join ({stands("CLAIM")}) l on l.ref = c.purchase_order_id
        where coalesce(l.stands, 0) <> coalesce(c.approved_amount, 0)
        """,
    ),
    Invariant(
        "claim_within_held",
        "More is owed for a claim than is held for its order, or than the order pays.",
        9,
        f"""
        select {HEX.format("l.ref")} as subject,
            format('owed are %s, held %s, the payout is %s', {usd("l.stands")},
                {usd("coalesce(h.stands, 0)")}, {usd("o.payout_amount")}) as said
        from ({stands("CLAIM")}) l
        left join ({stands("HELD")}) h using (ref)
        left join order_refs r on r.purchase_order_id = l.ref
        left join purchase_orders o on o.user_id = r.user_id and o.id = r.order_id
        where l.stands > coalesce(h.stands, 0) or l.stands > coalesce(o.payout_amount, 0)
        """,
    ),
    Invariant(
        "claim_is_not_overpaid",
        "More was paid for a claim than is owed for it.",
        9,
        f"""
        select {HEX.format("d.ref")} as subject,
            format('paid are %s, owed %s', {usd("d.paid")}, {usd("coalesce(l.stands, 0)")}) as said
        from (
            select d.ref, sum(d.amount)::bigint as paid
            from disbursements d join disbursements_made m on m.disbursement_id = d.id
            where d.purpose = 'CLAIM' group by d.ref
        ) d
        left join ({stands("CLAIM")}) l using (ref)
        where d.paid > coalesce(l.stands, 0)
        """,
    ),
    Invariant(
        "claim_is_approved_by_somebody",
        "A claim was approved by operators, and no word of theirs is kept.",
        9,
        f"""
        select {_CLAIM} as subject, format('event %s by %s', e.seq, coalesce(e.by_name, 'nobody')) as said
        from claim_events e join claims c on c.user_id = e.user_id and c.id = e.claim_id
        where e.to_status = 'APPROVED' and e.from_status in ('PAYABLE', 'IN_REVIEW') and e.actor = 'OPERATOR'
          and not exists (
            select from claim_approvals a
            where a.user_id = e.user_id and a.claim_id = e.claim_id and a.round = e.seq - 1)
        """,
    ),
    Invariant(
        "claim_says_its_verdict",
        "A claim does not say what its newest verdict says, or names another bundle.",
        9,
        f"""
        select {_CLAIM} as subject, format('the claim has verdict %s, the newest is %s', c.verdict_seq,
            coalesce(v.seq, 0)) as said
        from claims c left join lateral (
            select seq, bundle_sha256 from claim_verdicts v
            where v.user_id = c.user_id and v.claim_id = c.id order by seq desc limit 1
        ) v on true
        where (c.verdict_seq, c.bundle_sha256) is distinct from (coalesce(v.seq, 0), v.bundle_sha256)
        """,
    ),
    Invariant(
        "claim_is_where_its_events_led",
        "A claim is not where its last event led, or an event is missing or begins somewhere else.",
        9,
        f"""
        select {_CLAIM} as subject, format('%s after %s events; the history has %s, the last is %s', c.status,
            c.event_seq, coalesce(e.events, 0), coalesce(e.last::text, 'missing')) as said
        from claims c left join (
            select user_id, claim_id, count(*) as events, (array_agg(to_status order by seq desc))[1] as last,
                max(seq) as last_seq, bool_or(from_status is distinct from was) as broken
            from (
                select *, lag(to_status) over (partition by user_id, claim_id order by seq) as was
                from claim_events
            ) one group by user_id, claim_id
        ) e on e.user_id = c.user_id and e.claim_id = c.id
        where (c.event_seq, c.status, false) is distinct from (e.events::int, e.last, e.broken)
          or e.last_seq <> e.events
        """,
    ),
    Invariant(
        "covers_are_watched",
        "An order is covered, and nobody watches its position, or until another time.",
        9,
        f"""
        select {ORDER} as subject, format('covered until %s, watched until %s', o.coverage_end_at,
            coalesce(w.ends_at::text, 'never')) as said
        from purchase_orders o
        left join watched_covers w on w.user_id = o.user_id and w.order_id = o.id
        where o.status = 'ACTIVE' and w.ends_at is distinct from o.coverage_end_at
        """,
    ),
)
