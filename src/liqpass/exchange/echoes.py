"""An answer that repeats what it was asked with: a page of a gateway, a debugger's field. OKX answers nothing
of the kind, and what is answered is kept as evidence and handed on."""

import json
from collections.abc import Iterator, Mapping
from urllib.parse import quote

SHORTEST = 8  # of OKX's passphrases; what is shorter stands in many an answer
PASSPHRASE = "OK-ACCESS-PASSPHRASE"  # noqa: S105, a header's name
REPEATED = ("OK-ACCESS-KEY", "OK-ACCESS-SIGN", PASSPHRASE)


def repeats(headers: Mapping[str, str], body: bytes, *, may_name: bool = False) -> bool:
    """Whether the body holds a part of the key that the request was signed with. `may_name`: its owner may
    have called the key by its passphrase, which is no fault of who answers."""
    names = [name for name in REPEATED if not (may_name and name == PASSPHRASE)]
    return any(_holds(body, headers.get(name, "")) for name in names)


def named_by(label: str, *secrets: str) -> bool:
    """Whether a label holds one of these: it is shown to be told apart, and logged."""
    return any(len(secret) >= SHORTEST and secret in label for secret in secrets)


def _holds(body: bytes, secret: str) -> bool:
    return len(secret) >= SHORTEST and any(form.encode() in body for form in {*_forms(secret)})


def _forms(secret: str) -> Iterator[str]:
    """As it is, as JSON has it, once more inside a text in JSON, and as addresses have it."""
    yield secret
    yield quote(secret, safe="")
    for ascii_only in (True, False):
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        twice = json.dumps(once, ensure_ascii=ascii_only)[1:-1]
        for form in (once, twice):
            yield form
            yield form.replace("/", "\\/")
