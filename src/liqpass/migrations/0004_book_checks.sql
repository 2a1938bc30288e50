-- What came of the last check of the books against their own rules, one row a rule: the worker writes it, and
-- /readyz and /metrics, in other processes, read it.
create table book_checks (
    name text primary key check (name <> ''),
    broken bigint check (broken >= 0),  -- rows that break it; null: it was not answered in time
    findings text not null,             -- the first of them, canonical JSON
    checked_at timestamptz not null
);
grant select, insert, update, delete on book_checks to liqpass_app;
