"""Candles from a folder: Parquet or CSV files with the columns time, open, high, low, close, one an
instrument."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv, parquet

COLUMNS = ("time", "open", "high", "low", "close")
PRICES = COLUMNS[1:]
EARLIEST_MS = 1_230_768_000_000  # 2009: no coin had a price before
LATEST_MS = 4_102_444_800_000  # 2100
_UNITS_A_MS = {"s": 1 / 1000, "ms": 1, "us": 1000, "ns": 1_000_000}
_SLACK = 0.01  # open and close may lie this far outside of high and low: rounding, and feeds put together

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Unusable(Exception):  # noqa: N818
    """Candles cannot be used; the text names the file and says what to do."""


class Raw(msgspec.Struct, frozen=True):
    """A file's candles, in order of time (milliseconds since 1970, UTC), each time once; `remarks` say what
    was mended."""

    name: str
    sha256: str
    time_ms: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    remarks: tuple[str, ...]


def paths_of(folder: Path) -> list[Path]:
    """The files of candles in a folder, by name. Raises Unusable when there are none."""
    if not folder.is_dir():
        raise Unusable(f"{folder}: there is no such folder. Give one that holds .parquet or .csv candles")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".parquet", ".csv"})
    if not found:
        raise Unusable(f"{folder}: holds no .parquet or .csv file. Put one in for each instrument")
    names = [path.stem for path in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise Unusable(f"{folder}: holds {twice} twice, as .parquet and .csv. Take one of the two away")
    return found


def read(path: Path) -> Raw:
    """A file's candles. Raises Unusable."""
    try:
        content = path.read_bytes()
        source = pa.BufferReader(content)
        table = parquet.read_table(source) if path.suffix.lower() == ".parquet" else csv.read_csv(source)
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = next(iter(str(error).splitlines()), "")[:200]
        raise Unusable(f"{path.name}: cannot be read ({reason}). Write it anew, or take it away") from None
    columns = _columns(path.name, table)
    time_ms = _milliseconds(path.name, columns["time"])
    prices = {name: _prices(path.name, name, columns[name]) for name in PRICES}
    if len(time_ms) < 2:
        raise Unusable(f"{path.name}: holds {len(time_ms)} candles. Fill it, or take it away")
    remarks: list[str] = []
    time_ms, prices = _in_order(path.name, time_ms, prices, remarks)
    _refuse_absurd(path.name, time_ms, prices, remarks)
    return Raw(path.stem, hashlib.sha256(content).hexdigest(), time_ms, **prices, remarks=tuple(remarks))


def told(time_ms: int) -> str:
    """A time for a message."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M}"


def _columns(name: str, table: pa.Table) -> dict[str, pa.ChunkedArray]:
    by_name = {str(column).strip().lower(): column for column in table.column_names}
    missing = [column for column in COLUMNS if column not in by_name]
    if missing:
        there = ", ".join(map(str, table.column_names[:12])) or "none"
        raise Unusable(
            f"{name}: has no column {' and no '.join(missing)}; its columns are {there}. "
            f"Name them {', '.join(COLUMNS)}"
        )
    return {column: table.column(by_name[column]) for column in COLUMNS}


def _milliseconds(name: str, column: pa.ChunkedArray) -> Ints:
    kind = column.type
    if column.null_count:
        raise Unusable(f"{name}: {column.null_count} rows have no time. Take them out")
    if pa.types.is_timestamp(kind):  # one with a zone holds UTC, one without is taken as UTC
        found = _whole(column.cast(pa.int64()).to_numpy(), _UNITS_A_MS[kind.unit])
    elif pa.types.is_date(kind):
        found = column.cast(pa.timestamp("ms")).cast(pa.int64()).to_numpy()
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        numbers = column.to_numpy()
        found = _whole(numbers, _unit(name, numbers))
    else:
        found = np.fromiter(_parsed(name, column.cast(pa.string()).to_pylist()), np.int64)
    odd = np.flatnonzero((found < EARLIEST_MS) | (found > LATEST_MS))
    if len(odd):
        raise Unusable(
            f"{name}, row {odd[0] + 1}: its time is not between 2009 and 2100. Write times as "
            "2026-11-30T12:00Z, "
            "or as seconds, milli-, micro- or nanoseconds since 1970"
        )
    return found


def _whole(numbers: NDArray[np.generic], units_a_ms: float) -> Ints:
    if units_a_ms < 1:
        return np.rint(numbers.astype(np.float64) / units_a_ms).astype(np.int64)
    return numbers.astype(np.int64) // int(units_a_ms)


def _unit(name: str, numbers: NDArray[np.generic]) -> float:
    """How many of the numbers' units are a millisecond, by how large they are."""
    largest = float(np.max(numbers)) if len(numbers) else 0.0
    for units in _UNITS_A_MS.values():
        if EARLIEST_MS * units <= largest <= LATEST_MS * units:
            return units
    raise Unusable(
        f"{name}: its times are numbers up to {largest:.0f}, which no unit makes a date between 2009 and "
        "2100. "
        "Write seconds, milli-, micro- or nanoseconds since 1970"
    )


def _parsed(name: str, texts: Sequence[str]) -> Iterator[int]:
    for row, text in enumerate(texts, 1):
        try:
            at = datetime.fromisoformat(text.strip())
        except ValueError:
            raise Unusable(
                f"{name}, row {row}: {text[:40]!r} is no time. Write it as 2026-11-30T12:00Z"
            ) from None
        yield round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _prices(name: str, column_name: str, column: pa.ChunkedArray) -> Floats:
    try:
        found: Floats = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowException, ValueError):
        raise Unusable(
            f"{name}: column {column_name} holds {column.type}, not numbers. Write plain numbers such as "
            "0.4213"
        ) from None
    return found


def _in_order(
    name: str, time_ms: Ints, prices: dict[str, Floats], remarks: list[str]
) -> tuple[Ints, dict[str, Floats]]:
    if np.any(np.diff(time_ms) < 0):
        order = np.argsort(time_ms, kind="stable")
        time_ms, prices = time_ms[order], {key: value[order] for key, value in prices.items()}
        remarks.append("its rows were not in the order of time: sorted")
    again = np.flatnonzero(np.diff(time_ms) == 0) + 1
    if len(again):
        for at in again:
            if any(value[at] != value[at - 1] for value in prices.values()):
                raise Unusable(
                    f"{name}: {told(int(time_ms[at]))} is there twice with different prices. Keep the "
                    "right one"
                )
        kept = np.delete(np.arange(len(time_ms)), again)
        time_ms, prices = time_ms[kept], {key: value[kept] for key, value in prices.items()}
        remarks.append(f"{len(again)} candles were there twice, the same: taken once")
    return time_ms, prices


def _refuse_absurd(name: str, time_ms: Ints, prices: dict[str, Floats], remarks: list[str]) -> None:
    for column, values in prices.items():
        bad = np.flatnonzero(~np.isfinite(values) | (values <= 0))
        if len(bad):
            raise Unusable(
                f"{name}, {told(int(time_ms[bad[0]]))}: {column} is {values[bad[0]]:g} ({len(bad)} such "
                "rows). "
                "Prices are finite and above zero: take such rows out, a gap is filled"
            )
    high, low = prices["high"], prices["low"]
    bad = np.flatnonzero(high < low)
    if len(bad):
        raise Unusable(
            f"{name}, {told(int(time_ms[bad[0]]))}: high {high[bad[0]]:g} is below low {low[bad[0]]:g} "
            f"({len(bad)} such rows). Mend them, or take them out: a gap is filled"
        )
    top = np.maximum(prices["open"], prices["close"])
    bottom = np.minimum(prices["open"], prices["close"])
    bad = np.flatnonzero((top > high * (1 + _SLACK)) | (bottom < low * (1 - _SLACK)))
    if len(bad):
        raise Unusable(
            f"{name}, {told(int(time_ms[bad[0]]))}: open or close lies outside of high and low "
            f"({len(bad)} such "
            "rows). Are the columns swapped? Mend them, or take them out: a gap is filled"
        )
    wider = int(np.count_nonzero((top > high) | (bottom < low)))
    if wider:
        prices["high"], prices["low"] = np.maximum(high, top), np.minimum(low, bottom)
        remarks.append(f"{wider} candles had open or close a hair outside of high and low: widened")
