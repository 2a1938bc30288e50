-- The price: candles of each instrument, the volatility made of them, and what covers add up to.

-- Instruments that are held or quoted: which are read, and when again.
create table market_instruments (
    inst_id text primary key check (inst_id <> ''),
    wanted_at timestamptz not null,
    due_at timestamptz not null,
    read_at timestamptz,
    failures integer not null default 0 check (failures >= 0),
    trouble text
);
create index market_instruments_due on market_instruments (due_at);

-- Complete candles of the mark price, as the exchange gave them: append-only.
create table mark_candles (
    inst_id text not null,
    bar text not null check (bar in ('1H', '1Dutc')),
    start_at timestamptz not null,
    open text not null,
    high text not null,
    low text not null,
    close text not null,
    answer_sha256 bytea not null check (length(answer_sha256) = 32),
    read_at timestamptz not null,
    primary key (inst_id, bar, start_at)
);

-- Variances of an instrument at a time, an hour's, in units of 1e-12: append-only. What was made of them is
-- stored with the order, and the hash says of which candles they were made.
create table volatilities (
    inst_id text not null,
    read_at timestamptz not null,
    short_e12 bigint not null check (short_e12 > 0),
    long_e12 bigint not null check (long_e12 > 0),
    candles_sha256 bytea not null check (length(candles_sha256) = 32),
    source text not null check (source <> ''),
    remarks text[] not null default '{}',
    primary key (inst_id, read_at)
);

-- How probable a liquidation was when the order was priced, in millionths; null: priced by the table before.
alter table purchase_orders add column chance_ppm integer check (chance_ppm between 1 and 1000000);

grant select, insert, update on market_instruments to liqpass_app;
grant select, insert on mark_candles, volatilities to liqpass_app;

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
