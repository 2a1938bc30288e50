"""The exchange's answers beside each other, as an operator compares them."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from liqpass.claims.sql import EvidenceRow
from liqpass.web.evidence import MOST_LETTERS, MOST_ROWS, changed, columns

INST = "BTC-USDT-SWAP"
AT = datetime(2026, 12, 1, tzinfo=UTC)
HISTORY, BILLS = "/api/v5/account/positions-history", "/api/v5/account/bills"


def answered(seq: int, endpoint: str, body: object, query: str = "") -> EvidenceRow:
    raw = body if isinstance(body, bytes) else json.dumps({"code": "0", "data": body, "msg": ""}).encode()
    request = f"{endpoint}?{query}"
    return EvidenceRow(seq, UUID(int=1), "1", endpoint, request, 200, AT, 12, raw, b"\1" * 32)


def test_endpoints_are_columns_and_archives_are_of_the_same() -> None:
    rows = [
        answered(1, "/api/v5/account/bills-archive", []),
        answered(2, HISTORY, []),
        answered(3, BILLS, []),
        answered(4, "/api/v5/something/new", []),
    ]
    found = columns(rows, INST)
    assert [column.kind for column in found] == ["positions-history", "bills", "new"]
    assert [answer.of.seq for answer in found[1].newest] == [3, 1]


def test_of_each_question_the_last_answer_comes_first_and_the_others_are_kept() -> None:
    rows = [answered(seq, BILLS, [], f"type={type_}") for seq, type_ in enumerate((5, 9, 5, 5), 1)]
    (column,) = columns(rows, INST)
    assert [answer.of.seq for answer in column.newest] == [4, 2]
    assert [answer.of.seq for answer in column.earlier] == [3, 1]


def test_rows_of_the_contract_say_what_tells_and_others_are_counted() -> None:
    row = {"instId": INST, "type": "3", "triggerPx": "54580", "uTime": "1796112000123", "mgnMode": "isolated"}
    (column,) = columns([answered(1, HISTORY, [row, {**row, "instId": "ETH-USDT-SWAP"}])], INST)
    (answer,) = column.newest
    told = [("type", "3"), ("triggerPx", "54580"), ("uTime", "2026-12-01 08:00:00.123 UTC")]
    assert (answer.rows, answer.left_out) == ([told], 1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"<html>",
        b"[]",
        b'{"data": 5}',
        b'{"data": [1, null, "x"]}',
        b"[" * 100_000,
        b"1e999",
    ],
)
def test_whatever_came_is_shown_as_it_came(body: bytes) -> None:
    (column,) = columns([answered(1, HISTORY, body)], INST)
    (answer,) = column.newest
    assert answer.rows == []
    assert answer.text == body.decode("utf-8", "replace")[:MOST_LETTERS]
    assert answer.is_cut is (len(body) > MOST_LETTERS)


def test_an_answer_without_end_is_cut_and_says_so() -> None:
    rows: list[Any] = [{"instId": INST, "type": "5", "ts": "9" * 13, "ordId": "x" * 5_000}] * 200
    (column,) = columns([answered(1, BILLS, rows)], INST)
    (answer,) = column.newest
    assert (len(answer.rows), answer.left_out, answer.is_cut) == (MOST_ROWS, 200 - MOST_ROWS, True)
    assert max(len(value) for row in answer.rows for _, value in row) == 200


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ('{"lever": "20", "liqPx": "57000"}', [("lever", "20"), ("gone", None)]),
        ('{"lever": 20}', [("lever", "20"), ("gone", None)]),
        ("", [("lever", None), ("gone", None)]),
        ("[]", [("lever", None), ("gone", None)]),
    ],
)
def test_what_changed_is_told_with_what_it_changed_to(row: str, found: list[tuple[str, str | None]]) -> None:
    assert changed(["lever", "gone"], row) == found
