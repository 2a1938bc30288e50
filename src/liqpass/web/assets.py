"""Stylesheet, scripts and pictures of the pages, under an address that changes with their content: a browser
keeps them for good, and asks again only after an upgrade."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from liqpass.web.texts import languages

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOR_GOOD = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """A file as it is and packed."""

    type: str
    body: bytes
    packed: bytes


@dataclass(frozen=True)
class Assets:
    """All files by name, and the digest of all, which is part of their address."""

    digest: str
    files: Mapping[str, Asset]

    def url(self, name: str) -> str:
        """Where a browser finds the file. Raises KeyError where there is none: a template is wrong."""
        if name not in self.files:
            raise KeyError(f"there is no static file {name}")
        return f"/static/{self.digest}/{name}"


@cache
def assets() -> Assets:
    """The files of the package's folder `static`, and what scripts say in each other language."""
    bodies = {file.name: file.read_bytes() for file in (resources.files("liqpass.web") / "static").iterdir()}
    for language in languages().values():
        if language.for_scripts:
            said = msgspec.json.encode(language.for_scripts)
            bodies[f"words.{language.tag}.js"] = b"globalThis.liqpassWords = " + said
    digest = hashlib.sha256()
    files = {}
    for name, body in sorted(bodies.items()):
        digest.update(name.encode() + b"\0" + body)
        files[name] = Asset(TYPES[name[name.rfind(".") :]], body, gzip.compress(body, 9, mtime=0))
    return Assets(digest.hexdigest()[:16], files)


@get("/static/{digest:str}/{name:str}", include_in_schema=False, cache_control=None)
async def static_file(
    request: Request[Any, Any, Any], digest: FromPath[str], name: FromPath[str]
) -> Response[bytes]:
    """One file. An old digest gets nothing: old and new scripts in one page would not fit together."""
    of = assets()
    asset = of.files.get(name) if digest == of.digest else None
    if asset is None:
        raise NotFoundException
    headers = {"cache-control": FOR_GOOD, "vary": "accept-encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, media_type=asset.type, headers={**headers, "content-encoding": "gzip"})
    return Response(asset.body, media_type=asset.type, headers=headers)
