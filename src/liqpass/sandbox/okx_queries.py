"""The sandbox exchange's endpoints: their parameters, their limits and what they answer."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from liqpass.sandbox.okx_accounts import Books
from liqpass.sandbox.okx_margin import Account, Key
from liqpass.sandbox.okx_rows import config_row, history_row, instrument_row, mark_row, position_row

Query = Mapping[str, str]
Row = dict[str, Any]

_DAY_MS = 86_400_000
_POS_ID_LIVES_MS = 30 * _DAY_MS
_INST_TYPES = ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION")


class Refusal(Exception):  # noqa: N818
    """An answer that is an error. Those of the authentication class have msg first and no data."""

    def __init__(self, status: int, code: str, msg: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.msg = msg

    def body(self) -> Row:
        """The JSON body, its keys in the order in which OKX sends them."""
        if self.code.startswith("501") or self.code == "50011":
            return {"msg": self.msg, "code": self.code}
        return {"code": self.code, "data": [], "msg": self.msg}


class Private(NamedTuple):
    """A signed endpoint: `at_most` requests of one user in `window_sec`, and who answers."""

    at_most: int
    window_sec: float
    read: Callable[[Books, Account, Key, Query], list[Row]]


class Public(NamedTuple):
    """An endpoint without a key: `at_most` requests of one address in `window_sec`, and who answers."""

    at_most: int
    window_sec: float
    read: Callable[[Books, Query, int], list[Row]]


def _config(_books: Books, account: Account, key: Key, _query: Query) -> list[Row]:
    return [config_row(account, key)]


def _positions(books: Books, account: Account, _key: Key, query: Query) -> list[Row]:
    """Closed slots are shown only when asked for by instrument, and only while their posId lives."""
    inst_type = _one_of(query, "instType", ("", *_INST_TYPES))
    inst_ids, pos_ids = _list(query, "instId", 10), _list(query, "posId", 20)
    for inst_id in inst_ids:
        if inst_id not in books.instruments:
            raise _unknown_instrument()
    oldest_ms = books.now_ms() - _POS_ID_LIVES_MS
    shown = [
        position
        for position in account.slots.values()
        if inst_type in ("", "SWAP")
        and (not inst_ids or position.instrument.inst_id in inst_ids)
        and (not pos_ids or position.pos_id in pos_ids)
        and (position.contracts or (inst_ids and position.u_time_ms >= oldest_ms))
    ]
    newest_first = sorted(shown, key=lambda position: position.c_time_ms, reverse=True)
    return [position_row(account, position) for position in newest_first]


def _positions_history(books: Books, account: Account, _key: Key, query: Query) -> list[Row]:
    """Pages by uTime: `after` is older, `before` is newer."""
    inst_type = _one_of(query, "instType", ("", *_INST_TYPES))
    close_type = _one_of(query, "type", ("", "1", "2", "3", "4", "5", "6"))
    mgn_mode = _one_of(query, "mgnMode", ("", "cross", "isolated"))
    limit, after, before = _limit(query), _digits(query, "after"), _digits(query, "before")
    inst_id, pos_id = _known_instrument(books, query), query.get("posId", "")
    rows = [history_row(episode) for episode in account.episodes if inst_type in ("", "SWAP")]
    kept = [
        row
        for row in rows
        if close_type in ("", row["type"])
        and mgn_mode in ("", row["mgnMode"])
        and inst_id in ("", row["instId"])
        and pos_id in ("", row["posId"])
        and int(row["uTime"]) >= books.now_ms() - 90 * _DAY_MS
        and (after is None or int(row["uTime"]) < after)
        and (before is None or int(row["uTime"]) > before)
    ]
    return sorted(kept, key=lambda row: int(row["uTime"]), reverse=True)[:limit]


def _orders_within(days: int) -> Callable[[Books, Account, Key, Query], list[Row]]:
    def read(books: Books, account: Account, _key: Key, query: Query) -> list[Row]:
        if not query.get("instType"):
            raise Refusal(400, "50014", "instType cannot be empty")
        inst_type, state = _one_of(query, "instType", _INST_TYPES), query.get("state", "")
        inst_id, category = _known_instrument(books, query), query.get("category", "")
        rows = [
            row
            for row in account.orders
            if inst_type == "SWAP"
            and inst_id in ("", row["instId"])
            and category in ("", row["category"])
            and state in ("", row["state"])
        ]
        return _page(books, rows, query, "ordId", "cTime", days)

    return read


def _bills_within(days: int) -> Callable[[Books, Account, Key, Query], list[Row]]:
    def read(books: Books, account: Account, _key: Key, query: Query) -> list[Row]:
        inst_type = _one_of(query, "instType", ("", *_INST_TYPES))
        bill_type, sub_type = query.get("type", ""), query.get("subType", "")
        mgn_mode = _one_of(query, "mgnMode", ("", "cross", "isolated"))
        rows = [
            row
            for row in account.bills
            if inst_type in ("", "SWAP")
            and bill_type in ("", row["type"])
            and sub_type in ("", row["subType"])
            and mgn_mode in ("", row["mgnMode"])
        ]
        return _page(books, rows, query, "billId", "ts", days)

    return read


def _time(_books: Books, _query: Query, now_ms: int) -> list[Row]:
    return [{"ts": str(now_ms)}]


def _instruments(books: Books, query: Query, _now_ms: int) -> list[Row]:
    if not query.get("instType"):
        raise Refusal(400, "50014", "instType cannot be empty")
    inst_type, inst_id = _one_of(query, "instType", _INST_TYPES), _known_instrument(books, query)
    known = books.instruments.values() if inst_type == "SWAP" else ()
    return [instrument_row(each) for each in known if inst_id in ("", each.inst_id)]


def _mark_price(books: Books, query: Query, now_ms: int) -> list[Row]:
    if not query.get("instType"):
        raise Refusal(400, "50014", "instType cannot be empty")
    inst_type, inst_id = _one_of(query, "instType", _INST_TYPES), _known_instrument(books, query)
    known = books.instruments.values() if inst_type == "SWAP" else ()
    return [mark_row(each, now_ms) for each in known if inst_id in ("", each.inst_id)]


PRIVATE = {
    "/api/v5/account/config": Private(5, 2, _config),
    "/api/v5/account/positions": Private(10, 2, _positions),
    "/api/v5/account/positions-history": Private(10, 2, _positions_history),
    "/api/v5/trade/orders-history": Private(40, 2, _orders_within(7)),
    "/api/v5/trade/orders-history-archive": Private(20, 2, _orders_within(90)),
    "/api/v5/account/bills": Private(5, 1, _bills_within(7)),
    "/api/v5/account/bills-archive": Private(5, 2, _bills_within(90)),
}
PUBLIC = {
    "/api/v5/public/time": Public(10, 2, _time),
    "/api/v5/public/instruments": Public(20, 2, _instruments),
    "/api/v5/public/mark-price": Public(10, 2, _mark_price),
}


def _page(books: Books, rows: list[Row], query: Query, id_name: str, time_name: str, days: int) -> list[Row]:
    """Newest first; `after` and `before` are ids, `begin` and `end` times."""
    limit, after, before = _limit(query), _digits(query, "after"), _digits(query, "before")
    begin, end = _digits(query, "begin"), _digits(query, "end")
    kept = [
        row
        for row in rows
        if int(row[time_name]) >= books.now_ms() - days * _DAY_MS
        and (after is None or int(row[id_name]) < after)
        and (before is None or int(row[id_name]) > before)
        and (begin is None or int(row[time_name]) >= begin)
        and (end is None or int(row[time_name]) <= end)
    ]
    return sorted(kept, key=lambda row: int(row[id_name]), reverse=True)[:limit]


def _one_of(query: Query, name: str, allowed: tuple[str, ...]) -> str:
    value = query.get(name, "")
    if value not in allowed:
        raise _bad(name)
    return value


def _list(query: Query, name: str, at_most: int) -> list[str]:
    values = [value for value in query.get(name, "").split(",") if value]
    if len(values) > at_most:
        raise Refusal(400, "50025", f"Parameter {name} count exceeds the limit {at_most}.")
    return values


def _digits(query: Query, name: str) -> int | None:
    value = query.get(name, "")
    if value and not (value.isascii() and value.isdigit() and len(value) < 20):
        raise _bad(name)
    return int(value) if value else None


def _limit(query: Query) -> int:
    limit = _digits(query, "limit")
    if limit is None:
        return 100
    if not 1 <= limit <= 100:
        raise _bad("limit")
    return limit


def _known_instrument(books: Books, query: Query) -> str:
    inst_id = query.get("instId", "")
    if inst_id and inst_id not in books.instruments:
        raise _unknown_instrument()
    return inst_id


def _bad(name: str) -> Refusal:
    return Refusal(400, "51000", f"Parameter {name} error")


def _unknown_instrument() -> Refusal:
    return Refusal(200, "51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
