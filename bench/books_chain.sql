-- What books.sql has on the chain: payments, what became of them, and every transfer of USDC in and out of the
-- treasury. It reads `given`, `made`, `came` and `withdrawn` of books.sql.

insert into premium_payments (chain_id, tx_hash, log_index, block_number, block_hash, block_time,
    purchase_order_id, payer, amount, stage, changed_at)
select chain_id, p.tx, p.log_index, p.block_number, p.block_hash, p.block_time, p.poid, p.payer, p.amount,
    p.stage::chain_stage, p.block_time + interval '20 min'
from given, (
    select tx, log_index + 1 as log_index, block_number, block_hash, block_time, poid, user_id as payer,
        premium as amount, 'FINAL' as stage
    from made where starts is not null
    union all
    select sha256('replaced' || tx), log_index + 1, block_number, sha256(block_hash), block_time, poid, user_id,
        premium, 'DROPPED'
    from made where replaced
    union all
    select tx, ref_index, block_number, block_hash, block_time, poid, sender, amount, 'FINAL'
    from came where poid is not null
) p order by p.block_time;

insert into payment_settlements (chain_id, tx_hash, log_index, stage, block_hash, outcome, settled_at)
select p.chain_id, p.tx_hash, p.log_index, p.stage, p.block_hash,
    case when p.stage = 'DROPPED' then 'DROPPED' else coalesce(c.outcome, 'MATCHED') end, p.changed_at
from premium_payments p join given using (chain_id) left join came c on c.tx = p.tx_hash order by p.block_time;

insert into usdc_transfers (chain_id, tx_hash, log_index, block_number, block_hash, block_time, sender, amount,
    stage, changed_at, recipient)
select chain_id, t.tx, t.log_index, t.block_number, t.block_hash, t.block_time, coalesce(t.sender, treasury),
    t.amount, t.stage::chain_stage, t.block_time + interval '20 min', t.recipient
from given, (
    select tx, log_index, block_number, block_hash, block_time, user_id as sender, premium as amount,
        'FINAL' as stage, null::bytea as recipient
    from made where starts is not null
    union all
    select sha256('replaced' || tx), log_index, block_number, sha256(block_hash), block_time, user_id,
        premium, 'DROPPED', null
    from made where replaced
    union all
    select tx, log_index, block_number, block_hash, block_time, sender, amount, 'FINAL', null from came
    union all
    select out_tx, 3, out_block, pg_temp.block_hash(out_block), out_time, null, amount, 'FINAL', sender
    from came where not deposited
    union all
    select out_tx, 3, out_block, pg_temp.block_hash(out_block), out_time, null, amount, 'FINAL', substr(out_tx, 1, 20)
    from withdrawn
) t order by t.block_time;
