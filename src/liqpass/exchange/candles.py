"""Candles of the mark price as OKX writes them: [ts, o, h, l, c, confirm], all of them texts.

okx.com/docs-v5, "Get mark price candlesticks": newest first, at most 100 of the latest 1,440; `ts` is when
the bar began; confirm is 0 while its time is not over. `1D` begins at midnight in China, `1Dutc` at UTC's.
"""

import hashlib
from datetime import datetime
from typing import Any, Literal

import msgspec

from liqpass.exchange.fields import Row, UnreadableRow, number, text, time_ms
from liqpass.exchange.rows import Unread, read_each

Bar = Literal["1H", "1Dutc"]
PAGE = 100
_FIELDS = ("ts", "o", "h", "l", "c", "confirm")


class CandleRow(msgspec.Struct, frozen=True):
    """One bar as it came. Each price is the text of a number, whatever number that is."""

    start_ms: int
    open: str
    high: str
    low: str
    close: str
    complete: bool


class CandlePage(msgspec.Struct, frozen=True):
    """One answer: the bytes as they came, what was asked and when (by our clock), and what it says, in its
    own order. Of a bar that stands in `unread` nothing is known."""

    raw: bytes
    source: str
    asked_at: datetime
    rows: list[CandleRow]
    unread: list[Unread]

    @property
    def sha256(self) -> bytes:
        """SHA-256 of the bytes as they came."""
        return hashlib.sha256(self.raw).digest()


def read_candles(rows: list[Any]) -> tuple[list[CandleRow], list[Unread]]:
    """What could be read, and what could not."""
    return read_each(
        _candle, [dict(zip(_FIELDS, row, strict=False)) if isinstance(row, list) else row for row in rows]
    )


def _candle(row: Row) -> CandleRow:
    confirm = text(row, "confirm")
    if confirm not in ("0", "1"):
        raise UnreadableRow("confirm", confirm)
    open_, high, low, close = (_price(row, name) for name in "ohlc")
    return CandleRow(time_ms(row, "ts"), open_, high, low, close, confirm == "1")


def _price(row: Row, name: str) -> str:
    if number(row, name) is None:
        raise UnreadableRow(name, "")
    return text(row, name)
