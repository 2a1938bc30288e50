"""A missing or malformed setting stops `serve` and `work` with one line that names it; so does one that the
deployed contract contradicts."""

import asyncio
import base64
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from liqpass.embedded import embedded_postgres
from liqpass.hexes import to_hex
from liqpass.migrate import migrations_of
from liqpass.sandbox.anvil import wallet
from liqpass.serving import free_port
from tests.commands.cli import Done
from tests.commands.forked import liqpass

STRANGER = wallet("stranger")
SERVE = ("serve", "--port", str(free_port()))
ELSEWHERE = to_hex(STRANGER.address)

# the setting → a value that cannot be used ("" is as good as missing), and what is said of it
MALFORMED = [
    ("API_KEYS_ENC_KEY", "", "is not set: make one with: liqpass keys generate"),
    ("API_KEYS_ENC_KEY", base64.b64encode(b"short" * 3).decode(), "15 bytes instead of 32"),
    ("API_KEYS_ENC_KEY", "!" * 44, "is not base64"),
    ("LIQPASS_RPC_URLS", "", "is not set"),
    ("LIQPASS_CHECKOUT", "0x12", "0x and 40 hexadecimal digits"),
    ("LIQPASS_QUOTE_SIGNER_KEY", "", "openssl rand -hex 32"),
    ("LIQPASS_SKUS", "nowhere.toml", "cannot be used"),
    ("LIQPASS_ADMIN_WALLETS", "0x12,0x34", "0x and 40 hexadecimal digits"),
]
# the same, for settings that are well formed and not those of the contract
OTHERS = [
    ("LIQPASS_CHECKOUT", ELSEWHERE, "there is no contract at"),
    ("LIQPASS_TREASURY", ELSEWHERE, "expected"),
    ("LIQPASS_QUOTE_SIGNER_KEY", to_hex(STRANGER.key), "expected"),
    ("LIQPASS_CHAIN_ID", "1", "is 8453, expected 1"),
    ("LIQPASS_USDC", ELSEWHERE, "there is no contract at"),
]


async def _both(env: dict[str, str]) -> list[Done]:
    """How `serve` and `work` end."""
    return [*await asyncio.gather(liqpass(*SERVE, env=env), liqpass("work", env=env))]


# `serve` and `work` by turns: they read their settings by the same function
CASES = [
    (("work",) if turn % 2 else SERVE, *case)
    for turn, case in enumerate((*MALFORMED, *OTHERS, *MALFORMED[:1]))
]


@pytest.mark.parametrize(("command", "name", "value", "said"), CASES)
async def test_a_setting_that_cannot_be_used_is_named_in_one_line(
    command: tuple[str, ...], name: str, value: str, said: str, env: dict[str, str]
) -> None:
    done = await liqpass(*command, env={**env, name: value})
    assert (done.status, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert done.err.startswith(f"liqpass: {name}: ")
    assert said in done.err
    assert "KEY" not in name or not value or value not in done.err


async def test_a_database_that_was_never_migrated_is_said_with_what_to_do(
    env: dict[str, str], empty_database: str
) -> None:
    for done in await _both({**env, "DATABASE_URL": empty_database}):
        assert done.status == 1
        missing = len(migrations_of())
        assert done.err == f"liqpass: migrations are missing ({missing}): run liqpass migrate first\n"


async def test_a_server_that_has_not_even_the_role_is_said_with_what_to_do(
    env: dict[str, str],
) -> None:
    with (
        TemporaryDirectory(prefix="liqpass-tests-") as data,
        embedded_postgres(Path(data), options={"fsync": "off"}) as server,
    ):
        done = await liqpass("work", env={**env, "DATABASE_URL": server.url})
        assert done.status == 1
        assert done.err == "liqpass: the database was never migrated: run liqpass migrate first\n"


async def test_a_database_that_cannot_be_had_is_named_in_one_line(env: dict[str, str]) -> None:
    gone = f"postgresql://someone:a-password@127.0.0.1:{free_port()}/liqpass"
    for command, url, said in (
        ("work", gone, "the database cannot be reached: Connect"),
        ("migrate", gone, "the database cannot be reached: Connect"),
        ("migrate", "mysql://someone:a-password@127.0.0.1", "is no address"),
    ):
        done = await liqpass(command, env={**env, "DATABASE_URL": url})
        assert done.status == 1
        assert done.err.count("\n") == 1
        assert done.err.startswith(f"liqpass: DATABASE_URL: {said}")
        assert "a-password" not in done.err


@pytest.mark.parametrize(
    "address", ["postgresql://owner:pa/ss@127.0.0.1/liqpass", "postgresql://[::1/liqpass"]
)
async def test_an_address_that_cannot_be_taken_apart_is_one_line_and_shows_no_password(
    address: str, env: dict[str, str]
) -> None:
    done = await liqpass("migrate", env={**env, "DATABASE_URL": address})
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("liqpass: DATABASE_URL: is no address such as ") and done.err.count("\n") == 1
    assert "pa/ss" not in done.err


async def test_migrate_may_be_repeated(empty_database: str) -> None:
    first = await liqpass("migrate", env={"DATABASE_URL": empty_database})
    applied = f"{len(migrations_of())} migrations applied"
    assert (first.status, first.out) == (0, f"{applied}: the schema is up to date.\n")
    assert "migration 0001" in first.err
    again = await liqpass("migrate", env={"DATABASE_URL": empty_database})
    assert (again.status, again.out) == (0, "Nothing to do: the schema is up to date.\n")
