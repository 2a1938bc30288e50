-- The price: candles of each instrument, the volatility made of them, and what covers add up to.

-- Instruments that are held or quoted: which are read, and when again. `doubted`: what was answered last cannot
-- be trusted, and no price is made of anything before it.
create table market_instruments (
    inst_id text primary key check (inst_id <> ''),
    wanted_at timestamptz not null,
    due_at timestamptz not null,
    read_at timestamptz,
    failures integer not null default 0 check (failures >= 0),
    doubted boolean not null default false,
    trouble text
);
create index market_instruments_due on market_instruments (due_at);

-- Complete candles of the mark price, as the exchange gave them: append-only. A bar of which it says something
-- else later stands here twice, and the later one counts from then on.
create table mark_candles (
    inst_id text not null,
    bar text not null check (bar in ('1H', '1Dutc')),
    start_at timestamptz not null,
    read_at timestamptz not null,
    open text not null,
    high text not null,
    low text not null,
    close text not null,
    source text not null check (source <> ''),
    answer_sha256 bytea not null check (length(answer_sha256) = 32),
    primary key (inst_id, bar, start_at, read_at)
);

-- Variances of an instrument at a time, an hour's, in units of 1e-12: append-only. What was made of them is
-- stored with the order, and the hash says of which candles they were made: those above as they were then, and
-- the ones that were not complete (`running`, JSON).
create table volatilities (
    inst_id text not null,
    read_at timestamptz not null,
    short_e12 bigint not null check (short_e12 > 0),
    long_e12 bigint not null check (long_e12 > 0),
    candles_sha256 bytea not null check (length(candles_sha256) = 32),
    source text not null check (source <> ''),
    running text not null default '[]',
    remarks text[] not null default '{}',
    primary key (inst_id, read_at)
);

-- How probable a liquidation was when the order was priced, in millionths; null: priced by the table before.
alter table purchase_orders add column chance_ppm integer check (chance_ppm between 1 and 1000000);

grant select, insert, update on market_instruments to liqpass_app;
-- Deleted is what is too old for any order to need it.
grant select, insert, delete on mark_candles, volatilities to liqpass_app;

-- What is told to everybody of the covers that ended, one row a day (UTC): append-only. No row tells about
-- one trader (disclosure/figures.py).
create table published_figures (
    day date primary key,
    document text not null,
    sha256 bytea not null check (length(sha256) = 32),
    made_at timestamptz not null
);
create trigger append_only before update or delete or truncate on published_figures
    for each statement execute function refuse_change_of_reconciliation();
grant select, insert on published_figures to liqpass_app;

-- Exposure: what open covers add up to, and what of it is the most. Coins fall together, so that a direction
-- is one risk, whatever it is made of. None of these tables is a user's: they are kept beside the ledger.

create type cover_direction as enum (
    'long',   -- ends when the price falls
    'short'   -- ends when the price rises
);

create type exposure_scope as enum (
    'DIRECTION',   -- all longs, or all shorts
    'INSTRUMENT',  -- one instrument, longs and shorts together
    'ACCOUNT',     -- one main account of the exchange, with all its sub-accounts, over all wallets
    'WALLET',      -- one wallet, with all its accounts
    'CLAIMS'       -- claims of 24 hours in one direction: past it none of that direction is sold for a day
);

create type stop_cause as enum (
    'CLAIMS',   -- claims passed their share of the pool
    'OPERATOR'  -- somebody stopped the sale by hand
);

-- Shares of the pool (POOL_FREE and POOL_LOCKED together). liqpass pool limits shows and changes them.
create table exposure_limits (
    scope exposure_scope primary key,
    share_bps integer not null check (share_bps between 0 and 10000)
);
insert into exposure_limits (scope, share_bps) values
    ('DIRECTION', 2500), ('INSTRUMENT', 2000), ('ACCOUNT', 500), ('WALLET', 500), ('CLAIMS', 500);

-- Who changed a limit, and why: append-only.
create table exposure_limit_changes (
    id uuid primary key,
    scope exposure_scope not null references exposure_limits (scope),
    was_bps integer not null,
    share_bps integer not null,
    changed_at timestamptz not null,
    changed_by text not null check (changed_by <> ''),
    reason text not null check (reason <> '')
);
create index exposure_limit_changes_of on exposure_limit_changes (scope, changed_at);

-- What an order adds to, written in the statement that makes it. `claimed` is what of its payout its claim
-- takes or may take, as far as is known: kept by the one door for claims; since when, in `claimed_at`.
create table order_risks (
    purchase_order_id bytea primary key check (length(purchase_order_id) = 32),
    direction cover_direction not null,
    inst_id text not null check (inst_id <> ''),
    main_uid text not null check (main_uid <> ''),
    wallet bytea not null check (length(wallet) = 20),
    claimed_at timestamptz,
    claimed bigint check (claimed >= 0),
    check (num_nonnulls(claimed_at, claimed) in (0, 2))
);
create index order_risks_claimed on order_risks (direction, claimed_at) include (claimed)
    where claimed_at is not null;

-- What of POOL_LOCKED stands behind which direction, instrument, account, wallet; kept by the trigger below.
create table exposures (
    scope exposure_scope not null,
    key text not null,
    open_sum bigint not null,
    primary key (scope, key),
    check (scope <> 'CLAIMS')
) with (fillfactor = 50);

-- While one holds, no cover of the direction is sold: until `until_at` (null: until somebody resumes), or until
-- it ended before. Claims up to `counted_upto` have had their stop: only later ones make the next.
create table sale_stops (
    id uuid primary key,
    direction cover_direction not null,
    cause stop_cause not null,
    from_at timestamptz not null,
    until_at timestamptz,
    counted_from timestamptz,
    counted_upto timestamptz,
    claimed bigint,
    most bigint,
    stopped_by text not null check (stopped_by <> ''),
    reason text not null check (reason <> ''),
    ended_at timestamptz,
    ended_by text,
    end_reason text,
    check (until_at > from_at),
    check ((cause = 'CLAIMS') = (num_nonnulls(counted_from, claimed, most) = 3)),
    check (num_nonnulls(ended_at, ended_by, end_reason) in (0, 3))
);
create index sale_stops_of on sale_stops (direction, from_at);

-- What claims of the last 24 hours take or may take in a direction; those that had their stop count no more.
create function claimed_lately(side cover_direction, moment timestamptz) returns bigint
language plpgsql stable as $$
begin
    return (select coalesce(sum(r.claimed), 0)::bigint from order_risks r
        where r.direction = side and r.claimed_at > greatest(moment - interval '24 hours',
            (select max(s.counted_upto) from sale_stops s where s.direction = side)));
end
$$;

-- Fires after balances_are_kept, by its name: whoever comes here holds the pool's accounts, so that these rows
-- are changed by one at a time, in whatever order. Only a new order is refused: what frees capital, what a
-- claim takes or gives back, and what is held again for one, is counted and always goes through.
create function keep_exposures() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
declare
    pool numeric;
    moved record;
    risk record;
    beyond record;
begin
    for moved in
        select kind = 'HELD' and leg = 1 as is_new, ref, at,
            case when credit = 'POOL_LOCKED' then amount else -amount end as amount
        from added where 'POOL_LOCKED' in (debit, credit)
    loop
        select * into risk from order_risks where purchase_order_id = moved.ref;
        continue when not found;
        if pool is null then
            select sum(balance) into pool from ledger_accounts where id in ('POOL_FREE', 'POOL_LOCKED');
        end if;
        if moved.is_new and (
            exists (select from sale_stops where direction = risk.direction and ended_at is null
                and (until_at is null or until_at > moved.at))
            or claimed_lately(risk.direction, moved.at) * 10000.0
                > pool * (select share_bps from exposure_limits where scope = 'CLAIMS'))
        then
            raise exception 'no cover of this direction is sold now: %', risk.direction
                using errcode = 'check_violation', constraint = 'sale_not_stopped';
        end if;
        with counted as (
            insert into exposures as e (scope, key, open_sum) values
                ('DIRECTION', risk.direction, moved.amount), ('INSTRUMENT', risk.inst_id, moved.amount),
                ('ACCOUNT', risk.main_uid, moved.amount),
                ('WALLET', '0x' || encode(risk.wallet, 'hex'), moved.amount)
            on conflict (scope, key) do update set open_sum = e.open_sum + excluded.open_sum
            returning scope, key, open_sum
        )
        select scope, key into beyond from counted join exposure_limits l using (scope)
        where moved.is_new and open_sum * 10000.0 > pool * l.share_bps limit 1;
        if found then
            raise exception 'more than may stand behind one %: %', lower(beyond.scope::text), beyond.key
                using errcode = 'check_violation', constraint = 'within_exposure_limits';
        end if;
    end loop;
    return null;
end
$$;
create trigger exposures_are_kept after insert on ledger_transfers
    referencing new table as added for each statement execute function keep_exposures();

-- Orders that are there already add to the same. In one-way mode the sign of the position is its side.
insert into order_risks (purchase_order_id, direction, inst_id, main_uid, wallet)
select o.purchase_order_id, case
        when b.pos_side <> 'net' then b.pos_side::text
        when coalesce((o.priced_from::jsonb ->> 'position')::jsonb, b.position_as_read::jsonb) ->> 'pos' like '-%'
            then 'short'
        else 'long' end::cover_direction, b.inst_id, a.main_uid, o.user_id
from purchase_orders o
join insured_bindings b on b.user_id = o.user_id and b.id = o.binding_id
join api_accounts a on a.user_id = b.user_id and a.id = b.api_account_id;
update order_risks r set claimed_at = c.opened_at, claimed = case
        when c.status in ('OPEN', 'GATHERING', 'IN_REVIEW') then o.payout_amount
        when c.status = 'PAYABLE' then greatest(c.amount, c.approved_amount)
        else c.approved_amount end
from claims c join purchase_orders o on o.user_id = c.user_id and o.id = c.order_id
where r.purchase_order_id = c.purchase_order_id;
insert into exposures (scope, key, open_sum)
select k.scope, k.key, sum(t.amount)::bigint
from (
    select ref, sum(case when credit = 'POOL_LOCKED' then amount else -amount end) as amount
    from ledger_transfers where 'POOL_LOCKED' in (debit, credit) group by ref
) t join order_risks r on r.purchase_order_id = t.ref
cross join lateral (values
    ('DIRECTION'::exposure_scope, r.direction::text), ('INSTRUMENT', r.inst_id), ('ACCOUNT', r.main_uid),
    ('WALLET', '0x' || encode(r.wallet, 'hex'))) k (scope, key)
group by k.scope, k.key;

grant select, update on exposure_limits to liqpass_app;
grant select, insert on exposure_limit_changes to liqpass_app;
grant select, insert on order_risks to liqpass_app;
grant update (claimed_at, claimed) on order_risks to liqpass_app;
grant select on exposures to liqpass_app;
grant select, insert on sale_stops to liqpass_app;
grant update (ended_at, ended_by, end_reason, counted_upto) on sale_stops to liqpass_app;

-- The numbers of each version of the products that was ever loaded to be sold, so that any price can be computed
-- again: append-only. `terms`: canonical JSON of a product, without its title (pricing/versions.py).
create table product_versions (
    version text not null check (version <> ''),
    sku text not null check (sku <> ''),
    terms text not null,
    sha256 bytea not null check (sha256 = sha256(convert_to(terms, 'UTF8'))),
    first_seen_at timestamptz not null,
    primary key (version, sku)
);
create trigger append_only before update or delete or truncate on product_versions
    for each statement execute function refuse_change_of_reconciliation();
grant select, insert on product_versions to liqpass_app;
