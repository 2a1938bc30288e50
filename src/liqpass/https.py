"""What aiohttp trusts when it speaks HTTPS: the machine's certificate authorities, read when they are first
needed.

aiohttp reads them when it is imported, twice: 40 ms until `serve` answers, and 2 MB from then on. So it is
imported here, without them; who asked it for HTTPS without `trust` would find that it trusts nobody.
"""

import ssl
from functools import cache


def _read_later(self: ssl.SSLContext) -> None:
    """In the place of a context's reading."""


ssl.SSLContext.set_default_verify_paths = _read_later  # type: ignore[method-assign]
import aiohttp  # noqa: E402

del ssl.SSLContext.set_default_verify_paths

__all__ = ["aiohttp", "trust"]


def trust(url: str) -> ssl.SSLContext | bool:
    """What to say as `ssl=` with a request to this address."""
    return _authorities() if url[:6].lower() == "https:" else True


@cache
def _authorities() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(("http/1.1",))  # as aiohttp's own
    return context
