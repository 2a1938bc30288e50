"""Invariants of what came and went on chain: all of it is settled and booked."""

from liqpass.reconcile.invariant import HEX, TX, WAITS_SINCE, Invariant, stands, usd

CHAIN: tuple[Invariant, ...] = (
    Invariant(
        "payments_are_settled",
        "A payment is not settled as it stands, and does not wait to be.",
        1,
        f"""
        select {TX} || ' ' || log_index as subject,
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
        select {TX} as subject, format('came in %s, premiums %s, booked by themselves %s',
            {usd("coalesce(sum(amount) filter (where what = 'came'), 0)")},
            {usd("coalesce(-sum(amount) filter (where what = 'paid'), 0)")},
            {usd("coalesce(-sum(amount) filter (where what = 'booked'), 0)")}) as said
        from (
            select 'came' as what, chain_id, tx_hash, amount from usdc_transfers
            where stage = 'FINAL' and recipient is null
            union all
            select 'paid', chain_id, tx_hash, -amount from premium_payments where stage <> 'DROPPED'
            union all
            select 'booked', t.chain_id, t.tx_hash, -r.stands
            from ({stands("RECEIVED")}) r
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
        9,
        f"""
        select {TX} || ' ' || log_index as subject, concat('went out ', {usd("t.amount")}, ' to ',
            {HEX.format("t.recipient")}, ', booked ', {usd("coalesce(b.stands, 0)")},
            ', asked for ' || {usd("d.amount")}, case when d.elsewhere then ', to somebody else' end) as said
        from usdc_transfers t
        left join ({stands("REFUND_PAID", "WITHDRAWAL_PAID", "CLAIM_PAID", "PAID_OUT")}) b
            on b.ref = t.tx_hash || int4send(t.log_index)
        left join ({stands("REFUND_PAID", "WITHDRAWAL_PAID", "CLAIM_PAID")}) p using (ref)
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
        select {TX} || ' ' || log_index as subject,
            coalesce('since ' || p.changed_at, 'there is no such payment') as said
        from settle_queue left join premium_payments p using (chain_id, tx_hash, log_index), given
        where p.changed_at is null or {WAITS_SINCE.format("p.changed_at")} < given.long_ago
        """,
        delay=True,
    ),
    Invariant(
        "booking_goes_on",
        "A transaction's transfers have waited to be booked for more than ten minutes.",
        2,
        f"""
        select {TX} as subject, coalesce('since ' || changed_at, 'nothing of it is stored') as said
        from (
            select tx_hash, greatest(
                (select max(changed_at) from usdc_transfers t
                    where t.chain_id = q.chain_id and t.tx_hash = q.tx_hash),
                (select max(changed_at) from premium_payments p
                    where p.chain_id = q.chain_id and p.tx_hash = q.tx_hash)) as changed_at
            from transfer_queue q
        ) as waiting, given
        where changed_at is null or {WAITS_SINCE.format("changed_at")} < given.long_ago
        """,
        delay=True,
    ),
)
