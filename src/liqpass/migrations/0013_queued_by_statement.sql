-- What the watcher stored is queued once for all rows of a statement, not row by row: of COPY into the same
-- tables five sixths of the processor's time were these triggers. In the order of the keys, so that nobody
-- waits for another crosswise, and so that an index is filled page by page. As before, a row that is queued
-- already is locked (that is what `do update` is for, whatever its `where` says): whoever is about to take it
-- from the queue ends first, and it is queued again. It need not be written for that.

create or replace function queue_for_settling() returns trigger language plpgsql as $$
begin
    insert into settle_queue (chain_id, tx_hash, log_index)
    select chain_id, tx_hash, log_index from changed order by chain_id, tx_hash, log_index
    on conflict (chain_id, tx_hash, log_index) do update set bumps = settle_queue.bumps where false;
    return null;
end
$$;

create or replace function queue_for_booking() returns trigger language plpgsql as $$
begin
    insert into transfer_queue (chain_id, tx_hash)
    select distinct chain_id, tx_hash from changed order by chain_id, tx_hash
    on conflict (chain_id, tx_hash) do update set bumps = transfer_queue.bumps where false;
    return null;
end
$$;

drop trigger changed_payment_is_settled on premium_payments;
create trigger new_payment_is_settled after insert on premium_payments
    referencing new table as changed for each statement execute function queue_for_settling();
create trigger changed_payment_is_settled after update on premium_payments
    referencing new table as changed for each statement execute function queue_for_settling();

drop trigger changed_payment_is_booked on premium_payments;
create trigger new_payment_is_booked after insert on premium_payments
    referencing new table as changed for each statement execute function queue_for_booking();
create trigger changed_payment_is_booked after update on premium_payments
    referencing new table as changed for each statement execute function queue_for_booking();

drop trigger changed_transfer_is_booked on usdc_transfers;
create trigger new_transfer_is_booked after insert on usdc_transfers
    referencing new table as changed for each statement execute function queue_for_booking();
create trigger changed_transfer_is_booked after update on usdc_transfers
    referencing new table as changed for each statement execute function queue_for_booking();
