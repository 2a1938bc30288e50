"""Who looks at a page, and in which language and theme."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from litestar import Request
from litestar.di import NamedDependency

from liqpass.db import Database
from liqpass.hexes import checksum
from liqpass.signin.sessions import reader_of
from liqpass.web import texts
from liqpass.web.texts import Language

THEMES = ("light", "dark")
THEME_COOKIE = "liqpass_theme"

Admins = frozenset[bytes]


@dataclass(frozen=True)
class Viewer:
    """`user`: the address of who is signed in. `theme`: None where the system decides. `path`: of the page,
    with its query."""

    user: bytes | None
    is_admin: bool
    language: Language
    theme: str | None
    path: str

    @property
    def address(self) -> str | None:
        """Of who is signed in, in EIP-55's spelling."""
        return checksum(self.user) if self.user else None


async def viewer_of(
    request: Request[Any, Any, Any],
    db: NamedDependency[Database],
    now: NamedDependency[datetime],
    session_cookie: NamedDependency[str],
    admins: NamedDependency[Admins],
) -> Viewer:
    """A dependency of every page."""
    user = await reader_of(request, db, now, session_cookie)
    return viewer(request, user, is_admin=user in admins)


def viewer(request: Request[Any, Any, Any], user: bytes | None = None, *, is_admin: bool = False) -> Viewer:
    """From what the browser says of itself."""
    theme = request.cookies.get(THEME_COOKIE)
    path = quote(request.url.path)
    return Viewer(
        user=user,
        is_admin=is_admin,
        language=texts.preferred(
            request.headers.get("accept-language", ""), request.cookies.get(texts.COOKIE)
        ),
        theme=theme if theme in THEMES else None,
        path=f"{path}?{request.url.query}" if request.url.query else path,
    )
