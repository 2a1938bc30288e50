-- Reconciliation: orders, chain and ledger held against each other, run by run, and what did not agree.
--
-- These tables stay on one node, beside the ledger's.

create type break_type as enum (
    'ORDER_PAID_WITHOUT_EVENT',  -- an order is or was covered, and no confirmed payment is stored for it
    'EVENT_WITHOUT_ORDER',       -- a confirmed payment names an order that does not exist
    'AMOUNT_DIFFERS',            -- two of order, event and ledger have it with different amounts
    'LEDGER_WITHOUT_EVENT',      -- the ledger has money that no confirmed event brought or took
    'EVENT_WITHOUT_LEDGER',      -- a confirmed event is not in the ledger, or not where it belongs
    'BALANCE_DIFFERS',           -- the treasury holds another amount than its transfers make
    'COVER_WITHOUT_CAPITAL',     -- held is not the payout of an open order, or still something of a closed one
    'ORDER_STUCK',               -- an order has been too long in a state that ought to pass
    'BINDING_DISAGREES',         -- the binding is not where its order is, or its position is not held, or still
    'MONEY_IN_SUSPENSE',         -- money came in that no order explains: it waits to be deposited or refunded
    'MONEY_LEFT_UNEXPLAINED',    -- money went out, and no refund or withdrawal asked for it
    'PREMIUM_EARNED_WRONG',      -- earned is not what the cover has given by now
    'HISTORY_BROKEN',            -- the status is not what the last event says, or an event is missing
    'LEDGER_INCONSISTENT'        -- a balance is not the sum of its transfers, or the legs of a fact have a gap
);

-- The sum of micro-USDC as micro-USDC. `sum(bigint)` makes a numeric, which costs three times as much where a
-- million orders are summed one by one. An overflow is an error, never a wrong sum.
create aggregate micro_sum(bigint) (
    sfunc = int8pl, stype = bigint, initcond = '0', combinefunc = int8pl, parallel = safe
);

-- One row a run. `document` is canonical JSON, which holds what it was made from and what it found; its
-- SHA-256 covers `previous_sha256`. Each hash is followed by one run only: the chain cannot fork.
create table reconciliation_runs (
    id bigint primary key check (id > 0),
    started_at timestamptz not null,
    finished_at timestamptz not null check (finished_at >= started_at),
    period_from timestamptz,
    period_to timestamptz check (period_to > period_from),
    chain_id bigint not null,
    from_block bigint not null,
    to_block bigint,
    block_hash bytea check (length(block_hash) = 32),
    ledger_seq bigint not null,
    ledger_rows bigint not null,
    ledger_balance bigint not null,
    chain_balance bigint,
    chain_unknown text,
    orders bigint not null,
    payments bigint not null,
    transfers bigint not null,
    breaks_found bigint not null,
    breaks_open bigint not null,
    document text not null,
    sha256 bytea not null check (length(sha256) = 32),
    previous_sha256 bytea check (length(previous_sha256) = 32),
    unique nulls not distinct (previous_sha256),
    check (num_nonnulls(to_block, block_hash) in (0, 2)),
    -- The balance on chain is known, or why it is not.
    check (num_nonnulls(chain_balance, chain_unknown) = 1)
);

-- The open breaks of a run, a page of at most a thousand each: canonical JSON, its hash is in the document.
create table reconciliation_pages (
    run_id bigint not null references reconciliation_runs (id) deferrable initially deferred,
    page integer not null check (page > 0),
    breaks text not null,
    sha256 bytea not null check (length(sha256) = 32),
    primary key (run_id, page)
);

-- One row for what is or was broken, over all runs: `subject` says what it is. A closed one that is found
-- again is open again; `accepted` ones only when their amounts are other ones.
create table reconciliation_breaks (
    id bigint generated always as identity primary key,
    type break_type not null,
    subject text not null check (subject <> ''),
    purchase_order_id bytea check (length(purchase_order_id) = 32),
    tx_hash bytea check (length(tx_hash) = 32),
    log_index integer,
    wallet bytea check (length(wallet) = 20),
    accounts ledger_account[] not null,
    expected bigint,
    found bigint,
    said text not null,
    since timestamptz,
    first_run bigint not null references reconciliation_runs (id) deferrable initially deferred,
    last_run bigint not null references reconciliation_runs (id) deferrable initially deferred,
    opened_at timestamptz not null,
    closed_at timestamptz,
    closed_by text check (closed_by <> ''),
    close_reason text check (close_reason <> ''),
    accepted boolean not null default false,
    unique (type, subject),
    check (last_run >= first_run),
    check (num_nonnulls(closed_at, closed_by, close_reason) in (0, 3)),
    check (not accepted or closed_at is not null)
);
create index reconciliation_breaks_open on reconciliation_breaks (opened_at) where closed_at is null;
create index reconciliation_breaks_order on reconciliation_breaks (purchase_order_id);

-- Who closed what and why: kept when the break is open again.
create table reconciliation_closings (
    break_id bigint not null references reconciliation_breaks (id) on delete restrict,
    first_run bigint not null,
    closed_at timestamptz not null,
    closed_by text not null check (closed_by <> ''),
    reason text not null check (reason <> ''),
    expected bigint,
    found bigint,
    primary key (break_id, first_run)
);

create function refuse_change_of_reconciliation() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end
$$;
create trigger append_only before update or delete or truncate on reconciliation_runs
    for each statement execute function refuse_change_of_reconciliation();
create trigger append_only before update or delete or truncate on reconciliation_pages
    for each statement execute function refuse_change_of_reconciliation();
create trigger append_only before update or delete or truncate on reconciliation_closings
    for each statement execute function refuse_change_of_reconciliation();

grant select, insert on reconciliation_runs, reconciliation_pages, reconciliation_closings to liqpass_app;
grant select, insert, update on reconciliation_breaks to liqpass_app;
