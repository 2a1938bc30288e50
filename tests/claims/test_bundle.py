"""A bundle is one canonical document, and says whether its verdict still follows from what is in it."""

import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
import pytest

from liqpass.claims import bundle
from liqpass.claims.case import Case, Outcome, Verdict
from liqpass.claims.policy import CURRENT
from liqpass.claims.reading import body_of
from liqpass.claims.sql import CaseOrder, EvidenceRow, WatchedRow
from liqpass.claims.verdict import decide

START = datetime(2026, 11, 29, 12, 0, 0, 123456, tzinfo=UTC)
ROW = '{"avgPx":"3000","pos":"10"}'
ODD = b'{"code":"0","data":[{"instId":"\xff"}]}'
PLAIN = '{"code":"0","data":[],"msg":"行情 \U0001f600 \u007f \\u0001"}'.encode()

# What RFC 8785 says of strings (3.2.2.2): only these are escaped, and these ways.
ESCAPED = {
    "\b": r"\b", "\t": r"\t", "\n": r"\n", "\f": r"\f", "\r": r"\r", '"': r"\"", "\\": r"\\",
    "\x00": r"\u0000", "\x0f": r"\u000f", "\x1f": r"\u001f", "/": "/", "\x7f": "\x7f", "\u2028": "\u2028",
    "\u20ac": "\u20ac", "\U0001f600": "\U0001f600",
}  # fmt: skip


def order() -> CaseOrder:
    priced_from = {
        "version": "1",
        "sku": "24H",
        "facts": {},
        "position": ROW,
        "position_sha256": sha256(ROW.encode()).hexdigest(),
        "read_at": START.isoformat(),
    }
    return CaseOrder(
        purchase_order_id=b"\x01" * 32,
        payout_amount=178_200_000,
        coverage_start_at=START,
        coverage_end_at=START + timedelta(hours=24),
        claims_policy=CURRENT.version,
        exchange_uid="7",
        inst_id="ETH-USDT-SWAP",
        mgn_mode="isolated",
        pos_side="long",
        pos_id="5",
        pos_created_ms=1_764_000_000_000,
        priced_from=json.dumps(priced_from),
    )


def answer(seq: int, body: bytes) -> EvidenceRow:
    path = "/api/v5/account/positions-history"
    return EvidenceRow(
        seq, UUID(int=1), "7", path, f"{path}?posId=5", 200, START, -3, body, sha256(body).digest()
    )


def case(*bodies: bytes) -> Case:
    change = WatchedRow(1, START, 2, ["gone"], "", sha256(b"").digest())
    return bundle.case_of(order(), [change], [answer(n, body) for n, body in enumerate(bodies, 1)], CURRENT)


def written(*bodies: bytes) -> bytes:
    whole = case(*bodies)
    return bundle.document(whole, decide(whole))


def changed(document: bytes, *path: str | int, to: Any) -> bytes:
    """The document with one value changed, written as canonically as it was."""
    whole = json.loads(document)
    inner = whole
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = to
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_times_are_integers_and_bodies_are_the_bytes_as_they_came() -> None:
    made = case(PLAIN, ODD)
    assert (made.order.coverage_start_us % 1_000_000, made.order.payout) == (123_456, 178_200_000)
    assert made.order.coverage_end_us - made.order.coverage_start_us == 24 * 3_600_000_000
    assert made.evidence[0].asked_at_ms == made.order.coverage_start_us // 1000
    assert [(one.encoding, body_of(one)) for one in made.evidence] == [
        ("utf-8", PLAIN),
        ("base64", ODD),
    ]
    assert b64decode(made.evidence[1].body) == ODD
    assert made.priced.row == ROW


def test_the_document_is_canonical_json_as_another_writer_writes_it() -> None:
    """Python's own writer sorts ASCII keys and escapes as RFC 8785 says; it shares no code with ours."""
    document = written(PLAIN, ODD, "".join(map(chr, [*range(1, 0xD800), *range(0xE000, 0x11000)])).encode())
    again = json.dumps(json.loads(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert document == again.encode()
    assert bundle.sha256_of(document) == sha256(document).digest()


@pytest.mark.parametrize(("char", "shown"), ESCAPED.items())
def test_a_character_is_escaped_as_rfc_8785_says_and_in_no_other_way(char: str, shown: str) -> None:
    assert f'"body":"<{shown}>"'.encode() in written(f"<{char}>".encode())


def test_a_document_holds_no_number_that_another_reader_would_round_and_no_key_that_sorts_in_two_ways() -> (
    None
):
    def values(of: Any) -> list[Any]:
        inner = list(of.values()) if isinstance(of, dict) else of if isinstance(of, list) else []
        return [of, *(each for one in inner for each in values(one))]

    found = values(json.loads(written(PLAIN)))
    assert not [one for one in found if isinstance(one, float)]
    assert max(abs(one) for one in found if isinstance(one, int)) < 2**53
    assert all(key.isascii() for one in found if isinstance(one, dict) for key in one)


def test_a_bundle_gives_its_verdict_again() -> None:
    replay = bundle.replayed(written(PLAIN, ODD))
    assert replay.same
    assert replay.stored == replay.computed == decide(case(PLAIN, ODD))


def test_a_bundle_of_several_megabytes_is_read() -> None:
    large = b'{"code":"0","data":[],"msg":"' + b"x" * 1_000_000 + b'"}'
    assert bundle.replayed(written(*[large] * 6)).same


def test_a_verdict_that_does_not_follow_is_told_and_both_are_given() -> None:
    paid = Verdict(outcome=Outcome.PAYABLE, amount=1)
    replay = bundle.replayed(bundle.document(case(PLAIN), paid))
    assert (replay.same, replay.stored) == (False, paid)
    assert replay.computed == decide(case(PLAIN))


@pytest.mark.parametrize(
    ("path", "to", "words"),
    [
        (("case", "evidence", 1, "body"), "{}", "answer 2 (/api/v5/account/positions-history) is not base64"),
        (("case", "evidence", 1, "body"), "e30=", "answer 2 (/api/v5/account/positions-history) is not what"),
        (("case", "evidence", 0, "body"), "{}", "answer 1 (/api/v5/account/positions-history) is not what"),
        (("case", "evidence", 0, "sha256"), "", "answer 1 (/api/v5/account/positions-history) is not what"),
        (("case", "priced", "row"), "{}", "the priced position is not what was hashed"),
        (("case", "watched", 0, "row"), "{}", "the watched row 1 is not what was hashed"),
        (("case", "policy", "version"), "1999", "no rules of claims have the version '1999': update LiqPass"),
        (("case", "policy", "tolerance_bps"), 9_999, "the rules in this bundle are not those of the version"),
        (("version",), 2, "this bundle is of version 2: update LiqPass"),
        (("case", "order", "payout"), "many", "this is no bundle of a claim: Expected `int`, got `str`"),
        (("verdict", "outcome"), "MAYBE", "this is no bundle of a claim: Invalid enum value 'MAYBE'"),
        (("case", "extra"), 1, "this bundle is not as LiqPass wrote it"),
    ],
)
def test_what_does_not_fit_is_told_by_its_name(path: tuple[str | int, ...], to: Any, words: str) -> None:
    with pytest.raises(ValueError) as told:
        bundle.replayed(changed(written(PLAIN, ODD), *path, to=to))
    assert words in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("junk", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}", b"[" * 100_000])
def test_what_is_no_bundle_is_told(junk: bytes) -> None:
    with pytest.raises(ValueError, match="this is no bundle of a claim"):
        bundle.replayed(junk)


def test_a_bundle_that_was_formatted_anew_is_not_the_one_that_was_hashed() -> None:
    pretty = msgspec.json.format(written(PLAIN), indent=2)
    with pytest.raises(ValueError, match="take the file as it was written"):
        bundle.replayed(pretty)
