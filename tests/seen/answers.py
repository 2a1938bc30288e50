"""Answers as they come over the wire, so that two can be held against each other."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from liqpass.db import Database

# Of each answer its own, or the very words of what was asked.
PASSING = {"date", "x-request-id", "content-length", "transfer-encoding"}
REQUEST_ID = re.compile(r'"requestId":"[0-9a-f]{32}"')
FIRST_BYTES = 65_536
SHORTEST = 6


@dataclass(frozen=True)
class Answer:
    """`text` and `headers` without what differs from request to request: its id, its path, the ids in it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    text: str
    raw: str

    @property
    def alike(self) -> tuple[int, tuple[tuple[str, str], ...], str]:
        """What is compared."""
        return self.status, self.headers, self.text

    def header(self, name: str) -> str:
        """Of that name, or nothing."""
        return ", ".join(value for held, value in self.headers if held == name)


async def asked(
    http: aiohttp.ClientSession, method: str, url: str, cookie: str, ids: Sequence[str], **more: Any
) -> Answer:
    """Send it with this cookie; of a stream its beginning. `ids`: what the request names."""
    headers = {**more.pop("headers", {}), **({"cookie": cookie} if cookie else {})}
    async with http.request(method, url, headers=headers, allow_redirects=False, **more) as told:
        is_stream = told.content_type == "text/event-stream"
        raw = (await (told.content.read(FIRST_BYTES) if is_stream else told.read())).decode()
        kept = sorted(
            (name.lower(), value) for name, value in told.headers.items() if name.lower() not in PASSING
        )
    text = REQUEST_ID.sub("", raw)
    return Answer(told.status, tuple((n, _without(v, ids)) for n, v in kept), _without(text, ids), raw)


def _without(text: str, ids: Sequence[str]) -> str:
    """But for short ones, which stand everywhere."""
    for one in sorted(ids, key=len, reverse=True):
        if len(one) >= SHORTEST:
            text = text.replace(one, "…")
    return text


async def books_of(db: Database) -> dict[str, str]:
    """A digest of each table, but for those in which anybody may leave something: texts to sign."""
    tables = await db.pool.fetch(
        """select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind = 'r' and n.nspname = 'public'
               and has_table_privilege(c.oid, 'select')
               and c.relname not in ('signin_nonces', 'sessions')"""
    )
    found = {}
    for (name,) in tables:
        hashed = f"select coalesce(md5(string_agg(t::text, ';' order by t::text)), '') from {name} t"
        found[name] = await db.pool.fetchval(hashed)
    return found
