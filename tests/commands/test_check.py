"""`liqpass check`: a line for everything, exit status 1 as soon as one is not in order."""

import base64
from datetime import timedelta

import pytest

from liqpass.clock import system_clock
from liqpass.db import Database
from liqpass.hexes import to_hex
from liqpass.migrate import migrations_of
from liqpass.sandbox.anvil import encode_call, wallet
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.serving import free_port
from tests.commands.cli import Done
from tests.commands.forked import liqpass
from tests.commands.test_keys import keep_a_key

ALL = {
    "settings",
    "database",
    "migrations",
    "keys",
    "covers",
    "claims",
    "prices",
    "products",
    "exposure",
    "watcher",
    "node",
    "contract",
    "exchange",
}


def lines(done: Done) -> dict[str, list[tuple[bool, str]]]:
    """What was looked at (first word) → whether it is in order, and what was said."""
    found: dict[str, list[tuple[bool, str]]] = {}
    for line in done.out.splitlines():
        mark, _, rest = line.partition("  ")
        name, _, said = rest.strip().partition(": ")
        assert mark in ("ok", "FAIL")
        found.setdefault(name.split()[0], []).append((mark == "ok", said))
    return found


async def test_all_in_order_is_exit_status_0(env: dict[str, str]) -> None:
    done = await liqpass("check", env=env)
    assert done.status == 0
    assert set(lines(done)) == ALL
    assert all(ok for said in lines(done).values() for ok, _ in said)
    assert done.err == ""


@pytest.mark.parametrize(
    ("failing", "change", "said"),
    [
        ("settings", {"API_KEYS_ENC_KEY": "short"}, "API_KEYS_ENC_KEY: "),
        ("settings", {"LIQPASS_SKUS": "nowhere.toml"}, "LIQPASS_SKUS: "),
        (
            "database",
            {"DATABASE_URL": f"postgresql://x@127.0.0.1:{free_port()}/x"},
            "be reached: Connect",
        ),
        ("node", {"LIQPASS_RPC_URLS": f"http://127.0.0.1:{free_port()}"}, "cannot be reached"),
        ("contract", {"LIQPASS_TREASURY": to_hex(wallet("stranger").address)}, "treasury"),
        ("exchange", {"LIQPASS_OKX_HOSTS": f"us=http://127.0.0.1:{free_port()}"}, "OKX does not answer"),
    ],
)
async def test_what_is_not_in_order_is_one_failing_line(
    failing: str, change: dict[str, str], said: str, env: dict[str, str]
) -> None:
    done = await liqpass("check", env={**env, **change})
    assert done.status == 1
    assert any(not ok and said in words for ok, words in lines(done)[failing])
    assert "Traceback" not in done.err
    if failing in ("database", "exchange"):  # what does not hang on it is looked at all the same
        assert all(ok for name in ("settings", "node", "contract") for ok, _ in lines(done)[name])


@pytest.mark.parametrize(
    ("read_ago", "block_ago", "halted", "seen"),
    [
        (1, 1, None, (True, "has read the chain up to block 9")),
        (300, 300, None, (True, "last good view of the chain 3")),
        (1, 300, None, (False, "the endpoints show no block younger than 3")),
        (1, 1, "Block 7 was final as 0x12.", (False, "halted: Block 7 was final as 0x12.")),
    ],
)
async def test_how_the_watcher_does(
    read_ago: int,
    block_ago: int,
    halted: str | None,
    seen: tuple[bool, str],
    db: Database,
    env: dict[str, str],
) -> None:
    assert lines(await liqpass("check", env=env))["watcher"] == [(True, "has not begun: liqpass work begins")]
    now = system_clock()
    async with db.pool.acquire() as conn:
        await conn.execute(
            """
            insert into chain_cursors (chain_id, finalized_number, finalized_hash, safe_number, safe_time,
                latest_number, latest_time, read_at, halted)
            values ($1, 7, sha256('7'), 8, $2, 9, $2, $3, $4)
            """,
            int(env["LIQPASS_CHAIN_ID"]),
            now - timedelta(seconds=block_ago),
            now - timedelta(seconds=read_ago),
            halted,
        )
    done = await liqpass("check", env=env)
    ((ok, said),) = lines(done)["watcher"]
    assert (ok, done.status) == (seen[0], 0 if seen[0] else 1)
    assert said.startswith(seen[1])


async def test_a_database_without_its_migrations_fails(env: dict[str, str], empty_database: str) -> None:
    done = await liqpass("check", env={**env, "DATABASE_URL": empty_database})
    assert done.status == 1
    assert lines(done)["migrations"] == [(False, f"{len(migrations_of())} missing: liqpass migrate")]
    assert lines(done)["database"][0][0]


async def test_a_sealed_secret_that_does_not_open_fails(
    env: dict[str, str], db: Database, exchange: SandboxExchange
) -> None:
    await keep_a_key(db, exchange, env["API_KEYS_ENC_KEY"])
    other = base64.b64encode(bytes(32)).decode()
    done = await liqpass("check", env={**env, "API_KEYS_ENC_KEY": other})
    assert done.status == 1
    assert lines(done)["keys"] == [(False, "2 sealed secrets do not open: liqpass keys check")]


async def test_a_paused_checkout_fails(env: dict[str, str], chain: SandboxChain) -> None:
    await chain.transact(chain.owner, chain.checkout, encode_call("pause()"))
    done = await liqpass("check", env=env)
    await chain.transact(chain.owner, chain.checkout, encode_call("unpause()"))
    assert done.status == 1
    assert lines(done)["contract"] == [(False, "The checkout is paused.")]


async def test_without_any_setting_it_says_the_first_thing_to_do(env: dict[str, str]) -> None:
    done = await liqpass("check", env={"DATABASE_URL": env["DATABASE_URL"]})
    assert done.status == 1
    assert not lines(done)["settings"][0][0]
    assert lines(done)["migrations"][0][0]
