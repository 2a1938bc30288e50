-- The whole schema as the migrations leave it, to be read in one piece. Made by `make schema`, held equal to
-- the migrations by a test. A database is made by `liqpass migrate`, never from this file.

CREATE TYPE public.binding_status AS ENUM (
    'DRAFT',
    'ACTIVE',
    'EXPIRED',
    'CANCELLED'
);

CREATE TYPE public.break_type AS ENUM (
    'ORDER_PAID_WITHOUT_EVENT',
    'EVENT_WITHOUT_ORDER',
    'AMOUNT_DIFFERS',
    'LEDGER_WITHOUT_EVENT',
    'EVENT_WITHOUT_LEDGER',
    'BALANCE_DIFFERS',
    'COVER_WITHOUT_CAPITAL',
    'ORDER_STUCK',
    'BINDING_DISAGREES',
    'MONEY_IN_SUSPENSE',
    'MONEY_LEFT_UNEXPLAINED',
    'PREMIUM_EARNED_WRONG',
    'HISTORY_BROKEN',
    'LEDGER_INCONSISTENT',
    'CLAIM_WITHOUT_PAYOUT',
    'PAYOUT_WITHOUT_CLAIM',
    'CLAIM_PAID_TWICE',
    'CLAIM_PAID_TO_ANOTHER',
    'CLAIM_OVERDUE'
);

CREATE TYPE public.chain_stage AS ENUM (
    'SEEN',
    'SAFE',
    'FINAL',
    'DROPPED'
);

CREATE TYPE public.claim_opener AS ENUM (
    'WATCHER',
    'TRADER',
    'OPERATOR'
);

CREATE TYPE public.claim_status AS ENUM (
    'OPEN',
    'GATHERING',
    'NOT_COVERED',
    'PAYABLE',
    'IN_REVIEW',
    'APPROVED',
    'BATCHED',
    'PAID',
    'REFUSED'
);

CREATE TYPE public.cover_direction AS ENUM (
    'long',
    'short'
);

CREATE TYPE public.disbursement_purpose AS ENUM (
    'REFUND',
    'WITHDRAWAL',
    'CLAIM'
);

CREATE TYPE public.exposure_scope AS ENUM (
    'DIRECTION',
    'INSTRUMENT',
    'ACCOUNT',
    'WALLET',
    'CLAIMS'
);

CREATE TYPE public.ledger_account AS ENUM (
    'TREASURY',
    'OUTFLOW_UNEXPLAINED',
    'UNEARNED_PREMIUM',
    'EARNED_PREMIUM',
    'SUSPENSE',
    'REFUNDS_DUE',
    'WITHDRAWALS_DUE',
    'POOL_FREE',
    'POOL_LOCKED',
    'CLAIMS_PAYABLE'
);

CREATE TYPE public.ledger_kind AS ENUM (
    'OPENING',
    'PREMIUM',
    'RECEIVED',
    'EARNED',
    'HELD',
    'CAPITAL',
    'REFUND',
    'REFUND_PAID',
    'WITHDRAWAL',
    'WITHDRAWAL_PAID',
    'PAID_OUT',
    'CLAIM',
    'CLAIM_PAID'
);

CREATE TYPE public.ledger_side AS ENUM (
    'DEBIT',
    'CREDIT'
);

CREATE TYPE public.margin_mode AS ENUM (
    'cross',
    'isolated'
);

CREATE TYPE public.order_status AS ENUM (
    'DRAFT',
    'PAID_PENDING_CONFIRM',
    'ACTIVE',
    'EXPIRED',
    'CANCELLED'
);

CREATE TYPE public.position_side AS ENUM (
    'long',
    'short',
    'net'
);

CREATE TYPE public.settle_outcome AS ENUM (
    'MATCHED',
    'UNKNOWN_ORDER',
    'WRONG_AMOUNT',
    'LATE',
    'ORDER_CLOSED',
    'DROPPED'
);

CREATE TYPE public.settled_by AS ENUM (
    'ALIVE_AFTER_END',
    'ENDED',
    'WINDOW_OVER',
    'CANCELLED'
);

CREATE TYPE public.stop_cause AS ENUM (
    'CLAIMS',
    'OPERATOR'
);

CREATE FUNCTION public.claimed_lately(side public.cover_direction, moment timestamp with time zone) RETURNS bigint
    LANGUAGE plpgsql STABLE
    AS $$
begin
    return (select coalesce(sum(r.claimed), 0)::bigint from order_risks r
        where r.direction = side and r.claimed_at > greatest(moment - interval '24 hours',
            (select max(s.counted_upto) from sale_stops s where s.direction = side)));
end
$$;

CREATE FUNCTION public.keep_balances() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.keep_exposures() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
declare
    pool numeric;
    beyond record;
begin
    if not exists (select from added where 'POOL_LOCKED' in (debit, credit)) then
        return null;
    end if;
    select sum(balance) into pool from ledger_accounts where id in ('POOL_FREE', 'POOL_LOCKED');
    select r.direction into beyond
        from (
            select r.direction, min(a.at) as at from added a join order_risks r on r.purchase_order_id = a.ref
            where a.kind = 'HELD' and a.leg = 1 and a.credit = 'POOL_LOCKED' group by r.direction
        ) r
        where exists (select from sale_stops s where s.direction = r.direction and s.ended_at is null
                and (s.until_at is null or s.until_at > r.at))
            or claimed_lately(r.direction, r.at) * 10000.0
                > pool * (select share_bps from exposure_limits where scope = 'CLAIMS')
        limit 1;
    if found then
        raise exception 'no cover of this direction is sold now: %', beyond.direction
            using errcode = 'check_violation', constraint = 'sale_not_stopped';
    end if;
    with moved as (
        select r.*, a.kind = 'HELD' and a.leg = 1 as is_new,
            case when a.credit = 'POOL_LOCKED' then a.amount else -a.amount end as amount
        from added a join order_risks r on r.purchase_order_id = a.ref
        where 'POOL_LOCKED' in (a.debit, a.credit)
    ),
    sums as (
        select k.scope, k.key, sum(m.amount)::bigint as amount, bool_or(m.is_new) as is_new
        from moved m cross join lateral (values
            ('DIRECTION'::exposure_scope, m.direction::text), ('INSTRUMENT', m.inst_id),
            ('ACCOUNT', m.main_uid), ('WALLET', '0x' || encode(m.wallet, 'hex'))
        ) k (scope, key)
        group by k.scope, k.key
    ),
    counted as (
        insert into exposures as e (scope, key, open_sum)
        select scope, key, amount from sums
        on conflict (scope, key) do update set open_sum = e.open_sum + excluded.open_sum
        returning scope, key, open_sum
    )
    select scope, key into beyond
        from counted join sums using (scope, key) join exposure_limits l using (scope)
        where sums.is_new and open_sum * 10000.0 > pool * l.share_bps limit 1;
    if found then
        raise exception 'more than may stand behind one %: %', lower(beyond.scope::text), beyond.key
            using errcode = 'check_violation', constraint = 'within_exposure_limits';
    end if;
    return null;
end
$$;

CREATE FUNCTION public.queue_for_booking() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    insert into transfer_queue (chain_id, tx_hash)
    select distinct chain_id, tx_hash from changed order by chain_id, tx_hash
    on conflict (chain_id, tx_hash) do update set bumps = transfer_queue.bumps where false;
    return null;
end
$$;

CREATE FUNCTION public.queue_for_settling() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    insert into settle_queue (chain_id, tx_hash, log_index)
    select chain_id, tx_hash, log_index from changed order by chain_id, tx_hash, log_index
    on conflict (chain_id, tx_hash, log_index) do update set bumps = settle_queue.bumps where false;
    return null;
end
$$;

CREATE FUNCTION public.refuse_change_of_disbursement() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION public.refuse_change_of_final() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    raise exception 'final rows of % cannot be changed', tg_table_name using errcode = 'restrict_violation';
end
$$;

CREATE FUNCTION public.refuse_change_of_ledger() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    raise exception 'the ledger is append-only: correct it by a reversal' using errcode = 'restrict_violation';
end
$$;

CREATE FUNCTION public.refuse_change_of_reconciliation() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end
$$;

CREATE AGGREGATE public.micro_sum(bigint) (
    SFUNC = int8pl,
    STYPE = bigint,
    INITCOND = '0',
    COMBINEFUNC = int8pl,
    PARALLEL = safe
);

CREATE TABLE public.api_accounts (
    user_id bytea NOT NULL,
    id uuid NOT NULL,
    exchange text NOT NULL,
    region text NOT NULL,
    demo boolean NOT NULL,
    uid text NOT NULL,
    main_uid text NOT NULL,
    api_key text NOT NULL,
    secret_enc text,
    passphrase_enc text,
    label text NOT NULL,
    permissions text[] NOT NULL,
    ip_bound boolean NOT NULL,
    checked_at timestamp with time zone NOT NULL,
    held_at timestamp with time zone,
    held_reason text,
    created_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT api_accounts_api_key_check CHECK ((api_key <> ''::text)),
    CONSTRAINT api_accounts_check CHECK ((((revoked_at IS NULL) = (secret_enc IS NOT NULL)) AND ((revoked_at IS NULL) = (passphrase_enc IS NOT NULL)))),
    CONSTRAINT api_accounts_check1 CHECK (((held_at IS NULL) = (held_reason IS NULL))),
    CONSTRAINT api_accounts_exchange_check CHECK ((exchange = 'okx'::text)),
    CONSTRAINT api_accounts_main_uid_check CHECK ((main_uid <> ''::text)),
    CONSTRAINT api_accounts_uid_check CHECK ((uid <> ''::text)),
    CONSTRAINT api_accounts_user_id_check CHECK ((length(user_id) = 20))
);

CREATE TABLE public.book_checks (
    name text NOT NULL,
    broken bigint,
    findings text NOT NULL,
    checked_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone,
    CONSTRAINT book_checks_broken_check CHECK ((broken >= 0)),
    CONSTRAINT book_checks_name_check CHECK ((name <> ''::text))
);

CREATE TABLE public.chain_cursors (
    chain_id bigint NOT NULL,
    finalized_number bigint NOT NULL,
    finalized_hash bytea NOT NULL,
    safe_number bigint NOT NULL,
    safe_time timestamp with time zone NOT NULL,
    latest_number bigint NOT NULL,
    latest_time timestamp with time zone NOT NULL,
    read_at timestamp with time zone NOT NULL,
    doubtful_views bigint DEFAULT 0 NOT NULL,
    doubt text,
    halted text,
    CONSTRAINT chain_cursors_check CHECK ((safe_number >= finalized_number)),
    CONSTRAINT chain_cursors_check1 CHECK ((latest_number >= safe_number)),
    CONSTRAINT chain_cursors_finalized_hash_check CHECK ((length(finalized_hash) = 32))
);

CREATE TABLE public.claim_approvals (
    user_id bytea NOT NULL,
    claim_id uuid NOT NULL,
    seq integer NOT NULL,
    round integer NOT NULL,
    by_name text NOT NULL,
    amount bigint NOT NULL,
    recipient bytea NOT NULL,
    reason text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT claim_approvals_amount_check CHECK ((amount > 0)),
    CONSTRAINT claim_approvals_by_name_check CHECK ((by_name <> ''::text)),
    CONSTRAINT claim_approvals_reason_check CHECK ((reason <> ''::text)),
    CONSTRAINT claim_approvals_recipient_check CHECK ((length(recipient) = 20)),
    CONSTRAINT claim_approvals_round_check CHECK ((round > 0)),
    CONSTRAINT claim_approvals_seq_check CHECK ((seq > 0))
);

CREATE TABLE public.claim_events (
    user_id bytea NOT NULL,
    claim_id uuid NOT NULL,
    seq integer NOT NULL,
    from_status public.claim_status,
    to_status public.claim_status NOT NULL,
    reason text NOT NULL,
    actor text NOT NULL,
    by_name text,
    details text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT claim_events_actor_check CHECK ((actor = ANY (ARRAY['WATCHER'::text, 'TRADER'::text, 'OPERATOR'::text, 'POLICY'::text, 'EXCHANGE'::text, 'CHAIN'::text, 'CLOCK'::text]))),
    CONSTRAINT claim_events_check CHECK (((from_status IS NULL) = (seq = 1))),
    CONSTRAINT claim_events_check1 CHECK (((from_status IS NOT NULL) OR (to_status = 'OPEN'::public.claim_status))),
    CONSTRAINT claim_events_seq_check CHECK ((seq > 0))
);

CREATE TABLE public.claim_evidence (
    user_id bytea NOT NULL,
    claim_id uuid NOT NULL,
    seq integer NOT NULL,
    api_account_id uuid NOT NULL,
    exchange_uid text NOT NULL,
    endpoint text NOT NULL,
    request text NOT NULL,
    http_status integer NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    clock_offset_ms bigint NOT NULL,
    body bytea NOT NULL,
    body_sha256 bytea NOT NULL,
    CONSTRAINT claim_evidence_body_sha256_check CHECK ((length(body_sha256) = 32)),
    CONSTRAINT claim_evidence_seq_check CHECK ((seq > 0))
);

CREATE TABLE public.claim_moves (
    from_status public.claim_status NOT NULL,
    to_status public.claim_status NOT NULL,
    meaning text NOT NULL
);

CREATE TABLE public.claim_verdicts (
    user_id bytea NOT NULL,
    claim_id uuid NOT NULL,
    seq integer NOT NULL,
    evidence_upto integer NOT NULL,
    watched_upto integer NOT NULL,
    policy_version text NOT NULL,
    verdict text NOT NULL,
    bundle_sha256 bytea NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT claim_verdicts_bundle_sha256_check CHECK ((length(bundle_sha256) = 32)),
    CONSTRAINT claim_verdicts_seq_check CHECK ((seq > 0))
);

CREATE TABLE public.claims (
    user_id bytea NOT NULL,
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    purchase_order_id bytea NOT NULL,
    status public.claim_status NOT NULL,
    event_seq integer NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    opened_by public.claim_opener NOT NULL,
    ask_at timestamp with time zone,
    asked integer DEFAULT 0 NOT NULL,
    asked_at timestamp with time zone,
    trouble text,
    verdict_seq integer DEFAULT 0 NOT NULL,
    amount bigint,
    reason_code text,
    missing text[] DEFAULT '{}'::text[] NOT NULL,
    liquidated_at timestamp with time zone,
    trigger_px text,
    bundle_sha256 bytea,
    episode_over boolean DEFAULT false NOT NULL,
    approved_amount bigint DEFAULT 0 NOT NULL,
    recipient bytea NOT NULL,
    disbursement_id uuid,
    pay_tx_hash bytea,
    pay_final boolean DEFAULT false NOT NULL,
    held_reason text,
    objection text,
    objected_at timestamp with time zone,
    CONSTRAINT claims_amount_check CHECK ((amount > 0)),
    CONSTRAINT claims_approved_amount_check CHECK ((approved_amount >= 0)),
    CONSTRAINT claims_asked_check CHECK ((asked >= 0)),
    CONSTRAINT claims_bundle_sha256_check CHECK ((length(bundle_sha256) = 32)),
    CONSTRAINT claims_check CHECK ((num_nonnulls(objection, objected_at) = ANY (ARRAY[0, 2]))),
    CONSTRAINT claims_check1 CHECK (((status <> 'PAYABLE'::public.claim_status) OR (amount IS NOT NULL))),
    CONSTRAINT claims_check2 CHECK (((status <> ALL (ARRAY['APPROVED'::public.claim_status, 'BATCHED'::public.claim_status, 'PAID'::public.claim_status])) OR (disbursement_id IS NOT NULL))),
    CONSTRAINT claims_check3 CHECK (((status <> 'PAID'::public.claim_status) OR (pay_tx_hash IS NOT NULL))),
    CONSTRAINT claims_event_seq_check CHECK ((event_seq > 0)),
    CONSTRAINT claims_objection_check CHECK (((length(objection) >= 1) AND (length(objection) <= 2000))),
    CONSTRAINT claims_pay_tx_hash_check CHECK ((length(pay_tx_hash) = 32)),
    CONSTRAINT claims_purchase_order_id_check CHECK ((length(purchase_order_id) = 32)),
    CONSTRAINT claims_recipient_check CHECK ((length(recipient) = 20)),
    CONSTRAINT claims_user_id_check CHECK ((length(user_id) = 20))
);

CREATE TABLE public.disbursements (
    id uuid NOT NULL,
    chain_id bigint NOT NULL,
    purpose public.disbursement_purpose NOT NULL,
    ref bytea NOT NULL,
    recipient bytea NOT NULL,
    amount bigint NOT NULL,
    reason text NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    batched_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    cancelled_by text,
    cancel_reason text,
    CONSTRAINT disbursements_amount_check CHECK ((amount > 0)),
    CONSTRAINT disbursements_asked_by_check CHECK ((asked_by <> ''::text)),
    CONSTRAINT disbursements_check CHECK ((num_nonnulls(cancelled_at, cancelled_by, cancel_reason) = ANY (ARRAY[0, 3]))),
    CONSTRAINT disbursements_reason_check CHECK ((reason <> ''::text)),
    CONSTRAINT disbursements_recipient_check CHECK ((length(recipient) = 20)),
    CONSTRAINT disbursements_ref_check CHECK (((length(ref) >= 1) AND (length(ref) <= 36)))
);

CREATE TABLE public.disbursements_made (
    chain_id bigint NOT NULL,
    tx_hash bytea NOT NULL,
    log_index integer NOT NULL,
    disbursement_id uuid NOT NULL,
    made_at timestamp with time zone NOT NULL,
    adopted_by text,
    adopt_reason text,
    CONSTRAINT adopted_by_somebody CHECK ((num_nonnulls(adopted_by, adopt_reason) = ANY (ARRAY[0, 2]))),
    CONSTRAINT disbursements_made_adopt_reason_check CHECK ((adopt_reason <> ''::text)),
    CONSTRAINT disbursements_made_adopted_by_check CHECK ((adopted_by <> ''::text))
);

CREATE TABLE public.exposure_limit_changes (
    id uuid NOT NULL,
    scope public.exposure_scope NOT NULL,
    was_bps integer NOT NULL,
    share_bps integer NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    changed_by text NOT NULL,
    reason text NOT NULL,
    CONSTRAINT exposure_limit_changes_changed_by_check CHECK ((changed_by <> ''::text)),
    CONSTRAINT exposure_limit_changes_reason_check CHECK ((reason <> ''::text))
);

CREATE TABLE public.exposure_limits (
    scope public.exposure_scope NOT NULL,
    share_bps integer NOT NULL,
    CONSTRAINT exposure_limits_share_bps_check CHECK (((share_bps >= 0) AND (share_bps <= 10000)))
);

CREATE TABLE public.exposures (
    scope public.exposure_scope NOT NULL,
    key text NOT NULL,
    open_sum bigint NOT NULL,
    CONSTRAINT exposures_scope_check CHECK ((scope <> 'CLAIMS'::public.exposure_scope))
)
WITH (fillfactor='50');

CREATE TABLE public.insured_bindings (
    user_id bytea NOT NULL,
    id uuid NOT NULL,
    api_account_id uuid NOT NULL,
    exchange_uid text NOT NULL,
    inst_id text NOT NULL,
    mgn_mode public.margin_mode NOT NULL,
    pos_side public.position_side NOT NULL,
    sku text NOT NULL,
    status public.binding_status NOT NULL,
    pos_id text NOT NULL,
    pos_created_ms bigint NOT NULL,
    position_as_read text NOT NULL,
    position_sha256 bytea NOT NULL,
    read_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    order_id uuid,
    coverage_start_at timestamp with time zone,
    coverage_end_at timestamp with time zone,
    CONSTRAINT insured_bindings_check CHECK ((num_nonnulls(coverage_start_at, coverage_end_at) =
CASE
    WHEN (status = ANY (ARRAY['ACTIVE'::public.binding_status, 'EXPIRED'::public.binding_status])) THEN 2
    ELSE 0
END)),
    CONSTRAINT insured_bindings_check1 CHECK ((coverage_end_at > coverage_start_at)),
    CONSTRAINT insured_bindings_position_sha256_check CHECK ((length(position_sha256) = 32))
);

CREATE TABLE public.insured_positions (
    exchange text NOT NULL,
    exchange_uid text NOT NULL,
    inst_id text NOT NULL,
    mgn_mode public.margin_mode NOT NULL,
    pos_side public.position_side NOT NULL,
    user_id bytea NOT NULL,
    api_account_id uuid NOT NULL,
    binding_id uuid NOT NULL,
    CONSTRAINT insured_positions_user_id_check CHECK ((length(user_id) = 20))
);

CREATE TABLE public.ledger_accounts (
    id public.ledger_account NOT NULL,
    side public.ledger_side NOT NULL,
    balance bigint DEFAULT 0 NOT NULL,
    CONSTRAINT never_overdrawn CHECK ((balance >= 0))
)
WITH (fillfactor='10');

CREATE TABLE public.ledger_kinds (
    kind public.ledger_kind NOT NULL,
    debit public.ledger_account NOT NULL,
    credit public.ledger_account NOT NULL,
    forward boolean NOT NULL,
    CONSTRAINT ledger_kinds_check CHECK ((debit <> credit))
);

CREATE TABLE public.ledger_openings (
    chain_id bigint NOT NULL,
    block_number bigint NOT NULL,
    block_hash bytea NOT NULL,
    treasury_balance bigint NOT NULL,
    opening bigint NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    CONSTRAINT ledger_openings_block_hash_check CHECK ((length(block_hash) = 32)),
    CONSTRAINT ledger_openings_treasury_balance_check CHECK ((treasury_balance >= 0))
);

CREATE TABLE public.ledger_transfers (
    seq bigint NOT NULL,
    kind public.ledger_kind NOT NULL,
    ref bytea NOT NULL,
    leg integer NOT NULL,
    debit public.ledger_account NOT NULL,
    credit public.ledger_account NOT NULL,
    amount bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT ledger_transfers_amount_check CHECK ((amount > 0)),
    CONSTRAINT ledger_transfers_leg_check CHECK ((leg > 0)),
    CONSTRAINT ledger_transfers_ref_check CHECK (((length(ref) >= 1) AND (length(ref) <= 36)))
);

ALTER TABLE public.ledger_transfers ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ledger_transfers_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.mark_candles (
    inst_id text NOT NULL,
    bar text NOT NULL,
    start_at timestamp with time zone NOT NULL,
    read_at timestamp with time zone NOT NULL,
    open text NOT NULL,
    high text NOT NULL,
    low text NOT NULL,
    close text NOT NULL,
    source text NOT NULL,
    answer_sha256 bytea NOT NULL,
    CONSTRAINT mark_candles_answer_sha256_check CHECK ((length(answer_sha256) = 32)),
    CONSTRAINT mark_candles_bar_check CHECK ((bar = ANY (ARRAY['1H'::text, '1Dutc'::text]))),
    CONSTRAINT mark_candles_source_check CHECK ((source <> ''::text))
);

CREATE TABLE public.market_instruments (
    inst_id text NOT NULL,
    wanted_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL,
    read_at timestamp with time zone,
    failures integer DEFAULT 0 NOT NULL,
    doubted boolean DEFAULT false NOT NULL,
    trouble text,
    CONSTRAINT market_instruments_failures_check CHECK ((failures >= 0)),
    CONSTRAINT market_instruments_inst_id_check CHECK ((inst_id <> ''::text))
);

CREATE TABLE public.order_events (
    user_id bytea NOT NULL,
    order_id uuid NOT NULL,
    seq integer NOT NULL,
    from_status public.order_status,
    to_status public.order_status NOT NULL,
    reason text NOT NULL,
    actor text NOT NULL,
    details text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT order_events_actor_check CHECK ((actor = ANY (ARRAY['USER'::text, 'CHAIN'::text, 'CLOCK'::text, 'OPERATOR'::text]))),
    CONSTRAINT order_events_check CHECK (((from_status IS NULL) = (seq = 1))),
    CONSTRAINT order_events_check1 CHECK (((from_status IS NOT NULL) OR (to_status = 'DRAFT'::public.order_status))),
    CONSTRAINT order_events_seq_check CHECK ((seq > 0))
);

CREATE TABLE public.order_moves (
    from_status public.order_status NOT NULL,
    to_status public.order_status NOT NULL,
    meaning text NOT NULL
);

CREATE TABLE public.order_refs (
    purchase_order_id bytea NOT NULL,
    user_id bytea NOT NULL,
    order_id uuid NOT NULL,
    CONSTRAINT order_refs_purchase_order_id_check CHECK ((length(purchase_order_id) = 32)),
    CONSTRAINT order_refs_user_id_check CHECK ((length(user_id) = 20))
);

CREATE TABLE public.order_risks (
    purchase_order_id bytea NOT NULL,
    direction public.cover_direction NOT NULL,
    inst_id text NOT NULL,
    main_uid text NOT NULL,
    wallet bytea NOT NULL,
    claimed_at timestamp with time zone,
    claimed bigint,
    CONSTRAINT order_risks_check CHECK ((num_nonnulls(claimed_at, claimed) = ANY (ARRAY[0, 2]))),
    CONSTRAINT order_risks_claimed_check CHECK ((claimed >= 0)),
    CONSTRAINT order_risks_inst_id_check CHECK ((inst_id <> ''::text)),
    CONSTRAINT order_risks_main_uid_check CHECK ((main_uid <> ''::text)),
    CONSTRAINT order_risks_purchase_order_id_check CHECK ((length(purchase_order_id) = 32)),
    CONSTRAINT order_risks_wallet_check CHECK ((length(wallet) = 20))
);

CREATE TABLE public.payment_settlements (
    chain_id bigint NOT NULL,
    tx_hash bytea NOT NULL,
    log_index integer NOT NULL,
    stage public.chain_stage NOT NULL,
    block_hash bytea NOT NULL,
    outcome public.settle_outcome NOT NULL,
    settled_at timestamp with time zone NOT NULL
);

CREATE TABLE public.pool_deposits (
    id uuid NOT NULL,
    chain_id bigint NOT NULL,
    ref bytea NOT NULL,
    amount bigint NOT NULL,
    deposited_by text NOT NULL,
    deposited_at timestamp with time zone NOT NULL,
    CONSTRAINT pool_deposits_amount_check CHECK ((amount > 0)),
    CONSTRAINT pool_deposits_deposited_by_check CHECK ((deposited_by <> ''::text)),
    CONSTRAINT pool_deposits_ref_check CHECK (((length(ref) >= 1) AND (length(ref) <= 36)))
);

CREATE TABLE public.position_readings (
    user_id bytea NOT NULL,
    api_account_id uuid NOT NULL,
    read_at timestamp with time zone NOT NULL,
    body bytea NOT NULL,
    body_sha256 bytea NOT NULL,
    inst_ids text[],
    CONSTRAINT position_readings_body_sha256_check CHECK ((length(body_sha256) = 32))
);

CREATE TABLE public.premium_payments (
    chain_id bigint NOT NULL,
    tx_hash bytea NOT NULL,
    log_index integer NOT NULL,
    block_number bigint NOT NULL,
    block_hash bytea NOT NULL,
    block_time timestamp with time zone NOT NULL,
    purchase_order_id bytea NOT NULL,
    payer bytea NOT NULL,
    amount bigint NOT NULL,
    stage public.chain_stage NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT premium_payments_amount_check CHECK ((amount >= 0)),
    CONSTRAINT premium_payments_block_hash_check CHECK ((length(block_hash) = 32)),
    CONSTRAINT premium_payments_log_index_check CHECK ((log_index >= 0)),
    CONSTRAINT premium_payments_payer_check CHECK ((length(payer) = 20)),
    CONSTRAINT premium_payments_purchase_order_id_check CHECK ((length(purchase_order_id) = 32)),
    CONSTRAINT premium_payments_tx_hash_check CHECK ((length(tx_hash) = 32))
);

CREATE TABLE public.product_versions (
    version text NOT NULL,
    sku text NOT NULL,
    terms text NOT NULL,
    sha256 bytea NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    CONSTRAINT product_versions_check CHECK ((sha256 = sha256(convert_to(terms, 'UTF8'::name)))),
    CONSTRAINT product_versions_sku_check CHECK ((sku <> ''::text)),
    CONSTRAINT product_versions_version_check CHECK ((version <> ''::text))
);

CREATE TABLE public.published_figures (
    day date NOT NULL,
    document text NOT NULL,
    sha256 bytea NOT NULL,
    made_at timestamp with time zone NOT NULL,
    CONSTRAINT published_figures_sha256_check CHECK ((length(sha256) = 32))
);

CREATE TABLE public.purchase_orders (
    user_id bytea NOT NULL,
    id uuid NOT NULL,
    purchase_order_id bytea NOT NULL,
    binding_id uuid NOT NULL,
    sku text NOT NULL,
    premium_amount bigint NOT NULL,
    payout_amount bigint NOT NULL,
    priced_from text NOT NULL,
    status public.order_status NOT NULL,
    event_seq integer NOT NULL,
    coverage_delay_sec integer NOT NULL,
    duration_sec integer NOT NULL,
    pay_before timestamp with time zone NOT NULL,
    chain_id bigint NOT NULL,
    checkout bytea NOT NULL,
    pay_tx_hash bytea,
    payer bytea,
    submitted_at timestamp with time zone,
    paid_at timestamp with time zone,
    coverage_start_at timestamp with time zone,
    coverage_end_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    claims_policy text DEFAULT '2026-11-29'::text NOT NULL,
    chance_ppm integer,
    CONSTRAINT purchase_orders_chance_ppm_check CHECK (((chance_ppm >= 1) AND (chance_ppm <= 1000000))),
    CONSTRAINT purchase_orders_check CHECK ((pay_before > created_at)),
    CONSTRAINT purchase_orders_check1 CHECK (((status <> 'DRAFT'::public.order_status) OR (num_nonnulls(pay_tx_hash, payer, submitted_at) = 0))),
    CONSTRAINT purchase_orders_check2 CHECK (((status <> 'PAID_PENDING_CONFIRM'::public.order_status) OR (num_nulls(pay_tx_hash, submitted_at) = 0))),
    CONSTRAINT purchase_orders_check3 CHECK ((num_nonnulls(paid_at, coverage_start_at, coverage_end_at) =
CASE
    WHEN (status = ANY (ARRAY['ACTIVE'::public.order_status, 'EXPIRED'::public.order_status])) THEN 3
    ELSE 0
END)),
    CONSTRAINT purchase_orders_check4 CHECK (((status <> ALL (ARRAY['ACTIVE'::public.order_status, 'EXPIRED'::public.order_status])) OR (num_nulls(pay_tx_hash, payer, submitted_at) = 0))),
    CONSTRAINT purchase_orders_check5 CHECK ((coverage_start_at = (paid_at + make_interval(secs => (coverage_delay_sec)::double precision)))),
    CONSTRAINT purchase_orders_check6 CHECK ((coverage_end_at = (coverage_start_at + make_interval(secs => (duration_sec)::double precision)))),
    CONSTRAINT purchase_orders_checkout_check CHECK ((length(checkout) = 20)),
    CONSTRAINT purchase_orders_claims_policy_check CHECK ((claims_policy <> ''::text)),
    CONSTRAINT purchase_orders_coverage_delay_sec_check CHECK ((coverage_delay_sec >= 0)),
    CONSTRAINT purchase_orders_duration_sec_check CHECK ((duration_sec > 0)),
    CONSTRAINT purchase_orders_event_seq_check CHECK ((event_seq > 0)),
    CONSTRAINT purchase_orders_pay_tx_hash_check CHECK ((length(pay_tx_hash) = 32)),
    CONSTRAINT purchase_orders_payer_check CHECK ((length(payer) = 20)),
    CONSTRAINT purchase_orders_payout_amount_check CHECK ((payout_amount > 0)),
    CONSTRAINT purchase_orders_premium_amount_check CHECK ((premium_amount > 0)),
    CONSTRAINT purchase_orders_purchase_order_id_check CHECK ((length(purchase_order_id) = 32))
);

CREATE TABLE public.reconciliation_breaks (
    id bigint NOT NULL,
    type public.break_type NOT NULL,
    subject text NOT NULL,
    purchase_order_id bytea,
    tx_hash bytea,
    log_index integer,
    wallet bytea,
    accounts public.ledger_account[] NOT NULL,
    expected bigint,
    found bigint,
    said text NOT NULL,
    since timestamp with time zone,
    first_run bigint NOT NULL,
    last_run bigint NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    closed_by text,
    close_reason text,
    accepted boolean DEFAULT false NOT NULL,
    CONSTRAINT reconciliation_breaks_check CHECK ((last_run >= first_run)),
    CONSTRAINT reconciliation_breaks_check1 CHECK ((num_nonnulls(closed_at, closed_by, close_reason) = ANY (ARRAY[0, 3]))),
    CONSTRAINT reconciliation_breaks_check2 CHECK (((NOT accepted) OR (closed_at IS NOT NULL))),
    CONSTRAINT reconciliation_breaks_close_reason_check CHECK ((close_reason <> ''::text)),
    CONSTRAINT reconciliation_breaks_closed_by_check CHECK ((closed_by <> ''::text)),
    CONSTRAINT reconciliation_breaks_purchase_order_id_check CHECK ((length(purchase_order_id) = 32)),
    CONSTRAINT reconciliation_breaks_subject_check CHECK ((subject <> ''::text)),
    CONSTRAINT reconciliation_breaks_tx_hash_check CHECK ((length(tx_hash) = 32)),
    CONSTRAINT reconciliation_breaks_wallet_check CHECK ((length(wallet) = 20))
);

ALTER TABLE public.reconciliation_breaks ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.reconciliation_breaks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.reconciliation_closings (
    break_id bigint NOT NULL,
    first_run bigint NOT NULL,
    closed_at timestamp with time zone NOT NULL,
    closed_by text NOT NULL,
    reason text NOT NULL,
    expected bigint,
    found bigint,
    CONSTRAINT reconciliation_closings_closed_by_check CHECK ((closed_by <> ''::text)),
    CONSTRAINT reconciliation_closings_reason_check CHECK ((reason <> ''::text))
);

CREATE TABLE public.reconciliation_pages (
    run_id bigint NOT NULL,
    page integer NOT NULL,
    breaks text NOT NULL,
    sha256 bytea NOT NULL,
    CONSTRAINT reconciliation_pages_page_check CHECK ((page > 0)),
    CONSTRAINT reconciliation_pages_sha256_check CHECK ((length(sha256) = 32))
);

CREATE TABLE public.reconciliation_runs (
    id bigint NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    period_from timestamp with time zone,
    period_to timestamp with time zone,
    chain_id bigint NOT NULL,
    from_block bigint NOT NULL,
    to_block bigint,
    block_hash bytea,
    ledger_seq bigint NOT NULL,
    ledger_rows bigint NOT NULL,
    ledger_balance bigint NOT NULL,
    chain_balance bigint,
    chain_unknown text,
    orders bigint NOT NULL,
    payments bigint NOT NULL,
    transfers bigint NOT NULL,
    breaks_found bigint NOT NULL,
    breaks_open bigint NOT NULL,
    document text NOT NULL,
    sha256 bytea NOT NULL,
    previous_sha256 bytea,
    CONSTRAINT reconciliation_runs_block_hash_check CHECK ((length(block_hash) = 32)),
    CONSTRAINT reconciliation_runs_check CHECK ((finished_at >= started_at)),
    CONSTRAINT reconciliation_runs_check1 CHECK ((period_to > period_from)),
    CONSTRAINT reconciliation_runs_check2 CHECK ((num_nonnulls(to_block, block_hash) = ANY (ARRAY[0, 2]))),
    CONSTRAINT reconciliation_runs_check3 CHECK ((num_nonnulls(chain_balance, chain_unknown) = 1)),
    CONSTRAINT reconciliation_runs_id_check CHECK ((id > 0)),
    CONSTRAINT reconciliation_runs_previous_sha256_check CHECK ((length(previous_sha256) = 32)),
    CONSTRAINT reconciliation_runs_sha256_check CHECK ((length(sha256) = 32))
);

CREATE TABLE public.restorations (
    restored_at timestamp with time zone NOT NULL,
    backup_made_at timestamp with time zone NOT NULL,
    backup_sha256 bytea,
    settled_at timestamp with time zone,
    settled_by text,
    settled_reason text,
    CONSTRAINT restorations_backup_sha256_check CHECK ((length(backup_sha256) = 32)),
    CONSTRAINT restorations_check CHECK ((num_nonnulls(settled_at, settled_by, settled_reason) = ANY (ARRAY[0, 3]))),
    CONSTRAINT restorations_settled_by_check CHECK ((settled_by <> ''::text)),
    CONSTRAINT restorations_settled_reason_check CHECK ((settled_reason <> ''::text))
);

CREATE TABLE public.sale_stops (
    id uuid NOT NULL,
    direction public.cover_direction NOT NULL,
    cause public.stop_cause NOT NULL,
    from_at timestamp with time zone NOT NULL,
    until_at timestamp with time zone,
    counted_from timestamp with time zone,
    counted_upto timestamp with time zone,
    claimed bigint,
    most bigint,
    stopped_by text NOT NULL,
    reason text NOT NULL,
    ended_at timestamp with time zone,
    ended_by text,
    end_reason text,
    CONSTRAINT sale_stops_check CHECK ((until_at > from_at)),
    CONSTRAINT sale_stops_check1 CHECK (((cause = 'CLAIMS'::public.stop_cause) = (num_nonnulls(counted_from, claimed, most) = 3))),
    CONSTRAINT sale_stops_check2 CHECK ((num_nonnulls(ended_at, ended_by, end_reason) = ANY (ARRAY[0, 3]))),
    CONSTRAINT sale_stops_reason_check CHECK ((reason <> ''::text)),
    CONSTRAINT sale_stops_stopped_by_check CHECK ((stopped_by <> ''::text))
);

CREATE TABLE public.schema_migrations (
    number integer NOT NULL,
    name text NOT NULL,
    sha256 bytea NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    needs integer,
    CONSTRAINT schema_migrations_sha256_check CHECK ((length(sha256) = 32))
);

CREATE TABLE public.sessions (
    token_sha256 bytea NOT NULL,
    user_id bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT sessions_token_sha256_check CHECK ((length(token_sha256) = 32)),
    CONSTRAINT sessions_user_id_check CHECK ((length(user_id) = 20))
);

CREATE TABLE public.settle_queue (
    chain_id bigint NOT NULL,
    tx_hash bytea NOT NULL,
    log_index integer NOT NULL,
    bumps bigint DEFAULT 0 NOT NULL
);

CREATE TABLE public.signin_nonces (
    nonce text NOT NULL,
    address bytea NOT NULL,
    chain_id bigint NOT NULL,
    message text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT signin_nonces_address_check CHECK ((length(address) = 20))
);

CREATE TABLE public.submitted_txs (
    tx_hash bytea NOT NULL,
    user_id bytea NOT NULL,
    order_id uuid NOT NULL,
    CONSTRAINT submitted_txs_tx_hash_check CHECK ((length(tx_hash) = 32)),
    CONSTRAINT submitted_txs_user_id_check CHECK ((length(user_id) = 20))
);

CREATE TABLE public.transfer_queue (
    chain_id bigint NOT NULL,
    tx_hash bytea NOT NULL,
    bumps bigint DEFAULT 0 NOT NULL
);

CREATE TABLE public.usdc_transfers (
    chain_id bigint NOT NULL,
    tx_hash bytea NOT NULL,
    log_index integer NOT NULL,
    block_number bigint NOT NULL,
    block_hash bytea NOT NULL,
    block_time timestamp with time zone NOT NULL,
    sender bytea NOT NULL,
    amount bigint NOT NULL,
    stage public.chain_stage NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    recipient bytea,
    CONSTRAINT usdc_transfers_amount_check CHECK ((amount >= 0)),
    CONSTRAINT usdc_transfers_block_hash_check CHECK ((length(block_hash) = 32)),
    CONSTRAINT usdc_transfers_log_index_check CHECK ((log_index >= 0)),
    CONSTRAINT usdc_transfers_recipient_check CHECK ((length(recipient) = 20)),
    CONSTRAINT usdc_transfers_sender_check CHECK ((length(sender) = 20)),
    CONSTRAINT usdc_transfers_tx_hash_check CHECK ((length(tx_hash) = 32))
);

CREATE TABLE public.volatilities (
    inst_id text NOT NULL,
    read_at timestamp with time zone NOT NULL,
    short_e12 bigint NOT NULL,
    long_e12 bigint NOT NULL,
    candles_sha256 bytea NOT NULL,
    source text NOT NULL,
    running text DEFAULT '[]'::text NOT NULL,
    remarks text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT volatilities_candles_sha256_check CHECK ((length(candles_sha256) = 32)),
    CONSTRAINT volatilities_long_e12_check CHECK ((long_e12 > 0)),
    CONSTRAINT volatilities_short_e12_check CHECK ((short_e12 > 0)),
    CONSTRAINT volatilities_source_check CHECK ((source <> ''::text))
);

CREATE TABLE public.watched_accounts (
    user_id bytea NOT NULL,
    exchange_uid text NOT NULL,
    due_at timestamp with time zone,
    failures integer DEFAULT 0 NOT NULL,
    read_at timestamp with time zone,
    trouble text,
    CONSTRAINT watched_accounts_user_id_check CHECK ((length(user_id) = 20))
);

CREATE TABLE public.watched_changes (
    user_id bytea NOT NULL,
    order_id uuid NOT NULL,
    seq integer NOT NULL,
    read_at timestamp with time zone NOT NULL,
    clock_offset_ms bigint NOT NULL,
    what text[] NOT NULL,
    "row" text NOT NULL,
    row_sha256 bytea NOT NULL,
    CONSTRAINT watched_changes_row_sha256_check CHECK ((length(row_sha256) = 32)),
    CONSTRAINT watched_changes_seq_check CHECK ((seq > 0))
);

CREATE TABLE public.watched_covers (
    user_id bytea NOT NULL,
    order_id uuid NOT NULL,
    purchase_order_id bytea NOT NULL,
    exchange_uid text NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    penalty text,
    seen_at timestamp with time zone,
    seen text,
    change_seq integer DEFAULT 0 NOT NULL,
    gone_at timestamp with time zone,
    alive_after_end_at timestamp with time zone,
    settled_at timestamp with time zone,
    settled_by public.settled_by,
    CONSTRAINT watched_covers_check CHECK ((num_nonnulls(settled_at, settled_by) = ANY (ARRAY[0, 2]))),
    CONSTRAINT watched_covers_purchase_order_id_check CHECK ((length(purchase_order_id) = 32)),
    CONSTRAINT watched_covers_user_id_check CHECK ((length(user_id) = 20))
);

ALTER TABLE ONLY public.api_accounts
    ADD CONSTRAINT api_accounts_pkey PRIMARY KEY (user_id, id);

ALTER TABLE ONLY public.api_accounts
    ADD CONSTRAINT api_accounts_user_id_exchange_api_key_key UNIQUE (user_id, exchange, api_key);

ALTER TABLE ONLY public.book_checks
    ADD CONSTRAINT book_checks_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.chain_cursors
    ADD CONSTRAINT chain_cursors_pkey PRIMARY KEY (chain_id);

ALTER TABLE ONLY public.claim_approvals
    ADD CONSTRAINT claim_approvals_pkey PRIMARY KEY (user_id, claim_id, seq);

ALTER TABLE ONLY public.claim_events
    ADD CONSTRAINT claim_events_pkey PRIMARY KEY (user_id, claim_id, seq);

ALTER TABLE ONLY public.claim_evidence
    ADD CONSTRAINT claim_evidence_pkey PRIMARY KEY (user_id, claim_id, seq);

ALTER TABLE ONLY public.claim_moves
    ADD CONSTRAINT claim_moves_pkey PRIMARY KEY (from_status, to_status);

ALTER TABLE ONLY public.claim_verdicts
    ADD CONSTRAINT claim_verdicts_pkey PRIMARY KEY (user_id, claim_id, seq);

ALTER TABLE ONLY public.claims
    ADD CONSTRAINT claims_pkey PRIMARY KEY (user_id, id);

ALTER TABLE ONLY public.claims
    ADD CONSTRAINT claims_user_id_order_id_key UNIQUE (user_id, order_id);

ALTER TABLE ONLY public.disbursements_made
    ADD CONSTRAINT disbursements_made_disbursement_id_key UNIQUE (disbursement_id);

ALTER TABLE ONLY public.disbursements_made
    ADD CONSTRAINT disbursements_made_pkey PRIMARY KEY (chain_id, tx_hash, log_index, disbursement_id);

ALTER TABLE ONLY public.disbursements
    ADD CONSTRAINT disbursements_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.exposure_limit_changes
    ADD CONSTRAINT exposure_limit_changes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.exposure_limits
    ADD CONSTRAINT exposure_limits_pkey PRIMARY KEY (scope);

ALTER TABLE ONLY public.exposures
    ADD CONSTRAINT exposures_pkey PRIMARY KEY (scope, key);

ALTER TABLE ONLY public.insured_bindings
    ADD CONSTRAINT insured_bindings_pkey PRIMARY KEY (user_id, id);

ALTER TABLE ONLY public.insured_positions
    ADD CONSTRAINT insured_positions_pkey PRIMARY KEY (exchange, exchange_uid, inst_id, mgn_mode, pos_side);

ALTER TABLE ONLY public.ledger_accounts
    ADD CONSTRAINT ledger_accounts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.ledger_kinds
    ADD CONSTRAINT ledger_kinds_kind_forward_key UNIQUE (kind, forward);

ALTER TABLE ONLY public.ledger_kinds
    ADD CONSTRAINT ledger_kinds_pkey PRIMARY KEY (kind, debit, credit);

ALTER TABLE ONLY public.ledger_openings
    ADD CONSTRAINT ledger_openings_pkey PRIMARY KEY (chain_id);

ALTER TABLE ONLY public.ledger_transfers
    ADD CONSTRAINT ledger_transfers_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY public.mark_candles
    ADD CONSTRAINT mark_candles_pkey PRIMARY KEY (inst_id, bar, start_at, read_at);

ALTER TABLE ONLY public.market_instruments
    ADD CONSTRAINT market_instruments_pkey PRIMARY KEY (inst_id);

ALTER TABLE ONLY public.ledger_transfers
    ADD CONSTRAINT one_leg_once UNIQUE (kind, ref, leg);

ALTER TABLE ONLY public.order_events
    ADD CONSTRAINT order_events_pkey PRIMARY KEY (user_id, order_id, seq);

ALTER TABLE ONLY public.order_moves
    ADD CONSTRAINT order_moves_pkey PRIMARY KEY (from_status, to_status);

ALTER TABLE ONLY public.order_refs
    ADD CONSTRAINT order_refs_pkey PRIMARY KEY (purchase_order_id);

ALTER TABLE ONLY public.order_risks
    ADD CONSTRAINT order_risks_pkey PRIMARY KEY (purchase_order_id);

ALTER TABLE ONLY public.payment_settlements
    ADD CONSTRAINT payment_settlements_pkey PRIMARY KEY (chain_id, tx_hash, log_index);

ALTER TABLE ONLY public.pool_deposits
    ADD CONSTRAINT pool_deposits_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.position_readings
    ADD CONSTRAINT position_readings_pkey PRIMARY KEY (user_id, api_account_id);

ALTER TABLE ONLY public.premium_payments
    ADD CONSTRAINT premium_payments_pkey PRIMARY KEY (chain_id, tx_hash, log_index);

ALTER TABLE ONLY public.product_versions
    ADD CONSTRAINT product_versions_pkey PRIMARY KEY (version, sku);

ALTER TABLE ONLY public.published_figures
    ADD CONSTRAINT published_figures_pkey PRIMARY KEY (day);

ALTER TABLE ONLY public.purchase_orders
    ADD CONSTRAINT purchase_orders_pkey PRIMARY KEY (user_id, id);

ALTER TABLE ONLY public.purchase_orders
    ADD CONSTRAINT purchase_orders_user_id_purchase_order_id_key UNIQUE (user_id, purchase_order_id);

ALTER TABLE ONLY public.reconciliation_breaks
    ADD CONSTRAINT reconciliation_breaks_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.reconciliation_breaks
    ADD CONSTRAINT reconciliation_breaks_type_subject_key UNIQUE (type, subject);

ALTER TABLE ONLY public.reconciliation_closings
    ADD CONSTRAINT reconciliation_closings_pkey PRIMARY KEY (break_id, first_run);

ALTER TABLE ONLY public.reconciliation_pages
    ADD CONSTRAINT reconciliation_pages_pkey PRIMARY KEY (run_id, page);

ALTER TABLE ONLY public.reconciliation_runs
    ADD CONSTRAINT reconciliation_runs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.reconciliation_runs
    ADD CONSTRAINT reconciliation_runs_previous_sha256_key UNIQUE NULLS NOT DISTINCT (previous_sha256);

ALTER TABLE ONLY public.restorations
    ADD CONSTRAINT restorations_pkey PRIMARY KEY (restored_at);

ALTER TABLE ONLY public.sale_stops
    ADD CONSTRAINT sale_stops_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (number);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (token_sha256);

ALTER TABLE ONLY public.settle_queue
    ADD CONSTRAINT settle_queue_pkey PRIMARY KEY (chain_id, tx_hash, log_index);

ALTER TABLE ONLY public.signin_nonces
    ADD CONSTRAINT signin_nonces_pkey PRIMARY KEY (nonce);

ALTER TABLE ONLY public.transfer_queue
    ADD CONSTRAINT transfer_queue_pkey PRIMARY KEY (chain_id, tx_hash);

ALTER TABLE ONLY public.submitted_txs
    ADD CONSTRAINT uniq_pay_tx_hash PRIMARY KEY (tx_hash);

ALTER TABLE ONLY public.usdc_transfers
    ADD CONSTRAINT usdc_transfers_pkey PRIMARY KEY (chain_id, tx_hash, log_index);

ALTER TABLE ONLY public.volatilities
    ADD CONSTRAINT volatilities_pkey PRIMARY KEY (inst_id, read_at);

ALTER TABLE ONLY public.watched_accounts
    ADD CONSTRAINT watched_accounts_pkey PRIMARY KEY (user_id, exchange_uid);

ALTER TABLE ONLY public.watched_changes
    ADD CONSTRAINT watched_changes_pkey PRIMARY KEY (user_id, order_id, seq);

ALTER TABLE ONLY public.watched_covers
    ADD CONSTRAINT watched_covers_pkey PRIMARY KEY (user_id, order_id);

CREATE INDEX api_accounts_check_due ON public.api_accounts USING btree (checked_at) WHERE (revoked_at IS NULL);

CREATE INDEX claims_by_disbursement ON public.claims USING btree (disbursement_id) WHERE (disbursement_id IS NOT NULL);

CREATE INDEX claims_by_id ON public.claims USING btree (id);

CREATE INDEX claims_by_status ON public.claims USING btree (status, opened_at);

CREATE INDEX claims_of_episodes_over ON public.claims USING btree (user_id, order_id) WHERE episode_over;

CREATE INDEX claims_to_ask ON public.claims USING btree (ask_at) WHERE (ask_at IS NOT NULL);

CREATE INDEX claims_to_follow ON public.claims USING btree (opened_at) WHERE ((status = ANY (ARRAY['APPROVED'::public.claim_status, 'BATCHED'::public.claim_status])) OR ((status = 'PAID'::public.claim_status) AND (NOT pay_final)));

CREATE INDEX disbursements_by_ref ON public.disbursements USING btree (ref) WHERE (purpose = 'CLAIM'::public.disbursement_purpose);

CREATE INDEX disbursements_open ON public.disbursements USING btree (recipient, amount) WHERE (cancelled_at IS NULL);

CREATE INDEX exposure_limit_changes_of ON public.exposure_limit_changes USING btree (scope, changed_at);

CREATE INDEX insured_bindings_unordered ON public.insured_bindings USING btree (created_at) WHERE ((status = 'DRAFT'::public.binding_status) AND (order_id IS NULL));

CREATE INDEX insured_positions_binding ON public.insured_positions USING btree (user_id, binding_id);

CREATE INDEX market_instruments_due ON public.market_instruments USING btree (due_at);

CREATE INDEX order_events_cancelled ON public.order_events USING btree (at) WHERE (to_status = 'CANCELLED'::public.order_status);

CREATE INDEX order_risks_claimed ON public.order_risks USING btree (direction, claimed_at) INCLUDE (claimed) WHERE (claimed_at IS NOT NULL);

CREATE INDEX premium_payments_open ON public.premium_payments USING btree (chain_id, block_number) WHERE (stage = ANY (ARRAY['SEEN'::public.chain_stage, 'SAFE'::public.chain_stage]));

CREATE INDEX premium_payments_order ON public.premium_payments USING btree (purchase_order_id);

CREATE INDEX purchase_orders_ending ON public.purchase_orders USING btree (coverage_end_at) WHERE (status = 'ACTIVE'::public.order_status);

CREATE INDEX purchase_orders_made ON public.purchase_orders USING btree (created_at, status);

CREATE INDEX purchase_orders_paid ON public.purchase_orders USING btree (paid_at) WHERE (paid_at IS NOT NULL);

CREATE INDEX purchase_orders_pay_before ON public.purchase_orders USING btree (pay_before) WHERE (status = ANY (ARRAY['DRAFT'::public.order_status, 'PAID_PENDING_CONFIRM'::public.order_status]));

CREATE INDEX purchase_orders_pending ON public.purchase_orders USING btree (submitted_at) WHERE (status = 'PAID_PENDING_CONFIRM'::public.order_status);

CREATE INDEX reconciliation_breaks_open ON public.reconciliation_breaks USING btree (opened_at) WHERE (closed_at IS NULL);

CREATE INDEX reconciliation_breaks_order ON public.reconciliation_breaks USING btree (purchase_order_id);

CREATE INDEX sale_stops_of ON public.sale_stops USING btree (direction, from_at);

CREATE INDEX sessions_expiry ON public.sessions USING btree (expires_at);

CREATE INDEX signin_nonces_expiry ON public.signin_nonces USING btree (expires_at);

CREATE INDEX submitted_txs_order ON public.submitted_txs USING btree (user_id, order_id);

CREATE UNIQUE INDEX uniq_binding_active ON public.insured_bindings USING btree (user_id, api_account_id, inst_id, mgn_mode, pos_side) WHERE (status = ANY (ARRAY['DRAFT'::public.binding_status, 'ACTIVE'::public.binding_status]));

CREATE UNIQUE INDEX uniq_open_order_per_binding ON public.purchase_orders USING btree (user_id, binding_id) WHERE (status = ANY (ARRAY['DRAFT'::public.order_status, 'PAID_PENDING_CONFIRM'::public.order_status, 'ACTIVE'::public.order_status]));

CREATE INDEX usdc_transfers_open ON public.usdc_transfers USING btree (chain_id, block_number) WHERE (stage = ANY (ARRAY['SEEN'::public.chain_stage, 'SAFE'::public.chain_stage]));

CREATE INDEX usdc_transfers_out ON public.usdc_transfers USING btree (recipient, amount) WHERE (recipient IS NOT NULL);

CREATE INDEX watched_accounts_due ON public.watched_accounts USING btree (due_at) WHERE (due_at IS NOT NULL);

CREATE INDEX watched_covers_alive ON public.watched_covers USING btree (alive_after_end_at) WHERE ((settled_at IS NULL) AND (alive_after_end_at IS NOT NULL));

CREATE INDEX watched_covers_ended ON public.watched_covers USING btree (ends_at) WHERE (settled_at IS NULL);

CREATE INDEX watched_covers_open ON public.watched_covers USING btree (user_id, exchange_uid) WHERE (settled_at IS NULL);

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.ledger_openings FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change_of_ledger();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.ledger_transfers FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change_of_ledger();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.pool_deposits FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change_of_ledger();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.product_versions FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change_of_reconciliation();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.published_figures FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change_of_reconciliation();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.reconciliation_closings FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change_of_reconciliation();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.reconciliation_pages FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change_of_reconciliation();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.reconciliation_runs FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change_of_reconciliation();

CREATE TRIGGER asked_for_is_kept BEFORE UPDATE ON public.disbursements FOR EACH ROW EXECUTE FUNCTION public.refuse_change_of_disbursement();

CREATE TRIGGER balances_are_kept AFTER INSERT ON public.ledger_transfers REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.keep_balances();

CREATE TRIGGER changed_payment_is_booked AFTER UPDATE ON public.premium_payments REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.queue_for_booking();

CREATE TRIGGER changed_payment_is_settled AFTER UPDATE ON public.premium_payments REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.queue_for_settling();

CREATE TRIGGER changed_transfer_is_booked AFTER UPDATE ON public.usdc_transfers REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.queue_for_booking();

CREATE TRIGGER exposures_are_kept AFTER INSERT ON public.ledger_transfers REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.keep_exposures();

CREATE TRIGGER final_is_final BEFORE DELETE OR UPDATE ON public.premium_payments FOR EACH ROW WHEN ((old.stage = 'FINAL'::public.chain_stage)) EXECUTE FUNCTION public.refuse_change_of_final();

CREATE TRIGGER final_is_final BEFORE DELETE OR UPDATE ON public.usdc_transfers FOR EACH ROW WHEN ((old.stage = 'FINAL'::public.chain_stage)) EXECUTE FUNCTION public.refuse_change_of_final();

CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON public.disbursements FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change_of_disbursement();

CREATE TRIGGER new_payment_is_booked AFTER INSERT ON public.premium_payments REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.queue_for_booking();

CREATE TRIGGER new_payment_is_settled AFTER INSERT ON public.premium_payments REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.queue_for_settling();

CREATE TRIGGER new_transfer_is_booked AFTER INSERT ON public.usdc_transfers REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.queue_for_booking();

ALTER TABLE ONLY public.claim_approvals
    ADD CONSTRAINT claim_approvals_user_id_claim_id_fkey FOREIGN KEY (user_id, claim_id) REFERENCES public.claims(user_id, id) ON DELETE RESTRICT;

ALTER TABLE ONLY public.claim_events
    ADD CONSTRAINT claim_events_from_status_to_status_fkey FOREIGN KEY (from_status, to_status) REFERENCES public.claim_moves(from_status, to_status);

ALTER TABLE ONLY public.claim_events
    ADD CONSTRAINT claim_events_user_id_claim_id_fkey FOREIGN KEY (user_id, claim_id) REFERENCES public.claims(user_id, id) ON DELETE RESTRICT;

ALTER TABLE ONLY public.claim_evidence
    ADD CONSTRAINT claim_evidence_user_id_api_account_id_fkey FOREIGN KEY (user_id, api_account_id) REFERENCES public.api_accounts(user_id, id) ON DELETE RESTRICT;

ALTER TABLE ONLY public.claim_evidence
    ADD CONSTRAINT claim_evidence_user_id_claim_id_fkey FOREIGN KEY (user_id, claim_id) REFERENCES public.claims(user_id, id) ON DELETE RESTRICT;

ALTER TABLE ONLY public.claim_verdicts
    ADD CONSTRAINT claim_verdicts_user_id_claim_id_fkey FOREIGN KEY (user_id, claim_id) REFERENCES public.claims(user_id, id) ON DELETE RESTRICT;

ALTER TABLE ONLY public.claims
    ADD CONSTRAINT claims_user_id_order_id_fkey FOREIGN KEY (user_id, order_id) REFERENCES public.purchase_orders(user_id, id) ON DELETE RESTRICT;

ALTER TABLE ONLY public.disbursements_made
    ADD CONSTRAINT disbursements_made_chain_id_tx_hash_log_index_fkey FOREIGN KEY (chain_id, tx_hash, log_index) REFERENCES public.usdc_transfers(chain_id, tx_hash, log_index) ON DELETE RESTRICT;

ALTER TABLE ONLY public.disbursements_made
    ADD CONSTRAINT disbursements_made_disbursement_id_fkey FOREIGN KEY (disbursement_id) REFERENCES public.disbursements(id) ON DELETE RESTRICT;

ALTER TABLE ONLY public.exposure_limit_changes
    ADD CONSTRAINT exposure_limit_changes_scope_fkey FOREIGN KEY (scope) REFERENCES public.exposure_limits(scope);

ALTER TABLE ONLY public.insured_bindings
    ADD CONSTRAINT insured_bindings_user_id_api_account_id_fkey FOREIGN KEY (user_id, api_account_id) REFERENCES public.api_accounts(user_id, id) ON DELETE RESTRICT;

ALTER TABLE ONLY public.ledger_kinds
    ADD CONSTRAINT ledger_kinds_credit_fkey FOREIGN KEY (credit) REFERENCES public.ledger_accounts(id);

ALTER TABLE ONLY public.ledger_kinds
    ADD CONSTRAINT ledger_kinds_debit_fkey FOREIGN KEY (debit) REFERENCES public.ledger_accounts(id);

ALTER TABLE ONLY public.ledger_transfers
    ADD CONSTRAINT ledger_transfers_kind_debit_credit_fkey FOREIGN KEY (kind, debit, credit) REFERENCES public.ledger_kinds(kind, debit, credit);

ALTER TABLE ONLY public.order_events
    ADD CONSTRAINT order_events_from_status_to_status_fkey FOREIGN KEY (from_status, to_status) REFERENCES public.order_moves(from_status, to_status);

ALTER TABLE ONLY public.order_events
    ADD CONSTRAINT order_events_user_id_order_id_fkey FOREIGN KEY (user_id, order_id) REFERENCES public.purchase_orders(user_id, id) ON DELETE RESTRICT;

ALTER TABLE ONLY public.payment_settlements
    ADD CONSTRAINT payment_settlements_chain_id_tx_hash_log_index_fkey FOREIGN KEY (chain_id, tx_hash, log_index) REFERENCES public.premium_payments(chain_id, tx_hash, log_index) ON DELETE RESTRICT;

ALTER TABLE ONLY public.position_readings
    ADD CONSTRAINT position_readings_user_id_api_account_id_fkey FOREIGN KEY (user_id, api_account_id) REFERENCES public.api_accounts(user_id, id) ON DELETE RESTRICT;

ALTER TABLE ONLY public.purchase_orders
    ADD CONSTRAINT purchase_orders_user_id_binding_id_fkey FOREIGN KEY (user_id, binding_id) REFERENCES public.insured_bindings(user_id, id) ON DELETE RESTRICT;

ALTER TABLE ONLY public.reconciliation_breaks
    ADD CONSTRAINT reconciliation_breaks_first_run_fkey FOREIGN KEY (first_run) REFERENCES public.reconciliation_runs(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.reconciliation_breaks
    ADD CONSTRAINT reconciliation_breaks_last_run_fkey FOREIGN KEY (last_run) REFERENCES public.reconciliation_runs(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.reconciliation_closings
    ADD CONSTRAINT reconciliation_closings_break_id_fkey FOREIGN KEY (break_id) REFERENCES public.reconciliation_breaks(id) ON DELETE RESTRICT;

ALTER TABLE ONLY public.reconciliation_pages
    ADD CONSTRAINT reconciliation_pages_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.reconciliation_runs(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.watched_changes
    ADD CONSTRAINT watched_changes_user_id_order_id_fkey FOREIGN KEY (user_id, order_id) REFERENCES public.watched_covers(user_id, order_id) ON DELETE RESTRICT;

ALTER TABLE ONLY public.watched_covers
    ADD CONSTRAINT watched_covers_user_id_order_id_fkey FOREIGN KEY (user_id, order_id) REFERENCES public.purchase_orders(user_id, id) ON DELETE RESTRICT;

GRANT USAGE ON SCHEMA public TO liqpass_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.api_accounts TO liqpass_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.book_checks TO liqpass_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.chain_cursors TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.claim_approvals TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.claim_events TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.claim_evidence TO liqpass_app;

GRANT SELECT ON TABLE public.claim_moves TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.claim_verdicts TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(status) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(event_seq) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(ask_at) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(asked) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(asked_at) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(trouble) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(verdict_seq) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(amount) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(reason_code) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(missing) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(liquidated_at) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(trigger_px) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(bundle_sha256) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(episode_over) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(approved_amount) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(recipient) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(disbursement_id) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(pay_tx_hash) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(pay_final) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(held_reason) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(objection) ON TABLE public.claims TO liqpass_app;

GRANT UPDATE(objected_at) ON TABLE public.claims TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.disbursements TO liqpass_app;

GRANT UPDATE(batched_at) ON TABLE public.disbursements TO liqpass_app;

GRANT UPDATE(cancelled_at) ON TABLE public.disbursements TO liqpass_app;

GRANT UPDATE(cancelled_by) ON TABLE public.disbursements TO liqpass_app;

GRANT UPDATE(cancel_reason) ON TABLE public.disbursements TO liqpass_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.disbursements_made TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.exposure_limit_changes TO liqpass_app;

GRANT SELECT,UPDATE ON TABLE public.exposure_limits TO liqpass_app;

GRANT SELECT ON TABLE public.exposures TO liqpass_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.insured_bindings TO liqpass_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.insured_positions TO liqpass_app;

GRANT SELECT ON TABLE public.ledger_accounts TO liqpass_app;

GRANT SELECT ON TABLE public.ledger_kinds TO liqpass_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.ledger_openings TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.ledger_transfers TO liqpass_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.mark_candles TO liqpass_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.market_instruments TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.order_events TO liqpass_app;

GRANT SELECT ON TABLE public.order_moves TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.order_refs TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.order_risks TO liqpass_app;

GRANT UPDATE(claimed_at) ON TABLE public.order_risks TO liqpass_app;

GRANT UPDATE(claimed) ON TABLE public.order_risks TO liqpass_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.payment_settlements TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.pool_deposits TO liqpass_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.position_readings TO liqpass_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.premium_payments TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.product_versions TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.published_figures TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.purchase_orders TO liqpass_app;

GRANT UPDATE(binding_id) ON TABLE public.purchase_orders TO liqpass_app;

GRANT UPDATE(status) ON TABLE public.purchase_orders TO liqpass_app;

GRANT UPDATE(event_seq) ON TABLE public.purchase_orders TO liqpass_app;

GRANT UPDATE(pay_tx_hash) ON TABLE public.purchase_orders TO liqpass_app;

GRANT UPDATE(payer) ON TABLE public.purchase_orders TO liqpass_app;

GRANT UPDATE(submitted_at) ON TABLE public.purchase_orders TO liqpass_app;

GRANT UPDATE(paid_at) ON TABLE public.purchase_orders TO liqpass_app;

GRANT UPDATE(coverage_start_at) ON TABLE public.purchase_orders TO liqpass_app;

GRANT UPDATE(coverage_end_at) ON TABLE public.purchase_orders TO liqpass_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.reconciliation_breaks TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.reconciliation_closings TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.reconciliation_pages TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.reconciliation_runs TO liqpass_app;

GRANT SELECT ON TABLE public.restorations TO liqpass_app;

GRANT UPDATE(settled_at) ON TABLE public.restorations TO liqpass_app;

GRANT UPDATE(settled_by) ON TABLE public.restorations TO liqpass_app;

GRANT UPDATE(settled_reason) ON TABLE public.restorations TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.sale_stops TO liqpass_app;

GRANT UPDATE(counted_upto) ON TABLE public.sale_stops TO liqpass_app;

GRANT UPDATE(ended_at) ON TABLE public.sale_stops TO liqpass_app;

GRANT UPDATE(ended_by) ON TABLE public.sale_stops TO liqpass_app;

GRANT UPDATE(end_reason) ON TABLE public.sale_stops TO liqpass_app;

GRANT SELECT ON TABLE public.schema_migrations TO liqpass_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.sessions TO liqpass_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.settle_queue TO liqpass_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.signin_nonces TO liqpass_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.submitted_txs TO liqpass_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.transfer_queue TO liqpass_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.usdc_transfers TO liqpass_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.volatilities TO liqpass_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.watched_accounts TO liqpass_app;

GRANT SELECT,INSERT ON TABLE public.watched_changes TO liqpass_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.watched_covers TO liqpass_app;

INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('OPEN', 'GATHERING', 'the exchange is being asked');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('GATHERING', 'PAYABLE', 'the evidence shows a liquidation that is covered');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('GATHERING', 'NOT_COVERED', 'the evidence shows that nothing is owed');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('GATHERING', 'IN_REVIEW', 'the exchange shows no more: an operator decides');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('GATHERING', 'PAID', 'nothing more is owed than was paid');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('PAYABLE', 'GATHERING', 'more has happened, or more evidence has come');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('NOT_COVERED', 'GATHERING', 'more has happened, or more evidence has come');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('IN_REVIEW', 'GATHERING', 'more evidence has come');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('PAID', 'GATHERING', 'another part was liquidated after the first was paid');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('REFUSED', 'GATHERING', 'another part was liquidated after the first was refused');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('NOT_COVERED', 'IN_REVIEW', 'its owner objects');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('REFUSED', 'IN_REVIEW', 'its owner objects');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('PAYABLE', 'APPROVED', 'approved');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('PAYABLE', 'REFUSED', 'refused by an operator');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('IN_REVIEW', 'APPROVED', 'approved by an operator');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('IN_REVIEW', 'REFUSED', 'refused by an operator');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('APPROVED', 'BATCHED', 'written into a batch file');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('APPROVED', 'PAID', 'the transfer is safe');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('BATCHED', 'PAID', 'the transfer is safe');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('BATCHED', 'APPROVED', 'to be written into a batch once more');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('PAID', 'BATCHED', 'the transfer left the chain');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('APPROVED', 'IN_REVIEW', 'its payout was cancelled: an operator decides again');
INSERT INTO public.claim_moves (from_status, to_status, meaning) VALUES ('BATCHED', 'IN_REVIEW', 'its payout was cancelled: an operator decides again');

INSERT INTO public.exposure_limits (scope, share_bps) VALUES ('DIRECTION', 2500);
INSERT INTO public.exposure_limits (scope, share_bps) VALUES ('INSTRUMENT', 2000);
INSERT INTO public.exposure_limits (scope, share_bps) VALUES ('ACCOUNT', 500);
INSERT INTO public.exposure_limits (scope, share_bps) VALUES ('WALLET', 500);
INSERT INTO public.exposure_limits (scope, share_bps) VALUES ('CLAIMS', 500);

INSERT INTO public.ledger_accounts (id, side, balance) VALUES ('TREASURY', 'DEBIT', 0);
INSERT INTO public.ledger_accounts (id, side, balance) VALUES ('OUTFLOW_UNEXPLAINED', 'DEBIT', 0);
INSERT INTO public.ledger_accounts (id, side, balance) VALUES ('UNEARNED_PREMIUM', 'CREDIT', 0);
INSERT INTO public.ledger_accounts (id, side, balance) VALUES ('EARNED_PREMIUM', 'CREDIT', 0);
INSERT INTO public.ledger_accounts (id, side, balance) VALUES ('SUSPENSE', 'CREDIT', 0);
INSERT INTO public.ledger_accounts (id, side, balance) VALUES ('REFUNDS_DUE', 'CREDIT', 0);
INSERT INTO public.ledger_accounts (id, side, balance) VALUES ('WITHDRAWALS_DUE', 'CREDIT', 0);
INSERT INTO public.ledger_accounts (id, side, balance) VALUES ('POOL_FREE', 'CREDIT', 0);
INSERT INTO public.ledger_accounts (id, side, balance) VALUES ('POOL_LOCKED', 'CREDIT', 0);
INSERT INTO public.ledger_accounts (id, side, balance) VALUES ('CLAIMS_PAYABLE', 'CREDIT', 0);

INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('OPENING', 'TREASURY', 'SUSPENSE', true);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('PREMIUM', 'TREASURY', 'UNEARNED_PREMIUM', true);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('RECEIVED', 'TREASURY', 'SUSPENSE', true);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('EARNED', 'UNEARNED_PREMIUM', 'EARNED_PREMIUM', true);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('HELD', 'POOL_FREE', 'POOL_LOCKED', true);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('CAPITAL', 'SUSPENSE', 'POOL_FREE', true);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('REFUND', 'SUSPENSE', 'REFUNDS_DUE', true);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('REFUND_PAID', 'REFUNDS_DUE', 'TREASURY', true);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('WITHDRAWAL', 'POOL_FREE', 'WITHDRAWALS_DUE', true);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('WITHDRAWAL_PAID', 'WITHDRAWALS_DUE', 'TREASURY', true);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('PAID_OUT', 'OUTFLOW_UNEXPLAINED', 'TREASURY', true);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('OPENING', 'SUSPENSE', 'TREASURY', false);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('PREMIUM', 'UNEARNED_PREMIUM', 'TREASURY', false);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('RECEIVED', 'SUSPENSE', 'TREASURY', false);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('EARNED', 'EARNED_PREMIUM', 'UNEARNED_PREMIUM', false);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('HELD', 'POOL_LOCKED', 'POOL_FREE', false);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('CAPITAL', 'POOL_FREE', 'SUSPENSE', false);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('REFUND', 'REFUNDS_DUE', 'SUSPENSE', false);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('REFUND_PAID', 'TREASURY', 'REFUNDS_DUE', false);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('WITHDRAWAL', 'WITHDRAWALS_DUE', 'POOL_FREE', false);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('WITHDRAWAL_PAID', 'TREASURY', 'WITHDRAWALS_DUE', false);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('PAID_OUT', 'TREASURY', 'OUTFLOW_UNEXPLAINED', false);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('CLAIM', 'POOL_LOCKED', 'CLAIMS_PAYABLE', true);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('CLAIM', 'CLAIMS_PAYABLE', 'POOL_LOCKED', false);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('CLAIM_PAID', 'CLAIMS_PAYABLE', 'TREASURY', true);
INSERT INTO public.ledger_kinds (kind, debit, credit, forward) VALUES ('CLAIM_PAID', 'TREASURY', 'CLAIMS_PAYABLE', false);

INSERT INTO public.order_moves (from_status, to_status, meaning) VALUES ('DRAFT', 'PAID_PENDING_CONFIRM', 'a hash was submitted, or the payment was seen');
INSERT INTO public.order_moves (from_status, to_status, meaning) VALUES ('DRAFT', 'CANCELLED', 'cancelled by the user, or the quote expired');
INSERT INTO public.order_moves (from_status, to_status, meaning) VALUES ('PAID_PENDING_CONFIRM', 'ACTIVE', 'the exact payment is at the safe head');
INSERT INTO public.order_moves (from_status, to_status, meaning) VALUES ('PAID_PENDING_CONFIRM', 'DRAFT', 'the transaction reverted, vanished or does not pay this order');
INSERT INTO public.order_moves (from_status, to_status, meaning) VALUES ('PAID_PENDING_CONFIRM', 'CANCELLED', 'the same, after pay_before');
INSERT INTO public.order_moves (from_status, to_status, meaning) VALUES ('ACTIVE', 'PAID_PENDING_CONFIRM', 'the payment was reorged away: suspended');
INSERT INTO public.order_moves (from_status, to_status, meaning) VALUES ('ACTIVE', 'EXPIRED', 'the cover is over');
