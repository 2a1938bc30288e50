-- liqpass: a version that knows 0013 runs on it
-- That this database was made from a backup, and from which. What happened between the two is not in it: a
-- batch file may have been written then that the treasury's owners still can sign. So no batch is made until
-- somebody says, by name and reason, that none can (`liqpass suspense after-restore`).
--
-- `liqpass restore` runs these statements too, in a database whose schema is older than they are, so that it
-- is never without the row. Whatever is here is harmless to repeat.
create table if not exists restorations (
    backup_sha256 bytea not null check (length(backup_sha256) = 32),  -- of the dump
    restored_at timestamptz not null,
    backup_made_at timestamptz not null,
    backup_name text not null check (backup_name <> ''),
    settled_at timestamptz,
    settled_by text check (settled_by <> ''),
    settled_reason text check (settled_reason <> ''),
    primary key (restored_at, backup_sha256),
    check (num_nonnulls(settled_at, settled_by, settled_reason) in (0, 3))
);
grant select, update (settled_at, settled_by, settled_reason) on restorations to liqpass_app;
