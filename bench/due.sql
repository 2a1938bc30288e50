-- Orders for which something is due, beside whatever books are there: a half was paid in time, and its cover is
-- over by now; the other half was never paid. `due` (temporary) has a row for each and stays. `ours` says
-- which are for the product to move; the others are for bare SQL. Triggers sleep meanwhile, so what they would
-- have done is done here.
create temp table due as
select i, i % 4 < 2 as paid, i % 2 = 0 as ours,
    substr(sha256(int8send(i / 50) || 'due'), 1, 20) as user_id,
    encode(substr(sha256(int8send(i / 50) || 'account'), 1, 16), 'hex')::uuid as account,
    (900000000000000000 + i / 50)::text as uid, 'D' || i % 50 || '-USDT-SWAP' as inst_id,
    encode(substr(sha256(int8send(i) || 'order'), 1, 16), 'hex')::uuid as id,
    encode(substr(sha256(int8send(i) || 'binding'), 1, 16), 'hex')::uuid as binding_id,
    sha256(int8send(i) || 'public') as poid, sha256(int8send(i) || 'tx') as tx,
    2000000 + i as premium, 30000000::bigint as payout,
    at - interval '29520 s' - i * interval '1 ms' as block_time,
    at - interval '29580 s' - i * interval '1 ms' as created_at,
    row_number() over (partition by i % 4 order by i) as place,
    given.*
from given_due given, generate_series(0, 4 * number - 1) i;

insert into api_accounts (user_id, id, exchange, region, demo, uid, main_uid, api_key, secret_enc,
    passphrase_enc, label, permissions, ip_bound, checked_at, created_at)
select distinct user_id, account, 'okx', 'global', false, uid, uid, account::text, 'sealed', 'sealed', 'due',
    array['read_only'], false, at, at from due;
insert into insured_bindings (user_id, id, api_account_id, exchange_uid, inst_id, mgn_mode, pos_side, sku,
    status, pos_id, pos_created_ms, position_as_read, position_sha256, read_at, created_at, order_id)
select user_id, binding_id, account, uid, inst_id, 'isolated', 'long', 'LIQPASS_8H', 'DRAFT',
    (4000000000000000000 + i)::text, 1, position, sha256(convert_to(position, 'UTF8')), created_at, created_at,
    id from due;
insert into insured_positions (exchange, exchange_uid, inst_id, mgn_mode, pos_side, user_id, api_account_id,
    binding_id)
select 'okx', uid, inst_id, 'isolated', 'long', user_id, account, binding_id from due;
insert into purchase_orders (user_id, id, purchase_order_id, binding_id, sku, premium_amount, payout_amount,
    priced_from, status, event_seq, coverage_delay_sec, duration_sec, pay_before, chain_id, checkout,
    pay_tx_hash, payer, submitted_at, created_at)
select user_id, id, poid, binding_id, 'LIQPASS_8H', premium, payout,
    json_build_object('version', '2026-11-22', 'sku', 'LIQPASS_8H', 'position', position,
        'position_sha256', '', 'read_at', created_at)::text,
    case when paid then 'PAID_PENDING_CONFIRM' else 'DRAFT' end::order_status, case when paid then 2 else 1 end,
    600, 28800, created_at + interval '15 min', chain_id, checkout,
    case when paid then tx end, case when paid then user_id end, case when paid then created_at end, created_at
from due;
insert into order_refs (purchase_order_id, user_id, order_id) select poid, user_id, id from due;
insert into submitted_txs (tx_hash, user_id, order_id) select tx, user_id, id from due where paid;
insert into order_events (user_id, order_id, seq, from_status, to_status, reason, actor, details, at)
select user_id, id, 1, null::order_status, 'DRAFT'::order_status, 'ORDERED', 'USER', '{}', created_at from due
union all
select user_id, id, 2, 'DRAFT', 'PAID_PENDING_CONFIRM', 'HASH_SUBMITTED', 'USER', '{}', created_at from due
where paid;
insert into order_risks (purchase_order_id, direction, inst_id, main_uid, wallet)
select poid, 'long', inst_id, uid, user_id from due;
insert into exposures as e (scope, key, open_sum)
select k.scope, k.key, sum(payout)::bigint from due
cross join lateral (values
    ('DIRECTION'::exposure_scope, 'long'), ('INSTRUMENT', inst_id), ('ACCOUNT', uid),
    ('WALLET', '0x' || encode(user_id, 'hex'))) k (scope, key)
group by k.scope, k.key
on conflict (scope, key) do update set open_sum = e.open_sum + excluded.open_sum;
insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at)
select 'HELD', poid, 1, 'POOL_FREE', 'POOL_LOCKED', payout, created_at from due;
