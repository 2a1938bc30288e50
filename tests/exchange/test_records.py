"""Rows of OKX become typed records; what cannot be read with certainty is refused."""

import json
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqpass.exchange import records
from liqpass.exchange.fields import UnreadableRow, canonical_json
from liqpass.exchange.records import CloseType, Reading, key_refusal

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "okx_samples"
with_samples = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the folder shared/okx_samples beside the repository is not there"
)

LONG: dict[str, Any] = {
    "instType": "SWAP",
    "instId": "BTC-USDT-SWAP",
    "mgnMode": "isolated",
    "posSide": "long",
    "posId": "2009134310876151808",
    "ccy": "USDT",
    "pos": "1.5",
    "lever": "20",
    "avgPx": "60000.1",
    "markPx": "60001",
    "liqPx": "57000.25",
    "uplRatio": "-0.01",
    "margin": "45",
    "notionalUsd": "900",
    "cTime": "1756289161316",
    "uTime": "1756483201330",
    "somethingNew": {"of": ["2027"]},
}


def sample(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((SAMPLES / name).read_text())["data"]
    return rows


@with_samples
def test_a_real_isolated_long_is_read() -> None:
    doge, sol = map(records.position, sample("positions_isolated_long_hedge_mode.json"))
    assert (doge.inst_id, doge.mgn_mode, doge.side) == ("DOGE-USDT-SWAP", "isolated", "long")
    assert (doge.lever, doge.pos, doge.liq_px) == (Decimal(3), Decimal(199), Decimal("0.0673870202781967"))
    assert doge.c_time_ms == 1702229518344
    assert sol.margin == Decimal("65.862")


@with_samples
def test_a_real_cross_row_without_a_liquidation_price_has_none() -> None:
    (row,) = map(records.position, sample("positions_net_cross_liqpx_empty_2025-08-29.json"))
    assert row.liq_px is None
    assert row.margin is None
    assert (row.pos_side, row.side, row.mgn_mode) == ("net", "long", "cross")
    assert row.u_time_ms == 1756483201330


@with_samples
def test_a_real_liquidation_is_read_though_its_row_has_no_pos_side() -> None:
    liquidated, closed = map(records.history_row, sample("positions_history_type3_liquidation_cross.json"))
    assert liquidated.close_type is CloseType.LIQUIDATED
    assert liquidated.liq_penalty == Decimal("-350.6577564")
    assert liquidated.trigger_px == Decimal("2277.59")
    assert liquidated.pos_side is None
    assert (closed.close_type, closed.trigger_px, closed.direction) == (CloseType.WHOLLY, None, "short")


@with_samples
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("DOCS_positions_margin.json", records.position),
        ("EDITED_positions_nautilus.json", records.position),
        ("DOCS_positions_history_type1.json", records.history_row),
        ("orders_history_nautilus.json", records.order_row),
        ("DOCS_account_config.json", records.account_config),
    ],
)
def test_every_other_sample_parses(name: str, read: Any) -> None:
    assert [read(row) for row in sample(name)]


@with_samples
def test_an_anonymised_liquidation_parses_with_its_times_filled_in() -> None:
    row = json.loads((SAMPLES / "ANON_positions_history_type3_isolated_zec_row.json").read_text())
    read = records.history_row({**row, "cTime": "1756289161316", "uTime": "1756289738109"})
    assert (read.close_type, read.liq_penalty) == (CloseType.LIQUIDATED, Decimal("-211.832264"))


def test_a_net_position_below_zero_is_a_short() -> None:
    short = records.position({**LONG, "posSide": "net", "pos": "-2"})
    assert (short.side, short.pos, short.closed) == ("short", Decimal(-2), False)


@pytest.mark.parametrize("pos", ["", "0", "0.0", "-0"])
def test_a_row_with_nothing_in_it_is_closed(pos: str) -> None:
    row = records.position({**LONG, "pos": pos, "avgPx": "", "liqPx": "", "cTime": ""})
    assert row.closed
    assert Reading(b"", [row]).open_position("BTC-USDT-SWAP", "isolated", "long") is None


def test_the_row_is_kept_as_it_came_and_its_hash_does_not_depend_on_the_order_of_its_fields() -> None:
    row, turned = records.position(LONG), records.position(dict(reversed(LONG.items())))
    assert row.row == LONG
    assert row.row_json.startswith('{"avgPx":"60000.1","cTime":')
    assert row.row_sha256 == turned.row_sha256
    assert row.row_sha256 != records.position({**LONG, "avgPx": "60000.10"}).row_sha256


@pytest.mark.parametrize("zero", ["", "0", "0.00", "-1"])
def test_a_liquidation_price_that_is_no_price_is_none(zero: str) -> None:
    assert records.position({**LONG, "liqPx": zero}).liq_px is None


@pytest.mark.parametrize(
    ("changed", "bps"),
    [
        ({}, 500),  # 3000.75 of 60001
        ({"liqPx": "57000.95"}, 500),
        ({"liqPx": "57001"}, 499),
        ({"liqPx": "60007"}, -1),
        ({"posSide": "short", "liqPx": "63001.05"}, 500),
        ({"posSide": "net", "pos": "-1", "liqPx": "63001.04"}, 499),
        ({"liqPx": ""}, None),
        ({"markPx": ""}, None),
        ({"markPx": "0"}, None),
        ({"posSide": "short", "liqPx": "9" * 40, "markPx": "1E-40"}, 10**9),
        ({"liqPx": "9" * 40, "markPx": "1E-40"}, -(10**9)),
    ],
)
def test_the_distance_to_liquidation_is_rounded_down_and_none_where_a_price_is_not_shown(
    changed: dict[str, str], bps: int | None
) -> None:
    assert records.position({**LONG, **changed}).distance_bps == bps


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("instId", ""),
        ("instId", "BTC\x00"),
        ("instId", "BTC\u202e"),
        ("instId", "B" * 256),
        ("mgnMode", "cash"),
        ("posSide", ""),
        ("posSide", "both"),
        ("posId", ""),
        ("pos", "NaN"),
        ("pos", "1_000"),
        ("pos", "-1"),
        ("pos", 1.5),
        ("avgPx", "Infinity"),
        ("liqPx", "1,5"),
        ("pos", None),
        ("lever", 20),
        ("cTime", "soon"),
        ("cTime", ""),
        ("cTime", "-1"),
        ("posId", "7" * 101),
    ],
)
def test_a_row_that_cannot_be_read_with_certainty_is_refused_by_the_name_of_its_field(
    field: str, value: object
) -> None:
    with pytest.raises(UnreadableRow) as refused:
        records.position({**LONG, field: value})
    assert refused.value.field == field


@pytest.mark.parametrize("kind", ["7", "12", "", "three"])
def test_a_close_type_that_okx_has_not_documented_is_unknown_and_not_guessed(kind: str) -> None:
    row = {**LONG, "direction": "long", "type": kind}
    assert records.history_row(row).close_type is CloseType.UNKNOWN


STRANGE: list[object] = [
    *("", "0", "-1", "1e99", "1e-99", "9" * 60, "٣", "NaN", "\x00", "\ud800", "long", "net", "isolated"),
    *(None, True, 0, -1.5, float("nan"), [], ["1"], {}, 10**400),
]


@given(
    st.dictionaries(
        st.sampled_from(
            [*LONG, "direction", "type", "perm", "uid", "mainUid", "ordId", "billId", "ts", "side"]
        ),
        st.sampled_from(STRANGE),
    )
)
def test_no_row_whatsoever_gives_another_error(changes: dict[str, Any]) -> None:
    readers = (records.position, records.history_row, records.account_config, records.order_row)
    for read in (*readers, records.bill_row):
        with suppress(UnreadableRow):
            read({**LONG, **changes})


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"data":{}}', b'{"data":[1]}', b"<html>", b"[" * 5000])
def test_a_stored_answer_that_holds_no_rows_is_refused(raw: bytes) -> None:
    with pytest.raises(UnreadableRow):
        Reading.of(raw)


def test_a_stored_answer_is_read_again_as_it_was() -> None:
    raw = canonical_json({"code": "0", "data": [LONG], "msg": ""}).encode()
    found = Reading.of(raw).open_position("BTC-USDT-SWAP", "isolated", "long")
    assert found == records.position(LONG)
    assert Reading.of(raw).open_position("BTC-USDT-SWAP", "cross", "long") is None


def config(perm: object) -> records.AccountConfig:
    return records.account_config({"uid": "1", "mainUid": "1", "perm": perm})


def test_a_key_that_can_only_read_is_taken() -> None:
    assert key_refusal(config("read_only")) is None


@pytest.mark.parametrize(
    ("perm", "words"),
    [
        ("read_only,trade", "can trade"),
        ("read_only,withdraw,trade", "can trade and withdraw"),
        ("withdraw", "cannot read"),
        ("", "does not say"),
        ("read_only,custody", "'custody'"),
        ("READ_ONLY", "cannot read"),
        ("read_only,", "do not know"),
        ("read_only, trade", "do not know"),
    ],
)
def test_a_key_with_any_other_right_is_refused_in_words(perm: str, words: str) -> None:
    assert words in (key_refusal(config(perm)) or "")


def test_a_config_without_rights_is_refused_and_one_without_an_owner_is_not_read() -> None:
    assert key_refusal(records.account_config({"uid": "1", "mainUid": "1"}))
    with pytest.raises(UnreadableRow):
        records.account_config({"uid": "", "mainUid": "1", "perm": "read_only"})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("uid", "7" * 5_000),
        ("mainUid", "7" * 5_000),
        ("uid", "7\x00"),
        ("perm", "read_only\x00"),
        ("perm", ",".join(map(str, range(1_000)))),
    ],
    ids=["uid long", "mainUid long", "uid NUL", "perm NUL", "perm long"],
)
def test_a_config_that_no_index_or_text_could_hold_is_not_read(field: str, value: str) -> None:
    with pytest.raises(UnreadableRow) as refused:
        records.account_config({"uid": "1", "mainUid": "1", "perm": "read_only", field: value})
    assert refused.value.field == field


def test_a_label_loses_what_a_database_or_a_terminal_could_choke_on() -> None:
    row = {"uid": "1", "mainUid": "1", "perm": "read_only", "label": "mine\x00\x1b[31m" + "x" * 99}
    assert records.account_config(row).label == "mine[31m" + "x" * 42
