"""The sandbox exchange's endpoints that are signed: their limits and what they answer."""

from collections.abc import Callable
from typing import NamedTuple

from liqpass.sandbox.okx_accounts import Books
from liqpass.sandbox.okx_lags import Hidden, shown_episodes, shown_slots
from liqpass.sandbox.okx_margin import Account, Key
from liqpass.sandbox.okx_parameters import (
    INST_TYPES,
    Query,
    Row,
    digits,
    family_fits,
    known_instrument,
    limit_of,
    listed,
    needed,
    one_of,
    unknown_instrument,
)
from liqpass.sandbox.okx_rows import config_row, fee_row, history_row, position_row
from liqpass.sandbox.okx_wallet import balance, currencies

_DAY_MS = 86_400_000
_POS_ID_LIVES_MS = 30 * _DAY_MS
_THREE_MONTHS_DAYS = 90


class Asked(NamedTuple):
    """One request that was let in; `hidden` is what its endpoint does not show yet."""

    books: Books
    account: Account
    key: Key
    query: Query
    hidden: Hidden | None


class Private(NamedTuple):
    """A signed endpoint: `at_most` requests of one user in `window_sec`, and who answers."""

    at_most: int
    window_sec: float
    read: Callable[[Asked], list[Row]]


def _config(asked: Asked) -> list[Row]:
    return [config_row(asked.account, asked.key)]


def _positions(asked: Asked) -> list[Row]:
    """Closed slots are shown only when asked for by instrument, and only while their posId lives."""
    books, query = asked.books, asked.query
    inst_type = one_of(query, "instType", ("", *INST_TYPES))
    inst_ids, pos_ids = listed(query, "instId", 10), listed(query, "posId", 20)
    for inst_id in inst_ids:
        if inst_id not in books.instruments:
            raise unknown_instrument()
    oldest_ms = books.now_ms() - _POS_ID_LIVES_MS
    shown = [
        position
        for position in shown_slots(asked.account, asked.hidden)
        if inst_type in ("", "SWAP")
        and (not inst_ids or position.instrument.inst_id in inst_ids)
        and (not pos_ids or position.pos_id in pos_ids)
        and (position.contracts or (inst_ids and position.u_time_ms >= oldest_ms))
    ]
    newest_first = sorted(shown, key=lambda position: position.c_time_ms, reverse=True)
    return [position_row(asked.account, position) for position in newest_first]


def _positions_history(asked: Asked) -> list[Row]:
    """Pages by uTime: `after` is older, `before` is newer. No page ends between two rows of one time."""
    books, query = asked.books, asked.query
    inst_type = one_of(query, "instType", ("", *INST_TYPES))
    close_type = one_of(query, "type", ("", "1", "2", "3", "4", "5", "6"))
    mgn_mode = one_of(query, "mgnMode", ("", "cross", "isolated"))
    limit, after, before = limit_of(query), digits(query, "after"), digits(query, "before")
    inst_id, pos_id = known_instrument(books, query), query.get("posId", "")
    shown = shown_episodes(asked.account, asked.hidden)
    rows = [history_row(episode) for episode in shown if inst_type in ("", "SWAP")]
    kept = [
        row
        for row in rows
        if close_type in ("", row["type"])
        and mgn_mode in ("", row["mgnMode"])
        and inst_id in ("", row["instId"])
        and pos_id in ("", row["posId"])
        and int(row["uTime"]) >= books.now_ms() - _THREE_MONTHS_DAYS * _DAY_MS
        and (after is None or int(row["uTime"]) < after)
        and (before is None or int(row["uTime"]) > before)
    ]
    newest_first = sorted(kept, key=lambda row: int(row["uTime"]), reverse=True)
    page, rest = newest_first[:limit], newest_first[limit:]
    return [*page, *(row for row in rest if row["uTime"] == page[-1]["uTime"])]


def _page(asked: Asked, rows: list[Row], id_name: str, time_name: str, days: int) -> list[Row]:
    """Newest first; `after` and `before` are ids, `begin` and `end` times."""
    books, query, hidden = asked.books, asked.query, asked.hidden
    limit, after, before = limit_of(query), digits(query, "after"), digits(query, "before")
    begin, end = digits(query, "begin"), digits(query, "end")
    kept = [
        row
        for row in rows
        if int(row[time_name]) >= books.now_ms() - days * _DAY_MS
        and (after is None or int(row[id_name]) < after)
        and (before is None or int(row[id_name]) > before)
        and (begin is None or int(row[time_name]) >= begin)
        and (end is None or int(row[time_name]) <= end)
        and (
            hidden is None or not hidden((row[id_name], row["ordId"]), int(row["fillTime"] or row[time_name]))
        )
    ]
    return sorted(kept, key=lambda row: int(row[id_name]), reverse=True)[:limit]


def _orders_within(days: int) -> Callable[[Asked], list[Row]]:
    def read(asked: Asked) -> list[Row]:
        query = asked.query
        needed(query, "instType")
        inst_type, state = one_of(query, "instType", INST_TYPES), query.get("state", "")
        inst_id, category = known_instrument(asked.books, query), query.get("category", "")
        rows = [
            row
            for row in asked.account.orders
            if inst_type == "SWAP"
            and family_fits(query, row)
            and inst_id in ("", row["instId"])
            and query.get("ordType", "") in ("", row["ordType"])
            and category in ("", row["category"])
            and state in ("", row["state"])
        ]
        return _page(asked, rows, "ordId", "cTime", days)

    return read


def _bills_within(days: int) -> Callable[[Asked], list[Row]]:
    def read(asked: Asked) -> list[Row]:
        query = asked.query
        inst_type, inst_id = (
            one_of(query, "instType", ("", *INST_TYPES)),
            known_instrument(asked.books, query),
        )
        bill_type, sub_type = query.get("type", ""), query.get("subType", "")
        mgn_mode, ccy = one_of(query, "mgnMode", ("", "cross", "isolated")), query.get("ccy", "")
        rows = [
            row
            for row in asked.account.bills
            if inst_type in ("", "SWAP")
            and family_fits(query, row)
            and inst_id in ("", row["instId"])
            and ccy in ("", row["ccy"])
            and bill_type in ("", row["type"])
            and sub_type in ("", row["subType"])
            and mgn_mode in ("", row["mgnMode"])
        ]
        return _page(asked, rows, "billId", "ts", days)

    return read


def _fills_within(days: int, *, inst_type_needed: bool) -> Callable[[Asked], list[Row]]:
    def read(asked: Asked) -> list[Row]:
        query = asked.query
        if inst_type_needed:
            needed(query, "instType")
        inst_type = one_of(query, "instType", ("", *INST_TYPES))
        inst_id, ord_id = known_instrument(asked.books, query), query.get("ordId", "")
        sub_type = query.get("subType", "")
        rows = [
            row
            for row in asked.account.fills
            if inst_type in ("", "SWAP")
            and family_fits(query, row)
            and inst_id in ("", row["instId"])
            and ord_id in ("", row["ordId"])
            and sub_type in ("", row["subType"])
        ]
        return _page(asked, rows, "billId", "ts", days)

    return read


def _orders_pending(asked: Asked) -> list[Row]:
    """Every order here is filled at once."""
    one_of(asked.query, "instType", ("", *INST_TYPES))
    known_instrument(asked.books, asked.query)
    return []


def _trade_fee(asked: Asked) -> list[Row]:
    needed(asked.query, "instType")
    swaps = one_of(asked.query, "instType", INST_TYPES) == "SWAP"
    return [fee_row(asked.books.now_ms())] if swaps else []


def _balance(asked: Asked) -> list[Row]:
    return balance(asked.books, asked.account, asked.query)


def _currencies(asked: Asked) -> list[Row]:
    return currencies(asked.books, asked.query)


PRIVATE = {
    "/api/v5/account/config": Private(5, 2, _config),
    "/api/v5/account/balance": Private(10, 2, _balance),
    "/api/v5/asset/currencies": Private(6, 1, _currencies),
    "/api/v5/account/positions": Private(10, 2, _positions),
    "/api/v5/account/positions-history": Private(10, 2, _positions_history),
    "/api/v5/trade/orders-history": Private(40, 2, _orders_within(7)),
    "/api/v5/trade/orders-history-archive": Private(20, 2, _orders_within(_THREE_MONTHS_DAYS)),
    "/api/v5/trade/orders-pending": Private(60, 2, _orders_pending),
    "/api/v5/trade/fills": Private(60, 2, _fills_within(3, inst_type_needed=False)),
    "/api/v5/trade/fills-history": Private(10, 2, _fills_within(_THREE_MONTHS_DAYS, inst_type_needed=True)),
    "/api/v5/account/trade-fee": Private(5, 2, _trade_fee),
    "/api/v5/account/bills": Private(5, 1, _bills_within(7)),
    "/api/v5/account/bills-archive": Private(5, 2, _bills_within(_THREE_MONTHS_DAYS)),
}
