"""What DATABASE_URL says: the parameters of libpq's addresses, each honoured or refused by its name.

libpq's own rules, where asyncpg goes other ways: only %XX is an escape, what follows the `?` counts more
than what stands before it, and a parameter that nobody knows is an error. Nothing here repeats a password,
nor a part of an address that may be one."""

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

from liqpass.settings import SettingError

NO_ADDRESS = (
    "is no address such as postgresql://user:password@host:5432/liqpass; in a password, / @ : are %2F %40 %3A"
)
# What asyncpg takes from an address, as it stands.
TAKEN = frozenset(
    {"user", "password", "passfile", "service", "sslnegotiation", "krbsrvname", "gsslib", "sslmode"}
    | {"sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl", "target_session_attrs"}
    | {"ssl_min_protocol_version", "ssl_max_protocol_version"}
)
# What is read here.
READ = frozenset(
    {"host", "hostaddr", "port", "dbname", "options", "connect_timeout", "load_balance_hosts", "ssl"}
)
# What changes nothing that is right or wrong: names that LiqPass gives itself, the client's keepalives (the
# server's are set), and what every libpq since 14 passes over.
WITHOUT_EFFECT = frozenset(
    {"application_name", "fallback_application_name", "client_encoding", "sslcompression", "sslsni"}
    | {"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"}
)
TLS_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
# Values that can be honoured, where not all can; and why the others cannot.
CHOICES: dict[str, tuple[tuple[str, ...], str]] = {
    "sslmode": (("disable", "allow", "prefer", "require", "verify-ca", "verify-full"), ""),
    "sslnegotiation": (("postgres", "direct"), ""),
    "ssl_min_protocol_version": (TLS_VERSIONS, ""),
    "ssl_max_protocol_version": (TLS_VERSIONS, ""),
    "target_session_attrs": (("any", "primary", "read-write"), "LiqPass writes"),
    "load_balance_hosts": (("disable",), "hosts are tried in their order"),
    "channel_binding": (
        ("disable", "prefer"),
        "the driver cannot bind a login to its TLS connection, sslmode=verify-full proves the server instead",
    ),
    "gssencmode": (("disable", "prefer"), "the driver encrypts by TLS alone"),
    "gssdelegation": (("0",), "the driver hands no tickets on"),
    "sslcertmode": (("allow",), "the driver shows a certificate where it has one"),
    "min_protocol_version": (("3.0",), "the driver speaks 3.0"),
    "max_protocol_version": (("3.0", "3.2", "latest"), ""),
    "replication": (("0", "false", "off", "no"), "LiqPass is no replica"),
    "ssl": (("true",), ""),
}
# Where nothing is written.
CHOICES_READING: dict[str, tuple[tuple[str, ...], str]] = {
    "target_session_attrs": (("any", "standby", "read-only"), "a replica is what it is to lead to"),
}
VERIFYING = ("verify-ca", "verify-full")


@dataclass(frozen=True)
class Address:
    """Where a database is, and how to get in."""

    hosts: tuple[tuple[str, int], ...]
    """Names, addresses or folders of sockets, each with its port, in the order in which they are tried.
    None: what PGHOST says, else this machine."""
    arguments: Mapping[str, Any] = field(repr=False)
    """Of asyncpg.connect; host and port are not among them."""
    options: str
    """Settings for the server, as on its command line."""
    wait_sec: float | None
    """How long one host is waited for; None where the address does not say."""


def refused(why: str) -> SettingError:
    """The one error of everything here."""
    return SettingError("DATABASE_URL", why)


def address_of(url: str, *, reading: bool = False) -> Address:
    """Take an address apart. `reading`: nothing is written there, it may be a standby's. Raises SettingError,
    which names the parameter."""
    scheme, _, rest = url.strip().partition("://")
    before, _, query = rest.partition("?")
    authority, _, path = before.partition("/")
    who, _, where = authority.rpartition("@")
    astray = "@" in who or "@" in path or ("@" in query and not who) or "%00" in url
    if scheme not in ("postgresql", "postgres") or astray:
        raise refused(NO_ADDRESS)
    user, _, password = who.partition(":")
    given = {"user": unquote(user), "password": unquote(password), "dbname": unquote(path)}
    named = _parameters(query, CHOICES | CHOICES_READING if reading else CHOICES)
    if given["dbname"] and named.get("dbname", given["dbname"]) != given["dbname"]:
        raise refused("names two databases: leave dbname away")
    given |= named
    hosts = _hosts(where, given)
    arguments = {name: given[name] for name in ("user", "password", "passfile") if given.get(name)}
    if given.get("dbname"):
        arguments["database"] = given["dbname"]
    return Address(hosts, {**arguments, **_tls(given)}, given.get("options", ""), _wait(given))


def _parameters(query: str, choices: Mapping[str, tuple[tuple[str, ...], str]]) -> dict[str, str]:
    """What stands behind the `?`; a value that is empty is as good as none. What follows a password may be
    the rest of it, where its & was not written as %26."""
    found: dict[str, str] = {}
    hidden = False
    for part in filter(None, query.split("&")):
        name, equals, value = (unquote(piece) for piece in part.partition("="))
        if name == "database":  # asyncpg's word
            name = "dbname"
        if not equals or name not in TAKEN | READ | WITHOUT_EFFECT | CHOICES.keys():
            shown = "one" if hidden or not name.isidentifier() or len(name) >= 40 else name
            raise refused(
                f"has a parameter that LiqPass does not know ({shown}): leave it away. "
                "Settings of the server go into options=-c%20name%3Dvalue"
            )
        hidden = hidden or name in ("password", "sslpassword")
        if value:
            found[name] = value
    for name, (values, why) in choices.items():
        if name in found and found[name] not in values:
            reason = f", since {why}" if why else ""
            raise refused(f"{name} must be {_listed(values)}{reason}")
    if found.pop("ssl", None):
        found.setdefault("sslmode", "require")  # as libpq reads the JDBC driver's word
    return found


def _listed(values: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(values[:-1]), values[-1])))


def _hosts(where: str, given: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    """Hosts with their ports; a parameter counts more than what stands before the `?`."""
    names, ports = [], []
    for part in where.split(",") if where else ():
        name, _, port = part.partition("]:") if part.startswith("[") else part.partition(":")
        if part.startswith("[") and not part.partition("]")[1]:
            raise refused(NO_ADDRESS)
        names.append(unquote(name).strip("[]"))
        ports.append(unquote(port))
    if "host" in given:
        names, ports = given["host"].split(","), []
    if "hostaddr" in given:
        if given.get("sslmode") in VERIFYING and given["hostaddr"].split(",") != names:
            raise refused(
                "hostaddr cannot stand beside sslmode=verify-…: the certificate is of the host's name"
            )
        names = given["hostaddr"].split(",")
    if "port" in given:
        ports = given["port"].split(",")
    if any(port and not (port.isdecimal() and 0 < int(port) < 65536) for port in ports):
        raise refused(NO_ADDRESS)
    names = names or ["localhost"] * len(ports)
    ports = ports * len(names) if len(ports) == 1 else ports or [""] * len(names)
    if len(ports) != len(names):
        raise refused(f"has {len(ports)} ports for {len(names)} hosts")
    usual = os.environ.get("PGPORT", "")
    usual = usual if usual.isdecimal() else "5432"
    return tuple((name or "localhost", int(port or usual)) for name, port in zip(names, ports, strict=True))


def _wait(given: Mapping[str, str]) -> float | None:
    """Seconds; as libpq has it, nothing is no limit, and one is two."""
    text = given.get("connect_timeout")
    if text is None:
        return None
    if not re.fullmatch("-?[0-9]{1,9}", text):
        raise refused("connect_timeout must be a whole number of seconds")
    return max(2.0, float(text)) if int(text) > 0 else None


def _tls(given: Mapping[str, str]) -> dict[str, Any]:
    """What is not asyncpg's own argument goes to it as an address that has nothing else."""
    rest = {name: given[name] for name in sorted(TAKEN - {"user", "password", "passfile"}) if name in given}
    if given.get("sslrootcert") == "system":
        return _system_trust(rest)
    _readable(given)
    return {"dsn": f"postgresql://?{urlencode(rest, quote_via=quote)}"} if rest else {}


def _system_trust(given: dict[str, str]) -> dict[str, Any]:
    """The certificates that the machine trusts, as libpq 16 has it: then the server's name is checked,
    too."""
    if given.pop("sslmode", "verify-full") != "verify-full":
        raise refused("sslrootcert=system wants sslmode=verify-full")
    del given["sslrootcert"]
    context = ssl.create_default_context()
    _present(context, given)
    for end, name in (("minimum", "ssl_min_protocol_version"), ("maximum", "ssl_max_protocol_version")):
        if version := given.pop(name, None):
            setattr(context, f"{end}_version", ssl.TLSVersion[version.replace(".", "_")])
    if given.pop("sslcrl", None):
        raise refused("sslcrl cannot stand beside sslrootcert=system")
    for name in ("sslcert", "sslkey", "sslpassword"):
        given.pop(name, None)
    context.set_alpn_protocols(["postgresql"])
    return {
        "ssl": context,
        **({"dsn": f"postgresql://?{urlencode(given, quote_via=quote)}"} if given else {}),
    }


def _readable(given: Mapping[str, str]) -> None:
    """Certificates are read once here: asyncpg says neither which of them is not there nor which is none."""
    if (
        given.get("sslmode") in VERIFYING
        and "sslrootcert" not in given
        and not os.environ.get("PGSSLROOTCERT")
    ):
        root = Path(os.environ.get("HOME", "/")) / ".postgresql/root.crt"
        if not root.exists():
            raise refused(
                f"sslmode={given['sslmode']} needs to know whom to trust, and {root} is not there: "
                "add sslrootcert=FILE, or sslmode=verify-full&sslrootcert=system for what this machine trusts"
            )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in ("sslrootcert", "sslcrl"):
        if name in given:
            try:
                context.load_verify_locations(cafile=given[name])
            except OSError as error:
                raise refused(f"{name}={given[name]} cannot be used: {_why(error)}") from None
    _present(context, given)


def _present(context: ssl.SSLContext, given: Mapping[str, str]) -> None:
    """The client's own certificate."""
    if "sslcert" not in given:
        return
    try:
        context.load_cert_chain(
            given["sslcert"], given.get("sslkey"), password=lambda: given.get("sslpassword", "")
        )
    except OSError as error:
        raise refused(f"sslcert and sslkey cannot be used: {_why(error)}") from None


def _why(error: OSError) -> str:
    return (
        (error.strerror or "it is none")
        if not isinstance(error, ssl.SSLError)
        else "it holds none, or the wrong one"
    )
