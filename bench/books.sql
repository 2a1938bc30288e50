-- Books of any size in which everything agrees, written set by set by the owner of a fresh, migrated database.
--
-- `given` (one row, see books.py) says how many orders, from which seed, up to which moment. Whatever looks
-- random is bytes of SHA-256: the same seed makes the same books. `made` has a row for each order; all tables
-- follow from it. Triggers and foreign keys sleep meanwhile (session_replication_role), so what they would have
-- done is done here: queues are empty, balances are sums.

create or replace function pg_temp.uuid7(at timestamptz, random bytea) returns uuid language sql immutable as $$
    select encode(set_byte(set_byte(substr(int8send((extract(epoch from at) * 1000)::bigint), 3, 6)
        || substr(random, 1, 10), 6, 112 + get_byte(random, 0) % 16), 8, 128 + get_byte(random, 2) % 64),
        'hex')::uuid
$$;
create or replace function pg_temp.block_hash(number int) returns bytea language sql immutable as $$
    select sha256('block' || int4send(number))
$$;

-- The business grows: most orders are young. None was paid at an hour of the day that would let a cover end, or
-- a day of it begin, within `quiet` after the books' last moment: nothing is due while they are looked at.
create temp table made as
with drawn as materialized (
    select g.*, i,
        sha256(convert_to(format('%s order %s', seed, i), 'UTF8')) as poid,
        sha256(convert_to(format('%s user %s', seed, i % users), 'UTF8')) as of_user,
        days * 86400 * (1 - i::float8 / orders) * (1 - i::float8 / orders) as raw
    from given g, generate_series(1, g.orders) i
),
aged as materialized (
    select *,
        div(raw::numeric, 86400)::int * 86400 + 700
            + floor((raw - div(raw::numeric, 86400)::int * 86400) * (86300 - quiet) / 86400)::int as age,
        case when i > orders - orders / 100 then 'OPEN'
            when get_byte(poid, 6) * 256 + get_byte(poid, 7) < 62500 then 'PAID' else 'CANCELLED' end as fate
    from drawn
),
sold as materialized (
    select *,
        case when get_byte(poid, 2) < 140 and age not between 28700 - quiet and 29600 then 'LIQPASS_8H'
            when get_byte(poid, 2) < 242 then 'LIQPASS_24H' else 'LIQPASS_30D' end as sku,
        at - make_interval(secs => age) as created_at,
        (age - 30 - get_byte(poid, 9) % 60) / 2 as blocks_ago
    from aged
),
priced as materialized (
    select *,
        case sku when 'LIQPASS_8H' then 28800 when 'LIQPASS_24H' then 86400 else 2592000 end as duration,
        case sku when 'LIQPASS_8H' then 1000000 when 'LIQPASS_24H' then 1500000 else 3000000 end
            + (get_byte(poid, 3) * 256 + get_byte(poid, 4)) * case sku when 'LIQPASS_30D' then 700 else 90 end
            as premium,
        at - make_interval(secs => 2 * blocks_ago) as block_time
    from sold
)
select i, poid, substr(of_user, 1, 20) as user_id, encode(substr(of_user, 5, 16), 'hex')::uuid as account,
    (100000000000000000 + ('x' || encode(substr(of_user, 21, 7), 'hex'))::bit(56)::bigint)::text as exchange_uid,
    'C' || i / users || '-USDT-SWAP' as inst_id, sku, duration, premium::bigint,
    premium::bigint * (8 + get_byte(poid, 5) % 12) as payout,
    pg_temp.uuid7(created_at, poid) as id,
    pg_temp.uuid7(created_at - interval '20 s', substr(poid, 11)) as binding_id,
    created_at,
    case fate when 'OPEN' then at + make_interval(secs => quiet) else created_at + interval '15 min' end
        as pay_before,
    sha256(convert_to(format('%s transaction %s', seed, i), 'UTF8')) as tx,
    2 * (get_byte(poid, 10) % 100) as log_index,
    tip - blocks_ago as block_number, pg_temp.block_hash(tip - blocks_ago) as block_hash, block_time,
    case when fate = 'PAID' then block_time + interval '10 min' end as starts,
    case when fate = 'PAID' then block_time + interval '10 min' + make_interval(secs => duration) end as ends,
    case when fate = 'OPEN' and get_byte(poid, 6) % 4 = 0 then 'PAID_PENDING_CONFIRM'
        when fate = 'OPEN' then 'DRAFT'
        when fate = 'CANCELLED' then 'CANCELLED'
        when block_time + interval '10 min' + make_interval(secs => duration) <= at then 'EXPIRED'
        else 'ACTIVE' end::order_status as status,
    case when fate = 'OPEN' then at - interval '1 min' else created_at + interval '15 s' end as submitted_at,
    case when get_byte(poid, 8) % 2 = 0 then created_at + interval '5 min'
        else created_at + interval '18 min' end as cancelled_at,
    fate = 'PAID' and get_byte(poid, 8) = 7 as reorged,
    fate = 'PAID' and get_byte(poid, 12) = 5 as replaced,
    fate = 'PAID' and get_byte(poid, 11) = 3 as repeated,
    fate = 'CANCELLED' and get_byte(poid, 11) < 32 as late
from priced;
analyze made;

-- Money that no order explains, long ago put right: straight transfers, second payments, late ones. `ref` is
-- the log under which it came in.
create temp table came as
with stray as (
    select 'PLAIN' as kind, sha256(convert_to(format('%s stray %s', seed, j), 'UTF8')) as tx, 0 as log_index,
        (days * 43200 * (1 + j::float8 / (orders / 256 + 1)))::int / 2 as blocks_ago,
        null::bytea as sender, 1000000 + j as amount, null::bytea as poid,
        null::settle_outcome as outcome
    from given, generate_series(1, orders / 256) j
    union all
    select 'REPEATED', sha256('again' || tx), log_index, tip - block_number - 20, user_id, premium, poid,
        'ORDER_CLOSED'
    from made, given where repeated and block_time < at - interval '3 days'
    union all
    select 'LATE', tx, log_index, tip - block_number - 480, user_id, premium, poid, 'LATE'
    from made, given where late and block_time < at - interval '3 days'
)
select kind, tx, log_index, case when kind = 'PLAIN' then log_index else log_index + 1 end as ref_index,
    tx || int4send(case when kind = 'PLAIN' then log_index else log_index + 1 end) as ref,
    tip - blocks_ago as block_number, pg_temp.block_hash(tip - blocks_ago) as block_hash,
    at - make_interval(secs => 2 * blocks_ago) as block_time,
    coalesce(sender, substr(tx, 1, 20)) as sender, amount::bigint, poid, outcome,
    kind = 'PLAIN' and get_byte(tx, 31) % 3 = 0 as deposited,
    pg_temp.uuid7(at - make_interval(secs => 2 * blocks_ago - 3600), tx) as paper,
    sha256('refund' || tx) as out_tx, tip - blocks_ago + 43200 as out_block,
    at - make_interval(secs => 2 * (blocks_ago - 43200)) as out_time
from stray, given;

-- Capital that was withdrawn, a thousand USDC a week.
create temp table withdrawn as
select pg_temp.uuid7(at - make_interval(secs => w * 604800), sha256('withdrawal' || one)) as paper,
    1000000000 as amount, sha256('withdrawn' || one) as out_tx, tip - w * 302400 + 1800 as out_block,
    at - make_interval(secs => w * 604800) as asked_at, at - make_interval(secs => w * 604800 - 3600) as out_time
from given, generate_series(1, days / 7) w, convert_to(format('%s %s', seed, w), 'UTF8') one;

insert into api_accounts (user_id, id, exchange, region, demo, uid, main_uid, api_key, secret_enc,
    passphrase_enc, label, permissions, ip_bound, checked_at, created_at)
select distinct on (user_id) user_id, account, 'okx', 'global', false, exchange_uid, exchange_uid,
    account::text, 'sealed', 'sealed', 'desk', array['read_only'], false, created_at, created_at
from made order by user_id, i;

insert into insured_bindings (user_id, id, api_account_id, exchange_uid, inst_id, mgn_mode, pos_side, sku, status,
    pos_id, pos_created_ms, position_as_read, position_sha256, read_at, created_at, order_id,
    coverage_start_at, coverage_end_at)
select user_id, binding_id, account, exchange_uid, inst_id, 'isolated', 'long', sku,
    case status when 'PAID_PENDING_CONFIRM' then 'DRAFT' else status::text end::binding_status,
    (2000000000000000000 + i)::text, extract(epoch from created_at)::bigint * 1000, shown,
    sha256(convert_to(shown, 'UTF8')), created_at - interval '25 s', created_at - interval '20 s', id,
    starts, ends
from made, given, lateral (select replace(position, 'BTC-USDT-SWAP', inst_id) as shown) read;
-- One in a hundred was bound and never ordered.
insert into insured_bindings (user_id, id, api_account_id, exchange_uid, inst_id, mgn_mode, pos_side, sku, status,
    pos_id, pos_created_ms, position_as_read, position_sha256, read_at, created_at)
select user_id, pg_temp.uuid7(created_at, sha256(poid)), account, exchange_uid, inst_id, 'isolated', 'short', sku,
    'CANCELLED', (3000000000000000000 + i)::text, extract(epoch from created_at)::bigint * 1000, shown,
    sha256(convert_to(shown, 'UTF8')), created_at, created_at
from made, given, lateral (select replace(position, 'BTC-USDT-SWAP', inst_id) as shown) read where i % 100 = 0;

insert into insured_positions (exchange, exchange_uid, inst_id, mgn_mode, pos_side, user_id, api_account_id,
    binding_id)
select 'okx', exchange_uid, inst_id, 'isolated', 'long', user_id, account, binding_id
from made where status in ('DRAFT', 'PAID_PENDING_CONFIRM', 'ACTIVE');

insert into purchase_orders (user_id, id, purchase_order_id, binding_id, sku, premium_amount, payout_amount,
    priced_from, status, event_seq, coverage_delay_sec, duration_sec, pay_before, chain_id, checkout, pay_tx_hash,
    payer, submitted_at, paid_at, coverage_start_at, coverage_end_at, created_at)
select user_id, id, poid, binding_id, sku, premium, payout,
    json_build_object('version', '2026-11-22', 'sku', sku,
        'facts', json_build_object('leverage_centi', 2000, 'margin_micro', 2 * payout,
            'notional_micro', 40 * payout, 'distance_bps', 478),
        'position', shown, 'position_sha256', encode(sha256(convert_to(shown, 'UTF8')), 'hex'),
        'read_at', created_at)::text,
    status,
    case status when 'DRAFT' then 1 when 'PAID_PENDING_CONFIRM' then 2 when 'CANCELLED' then 2
        when 'ACTIVE' then 3 else 4 end + case when reorged then 2 else 0 end,
    600, duration, pay_before, chain_id, checkout,
    case when status not in ('DRAFT', 'CANCELLED') then tx end,
    case when status not in ('DRAFT', 'CANCELLED') then user_id end,
    case when status not in ('DRAFT', 'CANCELLED') then submitted_at end,
    case when starts is not null then block_time end, starts, ends, created_at
from made, given, lateral (select replace(position, 'BTC-USDT-SWAP', inst_id) as shown) read;

insert into order_refs (purchase_order_id, user_id, order_id) select poid, user_id, id from made;

-- read once more after its end, each was alive
insert into watched_covers (user_id, order_id, purchase_order_id, exchange_uid, ends_at, settled_at, settled_by)
select user_id, id, poid, exchange_uid, ends,
    case status when 'EXPIRED' then ends + interval '1 minute' end,
    case status when 'EXPIRED' then 'ALIVE_AFTER_END'::settled_by end
from made where status in ('ACTIVE', 'EXPIRED');

insert into submitted_txs (tx_hash, user_id, order_id)
select tx, user_id, id from made where status not in ('DRAFT', 'CANCELLED');

insert into order_events (user_id, order_id, seq, from_status, to_status, reason, actor, details, at)
select user_id, id, e.seq, e.was::order_status, e.became::order_status, e.reason, e.actor,
    case e.actor when 'CHAIN' then format(
            '{"txHash": "0x%s", "blockNumber": %s, "blockHash": "0x%s", "amount": "%s"}', encode(tx, 'hex'),
            block_number, encode(block_hash, 'hex'), premium)
        else '{}' end,
    e.at
from made, given, lateral (values
    (true, 1, null, 'DRAFT', 'ORDERED', 'USER', created_at),
    (status = 'CANCELLED', 2, 'DRAFT', 'CANCELLED',
        case when cancelled_at < pay_before then 'CANCELLED_BY_USER' else 'NOT_PAID_IN_TIME' end,
        case when cancelled_at < pay_before then 'USER' else 'CLOCK' end, cancelled_at),
    (status not in ('DRAFT', 'CANCELLED'), 2, 'DRAFT', 'PAID_PENDING_CONFIRM', 'HASH_SUBMITTED', 'USER',
        submitted_at),
    (starts is not null, 3, 'PAID_PENDING_CONFIRM', 'ACTIVE', 'PAYMENT_SAFE', 'CHAIN',
        block_time + interval '2 min'),
    (reorged, 4, 'ACTIVE', 'PAID_PENDING_CONFIRM', 'PAYMENT_REORGED_AWAY', 'CHAIN',
        block_time + interval '130 s'),
    (reorged, 5, 'PAID_PENDING_CONFIRM', 'ACTIVE', 'PAYMENT_SAFE', 'CHAIN', block_time + interval '140 s'),
    (status = 'EXPIRED', case when reorged then 6 else 4 end, 'ACTIVE', 'EXPIRED', 'COVER_OVER', 'CLOCK',
        ends + interval '3 s')
) as e (happened, seq, was, became, reason, actor, at)
where e.happened order by e.at;

insert into disbursements (id, chain_id, purpose, ref, recipient, amount, reason, asked_by, asked_at, batched_at)
select paper, chain_id, 'REFUND'::disbursement_purpose, ref, sender, amount, 'it was no premium', 'desk', block_time + interval '1 h',
    block_time + interval '2 h'
from came, given where not deposited
union all
select paper, chain_id, 'WITHDRAWAL', uuid_send(paper), substr(out_tx, 1, 20), amount, 'weekly', 'desk', asked_at,
    asked_at
from withdrawn, given;
insert into disbursements_made (chain_id, tx_hash, log_index, disbursement_id, made_at)
select chain_id, out_tx, 3, paper, out_time + interval '2 min'
from given, (select out_tx, paper, out_time from came where not deposited
             union all select out_tx, paper, out_time from withdrawn) o;
insert into pool_deposits (id, chain_id, ref, amount, deposited_by, deposited_at)
select paper, chain_id, ref, amount, 'desk', block_time + interval '1 h' from came, given where deposited
union all
select pg_temp.uuid7(began, sha256(convert_to(seed || ' opening', 'UTF8'))), chain_id, int8send(chain_id), capital, 'desk', began
from given;
insert into ledger_openings (chain_id, block_number, block_hash, treasury_balance, opening, opened_at)
select chain_id, tip - (days + 1) * 43200, pg_temp.block_hash(tip - (days + 1) * 43200), capital, capital, began
from given;

-- What a running cover of thirty days has earned day by day, rounded down; the rest when it ends.
create temp table earned as
select poid as ref, day as leg,
    case when day > 29 then premium else div(premium * day, 30)::bigint end - div(premium * (day - 1), 30)::bigint
        as amount,
    case when day > 29 then ends + interval '3 s' else starts + make_interval(days => day) + interval '30 s' end
        as at
from made, given, generate_series(1, least(30, div(extract(epoch from given.at - starts), 86400)::int)) day
where duration > 86400 and starts is not null
union all
select poid, 1, premium, ends + interval '3 s' from made where status = 'EXPIRED' and duration <= 86400;

insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at)
select w.kind, l.ref, l.leg, w.debit, w.credit, l.amount, l.at
from (
    select 'OPENING' as kind, int8send(chain_id) as ref, 1 as leg, true as forward, capital as amount,
        began as at from given
    union all select 'CAPITAL', int8send(chain_id), 1, true, capital, began from given
    union all select 'HELD', poid, 1, true, payout, created_at from made
    union all select 'HELD', poid, 2, false, payout, case status when 'EXPIRED' then ends + interval '3 s'
        else cancelled_at end from made where status in ('EXPIRED', 'CANCELLED')
    union all select 'PREMIUM', poid, 1, true, premium, block_time + interval '2 min'
        from made where starts is not null
    union all select 'PREMIUM', poid, 2, false, premium, block_time + interval '130 s' from made where reorged
    union all select 'PREMIUM', poid, 3, true, premium, block_time + interval '140 s' from made where reorged
    union all select 'EARNED', ref, leg, true, amount, at from earned
    union all select 'RECEIVED', ref, 1, true, amount, block_time + interval '2 min' from came
    union all select case when deposited then 'CAPITAL' else 'REFUND' end, ref, 1, true, amount,
        block_time + interval '1 h' from came
    union all select 'REFUND_PAID', out_tx || int4send(3), 1, true, amount, out_time + interval '2 min'
        from came where not deposited
    union all select 'WITHDRAWAL', uuid_send(paper), 1, true, amount, asked_at from withdrawn
    union all select 'WITHDRAWAL_PAID', out_tx || int4send(3), 1, true, amount, out_time + interval '2 min'
        from withdrawn
) l join ledger_kinds w on w.kind = l.kind::ledger_kind and w.forward = l.forward
order by l.at, l.ref;

-- What each order adds to, and what stands behind those that are open: half of them are shorts.
insert into order_risks (purchase_order_id, direction, inst_id, main_uid, wallet)
select poid, case when get_byte(poid, 0) % 2 = 0 then 'long' else 'short' end::cover_direction, inst_id,
    exchange_uid, user_id
from made;
insert into exposures (scope, key, open_sum)
select k.scope, k.key, sum(payout)::bigint
from made join order_risks r on r.purchase_order_id = made.poid
cross join lateral (values
    ('DIRECTION'::exposure_scope, r.direction::text), ('INSTRUMENT', r.inst_id), ('ACCOUNT', r.main_uid),
    ('WALLET', '0x' || encode(r.wallet, 'hex'))) k (scope, key)
where status in ('DRAFT', 'PAID_PENDING_CONFIRM', 'ACTIVE')
group by k.scope, k.key
on conflict (scope, key) do update set open_sum = exposures.open_sum + excluded.open_sum;
