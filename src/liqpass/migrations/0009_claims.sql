-- Claims: what is watched while a cover runs, the exchange's own bytes, the verdict, who approved it, and the
-- capital that waits until no liquidation can be unknown any more.
--
-- All of these are per-user tables. What is evidence is append-only: the application may only add to it.

create type claim_status as enum (
    'OPEN',         -- noticed, or asked for; nothing was asked of the exchange yet
    'GATHERING',    -- the exchange is asked until its answers decide
    'NOT_COVERED',  -- shown: it is not what was insured
    'PAYABLE',      -- shown: an amount is owed; nobody has approved it yet
    'IN_REVIEW',    -- an operator decides: an objection, or the exchange shows no more
    'APPROVED',     -- owed in the books; waits for a batch of the treasury's Safe
    'BATCHED',      -- in a batch file; not yet seen on chain
    'PAID',         -- the transfer is safe
    'REFUSED'       -- an operator refused it, with a reason
);

create type claim_opener as enum (
    'WATCHER',   -- its position is gone, another one, or shows a penalty
    'TRADER',    -- its owner asked
    'OPERATOR'   -- liqpass claims open
);

create type settled_by as enum (
    'ALIVE_AFTER_END',  -- a reading made after the end shows the episode alive, with no penalty that is not paid for
    'ENDED',            -- evidence shows how the episode ended, and the claim is decided
    'WINDOW_OVER',      -- the claim window is over, and no claim is undecided
    'CANCELLED'         -- the payment left the chain for good: there is no cover
);

-- The table of legal moves. liqpass.claims.states holds the same pairs; a test compares the two.
create table claim_moves (
    from_status claim_status not null,
    to_status claim_status not null,
    meaning text not null,
    primary key (from_status, to_status)
);

insert into claim_moves (from_status, to_status, meaning) values
    ('OPEN', 'GATHERING', 'the exchange is being asked'),
    ('GATHERING', 'PAYABLE', 'the evidence shows a liquidation that is covered'),
    ('GATHERING', 'NOT_COVERED', 'the evidence shows that nothing is owed'),
    ('GATHERING', 'IN_REVIEW', 'the exchange shows no more: an operator decides'),
    ('GATHERING', 'PAID', 'nothing more is owed than was paid'),
    ('PAYABLE', 'GATHERING', 'more has happened, or more evidence has come'),
    ('NOT_COVERED', 'GATHERING', 'more has happened, or more evidence has come'),
    ('IN_REVIEW', 'GATHERING', 'more evidence has come'),
    ('PAID', 'GATHERING', 'another part was liquidated after the first was paid'),
    ('REFUSED', 'GATHERING', 'another part was liquidated after the first was refused'),
    ('NOT_COVERED', 'IN_REVIEW', 'its owner objects'),
    ('REFUSED', 'IN_REVIEW', 'its owner objects'),
    ('PAYABLE', 'APPROVED', 'approved'),
    ('PAYABLE', 'REFUSED', 'refused by an operator'),
    ('IN_REVIEW', 'APPROVED', 'approved by an operator'),
    ('IN_REVIEW', 'REFUSED', 'refused by an operator'),
    ('APPROVED', 'BATCHED', 'written into a batch file'),
    ('APPROVED', 'PAID', 'the transfer is safe'),
    ('BATCHED', 'PAID', 'the transfer is safe'),
    ('BATCHED', 'APPROVED', 'to be written into a batch once more'),
    ('PAID', 'BATCHED', 'the transfer left the chain'),
    ('APPROVED', 'IN_REVIEW', 'its payout was cancelled: an operator decides again'),
    ('BATCHED', 'IN_REVIEW', 'its payout was cancelled: an operator decides again');

-- The rules under which an order was sold.
alter table purchase_orders add column claims_policy text not null default '2026-11-29' check (claims_policy <> '');

-- One claim an order: opening it again returns it.
create table claims (
    user_id bytea not null check (length(user_id) = 20),
    id uuid not null,
    order_id uuid not null,
    purchase_order_id bytea not null check (length(purchase_order_id) = 32),
    status claim_status not null,
    event_seq integer not null check (event_seq > 0),
    opened_at timestamptz not null,
    opened_by claim_opener not null,
    -- The exchange is asked from this time on; null: not before something happens.
    ask_at timestamptz,
    asked integer not null default 0 check (asked >= 0),
    asked_at timestamptz,
    trouble text,
    -- The newest verdict, of claim_verdicts.
    verdict_seq integer not null default 0,
    amount bigint check (amount > 0),
    reason_code text,
    missing text[] not null default '{}',
    liquidated_at timestamptz,
    trigger_px text,
    bundle_sha256 bytea check (length(bundle_sha256) = 32),
    episode_over boolean not null default false,
    -- All that was ever approved for it, what its payouts make together.
    approved_amount bigint not null default 0 check (approved_amount >= 0),
    recipient bytea not null check (length(recipient) = 20),
    disbursement_id uuid,
    pay_tx_hash bytea check (length(pay_tx_hash) = 32),
    -- What paid it can leave the chain no more: nobody has to look.
    pay_final boolean not null default false,
    held_reason text,
    objection text check (length(objection) between 1 and 2000),
    objected_at timestamptz,
    primary key (user_id, id),
    unique (user_id, order_id),
    foreign key (user_id, order_id) references purchase_orders (user_id, id) on delete restrict,
    check (num_nonnulls(objection, objected_at) in (0, 2)),
    check (status <> 'PAYABLE' or amount is not null),
    -- A moment after its payout was cancelled, an APPROVED one is approved for nothing: then it is reviewed again.
    check (status not in ('APPROVED', 'BATCHED', 'PAID') or disbursement_id is not null),
    check (status <> 'PAID' or pay_tx_hash is not null)
);
create index claims_by_id on claims (id);
create index claims_by_status on claims (status, opened_at);
create index claims_to_ask on claims (ask_at) where ask_at is not null;
create index claims_of_episodes_over on claims (user_id, order_id) where episode_over;
create index claims_to_follow on claims (opened_at)
    where status in ('APPROVED', 'BATCHED') or (status = 'PAID' and not pay_final);
create index claims_by_disbursement on claims (disbursement_id) where disbursement_id is not null;

create table claim_events (
    user_id bytea not null,
    claim_id uuid not null,
    seq integer not null check (seq > 0),
    from_status claim_status,
    to_status claim_status not null,
    reason text not null,
    actor text not null check (actor in ('WATCHER', 'TRADER', 'OPERATOR', 'POLICY', 'EXCHANGE', 'CHAIN', 'CLOCK')),
    by_name text,
    details text not null,
    at timestamptz not null,
    primary key (user_id, claim_id, seq),
    foreign key (user_id, claim_id) references claims (user_id, id) on delete restrict,
    foreign key (from_status, to_status) references claim_moves (from_status, to_status),
    check ((from_status is null) = (seq = 1)),
    check (from_status is not null or to_status = 'OPEN')
);

-- An answer of the exchange, as it came. One that says the same as the one before is not kept again.
create table claim_evidence (
    user_id bytea not null,
    claim_id uuid not null,
    seq integer not null check (seq > 0),
    api_account_id uuid not null,
    exchange_uid text not null,
    endpoint text not null,
    request text not null,
    http_status integer not null,
    asked_at timestamptz not null,
    clock_offset_ms bigint not null,
    body bytea not null,
    body_sha256 bytea not null check (length(body_sha256) = 32),
    primary key (user_id, claim_id, seq),
    foreign key (user_id, claim_id) references claims (user_id, id) on delete restrict,
    foreign key (user_id, api_account_id) references api_accounts (user_id, id) on delete restrict
);

-- What was decided from which evidence: `evidence_upto` and `watched_upto` say how far both went then.
create table claim_verdicts (
    user_id bytea not null,
    claim_id uuid not null,
    seq integer not null check (seq > 0),
    evidence_upto integer not null,
    watched_upto integer not null,
    policy_version text not null,
    verdict text not null,
    bundle_sha256 bytea not null check (length(bundle_sha256) = 32),
    at timestamptz not null,
    primary key (user_id, claim_id, seq),
    foreign key (user_id, claim_id) references claims (user_id, id) on delete restrict
);

-- Who approved what. `round` is the claim's event_seq then: what stood after that move is what was approved,
-- and whoever approves once more in it thought better of the amount or the recipient.
create table claim_approvals (
    user_id bytea not null,
    claim_id uuid not null,
    seq integer not null check (seq > 0),
    round integer not null check (round > 0),
    by_name text not null check (by_name <> ''),
    amount bigint not null check (amount > 0),
    recipient bytea not null check (length(recipient) = 20),
    reason text not null check (reason <> ''),
    at timestamptz not null,
    primary key (user_id, claim_id, seq),
    foreign key (user_id, claim_id) references claims (user_id, id) on delete restrict
);

-- What of an order is watched: made when the order becomes ACTIVE, settled when no claim can come any more.
-- `penalty` is the liquidation penalty that is known and decided on: that of pricing, later that of a verdict.
create table watched_covers (
    user_id bytea not null check (length(user_id) = 20),
    order_id uuid not null,
    purchase_order_id bytea not null check (length(purchase_order_id) = 32),
    exchange_uid text not null,
    -- The end of the cover: from then on it may be settled, and the claim window runs.
    ends_at timestamptz not null,
    penalty text,
    seen_at timestamptz,
    seen text,
    change_seq integer not null default 0,
    gone_at timestamptz,
    alive_after_end_at timestamptz,
    settled_at timestamptz,
    settled_by settled_by,
    primary key (user_id, order_id),
    foreign key (user_id, order_id) references purchase_orders (user_id, id) on delete restrict,
    check (num_nonnulls(settled_at, settled_by) in (0, 2))
);
create index watched_covers_open on watched_covers (user_id, exchange_uid) where settled_at is null;
-- What may be settled: a handful of many that run.
create index watched_covers_alive on watched_covers (alive_after_end_at)
    where settled_at is null and alive_after_end_at is not null;
create index watched_covers_ended on watched_covers (ends_at) where settled_at is null;

-- What changed of a covered position since it was priced: append-only.
create table watched_changes (
    user_id bytea not null,
    order_id uuid not null,
    seq integer not null check (seq > 0),
    read_at timestamptz not null,
    clock_offset_ms bigint not null,
    what text[] not null,
    row text not null,
    row_sha256 bytea not null check (length(row_sha256) = 32),
    primary key (user_id, order_id, seq),
    foreign key (user_id, order_id) references watched_covers (user_id, order_id) on delete restrict
);

-- When which account is to be read again; null: not before something happens.
create table watched_accounts (
    user_id bytea not null check (length(user_id) = 20),
    exchange_uid text not null,
    due_at timestamptz,
    failures integer not null default 0,
    read_at timestamptz,
    trouble text,
    primary key (user_id, exchange_uid)
);
create index watched_accounts_due on watched_accounts (due_at) where due_at is not null;

-- Covers that run already are watched from now on; those that are over were settled as they ended.
insert into watched_covers (user_id, order_id, purchase_order_id, exchange_uid, ends_at, penalty)
select o.user_id, o.id, o.purchase_order_id, b.exchange_uid, o.coverage_end_at,
    (o.priced_from::jsonb ->> 'position')::jsonb ->> 'liqPenalty'
from purchase_orders o join insured_bindings b on b.user_id = o.user_id and b.id = o.binding_id
where o.status = 'ACTIVE';
insert into watched_accounts (user_id, exchange_uid, due_at)
select distinct user_id, exchange_uid, now() from watched_covers;

-- What was asked to be paid out for an order.
-- squawk-ignore require-concurrent-index-creation -- few rows: a moment
create index disbursements_by_ref on disbursements (ref) where purpose = 'CLAIM';

insert into ledger_kinds (kind, debit, credit, forward) values
    ('CLAIM', 'POOL_LOCKED', 'CLAIMS_PAYABLE', true),
    ('CLAIM', 'CLAIMS_PAYABLE', 'POOL_LOCKED', false),
    ('CLAIM_PAID', 'CLAIMS_PAYABLE', 'TREASURY', true),
    ('CLAIM_PAID', 'TREASURY', 'CLAIMS_PAYABLE', false);

grant select on claim_moves to liqpass_app;
grant select, insert, update on claims, watched_covers, watched_accounts to liqpass_app;
grant select, insert on claim_events, claim_evidence, claim_verdicts, claim_approvals, watched_changes to liqpass_app;
revoke update on claims from liqpass_app;
-- Whose claim it is, of which order, and who opened it when, stays.
grant update (status, event_seq, ask_at, asked, asked_at, trouble, verdict_seq, amount, reason_code, missing,
    liquidated_at, trigger_px, bundle_sha256, episode_over, approved_amount, recipient, disbursement_id,
    pay_tx_hash, pay_final, held_reason, objection, objected_at) on claims to liqpass_app;
