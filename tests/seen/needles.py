"""A secret is searched for in every form in which programs write things down."""

import base64
import html
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

HALF_OF = 24  # a secret from this length on is found by either half, too: it may have been cut


def forms(secret: str | bytes) -> dict[str, bytes]:
    """By its name, what a secret looks like there; of base64, what is the same wherever it begins."""
    raw = secret.encode() if isinstance(secret, str) else secret
    found = {"plain": raw, "hex": raw.hex().encode(), "HEX": raw.hex().upper().encode()}
    for at in range(3):
        for name, alphabet in (("base64", b"+/"), ("base64url", b"-_")):
            found[f"{name} at {at}"] = _inside_base64(raw, at, alphabet)
    found["percent, each byte"] = "".join(f"%{byte:02X}" for byte in raw).encode()
    found["percent, each byte, small"] = found["percent, each byte"].lower()
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        found["Python's bytes"] = repr(raw)[2:-1].encode()
        return found
    if not text.isascii():
        found["JSON in ASCII"] = json.dumps(text)[1:-1].encode()
    percent = quote(text, safe="")
    twice = json.dumps(json.dumps(text, ensure_ascii=False)[1:-1], ensure_ascii=False)[1:-1]
    return found | {
        "percent": percent.encode(),
        "percent, small": _small_escapes(percent).encode(),
        "percent, slashes left": quote(text).encode(),
        "form": quote_plus(text).encode(),
        "JSON": json.dumps(text, ensure_ascii=False)[1:-1].encode(),
        "JSON in JSON": twice.encode(),
        "JSON in a COPY of PostgreSQL": json.dumps(text, ensure_ascii=False)[1:-1]
        .replace("\\", "\\\\")
        .encode(),
        "JSON, slashes escaped": json.dumps(text)[1:-1].replace("/", "\\/").encode(),
        "JSON, each character": "".join(f"\\u{ord(char):04x}" for char in text).encode(),
        "HTML": html.escape(text).encode(),
        "HTML, as Jinja writes it": html.escape(text)
        .replace("&quot;", "&#34;")
        .replace("&#x27;", "&#39;")
        .encode(),
        "Python": repr(text)[1:-1].encode(),
        "UTF-16": text.encode("utf-16-le"),
        "UTF-16, big end first": text.encode("utf-16-be"),
        "small": text.lower().encode(),
        "LARGE": text.upper().encode(),
    }


def found(secrets: Mapping[str, str | bytes], where: bytes) -> list[str]:
    """Which secrets are there, and in which form: "passphrase: hex"."""
    return [
        f"{name}{part}: {form}"
        for name, secret in secrets.items()
        for part, piece in _pieces(secret)
        for form, needle in forms(piece).items()
        if needle in where
    ]


def found_in_files(secrets: Mapping[str, str | bytes], paths: Iterable[Path]) -> list[str]:
    """The same of files, with their names."""
    hits = list[str]()
    for path in paths:
        if path.is_file():
            hits += [f"{path.name}: {hit}" for hit in found(secrets, path.read_bytes())]
    return hits


def _pieces(secret: str | bytes) -> list[tuple[str, str | bytes]]:
    half = len(secret) // 2
    if len(secret) < HALF_OF:
        return [("", secret)]
    return [("", secret), (", first half", secret[:half]), (", second half", secret[half:])]


def _inside_base64(raw: bytes, at: int, alphabet: bytes) -> bytes:
    """What is the same whatever stands before it, so many bytes past a multiple of three, and after it."""
    coded = base64.b64encode(bytes(at) + raw, altchars=alphabet)
    first = -(-at * 8 // 6)  # characters that depend on what stands before
    return coded[first : (at + len(raw)) * 8 // 6]


def _small_escapes(percent: str) -> str:
    parts = percent.split("%")
    return parts[0] + "".join(f"%{part[:2].lower()}{part[2:]}" for part in parts[1:])
