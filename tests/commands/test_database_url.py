"""DATABASE_URL with all that libpq knows in it: each parameter works, or is refused by its name."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from liqpass.connecting import connect_as_owner
from liqpass.database_url import address_of
from liqpass.serving import free_port
from liqpass.settings import SettingError
from tests.commands import forked
from tests.commands.cli import Done
from tests.commands.tls import TlsServer, tls_server
from tests.conftest import copy_database, in_database, on_server

FULL = "sslmode=verify-full"


@pytest.fixture(scope="module")
async def tls(server_url: str, template: str) -> AsyncIterator[TlsServer]:
    """In front of a migrated database."""
    name = f"{template}_tls"
    await copy_database(server_url, template, name)
    async with tls_server(in_database(server_url, name)) as server:
        yield server
    await on_server(server_url, f"drop database {name} with (force)")


async def migrate(url: str, **env: str) -> Done:
    """A command that has to get in, in a home without anything."""
    return await forked.liqpass("migrate", env={"HOME": "/nonexistent", **env, "DATABASE_URL": url})


def lets_in(done: Done) -> None:
    assert (done.status, done.out) == (0, "Nothing to do: the schema is up to date.\n"), done.err


def refusal(done: Done) -> str:
    """The one line, which shows no password."""
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1), done
    assert done.err.startswith("liqpass: DATABASE_URL: ")
    assert "sesame seeds" not in done.err and "sesame%20seeds" not in done.err
    return done.err.removeprefix("liqpass: DATABASE_URL: ").strip()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?sslmode=require",
        "?sslmode=prefer&channel_binding=prefer",
        "?sslmode=require&channel_binding=disable&gssencmode=prefer&krbsrvname=postgres&gssdelegation=0",
        "?sslmode=verify-ca&sslrootcert={ca}",
        "?sslmode=require&sslnegotiation=postgres&ssl_min_protocol_version=TLSv1.2",
        "?ssl=true",
        "?connect_timeout=5&keepalives=1&keepalives_idle=10&tcp_user_timeout=9000&load_balance_hosts=disable",
        "?application_name=ours&fallback_application_name=theirs&client_encoding=LATIN1&sslcompression=0",
        "?target_session_attrs=read-write",
        "?target_session_attrs=primary",
        "?options=-c%20search_path%3Dpg_catalog%20-c%20work_mem%3D8MB",
        "?connect_timeout=0&sslmode=",
    ],
)
async def test_what_libpq_takes_works(query: str, tls: TlsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    conn = await connect_as_owner(tls.url(query.format(ca=tls.authority)), name="test")
    assert await conn.fetchval("select current_user") == "postgres"
    await conn.close()


async def test_a_certificate_is_held_against_the_hosts_name_and_whoever_is_trusted(tls: TlsServer) -> None:
    def named(query: str) -> str:
        return tls.url(query, host="localhost")

    lets_in(await migrate(named(f"?{FULL}&sslrootcert={tls.authority}")))
    for query in (f"?{FULL}&sslrootcert=system", "?sslrootcert=system"):
        lets_in(await migrate(named(query), SSL_CERT_FILE=str(tls.authority)))
        said = refusal(await migrate(named(query), SSL_CERT_FILE=str(tls.other_authority)))
        assert "certificate verify failed" in said
    said = refusal(await migrate(named(f"?{FULL}&sslrootcert={tls.other_authority}")))
    assert "certificate verify failed" in said
    said = refusal(await migrate(tls.url(f"?{FULL}&sslrootcert={tls.authority}")))
    assert "IP address mismatch" in said and "127.0.0.1" in said


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (f"?{FULL}", "/nonexistent/.postgresql/root.crt is not there: add sslrootcert=FILE"),
        ("?sslmode=verify-ca", "sslrootcert=system for what this machine trusts"),
        ("?sslrootcert=/nowhere/ca.pem", "sslrootcert=/nowhere/ca.pem cannot be used: No such file"),
        ("?sslrootcert=/dev/null", "sslrootcert=/dev/null cannot be used: it holds none, or the wrong one"),
        ("?sslcert=/nowhere/client.pem", "sslcert and sslkey cannot be used: No such file"),
        ("?sslmode=require&sslrootcert=system", "sslrootcert=system wants sslmode=verify-full"),
        ("?sslmode=on", "sslmode must be disable, allow, prefer, require, verify-ca or verify-full"),
        ("?sslmode=require&channel_binding=require", "channel_binding must be disable or prefer, since"),
        (
            "?gssencmode=require",
            "gssencmode must be disable or prefer, since the driver encrypts by TLS alone",
        ),
        ("?target_session_attrs=standby", "target_session_attrs must be any, primary or read-write, since"),
        ("?ssl_min_protocol_version=SSLv3", "ssl_min_protocol_version must be TLSv1, TLSv1.1, TLSv1.2 or"),
        *[
            (f"?connect_timeout={wait}", "connect_timeout must be a whole number of seconds")
            for wait in ("soon", "--5", "-", "1.5", "9" * 5_000)
        ],
        ("?require_auth=scram-sha-256", "has a parameter that LiqPass does not know (require_auth)"),
        ("?schema=public", "has a parameter that LiqPass does not know (schema): leave it away"),
        ("?sslmode", "has a parameter that LiqPass does not know (sslmode)"),
        ("?replication=database", "replication must be 0, false, off or no, since LiqPass is no replica"),
        ("?dbname=another", "names two databases: leave dbname away"),
        ("?port=x", "is no address such as postgresql://"),
        ("?host=a,b&port=1,2,3", "has 3 ports for 2 hosts"),
        (f"?hostaddr=127.0.0.1&{FULL}", "hostaddr cannot stand beside sslmode=verify-…"),
    ],
)
def test_what_cannot_be_had_is_refused_by_its_name(
    query: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    with pytest.raises(SettingError) as refused:
        address_of(f"postgresql://postgres:sesame%20seeds@localhost/liqpass{query}")
    assert said in str(refused.value)
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize("name", ["password", "sslpassword"])
@pytest.mark.parametrize("given", ["open&sesame=1", "open&sesame", "&sesame=", "open&sslmode=require&sesame"])
def test_what_follows_a_password_may_be_a_part_of_it_and_is_not_named(name: str, given: str) -> None:
    with pytest.raises(SettingError, match=r"does not know \(one\)") as refused:
        address_of(f"postgresql://localhost/liqpass?{name}={given}")
    assert "sesame" not in str(refused.value)


async def test_a_command_says_what_is_wrong_with_a_parameter(tls: TlsServer) -> None:
    said = refusal(await migrate(tls.url("?sslmode=require&channel_binding=require")))
    assert said.startswith("channel_binding must be disable or prefer, since the driver cannot bind a login")
    said = refusal(await migrate(tls.url("?sslnegotiation=direct")))
    assert "direct TLS requires sslmode=require, verify-ca, or verify-full" in said
    assert "SSL required" in refusal(await migrate(tls.url("?sslmode=disable")))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres:sesame seeds?x@127.0.0.1/liqpass",
        "postgresql://postgres:sesame seeds@ss@127.0.0.1/liqpass",
        "postgresql://postgres:1/sesame seeds@127.0.0.1/liqpass",
        "postgresql://127.0.0.1:99999/liqpass",
        "jdbc:postgresql://127.0.0.1/liqpass",
        "host=127.0.0.1 dbname=liqpass",
    ],
)
def test_what_is_no_address_is_said_without_a_part_of_the_password(url: str) -> None:
    with pytest.raises(SettingError, match="is no address such as postgresql://") as refused:
        address_of(url)
    assert "sesame" not in str(refused.value) and "seeds" not in str(refused.value)


async def test_a_host_that_refuses_or_says_nothing_does_not_stand_in_the_way_of_the_next(
    tls: TlsServer,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for dead in (free_port(), silent.getsockname()[1]):
            hosts, ports = f"127.0.0.1:{dead},127.0.0.1:{tls.port}", f"{dead},{tls.port}"
            for where in (
                f"{hosts}/{tls.database}?",
                f"/{tls.database}?host=127.0.0.1,localhost&port={ports}&",
            ):
                url = f"postgresql://postgres:sesame%20seeds@{where}connect_timeout=2"
                conn = await connect_as_owner(url, name="test")
                assert await conn.fetchval("select 1") == 1
                await conn.close()


@pytest.mark.parametrize("state", ["3D000", "28000", "53300"])
async def test_a_host_that_lets_nobody_in_does_not_stand_in_the_way_of_the_next(
    state: str, tls: TlsServer
) -> None:
    async with refusing(state) as port:
        address = "postgresql://postgres:sesame%20seeds@127.0.0.1:{},127.0.0.1:{}/{}?sslmode=prefer"
        conn = await connect_as_owner(address.format(port, tls.port, tls.database), name="test")
        assert await conn.fetchval("select 1") == 1
        await conn.close()
        with pytest.raises(asyncpg.PostgresError, match="a standby says no"):
            await connect_as_owner(address.format(port, free_port(), tls.database), name="test")


@asynccontextmanager
async def refusing(state: str) -> AsyncIterator[int]:
    """The port of a server that refuses whoever comes, by this SQLSTATE: a standby that has not heard
    of the database yet, whose pg_hba.conf is another one, that is full."""
    said = b"SFATAL\0VFATAL\0C" + state.encode() + b"\0Ma standby says no\0\0"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!i", await reader.readexactly(4))
        if await reader.readexactly(length - 4) == struct.pack("!i", 80877103):  # is TLS spoken here?
            writer.write(b"N")
            (length,) = struct.unpack("!i", await reader.readexactly(4))
            await reader.readexactly(length - 4)
        writer.write(b"E" + struct.pack("!i", len(said) + 4) + said)
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_password_may_come_from_a_file_and_hold_what_an_address_may_not(
    tls: TlsServer, tmp_path: Path
) -> None:
    kept = tmp_path / "passwords"
    kept.write_text("127.0.0.1:*:*:postgres:sesame seeds\n")
    kept.chmod(0o600)
    bare = f"postgresql://postgres@127.0.0.1:{tls.port}/{tls.database}"
    lets_in(await migrate(f"{bare}?passfile={kept}"))
    lets_in(await migrate(bare, PGPASSFILE=str(kept)))
    lets_in(await migrate(f"{bare}?password=sesame%20seeds&hostaddr=127.0.0.1"))
    wrong = f"{bare}?sslmode=require&password=sesame+seeds"  # a plus is a plus
    assert "authentication failed" in refusal(await migrate(wrong))
