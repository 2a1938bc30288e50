"""Queries of what reconciliation compares of claims: there are few of them beside orders, so what disagrees
is found and read at once."""

from collections.abc import AsyncIterator
from datetime import datetime

import msgspec

from liqpass.db import Connection, query
from liqpass.ledger.book import STANDING
from liqpass.reconcile.facts.sql import PATIENCE_SEC


class ClaimFacts(msgspec.Struct, frozen=True):
    """What stands of the claim of one order, in micro-USDC. `approved`: on the claim (0: there is none);
    `booked`: in the ledger; `asked`: all its payouts that were not cancelled; `paid`: those that a transfer
    made; `again`: what left to the same wallet in the same amount once more, without a reason. `waiting` of
    it are not seen on chain, the oldest since `waits_since`. `another`: a recipient whom neither the order
    nor an approval names. `at`: when it was first asked for."""

    purchase_order_id: bytes
    owner: bytes | None
    approved: int
    booked: int
    asked: int
    paid: int
    again: int
    waiting: int
    waits_since: datetime | None
    another: bytes | None
    at: datetime | None


@query(
    f"""
    with refs as (
        select c.purchase_order_id as ref from claims c
        join purchase_orders o on o.user_id = c.user_id and o.id = c.order_id
        where c.approved_amount > 0 and o.chain_id = $1
        union
        select ref from disbursements where purpose = 'CLAIM' and chain_id = $1 and cancelled_at is null
        union
        select ref from ledger_transfers where kind = 'CLAIM'
    ),
    facts as (
        select r.ref as purchase_order_id, f.user_id as owner, coalesce(c.approved_amount, 0) as approved,
            booked.stands as booked, d.asked, d.paid, again.amount as again, d.asked - d.paid as waiting,
            d.waits_since, d.another, d.at
        from refs r
        cross join lateral (select 'CLAIM'::ledger_kind as kind, r.ref as ref) e
        cross join lateral ({STANDING}) booked
        left join order_refs f on f.purchase_order_id = r.ref
        left join claims c on c.user_id = f.user_id and c.order_id = f.order_id
        cross join lateral (
            select coalesce(sum(d.amount), 0)::bigint as asked, min(d.asked_at) as at,
                coalesce(sum(d.amount) filter (where m.disbursement_id is not null), 0)::bigint as paid,
                min(d.asked_at) filter (where m.disbursement_id is null) as waits_since,
                (array_agg(d.recipient order by d.asked_at) filter (
                    where d.recipient is distinct from f.user_id and not exists (
                        select from claim_approvals a
                        where a.user_id = c.user_id and a.claim_id = c.id and a.recipient = d.recipient)
                ))[1] as another
            from disbursements d left join disbursements_made m on m.disbursement_id = d.id
            where d.purpose = 'CLAIM' and d.ref = r.ref and d.chain_id = $1 and d.cancelled_at is null
        ) d
        cross join lateral (
            select coalesce(sum(was.stands), 0)::bigint as amount
            from (
                select distinct d.recipient, d.amount
                from disbursements d join disbursements_made m on m.disbursement_id = d.id
                where d.purpose = 'CLAIM' and d.ref = r.ref and d.chain_id = $1
            ) paid
            join usdc_transfers u
                on u.recipient = paid.recipient and u.amount = paid.amount and u.chain_id = $1
            cross join lateral (
                select 'PAID_OUT'::ledger_kind as kind, u.tx_hash || int4send(u.log_index) as ref
            ) e
            cross join lateral ({STANDING}) was
        ) again
    )
    select * from facts
    where approved <> asked or approved <> booked or paid + again > approved or another is not null
      or waits_since < $2
    """,
    patience_sec=PATIENCE_SEC,
)
def claim_suspects(
    conn: Connection, chain_id: int, overdue_since: datetime
) -> AsyncIterator[list[ClaimFacts]]:
    """Claims of which approval, ledger and payouts disagree, or whose payout has waited since then."""
    ...
