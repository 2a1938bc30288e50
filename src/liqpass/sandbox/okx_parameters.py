"""The parameters of the sandbox exchange's endpoints, and how it refuses what they may not be."""

from collections.abc import Mapping
from typing import Any

from liqpass.sandbox.okx_accounts import Books

Query = Mapping[str, str]
Row = dict[str, Any]

INST_TYPES = ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION")


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


def needed(query: Query, name: str) -> str:
    """A parameter that must be there."""
    if not query.get(name):
        raise Refusal(400, "50014", f"{name} cannot be empty")
    return query[name]


def one_of(query: Query, name: str, allowed: tuple[str, ...]) -> str:
    """One of the allowed words; "" where it is not given and that is allowed."""
    value = query.get(name, "")
    if value not in allowed:
        raise bad(name)
    return value


def listed(query: Query, name: str, at_most: int) -> list[str]:
    """The values between commas, at most so many."""
    values = [value for value in query.get(name, "").split(",") if value]
    if len(values) > at_most:
        raise Refusal(400, "50025", f"Parameter {name} count exceeds the limit {at_most}.")
    return values


def digits(query: Query, name: str) -> int | None:
    """An id or a time; None where it is not given."""
    value = query.get(name, "")
    if value and not (value.isascii() and value.isdigit() and len(value) < 20):
        raise bad(name)
    return int(value) if value else None


def limit_of(query: Query, at_most: int = 100) -> int:
    """How many rows are wanted, 100 unless it is said."""
    limit = digits(query, "limit")
    if limit is None:
        return 100
    if not 1 <= limit <= at_most:
        raise bad("limit")
    return limit


def known_instrument(books: Books, query: Query) -> str:
    """`instId`, "" where it is not given."""
    inst_id = query.get("instId", "")
    if inst_id and inst_id not in books.instruments:
        raise unknown_instrument()
    return inst_id


def family_fits(query: Query, row: Row) -> bool:
    """Whether a row's instrument is of `instFamily` (or `uly`, its old name), and of `ctType`: all here are
    linear."""
    family = query.get("instFamily") or query.get("uly", "")
    linear = one_of(query, "ctType", ("", "linear", "inverse")) != "inverse"
    return linear and family in ("", row["instId"].removesuffix("-SWAP"))


def bad(name: str) -> Refusal:
    """What is said of a parameter that cannot be."""
    return Refusal(400, "51000", f"Parameter {name} error")


def unknown_instrument() -> Refusal:
    """What is said of an instrument that is not listed."""
    return Refusal(200, "51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
