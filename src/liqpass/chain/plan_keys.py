"""What of an endpoint's address may be the key of a plan, in all spellings in which it may be quoted: as it
was set, as it was sent (the client spells addresses anew), decoded, in JSON, in HTML, in a header."""

import base64
import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, unquote, unquote_plus, urlsplit

from yarl import URL

# Shorter ones are words: v2, rpc, eth. A password is one whatever its length.
_LONG_PART = re.compile(r"[^/?&=:@]{6,}")
_LONG_SPELLING = 6
NOTHING = re.compile(r"(?!)")


def without_login(url: str) -> tuple[str, dict[str, str]]:
    """The address without user and password, and the header that has them, in UTF-8 (RFC 7617): the client's
    own is in Latin-1, and fails with an error of its own where a password has other letters."""
    parts = urlsplit(url)
    userinfo, _, host = parts.netloc.rpartition("@")
    if not userinfo:
        return url, {}
    user, _, password = userinfo.partition(":")
    login = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    return parts._replace(netloc=host).geturl(), {"Authorization": f"Basic {login}"}


def keys_in(url: str) -> re.Pattern[str]:
    """What finds them, in any case."""
    parts = urlsplit(url)
    userinfo = parts.netloc.rpartition("@")[0]
    user, _, password = userinfo.partition(":")
    found = set(_LONG_PART.findall(f"{userinfo}/{parts.path}?{parts.query}"))
    found |= {
        value for pair in parts.query.split("&") if len(value := pair.partition("=")[2]) >= _LONG_SPELLING
    }
    found |= {
        spelling for part in [*found] for spelling in _spellings(part) if len(spelling) >= _LONG_SPELLING
    }
    sent = URL(url)
    found |= set(_LONG_PART.findall(f"{sent.raw_path}?{sent.raw_query_string}"))
    if password:
        found |= {password, *_spellings(password)}
    if userinfo:
        found |= set(_basic(unquote(user), unquote(password)))
    longest_first = sorted(found, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)), re.I) if found else NOTHING


def _spellings(part: str) -> Iterator[str]:
    for text in {part, unquote(part), unquote_plus(part), unquote(unquote(part))}:
        yield from (
            text,
            quote(text),
            quote(text, safe=""),
            html.escape(text),
            html.escape(text, quote=False),
        )
        for ascii_only in (True, False):
            once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
            yield from (once, json.dumps(once, ensure_ascii=ascii_only)[1:-1], once.replace("/", "\\/"))


def _basic(user: str, password: str) -> Iterator[str]:
    """The header `Authorization` without its padding; what passes it on may write Latin-1."""
    for encoding in ("utf-8", "latin-1"):
        login = f"{user}:{password}".encode(encoding, errors="replace")
        yield base64.b64encode(login).decode().rstrip("=")
