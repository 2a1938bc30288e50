-- liqpass: a version that knows 0013 runs on it
-- That this database was made from a backup, and from which. What happened between the two is not in it: a
-- batch file may have been written then that the treasury's owners still can sign. So no batch is made until
-- somebody says, by name and reason, that none can (`liqpass suspense after-restore`).
--
-- `liqpass restore` runs these statements too, in a database whose schema is older than they are, so that it
-- is never without the row. Whatever is here is harmless to repeat.
create table if not exists restorations (
    restored_at timestamptz primary key,
    backup_made_at timestamptz not null,  -- the moment to which the database went back
    backup_sha256 bytea check (length(backup_sha256) = 32),  -- of the dump; null: it was brought back otherwise
    settled_at timestamptz,
    settled_by text check (settled_by <> ''),
    settled_reason text check (settled_reason <> ''),
    check (num_nonnulls(settled_at, settled_by, settled_reason) in (0, 3))
);
grant select, update (settled_at, settled_by, settled_reason) on restorations to liqpass_app;
