-- liqpass: a version that knows 0014 runs on it
-- When a rule of the books is to be asked again: one that takes long, because there is much to read, rests
-- longer. Null: kept by a version that did not know of it, and asked ten minutes after.
alter table book_checks add column due_at timestamptz;
