"""A TLS server in front of a database (PgBouncer's: the embedded PostgreSQL is built without TLS), with a
certificate of an authority of its own and passwords that are never sent."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from liqpass.postgres_programs import give, system_account
from tests.commands.pgbouncer import pgbouncer

USER, PASSWORD = "postgres", "sesame seeds"


@dataclass(frozen=True)
class TlsServer:
    """Where it listens, at 127.0.0.1; its certificate is of `localhost`."""

    port: int
    database: str
    authority: Path
    other_authority: Path

    def url(self, query: str = "", host: str = "127.0.0.1") -> str:
        """Its database's address."""
        who = f"{USER}:{PASSWORD.replace(' ', '%20')}"
        return f"postgresql://{who}@{host}:{self.port}/{self.database}{query}"


@asynccontextmanager
async def tls_server(database_url: str) -> AsyncIterator[TlsServer]:
    """One in front of this database, gone at the end."""
    with TemporaryDirectory(prefix="liqpass-tests-") as folder:
        made = Path(folder)
        write_certificates(made)
        settings = {
            "client_tls_sslmode": "require",
            "client_tls_cert_file": str(made / "server.pem"),
            "client_tls_key_file": str(made / "server.key"),
            "auth_type": "scram-sha-256",
            "auth_file": str(made / "passwords"),
            "ignore_startup_parameters": "options",
        }
        async with pgbouncer(database_url, pool_mode="session", **settings) as url:
            parts = urlsplit(url)
            assert parts.port is not None
            yield TlsServer(parts.port, parts.path.strip("/"), made / "ca.pem", made / "other.pem")


def write_certificates(folder: Path, host: str = "localhost") -> None:
    """Two authorities, a certificate of the first for `host`, and who may log in; for the server to read."""
    account = system_account() if os.geteuid() == 0 else None
    folder.chmod(0o755)
    key, certificate = _authority("an authority")
    own_key, own = _issued(host, key, certificate)
    for name, content in (
        ("ca.pem", _pem(certificate)),
        ("other.pem", _pem(_authority("another authority")[1])),
        ("server.pem", _pem(own)),
        ("server.key", _key_pem(own_key)),
        ("passwords", f'"{USER}" "{PASSWORD}"\n'.encode()),
    ):
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o644 if name.endswith(".pem") else 0o600)
        give(account, folder / name)


def _authority(name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    named = _named(name)
    usage = x509.BasicConstraints(ca=True, path_length=0)
    return key, _dated(named, named, key).add_extension(usage, critical=True).sign(key, hashes.SHA256())


def _issued(
    host: str, authority_key: ec.EllipticCurvePrivateKey, authority: x509.Certificate
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    built = _dated(_named(host), authority.subject, key).add_extension(names, critical=False)
    return key, built.sign(authority_key, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _dated(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
