"""A host as browsers write it, in `Origin` and to wallets: whoever compares must write it so. Pure."""

import re
from ipaddress import IPv4Address, IPv6Address

import idna

_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def as_browsers_write(host: str) -> str:
    """Lower case, ASCII (IDNA, as WHATWG's URLs have it), IPv6 in brackets and as short as can be, no dot at
    the end. `host` is without brackets and port. Raises ValueError with what to write instead."""
    if ":" in host:
        return f"[{_ipv6(host)}]"
    name = host.lower()
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode()
        except idna.IDNAError:
            raise ValueError("has a host that cannot be written in ASCII: write its form xn--…") from None
    name = name.removesuffix(".")
    if not _NAME.fullmatch(name):
        raise ValueError("has a host of other signs than letters, digits, hyphens and dots")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        return _ipv4(name)
    return name


def _ipv4(text: str) -> str:
    """Browsers take 127.1 and 0x7f000001 for addresses, too."""
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise ValueError("has an IPv4 address that is not four numbers: write 127.0.0.1") from None


def _ipv6(text: str) -> str:
    """The first of the longest runs of zeros left away, and no part in IPv4's way."""
    try:
        packed = IPv6Address(text).packed
    except ValueError:
        raise ValueError("has no IPv6 address in its brackets") from None
    if "%" in text:
        raise ValueError("has an IPv6 address with a zone, which browsers refuse")
    whole = ":".join(f"{int.from_bytes(packed[at : at + 2], 'big'):x}" for at in range(0, 16, 2))
    runs = [run.span() for run in re.finditer(r"(?<![^:])0(?::0)+(?![^:])", whole)]
    if not runs:
        return whole
    first, last = max(runs, key=lambda span: span[1] - span[0])
    return f"{whole[:first].removesuffix(':')}::{whole[last:].removeprefix(':')}"
