"""`liqpass keys …`: generate, rewrap from a ring and from the old layout, check."""

import base64
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from liqpass.clock import system_clock
from liqpass.db import Database
from liqpass.exchange.okx import Credentials, OkxGateway
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.okx_server import SandboxExchange
from liqpass.vault.api_accounts import admit, store
from liqpass.vault.cipher import KeyRing
from tests.commands.forked import liqpass

K1, K2, K3 = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2, 3))


async def keep_a_key(db: Database, exchange: SandboxExchange, ring: str, number: int = 0) -> str:
    """Store one of the exchange's keys, sealed with this ring; its secret."""
    key = exchange.test_keys()[number]
    given = Credentials(
        str(key["apiKey"]), str(key["secret"]), str(key["passphrase"]), str(key["region"]), bool(key["demo"])
    )
    gateway = OkxGateway(exchange.hosts, system_clock)
    creds, config = await admit(gateway, given)
    await gateway.close()
    owner, keyring = wallet("trader 1").address, KeyRing.from_env(ring)
    await db.run(lambda conn: store(conn, system_clock(), keyring, owner, creds, config, None))
    return given.secret


def sealed_as_before(key: str, text: str) -> str:
    """The layout of the product's first version: base64(iv 12, tag 16, ciphertext)."""
    iv = os.urandom(12)
    sealed = AESGCM(base64.b64decode(key)).encrypt(iv, text.encode(), None)
    return base64.b64encode(iv + sealed[-16:] + sealed[:-16]).decode()


async def test_a_generated_key_is_a_line_that_works() -> None:
    first, second = await liqpass("keys", "generate", env={}), await liqpass("keys", "generate", env={})
    assert first.status == second.status == 0
    assert first.out != second.out
    name, _, value = first.out.strip().partition("=")
    assert name == "API_KEYS_ENC_KEY"
    assert KeyRing.from_env(value).open(KeyRing.from_env(value).seal("text", ["row"]), ["row"]) == "text"


async def test_rewrap_seals_with_the_first_key_of_the_ring_and_the_others_can_go(
    db: Database, database_url: str, exchange: SandboxExchange
) -> None:
    for number in range(3):
        await keep_a_key(db, exchange, f"k1:{K1}", number)
    env = {"DATABASE_URL": database_url, "API_KEYS_ENC_KEY": f"k2:{K2},k1:{K1}"}
    done = await liqpass("keys", "rewrap", env=env)
    assert (done.status, done.out) == (0, "3 of 3 accounts sealed anew.\n")
    assert "3 of 3 accounts" in done.err
    again = await liqpass("keys", "rewrap", env=env)
    assert (again.status, again.out) == (0, "0 of 3 accounts sealed anew.\n")
    alone = await liqpass("keys", "check", env={**env, "API_KEYS_ENC_KEY": f"k2:{K2}"})
    assert (alone.status, alone.out) == (0, "All sealed secrets open.\n")


async def test_rewrap_takes_up_the_layout_of_the_first_version(
    db: Database, database_url: str, exchange: SandboxExchange
) -> None:
    secret = await keep_a_key(db, exchange, K1)
    async with db.pool.acquire() as conn:
        await conn.execute(
            "update api_accounts set secret_enc = $1, passphrase_enc = $2",
            sealed_as_before(K1, secret),
            sealed_as_before(K1, "a passphrase"),
        )
    env = {"DATABASE_URL": database_url, "API_KEYS_ENC_KEY": f"k2:{K2},k1:{K1}"}
    done = await liqpass("keys", "rewrap", env=env)
    assert (done.status, done.out) == (0, "1 of 1 accounts sealed anew.\n")
    async with db.pool.acquire() as conn:
        assert (await conn.fetchval("select secret_enc from api_accounts")).startswith("v1.k2.")
    assert (await liqpass("keys", "check", env={**env, "API_KEYS_ENC_KEY": f"k2:{K2}"})).status == 0


async def test_check_and_rewrap_name_what_does_not_open_and_change_nothing(
    db: Database, database_url: str, exchange: SandboxExchange
) -> None:
    secret = await keep_a_key(db, exchange, f"k1:{K1}")
    sealed = "select secret_enc || passphrase_enc from api_accounts"
    async with db.pool.acquire() as conn:
        before = await conn.fetchval(sealed)
    env = {"DATABASE_URL": database_url, "API_KEYS_ENC_KEY": f"k3:{K3}"}
    for command in ("check", "rewrap"):
        done = await liqpass("keys", command, env=env)
        assert done.status == 1
        assert sum(line.startswith("FAIL  user 0x") for line in done.out.splitlines()) == 2
        assert "2 secrets do not open: is the key that sealed them in API_KEYS_ENC_KEY?" in done.err
        assert secret not in done.out + done.err
    async with db.pool.acquire() as conn:
        assert await conn.fetchval(sealed) == before


async def test_a_malformed_ring_is_one_line(database_url: str) -> None:
    for command in ("check", "rewrap"):
        done = await liqpass(
            "keys", command, env={"DATABASE_URL": database_url, "API_KEYS_ENC_KEY": f"k1:{K1},k1:{K2}"}
        )
        assert done.status == 1
        assert done.err.startswith("liqpass: API_KEYS_ENC_KEY: has the id k1 twice")
        assert done.err.count("\n") == 1
