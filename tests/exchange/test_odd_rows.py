"""Names in any writing are read, and a row that cannot be read takes no other along."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from liqpass.exchange.fields import canonical_json
from liqpass.exchange.okx import Credentials, OkxGateway
from liqpass.exchange.records import CloseType, Reading
from liqpass.sandbox.okx_rows import history_row, position_row
from liqpass.sandbox.okx_server import SandboxExchange

BTC, LIFE = "BTC-USDT-SWAP", "币安人生-USDT-SWAP"
NAMES = {
    "Chinese": LIFE,
    "with an accent of its own": "CAFE\u0301-USDT-SWAP",
    "from right to left": "بيتكوين-USDT-SWAP",
    "a picture": "🚀MOON-USDT-SWAP",
    "small letters": "btc-usdt-swap",
    "with what addresses are made of": "A B+C&D=%2F?#/-USDT-SWAP",
    "as long as one may be": "币" * 245 + "-USDT-SWAP",
}
SLOT = ("isolated", "long")
Change = Callable[[dict[str, Any]], object]


def changed(**fields: object) -> Change:
    return lambda row: {**row, **fields}


# what of a row → the row instead of it, the name by which it is told, and the field that is named
UNREADABLE: dict[str, tuple[Change, str, str]] = {
    "an unknown margin mode": (changed(mgnMode="portfolio"), BTC, "mgnMode"),
    "an unknown side": (changed(posSide="both"), BTC, "posSide"),
    "no size": (lambda row: {name: row[name] for name in row if name != "pos"}, BTC, "pos"),
    "a size of null": (changed(pos=None), BTC, "pos"),
    "a size that is a number of JSON": (changed(pos=5), BTC, "pos"),
    "a price that is an object": (changed(markPx={"of": ["2027"]}), BTC, "markPx"),
    "a price of sixty digits": (changed(liqPx="9" * 60), BTC, "liqPx"),
    "a time of creation that is none": (changed(cTime=""), BTC, "cTime"),
    "a currency that turns the direction of writing": (changed(ccy="\u202eTDSU"), BTC, "ccy"),
    "a name with a mark from right to left": (changed(instId=BTC + "\u200f"), BTC + "\\u200f", "instId"),
    "a name with a control character": (changed(instId="BTC\x00-SWAP"), "BTC\\x00-SWAP", "instId"),
    "a name without an end": (changed(instId="币" * 5_000), "币" * 254 + "…", "instId"),
    "no name": (changed(instId=""), "", "instId"),
    "a name that is no text": (changed(instId=["BTC"]), "", "instId"),
    "nothing but a name": (lambda row: {"instId": row["instId"]}, BTC, "pos"),
    "no fields": (lambda _row: {}, "", "pos"),
    "a text": (lambda _row: "BTC", "", "data"),
    "null": (lambda _row: None, "", "data"),
}
# bytes of a row as they stand → the bytes instead of them: not even JSON, or not in UTF-8
BROKEN: dict[str, tuple[tuple[bytes, bytes], str, str]] = {
    "half a character in its name": ((BTC.encode(), b"\xe5\xb8-SWAP"), "\\udce5\\udcb8-SWAP", "instId"),
    "half a character in a field that nobody reads": ((b'"usdPx":"1"', b'"usdPx":"\xe5"'), BTC, "usdPx"),
    "a number that is none": ((b'"markPx":"60000"', b'"markPx":NaN'), BTC, "markPx"),
    "a number without bounds": ((b'"markPx":"60000"', b'"markPx":1e999'), BTC, "markPx"),
    "half of a pair": ((b'"posSide":"long"', b'"posSide":"\\ud83d"'), BTC, "posSide"),
    "a line break in a text": ((b'"posSide":"long"', b'"posSide":"lo\nng"'), BTC, "posSide"),
}


def good_and(okx: SandboxExchange, creds: Credentials, change: Change) -> bytes:
    """An account's answer: its position in bitcoin changed, the other two as they are."""
    account = okx.books.accounts[okx.books.keys[creds.api_key].uid]
    rows: list[Any] = [position_row(account, position) for position in account.slots.values()]
    rows[0] = change(rows[0])
    return canonical_json({"code": "0", "data": rows, "msg": ""}).encode()


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_an_instrument_may_be_named_in_any_writing(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials, name: str
) -> None:
    okx.books.list_instrument(name, mark="0.25")
    uid = okx.books.keys[creds.api_key].uid
    okx.books.open_position(uid, name, contracts=4000, lever=10)
    reading = await gateway.positions(creds)
    found = reading.open_position(name, *SLOT)
    assert (found is not None, reading.unread) == (True, [])
    assert Reading.of(reading.raw) == reading
    (alone,) = (await gateway.positions(creds, inst_id=name)).positions
    assert alone == found

    okx.books.liquidate(uid, name)
    (episode,) = (await gateway.positions_history(creds, inst_id=name)).rows
    assert (episode.inst_id, episode.close_type) == (name, CloseType.LIQUIDATED)
    orders = await gateway.orders_history(creds, inst_id=name)
    assert {order.inst_id for order in orders.rows} == {name}
    assert [bill.inst_id for bill in (await gateway.bills(creds, bill_type="5")).rows] == [name]


@pytest.mark.parametrize(("change", "name", "field"), UNREADABLE.values(), ids=UNREADABLE)
async def test_a_row_that_cannot_be_read_is_told_by_its_name_and_the_others_stand(
    okx: SandboxExchange,
    gateway: OkxGateway,
    creds: Credentials,
    errors: list[str],
    change: Change,
    name: str,
    field: str,
) -> None:
    okx.faults.answer(good_and(okx, creds, change), path="/account/positions")
    reading = await gateway.positions(creds)
    assert [position.inst_id for position in reading.positions] == ["ETH-USDT-SWAP", "SOL-USDT-SWAP"]
    assert [(one.inst_id, one.field) for one in reading.unread] == [(name, field)]
    assert errors == ["unread_row"]
    assert Reading.of(reading.raw) == reading


@pytest.mark.parametrize(("change", "name", "field"), BROKEN.values(), ids=BROKEN)
async def test_a_row_that_is_no_json_by_itself_takes_no_other_along(
    okx: SandboxExchange,
    gateway: OkxGateway,
    creds: Credentials,
    change: tuple[bytes, bytes],
    name: str,
    field: str,
) -> None:
    answer = good_and(okx, creds, lambda row: row)
    assert change[0] in answer
    okx.faults.answer(answer.replace(*change, 1), path="/account/positions")
    reading = await gateway.positions(creds)
    assert [position.inst_id for position in reading.positions] == ["ETH-USDT-SWAP", "SOL-USDT-SWAP"]
    assert [(one.inst_id, one.field) for one in reading.unread] == [(name, field)]


@pytest.mark.parametrize(
    "fields",
    [
        {"instType": "PERPETUAL_OPTION", "bizRefType": None},
        {"adl": 3, "imr": [], "uplLastPx": {}, "mgnRatio": "lots", "newIn2027": [{"a": [None, 1.5, 10**30]}]},
        {"lever": None, "margin": "", "liqPx": None},
        {"avgPx": "6.0001E4", "markPx": "60000." + "1" * 30, "notionalUsd": "1" * 30},
    ],
    ids=["unknown words", "fields that nobody reads", "nothing shown", "numbers of any length"],
)
async def test_what_nobody_needs_to_know_makes_no_row_unreadable(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials, fields: dict[str, object]
) -> None:
    okx.faults.answer(good_and(okx, creds, changed(**fields)), path="/account/positions")
    reading = await gateway.positions(creds)
    assert reading.unread == []
    found = reading.open_position(BTC, *SLOT)
    assert found is not None
    assert json.loads(found.row_json)["instId"] == BTC


async def test_a_row_that_comes_twice_counts_once(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials
) -> None:
    answer = json.loads(good_and(okx, creds, lambda row: row))
    answer["data"].append(answer["data"][0])
    okx.faults.answer(json.dumps(answer), path="/account/positions")
    reading = await gateway.positions(creds)
    assert [position.inst_id for position in reading.positions] == [BTC, "ETH-USDT-SWAP", "SOL-USDT-SWAP"]
    assert reading.unread == []


@pytest.mark.parametrize(
    ("other", "field"), [({"posId": "7"}, None), ({"pos": "6"}, None), ({"pos": "many"}, "pos")]
)
async def test_of_two_rows_that_contradict_each_other_neither_is_a_position(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials, other: dict[str, str], field: str | None
) -> None:
    answer = json.loads(good_and(okx, creds, lambda row: row))
    answer["data"].append({**answer["data"][0], **other})
    okx.faults.answer(json.dumps(answer), path="/account/positions")
    reading = await gateway.positions(creds)
    assert [position.inst_id for position in reading.positions] == ["ETH-USDT-SWAP", "SOL-USDT-SWAP"]
    assert [(one.inst_id, one.field) for one in reading.unread] == [(BTC, field)]
    assert reading.hidden(BTC, *SLOT) is not None


async def test_a_closed_row_contradicts_no_open_one_of_the_same_slot(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials
) -> None:
    answer = json.loads(good_and(okx, creds, lambda row: row))
    answer["data"].insert(0, {**answer["data"][0], "posId": "7", "pos": "0"})
    okx.faults.answer(json.dumps(answer), path="/account/positions")
    found = (await gateway.positions(creds)).open_position(BTC, *SLOT)
    assert found is not None
    assert found.pos_id != "7"


@pytest.mark.parametrize(
    ("fields", "may_be"),
    [
        ({"pos": "many"}, True),
        ({"pos": "many", "posSide": "both"}, True),
        ({"instId": None}, True),
        ({"instId": None, "posSide": "short"}, False),
        ({"pos": "many", "mgnMode": "cross"}, False),
        ({"pos": "many", "instId": "ETH-USDT-SWAP"}, False),
    ],
)
async def test_what_cannot_be_read_is_not_said_to_be_closed(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials, fields: dict[str, object], may_be: bool
) -> None:
    okx.faults.answer(good_and(okx, creds, changed(**fields)), path="/account/positions")
    reading = await gateway.positions(creds)
    assert reading.open_position(BTC, *SLOT) is None
    assert (reading.hidden(BTC, *SLOT) is not None) == may_be


async def test_one_unreadable_line_of_a_history_leaves_the_others(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials, errors: list[str]
) -> None:
    account = okx.books.accounts[okx.books.keys[creds.api_key].uid]
    okx.books.move_mark(BTC, 50000)
    row = history_row(account.episodes[0])
    rows = [{**row, "direction": "sideways"}, {**row, "instId": "BTC\x00"}, row, {**row, "type": "17"}, None]
    okx.faults.answer(json.dumps({"code": "0", "data": rows}), path="/account/positions-history")
    page = await gateway.positions_history(creds)
    assert [one.close_type for one in page.rows] == [CloseType.LIQUIDATED, CloseType.UNKNOWN]
    assert [one.field for one in page.unread] == ["direction", "instId", "data"]
    for path, ask in (("/trade/orders-history", gateway.orders_history), ("/account/bills", gateway.bills)):
        kept = account.orders[0] if "orders" in path else account.bills[0]
        torn = [kept, {**kept, "fee": "free"}, kept]
        okx.faults.answer(json.dumps({"code": "0", "data": torn}), path=path)
        answer = await ask(creds)
        assert (len(answer.rows), [one.field for one in answer.unread]) == (2, ["fee"])
    assert errors == ["unread_row"] * 3


@pytest.mark.parametrize(
    "fields",
    [
        {"type": 0, "acctLv": None, "posMode": [], "kycLv": {}, "label": None, "ip": None},
        {"label": 7, "somethingNew": {"of": ["2027"]}},
    ],
)
async def test_a_key_is_known_by_whose_it_is_and_what_it_may_do_and_by_nothing_else(
    okx: SandboxExchange, gateway: OkxGateway, creds: Credentials, fields: dict[str, object]
) -> None:
    row = {"uid": "1", "mainUid": "1", "perm": "read_only", **fields}
    okx.faults.answer(json.dumps({"code": "0", "data": [row]}), path="/account/config")
    config = await gateway.account_config(creds)
    assert (config.uid, sorted(config.perm), config.ip_bound) == ("1", ["read_only"], False)
