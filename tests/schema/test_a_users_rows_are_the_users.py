"""The catalog, held to this: a user's rows are keyed by the user and refer to nobody else's, facts of all
users have tables of their own, and nothing happens to a user's row but what the statement says."""

import asyncpg
import pytest

from scripts.schema import REFERENCE_TABLES

TABLES = """
    select c.relname as name, i.indkey[0] = a.attnum as per_user, i.indrelid is not null as keyed,
        a.atttypid::regtype::text as user_id_type
    from pg_class c
    left join pg_index i on i.indrelid = c.oid and i.indisprimary
    left join pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
"""
UNIQUE_KEYS = """
    select i.indrelid::regclass::text as name, i.indexrelid::regclass::text as index,
        array(select coalesce(a.attname::text, '(an expression)')
              from unnest(i.indkey::int[]) with ordinality k (number, place)
              left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number and k.number > 0
              where k.place <= i.indnkeyatts) as columns
    from pg_index i join pg_class c on c.oid = i.indrelid
    where c.relnamespace = 'public'::regnamespace and (i.indisunique or i.indisexclusion)
"""
FOREIGN_KEYS = """
    select f.conname as key, f.conrelid::regclass::text as name, f.confrelid::regclass::text as other,
        exists (select from unnest(f.conkey, f.confkey) k (here, there)
                join pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.here
                join pg_attribute b on b.attrelid = f.confrelid and b.attnum = k.there
                where a.attname = 'user_id' and b.attname = 'user_id') as by_user
    from pg_constraint f where f.contype = 'f' and f.connamespace = 'public'::regnamespace
"""
TRIGGERS = "select tgrelid::regclass::text as name, tgname as trigger from pg_trigger where not tgisinternal"
SEQUENCES = """
    select c.relname as name, d.refobjid::regclass::text as table
    from pg_class c left join pg_depend d on d.objid = c.oid and d.deptype in ('a', 'i') and d.refobjsubid > 0
    where c.relkind = 'S' and c.relnamespace = 'public'::regnamespace
"""
# Tables of all users whose rows are read in the order in which they came: they may count.
COUNTING = {"ledger_transfers", "reconciliation_breaks"}


async def findings(conn: asyncpg.Connection) -> list[str]:
    """What of the schema breaks the rules, one line each."""
    tables = await conn.fetch(TABLES)
    per_user = {t["name"] for t in tables if t["per_user"]}
    found = [f"{t['name']} has no primary key" for t in tables if not t["keyed"]]
    found += [
        f"{t['name']}.user_id is {t['user_id_type']}"
        for t in tables
        if t["user_id_type"] not in (None, "bytea")
    ]
    for key in await conn.fetch(UNIQUE_KEYS):
        if key["name"] in per_user and "user_id" not in key["columns"]:
            found.append(f"{key['index']} of the per-user {key['name']} is unique over all users")
        if key["name"] not in per_user and "user_id" in key["columns"]:
            found.append(f"{key['index']}: {key['name']} is keyed by user_id, but not first")
    for key in await conn.fetch(FOREIGN_KEYS):
        if key["name"] in per_user and key["other"] in per_user and not key["by_user"]:
            found.append(f"{key['key']}: a row may refer to another user's {key['other']}")
        if key["name"] not in per_user and key["other"] in per_user:
            found.append(f"{key['key']}: a fact of all users refers to the per-user {key['other']}")
        if key["name"] in per_user and key["other"] not in {*per_user, *REFERENCE_TABLES}:
            found.append(f"{key['key']}: a per-user table refers to {key['other']}, whose rows change")
    found += [
        f"{t['trigger']} is a trigger on the per-user {t['name']}"
        for t in await conn.fetch(TRIGGERS)
        if t["name"] in per_user
    ]
    counters = await conn.fetch(SEQUENCES)
    return found + [f"{c['name']} is a sequence" for c in counters if c["table"] not in COUNTING]


async def test_a_users_rows_are_keyed_by_the_user_and_refer_to_no_others(owner: asyncpg.Connection) -> None:
    assert await findings(owner) == []


async def test_the_tables_of_the_design_are_per_user_or_facts_of_all_users(owner: asyncpg.Connection) -> None:
    kinds = {t["name"]: t["per_user"] for t in await owner.fetch(TABLES)}
    assert {name for name, per_user in kinds.items() if per_user} == {
        "api_accounts",
        "claim_approvals",
        "claim_events",
        "claim_evidence",
        "claim_verdicts",
        "claims",
        "insured_bindings",
        "order_events",
        "position_readings",
        "purchase_orders",
        "watched_accounts",
        "watched_changes",
        "watched_covers",
    }
    assert {name for name, per_user in kinds.items() if per_user is False} == {
        "insured_positions",
        "order_refs",
        "sessions",
        "submitted_txs",
    }


KEYED = "user_id bytea, id uuid, primary key (user_id, id)"


@pytest.mark.parametrize(
    ("wrong", "finding"),
    [
        (f"create table t ({KEYED}, hash bytea unique)", "t_hash_key of the per-user t is unique over all"),
        (
            f"create table t ({KEYED}, h text); create unique index u on t (lower(h))",
            "u of the per-user t is",
        ),
        (
            f"create table t ({KEYED}, h text); create unique index u on t (h) include (user_id)",
            "u of the per",
        ),
        (
            f"create table t ({KEYED}, a uuid unique, unique (user_id, a));"
            f"create table s ({KEYED}, a uuid references t (a))",
            "s_a_fkey: a row may refer to another user's t",
        ),
        (
            f"create table t ({KEYED}, other bytea);"
            "alter table t add foreign key (other, id) references t (user_id, id)",
            "t_other_id_fkey: a row may refer to another user's t",
        ),
        (
            "create table t (hash bytea primary key, user_id bytea, order_id uuid,"
            "foreign key (user_id, order_id) references purchase_orders (user_id, id))",
            "t_user_id_order_id_fkey: a fact of all users refers to the per-user purchase_orders",
        ),
        (
            f"create table t ({KEYED}, chain_id bigint references chain_cursors)",
            "t_chain_id_fkey: a per-user table refers to chain_cursors, whose rows change",
        ),
        (
            "create trigger sneaky after insert on purchase_orders "
            "for each row execute function queue_for_settling()",
            "sneaky is a trigger on the per-user purchase_orders",
        ),
        (
            "create table t (id uuid, user_id bytea, primary key (id, user_id))",
            "t_pkey: t is keyed by user_id",
        ),
        ("create table t (user_id bytea)", "t has no primary key"),
        ("create table t (user_id text primary key)", "t.user_id is text"),
        ("create table t (user_id bytea, id bigserial, primary key (user_id, id))", "t_id_seq is a sequence"),
    ],
)
async def test_a_table_that_breaks_a_rule_is_found(
    owner: asyncpg.Connection, wrong: str, finding: str
) -> None:
    await owner.execute(wrong)
    assert [line for line in await findings(owner) if line.startswith(finding)]
