"""The searcher finds what it should: each form is planted, in the middle of other bytes."""

import base64
import gzip
import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.seen.needles import forms, found, found_in_files

TEXT = "Kanari\"7/+\\ é<&>' secret of 40"
RAW = bytes(range(224, 256)) + b"\x00\x01'"
AROUND = b'{"a": "\x00\xff before '


def planted(written: bytes) -> bytes:
    return AROUND + written + b'", "b": after}'


@pytest.mark.parametrize("secret", [TEXT, RAW, "short7"], ids=["a text", "bytes", "a short one"])
def test_each_form_is_found_by_its_name(secret: str | bytes) -> None:
    assert len(forms(secret)) >= 11
    for form, written in forms(secret).items():
        assert f"it: {form}" in found({"it": secret}, planted(written))


@pytest.mark.parametrize("before", range(7))
@pytest.mark.parametrize("after", range(3))
def test_base64_is_found_wherever_it_begins_and_whatever_follows(before: int, after: int) -> None:
    whole = b"\xfb" * before + RAW + b"\xef" * after
    for coded in (base64.b64encode(whole), base64.urlsafe_b64encode(whole)):
        assert found({"it": RAW}, planted(coded)) != []


@pytest.mark.parametrize(
    "written",
    [
        json.dumps({"msg": TEXT}),
        json.dumps({"msg": TEXT}, ensure_ascii=False),
        json.dumps({"answer": json.dumps({"msg": TEXT}, ensure_ascii=False)}, ensure_ascii=False),
        f"https://host/?key={quote(TEXT, safe='')}",
        f"key={quote_plus(TEXT)}",
        repr([TEXT]),
        f"error: {TEXT[:20]}…",
        f"…{TEXT[15:]}",
        f"Basic {base64.b64encode(f'user:{TEXT}'.encode()).decode()}",
    ],
)
def test_what_programs_write_is_found(written: str) -> None:
    assert found({"it": TEXT}, planted(written.encode())) != []


def test_what_is_not_there_is_not_found() -> None:
    assert found({"it": TEXT, "other": RAW}, planted(b"Kanari 7 secret of 4" + bytes(range(200)))) == []


def test_files_are_searched_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(planted(TEXT.encode()))
    (tmp_path / "packed").write_bytes(gzip.compress(TEXT.encode()))
    assert found_in_files({"it": TEXT}, tmp_path.iterdir())[:1] == ["log: it: plain"]
