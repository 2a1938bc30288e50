-- What an order promises and what is to be paid out stay as they were written: the application may change only
-- what its own moves change, and nobody may change to whom how much is paid.

revoke update on purchase_orders, disbursements from liqpass_app;
-- binding_id: creating an order that is there already locks its row by setting what it has.
grant update (status, event_seq, binding_id, pay_tx_hash, payer, submitted_at, paid_at, coverage_start_at,
    coverage_end_at) on purchase_orders to liqpass_app;
grant update (batched_at, cancelled_at, cancelled_by, cancel_reason) on disbursements to liqpass_app;

create function refuse_change_of_disbursement() returns trigger language plpgsql as $$
declare
    may_change constant text[] := array['batched_at', 'cancelled_at', 'cancelled_by', 'cancel_reason'];
begin
    if tg_op = 'UPDATE' then
        if to_jsonb(new) - may_change = to_jsonb(old) - may_change then
            return new;
        end if;
    end if;
    raise exception 'a disbursement stays as it was asked for: cancel it and ask for another'
        using errcode = 'restrict_violation';
end
$$;
create trigger asked_for_is_kept before update on disbursements
    for each row execute function refuse_change_of_disbursement();
create trigger never_deleted before delete or truncate on disbursements
    for each statement execute function refuse_change_of_disbursement();
