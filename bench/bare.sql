-- What a move writes at the least, in one transaction of bare SQL: every row that the product's move leaves
-- behind too, with values that are known beforehand, and nothing asked. {name}: how it is called.
-- settle
update purchase_orders o set status = 'ACTIVE', event_seq = 3, paid_at = d.block_time,
    coverage_start_at = d.block_time + interval '600 s', coverage_end_at = d.block_time + interval '29400 s'
from due d where not d.ours and d.paid and d.place between $1 and $2 and o.user_id = d.user_id and o.id = d.id;
update insured_bindings b set status = 'ACTIVE', coverage_start_at = d.block_time + interval '600 s',
    coverage_end_at = d.block_time + interval '29400 s'
from due d where not d.ours and d.paid and d.place between $1 and $2
    and b.user_id = d.user_id and b.id = d.binding_id;
insert into order_events (user_id, order_id, seq, from_status, to_status, reason, actor, details, at)
select user_id, id, 3, 'PAID_PENDING_CONFIRM', 'ACTIVE', 'PAYMENT_SAFE', 'CHAIN', '{}', at
from due where not ours and paid and place between $1 and $2;
insert into watched_covers (user_id, order_id, purchase_order_id, exchange_uid, ends_at, penalty)
select user_id, id, poid, uid, block_time + interval '29400 s', '0'
from due where not ours and paid and place between $1 and $2;
insert into watched_accounts (user_id, exchange_uid, due_at)
select distinct user_id, uid, at from due where not ours and paid and place between $1 and $2
on conflict (user_id, exchange_uid) do update set due_at = excluded.due_at;
insert into payment_settlements (chain_id, tx_hash, log_index, stage, block_hash, outcome, settled_at)
select chain_id, tx, 1, 'FINAL', tx, 'MATCHED', at
from due where not ours and paid and place between $1 and $2;
insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at)
select 'PREMIUM', poid, 1, 'TREASURY', 'UNEARNED_PREMIUM', premium, at
from due where not ours and paid and place between $1 and $2;
-- expire
update purchase_orders o set status = 'EXPIRED', event_seq = 4
from due d where not d.ours and d.paid and d.place between $1 and $2 and o.user_id = d.user_id and o.id = d.id;
update insured_bindings b set status = 'EXPIRED'
from due d where not d.ours and d.paid and d.place between $1 and $2
    and b.user_id = d.user_id and b.id = d.binding_id;
delete from insured_positions p using due d
where not d.ours and d.paid and d.place between $1 and $2
    and p.user_id = d.user_id and p.binding_id = d.binding_id;
insert into order_events (user_id, order_id, seq, from_status, to_status, reason, actor, details, at)
select user_id, id, 4, 'ACTIVE', 'EXPIRED', 'COVER_OVER', 'CLOCK', '{}', at
from due where not ours and paid and place between $1 and $2;
insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at)
select 'EARNED', poid, 1, 'UNEARNED_PREMIUM', 'EARNED_PREMIUM', premium, at
from due where not ours and paid and place between $1 and $2;
-- cancel
update purchase_orders o set status = 'CANCELLED', event_seq = 2
from due d where not d.ours and not d.paid and d.place between $1 and $2
    and o.user_id = d.user_id and o.id = d.id;
update insured_bindings b set status = 'CANCELLED'
from due d where not d.ours and not d.paid and d.place between $1 and $2
    and b.user_id = d.user_id and b.id = d.binding_id;
delete from insured_positions p using due d
where not d.ours and not d.paid and d.place between $1 and $2
    and p.user_id = d.user_id and p.binding_id = d.binding_id;
insert into order_events (user_id, order_id, seq, from_status, to_status, reason, actor, details, at)
select user_id, id, 2, 'DRAFT', 'CANCELLED', 'NOT_PAID_IN_TIME', 'CLOCK', '{}', at
from due where not ours and not paid and place between $1 and $2;
insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at)
select 'HELD', poid, 2, 'POOL_LOCKED', 'POOL_FREE', payout, at
from due where not ours and not paid and place between $1 and $2;
-- free
update watched_covers w set settled_at = d.at, settled_by = 'ALIVE_AFTER_END'
from due d where not d.ours and d.paid and d.place between $1 and $2
    and w.user_id = d.user_id and w.order_id = d.id;
insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at)
select 'HELD', poid, 2, 'POOL_LOCKED', 'POOL_FREE', payout, at
from due where not ours and paid and place between $1 and $2;
-- earn
insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at)
select 'EARNED', ref, leg, 'UNEARNED_PREMIUM', 'EARNED_PREMIUM', amount, at
from earnable where place between $1 and $2;
