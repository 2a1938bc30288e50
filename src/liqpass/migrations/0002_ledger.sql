-- The books: double entry, one row a transfer, and what the treasury still has to pay.
--
-- These tables stay on one node, beside the chain's: triggers are allowed here.

create type ledger_account as enum (
    'TREASURY',             -- asset: USDC in the treasury on chain
    'OUTFLOW_UNEXPLAINED',  -- asset: it left the treasury, and nothing says what for
    'UNEARNED_PREMIUM',     -- liability: paid for cover that is not over
    'EARNED_PREMIUM',       -- income: paid for cover that was given
    'SUSPENSE',             -- liability: it came in, and no order explains it
    'REFUNDS_DUE',          -- liability: to be sent back, not yet seen on chain
    'WITHDRAWALS_DUE',      -- liability: capital to be paid out, not yet seen on chain
    'POOL_FREE',            -- capital that no cover holds
    'POOL_LOCKED',          -- capital held for open orders, their whole payout
    'CLAIMS_PAYABLE'        -- liability: owed to traders who were liquidated
);

create type ledger_side as enum (
    'DEBIT',   -- the balance grows by debits: assets
    'CREDIT'   -- the balance grows by credits: liabilities, capital, income
);

create type ledger_kind as enum (
    'OPENING',          -- what the treasury held before the books began; ref: the chain's id
    'PREMIUM',          -- an order's payment is safe; ref: the order's public id
    'RECEIVED',         -- came in, and pays no order; ref: its log
    'EARNED',           -- cover was given; ref: the order's public id
    'HELD',             -- capital stands behind an open order; ref: the order's public id
    'CAPITAL',          -- money in suspense is the pool's; ref: what came in
    'REFUND',           -- money in suspense goes back; ref: what came in
    'REFUND_PAID',      -- the refund's transfer is safe; ref: its log
    'WITHDRAWAL',       -- capital is to be paid out; ref: the disbursement's id
    'WITHDRAWAL_PAID',  -- the withdrawal's transfer is safe; ref: its log
    'PAID_OUT'          -- left the treasury for no known reason; ref: its log
);

create type disbursement_purpose as enum (
    'REFUND',     -- of money in suspense
    'WITHDRAWAL'  -- of free capital
);

-- Balances, kept by the trigger below. The CHECK is what makes overselling impossible, under any race.
create table ledger_accounts (
    id ledger_account primary key,
    side ledger_side not null,
    balance bigint not null default 0,
    constraint never_overdrawn check (balance >= 0)
) with (fillfactor = 10);

insert into ledger_accounts (id, side) values
    ('TREASURY', 'DEBIT'),
    ('OUTFLOW_UNEXPLAINED', 'DEBIT'),
    ('UNEARNED_PREMIUM', 'CREDIT'),
    ('EARNED_PREMIUM', 'CREDIT'),
    ('SUSPENSE', 'CREDIT'),
    ('REFUNDS_DUE', 'CREDIT'),
    ('WITHDRAWALS_DUE', 'CREDIT'),
    ('POOL_FREE', 'CREDIT'),
    ('POOL_LOCKED', 'CREDIT'),
    ('CLAIMS_PAYABLE', 'CREDIT');

-- The table of legal transfers: each kind moves between two accounts, forward, or back as a reversal.
-- liqpass.ledger.book holds the same pairs; a test compares the two.
create table ledger_kinds (
    kind ledger_kind not null,
    debit ledger_account not null references ledger_accounts (id),
    credit ledger_account not null references ledger_accounts (id),
    forward boolean not null,
    primary key (kind, debit, credit),
    unique (kind, forward),
    check (debit <> credit)
);

insert into ledger_kinds (kind, debit, credit, forward)
select kind::ledger_kind, debit::ledger_account, credit::ledger_account, true
from (values
    ('OPENING', 'TREASURY', 'SUSPENSE'),
    ('PREMIUM', 'TREASURY', 'UNEARNED_PREMIUM'),
    ('RECEIVED', 'TREASURY', 'SUSPENSE'),
    ('EARNED', 'UNEARNED_PREMIUM', 'EARNED_PREMIUM'),
    ('HELD', 'POOL_FREE', 'POOL_LOCKED'),
    ('CAPITAL', 'SUSPENSE', 'POOL_FREE'),
    ('REFUND', 'SUSPENSE', 'REFUNDS_DUE'),
    ('REFUND_PAID', 'REFUNDS_DUE', 'TREASURY'),
    ('WITHDRAWAL', 'POOL_FREE', 'WITHDRAWALS_DUE'),
    ('WITHDRAWAL_PAID', 'WITHDRAWALS_DUE', 'TREASURY'),
    ('PAID_OUT', 'OUTFLOW_UNEXPLAINED', 'TREASURY')
) as forward (kind, debit, credit);
insert into ledger_kinds (kind, debit, credit, forward)
select kind, credit, debit, false from ledger_kinds;

-- One row a transfer. What a kind says of a ref stands at the sum of its legs, reversals taken off.
create table ledger_transfers (
    seq bigint generated always as identity primary key,
    kind ledger_kind not null,
    ref bytea not null check (length(ref) between 1 and 36),
    leg integer not null check (leg > 0),
    debit ledger_account not null,
    credit ledger_account not null,
    amount bigint not null check (amount > 0),
    at timestamptz not null,
    constraint one_leg_once unique (kind, ref, leg),
    foreign key (kind, debit, credit) references ledger_kinds (kind, debit, credit)
);

create function keep_balances() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    if not exists (select from added) then
        return null;
    end if;
    -- In one order everywhere: two transactions that post never wait for each other in a circle.
    perform from ledger_accounts
        where id in (select debit from added union select credit from added) order by id for update;
    update ledger_accounts a
    set balance = a.balance + case a.side when 'DEBIT' then d.amount else -d.amount end
    from (
        select account, sum(amount)::bigint as amount
        from (select debit as account, amount from added union all select credit, -amount from added) as sides
        group by account
    ) as d
    where a.id = d.account and d.amount <> 0;
    return null;
end
$$;
create trigger balances_are_kept after insert on ledger_transfers
    referencing new table as added for each statement execute function keep_balances();

-- Corrections are reversals, whoever asks.
create function refuse_change_of_ledger() returns trigger language plpgsql as $$
begin
    raise exception 'the ledger is append-only: correct it by a reversal' using errcode = 'restrict_violation';
end
$$;
create trigger append_only before update or delete or truncate on ledger_transfers
    for each statement execute function refuse_change_of_ledger();

-- Where the books of a chain begin: what the treasury held at that block before any transfer that is stored.
create table ledger_openings (
    chain_id bigint primary key,
    block_number bigint not null,
    block_hash bytea not null check (length(block_hash) = 32),
    treasury_balance bigint not null check (treasury_balance >= 0),
    opening bigint not null,
    opened_at timestamptz not null
);
-- Whoever takes of the opening balance locks its row, which needs the right to update it; nobody does.
create trigger append_only before update or delete or truncate on ledger_openings
    for each statement execute function refuse_change_of_ledger();

-- Who made money in suspense the pool's capital.
create table pool_deposits (
    id uuid primary key,
    chain_id bigint not null,
    ref bytea not null check (length(ref) between 1 and 36),
    amount bigint not null check (amount > 0),
    deposited_by text not null check (deposited_by <> ''),
    deposited_at timestamptz not null
);
create trigger append_only before update or delete or truncate on pool_deposits
    for each statement execute function refuse_change_of_ledger();

-- USDC that leaves the treasury is stored beside what comes in: then the recipient is not null, and the
-- sender is the treasury.
alter table usdc_transfers add column recipient bytea check (length(recipient) = 20);
-- squawk-ignore require-concurrent-index-creation -- no row has a recipient yet: the index is empty
create index usdc_transfers_out on usdc_transfers (recipient, amount) where recipient is not null;

-- What the treasury has to pay. The server never sends money: the treasury's owners do, and the transfer
-- that shows up on chain is matched with its disbursement.
create table disbursements (
    id uuid primary key,
    chain_id bigint not null,
    purpose disbursement_purpose not null,
    ref bytea not null check (length(ref) between 1 and 36),
    recipient bytea not null check (length(recipient) = 20),
    amount bigint not null check (amount > 0),
    reason text not null check (reason <> ''),
    asked_by text not null check (asked_by <> ''),
    asked_at timestamptz not null,
    batched_at timestamptz,
    cancelled_at timestamptz,
    cancelled_by text,
    cancel_reason text,
    check (num_nonnulls(cancelled_at, cancelled_by, cancel_reason) in (0, 3))
);
create index disbursements_open on disbursements (recipient, amount) where cancelled_at is null;

create table disbursements_made (
    chain_id bigint not null,
    tx_hash bytea not null,
    log_index integer not null,
    disbursement_id uuid not null unique references disbursements (id) on delete restrict,
    made_at timestamptz not null,
    primary key (chain_id, tx_hash, log_index),
    foreign key (chain_id, tx_hash, log_index)
        references usdc_transfers (chain_id, tx_hash, log_index) on delete restrict
);

-- Transactions whose transfers wait to be booked: an outbox like settle_queue. A payment queues its
-- transaction too, because it explains one of its transfers.
create table transfer_queue (
    chain_id bigint not null,
    tx_hash bytea not null,
    bumps bigint not null default 0,
    primary key (chain_id, tx_hash)
);
create function queue_for_booking() returns trigger language plpgsql as $$
begin
    insert into transfer_queue (chain_id, tx_hash) values (new.chain_id, new.tx_hash)
    on conflict (chain_id, tx_hash) do update set bumps = transfer_queue.bumps + 1;
    return null;
end
$$;
create trigger changed_transfer_is_booked after insert or update on usdc_transfers
    for each row execute function queue_for_booking();
create trigger changed_payment_is_booked after insert or update on premium_payments
    for each row execute function queue_for_booking();

-- What was there before the books is taken up once more.
insert into settle_queue (chain_id, tx_hash, log_index)
select chain_id, tx_hash, log_index from premium_payments on conflict do nothing;
insert into transfer_queue (chain_id, tx_hash)
select chain_id, tx_hash from usdc_transfers
union select chain_id, tx_hash from premium_payments
on conflict do nothing;

grant select on ledger_accounts, ledger_kinds to liqpass_app;
grant select, insert on ledger_transfers, pool_deposits to liqpass_app;
grant select, insert, update on ledger_openings to liqpass_app;
grant select, insert, update on disbursements to liqpass_app;
grant select, insert, delete on disbursements_made to liqpass_app;
grant select, insert, update, delete on transfer_queue to liqpass_app;
