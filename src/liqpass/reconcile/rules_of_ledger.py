"""Invariants of the ledger, of what was given away, and of what is to be paid out."""

from liqpass.ledger.book import SIGNED
from liqpass.reconcile.checks import SAME_AMOUNTS
from liqpass.reconcile.invariant import HEX, LEG, Invariant, stands, usd

LEDGER: tuple[Invariant, ...] = (
    Invariant(
        "debits_equal_credits",
        "The balances of all accounts together are not zero.",
        2,
        f"""
        select 'all accounts' as subject, 'debits exceed credits by ' || {usd("sum(debits)")} as said
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
                coalesce({usd("a.balance")}, 'missing'),
                {usd("case a.side when 'CREDIT' then -1 else 1 end * coalesce(s.debits, 0)")}) as said
        from ledger_accounts a full join sums s on s.account = a.id
        where a.balance is distinct from case a.side when 'DEBIT' then 1 else -1 end * coalesce(s.debits, 0)
        """,
    ),
    Invariant(
        "transfers_are_legal",
        "A transfer in the ledger is between two accounts between which its kind moves nothing.",
        2,
        f"""
        select {LEG} as subject,
            format('leg %s: %s from %s to %s', leg, {usd("amount")}, credit, debit) as said
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
        select {LEG} as subject, format('%s legs, the last is number %s', count(*), max(leg)) as said
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
        select {LEG} as subject, 'stands at ' || {usd(f"sum({SIGNED})")} as said
        from reversed join ledger_transfers t using (kind, ref)
        join ledger_kinds k using (kind, debit, credit)
        group by kind, ref having sum({SIGNED}) < 0
        """,
    ),
    Invariant(
        "suspense_given_once",
        "More of what came in was given away than came in.",
        2,
        f"""
        select {HEX.format("g.ref")} as subject,
            format('given away %s of %s', {usd("g.stands")}, {usd("coalesce(c.stands, 0)")}) as said
        from ({stands("CAPITAL", "REFUND")}) g left join ({stands("RECEIVED", "OPENING")}) c using (ref)
        where g.stands > coalesce(c.stands, 0)
        """,
    ),
    Invariant(
        "disbursements_are_due",
        "What is still to be paid out is not what the ledger says is due.",
        2,
        f"""
        select a.id::text as subject, format('due are %s, open disbursements make %s',
            {usd("a.balance")}, {usd("coalesce(d.amount, 0)")}) as said
        from ledger_accounts a
        left join (
            select purpose, sum(amount)::bigint as amount from disbursements d
            where cancelled_at is null
              and not exists (select from disbursements_made m where m.disbursement_id = d.id)
            group by purpose
        ) d on d.purpose::text || 'S' = regexp_replace(a.id::text, '_(DUE|PAYABLE)$', '')
        where a.id in ('REFUNDS_DUE', 'WITHDRAWALS_DUE', 'CLAIMS_PAYABLE')
          and a.balance <> coalesce(d.amount, 0)
        """,
    ),
    Invariant(
        "given_is_written_down",
        "Money was given to the pool, back or out, and nobody's word for it is kept, or for another amount.",
        9,
        f"""
        with posted as (
            select t.kind, t.ref, sum({SIGNED})::bigint as stands
            from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
            where t.kind in ('CAPITAL', 'REFUND', 'WITHDRAWAL', 'CLAIM') group by t.kind, t.ref
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
                {usd("coalesce(p.stands, 0)")}, {usd("coalesce(w.amount, 0)")}) as said
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
