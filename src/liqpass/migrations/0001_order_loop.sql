-- The order loop: sign-in, vault, positions, orders, and what the watcher saw on the chain.
--
-- Sharding rule (a test reads the catalog and holds it): a per-user table starts with user_id, and every
-- unique key and every foreign key between such tables contains it; no triggers on them. A fact that is
-- unique over all users has a small table of its own, keyed by the fact. Queue-like and chain tables stay
-- on one node.

create type order_status as enum (
    'DRAFT',                 -- priced and signed, not paid
    'PAID_PENDING_CONFIRM',  -- a hash was submitted or a payment was seen; not yet at the safe head
    'ACTIVE',                -- the exact payment is safe: covered from coverage_start_at to coverage_end_at
    'EXPIRED',               -- the cover is over
    'CANCELLED'              -- never paid in time, or withdrawn before it was paid
);

create type binding_status as enum (
    'DRAFT',      -- bound, not covered
    'ACTIVE',     -- covered by its order
    'EXPIRED',    -- its cover is over
    'CANCELLED'   -- given up before it was covered
);

create type margin_mode as enum (
    'cross',     -- the whole account stands behind the position
    'isolated'   -- only the position's own margin does
);

create type position_side as enum (
    'long',   -- hedge mode, long
    'short',  -- hedge mode, short
    'net'     -- one-way mode: the sign of the position is its side
);

create type chain_stage as enum (
    'SEEN',     -- in a block above the safe head
    'SAFE',     -- at or below the safe head, and every configured endpoint shows it
    'FINAL',    -- at or below the finalized head: the row never changes again
    'DROPPED'   -- its block is gone and no view shows it
);

create type settle_outcome as enum (
    'MATCHED',        -- pays its order exactly
    'UNKNOWN_ORDER',  -- no order has this id
    'WRONG_AMOUNT',   -- not the order's premium
    'LATE',           -- in a block after pay_before
    'ORDER_CLOSED',   -- the order had been cancelled or had ended
    'DROPPED'         -- was taken up and has left the chain
);

-- The table of legal moves. liqpass.orders.states holds the same pairs; a test compares the two.
create table order_moves (
    from_status order_status not null,
    to_status order_status not null,
    meaning text not null,
    primary key (from_status, to_status)
);

insert into order_moves (from_status, to_status, meaning) values
    ('DRAFT', 'PAID_PENDING_CONFIRM', 'a hash was submitted, or the payment was seen'),
    ('DRAFT', 'CANCELLED', 'cancelled by the user, or the quote expired'),
    ('PAID_PENDING_CONFIRM', 'ACTIVE', 'the exact payment is at the safe head'),
    ('PAID_PENDING_CONFIRM', 'DRAFT', 'the transaction reverted, vanished or does not pay this order'),
    ('PAID_PENDING_CONFIRM', 'CANCELLED', 'the same, after pay_before'),
    ('ACTIVE', 'PAID_PENDING_CONFIRM', 'the payment was reorged away: suspended'),
    ('ACTIVE', 'EXPIRED', 'the cover is over');

-- Sign-in -------------------------------------------------------------------------------------------

create table signin_nonces (
    nonce text primary key,
    address bytea not null check (length(address) = 20),
    chain_id bigint not null,
    message text not null,
    expires_at timestamptz not null
);
create index signin_nonces_expiry on signin_nonces (expires_at);

create table sessions (
    token_sha256 bytea primary key check (length(token_sha256) = 32),
    user_id bytea not null check (length(user_id) = 20),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz
);
create index sessions_expiry on sessions (expires_at);

-- Vault ---------------------------------------------------------------------------------------------

create table api_accounts (
    user_id bytea not null check (length(user_id) = 20),
    id uuid not null,
    exchange text not null check (exchange = 'okx'),
    region text not null,
    demo boolean not null,
    uid text not null check (uid <> ''),
    main_uid text not null check (main_uid <> ''),
    api_key text not null check (api_key <> ''),
    secret_enc text,
    passphrase_enc text,
    label text not null,
    permissions text[] not null,
    ip_bound boolean not null,
    checked_at timestamptz not null,
    held_at timestamptz,
    held_reason text,
    created_at timestamptz not null,
    revoked_at timestamptz,
    primary key (user_id, id),
    unique (user_id, exchange, api_key),
    -- Revoking destroys both ciphertexts and keeps the row; a living account has both.
    check ((revoked_at is null) = (secret_enc is not null) and (revoked_at is null) = (passphrase_enc is not null)),
    check ((held_at is null) = (held_reason is null))
);
create index api_accounts_check_due on api_accounts (checked_at) where revoked_at is null;

-- Positions -----------------------------------------------------------------------------------------

create table position_readings (
    user_id bytea not null,
    api_account_id uuid not null,
    read_at timestamptz not null,
    body bytea not null,
    body_sha256 bytea not null check (length(body_sha256) = 32),
    primary key (user_id, api_account_id),
    foreign key (user_id, api_account_id) references api_accounts (user_id, id) on delete restrict
);

create table insured_bindings (
    user_id bytea not null,
    id uuid not null,
    api_account_id uuid not null,
    exchange_uid text not null,
    inst_id text not null,
    mgn_mode margin_mode not null,
    pos_side position_side not null,
    sku text not null,
    status binding_status not null,
    pos_id text not null,
    pos_created_ms bigint not null,
    position_as_read text not null,
    position_sha256 bytea not null check (length(position_sha256) = 32),
    read_at timestamptz not null,
    created_at timestamptz not null,
    -- The order this binding follows. In the row itself, so that binding again and ordering, which both
    -- lock the row, see each other. No foreign key: the order already refers to the binding.
    order_id uuid,
    coverage_start_at timestamptz,
    coverage_end_at timestamptz,
    primary key (user_id, id),
    foreign key (user_id, api_account_id) references api_accounts (user_id, id) on delete restrict,
    check (num_nonnulls(coverage_start_at, coverage_end_at)
        = case when status in ('ACTIVE', 'EXPIRED') then 2 else 0 end),
    check (coverage_end_at > coverage_start_at)
);
create unique index uniq_binding_active
    on insured_bindings (user_id, api_account_id, inst_id, mgn_mode, pos_side)
    where status in ('DRAFT', 'ACTIVE');
create index insured_bindings_unordered on insured_bindings (created_at)
    where status = 'DRAFT' and order_id is null;

-- One position, one cover, over all wallets: keyed by the position, not by a user.
create table insured_positions (
    exchange text not null,
    exchange_uid text not null,
    inst_id text not null,
    mgn_mode margin_mode not null,
    pos_side position_side not null,
    user_id bytea not null check (length(user_id) = 20),
    api_account_id uuid not null,
    binding_id uuid not null,
    primary key (exchange, exchange_uid, inst_id, mgn_mode, pos_side)
);
create index insured_positions_binding on insured_positions (user_id, binding_id);

-- Orders --------------------------------------------------------------------------------------------

create table purchase_orders (
    user_id bytea not null,
    id uuid not null,
    purchase_order_id bytea not null check (length(purchase_order_id) = 32),
    binding_id uuid not null,
    sku text not null,
    premium_amount bigint not null check (premium_amount > 0),
    payout_amount bigint not null check (payout_amount > 0),
    priced_from text not null,
    status order_status not null,
    event_seq integer not null check (event_seq > 0),
    coverage_delay_sec integer not null check (coverage_delay_sec >= 0),
    duration_sec integer not null check (duration_sec > 0),
    pay_before timestamptz not null,
    chain_id bigint not null,
    checkout bytea not null check (length(checkout) = 20),
    pay_tx_hash bytea check (length(pay_tx_hash) = 32),
    payer bytea check (length(payer) = 20),
    submitted_at timestamptz,
    paid_at timestamptz,
    coverage_start_at timestamptz,
    coverage_end_at timestamptz,
    created_at timestamptz not null,
    primary key (user_id, id),
    unique (user_id, purchase_order_id),
    foreign key (user_id, binding_id) references insured_bindings (user_id, id) on delete restrict,
    check (pay_before > created_at),
    -- A draft carries nothing of a payment; a pending one carries a hash, and since when to ask for it; a covered
    -- one carries all of it, and no other has a cover.
    check (status <> 'DRAFT' or num_nonnulls(pay_tx_hash, payer, submitted_at) = 0),
    check (status <> 'PAID_PENDING_CONFIRM' or num_nulls(pay_tx_hash, submitted_at) = 0),
    check (num_nonnulls(paid_at, coverage_start_at, coverage_end_at)
        = case when status in ('ACTIVE', 'EXPIRED') then 3 else 0 end),
    check (status not in ('ACTIVE', 'EXPIRED') or num_nulls(pay_tx_hash, payer, submitted_at) = 0),
    -- No cover begins before its payment: it begins the waiting period after it.
    check (coverage_start_at = paid_at + make_interval(secs => coverage_delay_sec)),
    check (coverage_end_at = coverage_start_at + make_interval(secs => duration_sec))
);
create unique index uniq_open_order_per_binding
    on purchase_orders (user_id, binding_id)
    where status in ('DRAFT', 'PAID_PENDING_CONFIRM', 'ACTIVE');
create index purchase_orders_pay_before on purchase_orders (pay_before)
    where status in ('DRAFT', 'PAID_PENDING_CONFIRM');
create index purchase_orders_pending on purchase_orders (submitted_at) where status = 'PAID_PENDING_CONFIRM';
create index purchase_orders_ending on purchase_orders (coverage_end_at) where status = 'ACTIVE';

create table order_refs (
    purchase_order_id bytea primary key check (length(purchase_order_id) = 32),
    user_id bytea not null check (length(user_id) = 20),
    order_id uuid not null
);

-- One submitted hash, one order (uniq_pay_tx_hash). A claim only: the chain's event decides.
create table submitted_txs (
    tx_hash bytea not null check (length(tx_hash) = 32),
    user_id bytea not null check (length(user_id) = 20),
    order_id uuid not null,
    constraint uniq_pay_tx_hash primary key (tx_hash)
);
create index submitted_txs_order on submitted_txs (user_id, order_id);

create table order_events (
    user_id bytea not null,
    order_id uuid not null,
    seq integer not null check (seq > 0),
    from_status order_status,
    to_status order_status not null,
    reason text not null,
    actor text not null check (actor in ('USER', 'CHAIN', 'CLOCK', 'OPERATOR')),
    details text not null,
    at timestamptz not null,
    primary key (user_id, order_id, seq),
    foreign key (user_id, order_id) references purchase_orders (user_id, id) on delete restrict,
    foreign key (from_status, to_status) references order_moves (from_status, to_status),
    -- Every history begins with a draft that comes from nothing.
    check ((from_status is null) = (seq = 1)),
    check (from_status is not null or to_status = 'DRAFT')
);

-- Chain: written by the watcher, one chain_id at a time -----------------------------------------------

create table chain_cursors (
    chain_id bigint primary key,
    finalized_number bigint not null,
    finalized_hash bytea not null check (length(finalized_hash) = 32),
    safe_number bigint not null check (safe_number >= finalized_number),
    safe_time timestamptz not null,
    latest_number bigint not null check (latest_number >= safe_number),
    latest_time timestamptz not null,
    read_at timestamptz not null,
    doubtful_views bigint not null default 0,
    doubt text,
    halted text
);

create table premium_payments (
    chain_id bigint not null,
    tx_hash bytea not null check (length(tx_hash) = 32),
    log_index integer not null check (log_index >= 0),
    block_number bigint not null,
    block_hash bytea not null check (length(block_hash) = 32),
    block_time timestamptz not null,
    purchase_order_id bytea not null check (length(purchase_order_id) = 32),
    payer bytea not null check (length(payer) = 20),
    amount bigint not null check (amount >= 0),
    stage chain_stage not null,
    changed_at timestamptz not null,
    primary key (chain_id, tx_hash, log_index)
);
create index premium_payments_order on premium_payments (purchase_order_id);
create index premium_payments_open on premium_payments (chain_id, block_number) where stage in ('SEEN', 'SAFE');

create table usdc_transfers (
    chain_id bigint not null,
    tx_hash bytea not null check (length(tx_hash) = 32),
    log_index integer not null check (log_index >= 0),
    block_number bigint not null,
    block_hash bytea not null check (length(block_hash) = 32),
    block_time timestamptz not null,
    sender bytea not null check (length(sender) = 20),
    amount bigint not null check (amount >= 0),
    stage chain_stage not null,
    changed_at timestamptz not null,
    primary key (chain_id, tx_hash, log_index)
);
create index usdc_transfers_open on usdc_transfers (chain_id, block_number) where stage in ('SEEN', 'SAFE');

-- What settling made of each payment at which stage and in which block. Its own table, because a final
-- payment is never written again.
create table payment_settlements (
    chain_id bigint not null,
    tx_hash bytea not null,
    log_index integer not null,
    stage chain_stage not null,
    block_hash bytea not null,
    outcome settle_outcome not null,
    settled_at timestamptz not null,
    primary key (chain_id, tx_hash, log_index),
    foreign key (chain_id, tx_hash, log_index)
        references premium_payments (chain_id, tx_hash, log_index) on delete restrict
);

-- Final rows cannot change, whoever asks. (Triggers are allowed here: these tables stay on one node.)
create function refuse_change_of_final() returns trigger language plpgsql as $$
begin
    raise exception 'final rows of % cannot be changed', tg_table_name using errcode = 'restrict_violation';
end
$$;
create trigger final_is_final before update or delete on premium_payments
    for each row when (old.stage = 'FINAL') execute function refuse_change_of_final();
create trigger final_is_final before update or delete on usdc_transfers
    for each row when (old.stage = 'FINAL') execute function refuse_change_of_final();

-- Payments that changed and wait to be settled: an outbox, written in the watcher's own transaction. The
-- bump locks a waiting row, so that a change cannot slip past a settling that has read the row before it.
create table settle_queue (
    chain_id bigint not null,
    tx_hash bytea not null,
    log_index integer not null,
    bumps bigint not null default 0,
    primary key (chain_id, tx_hash, log_index)
);
create function queue_for_settling() returns trigger language plpgsql as $$
begin
    insert into settle_queue (chain_id, tx_hash, log_index)
    values (new.chain_id, new.tx_hash, new.log_index)
    on conflict (chain_id, tx_hash, log_index) do update set bumps = settle_queue.bumps + 1;
    return null;
end
$$;
create trigger changed_payment_is_settled after insert or update on premium_payments
    for each row execute function queue_for_settling();

-- What the application may do. It owns nothing, so it cannot alter the schema; what tells of money it
-- cannot delete or truncate, and order_events it can only add to.
grant usage on schema public to liqpass_app;
grant select on order_moves, schema_migrations to liqpass_app;
grant select, insert, delete on signin_nonces to liqpass_app;
grant select, insert, update, delete on sessions to liqpass_app;
grant select, insert, update on api_accounts, position_readings, insured_bindings, purchase_orders to liqpass_app;
grant select, insert, update, delete on insured_positions, submitted_txs, settle_queue to liqpass_app;
grant select, insert on order_refs, order_events to liqpass_app;
grant select, insert, update on chain_cursors, premium_payments, usdc_transfers, payment_settlements to liqpass_app;
