"""Folders of candles: what is taken, what is mended and said, what is refused and how."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from liqpass.backtest.files import Unusable
from liqpass.backtest.hourly import Series
from liqpass.backtest.report import series_of
from tests.backtest.made import FIRST, Columns, candles, write

HOURS = 2_600
GOOD = candles(HOURS)


def only(folder: Path, told: list[str] | None = None) -> Series:
    [series] = series_of(folder, (told if told is not None else []).append)
    return series


def changed(**columns: list[object]) -> Columns:
    return {**GOOD, **columns}


def with_row(at: int, **values: object) -> Columns:
    """The good ones, with other values in one row."""
    copy = {name: list(column) for name, column in GOOD.items()}
    for name, value in values.items():
        copy[name][at] = value
    return copy


def without(*rows: int) -> Columns:
    return {name: [v for n, v in enumerate(column) if n not in rows] for name, column in GOOD.items()}


def picked(rows: list[int]) -> Columns:
    return {name: [column[n] for n in rows] for name, column in GOOD.items()}


def epoch(units_a_second: float) -> Columns:
    return changed(time=[round(at.timestamp() * units_a_second) for at in GOOD["time"]])


@pytest.mark.parametrize(
    "columns",
    [
        GOOD,
        changed(time=[at.replace(tzinfo=None) for at in GOOD["time"]]),
        changed(time=[at.astimezone(timezone(timedelta(hours=8))) for at in GOOD["time"]]),
        changed(time=[at.isoformat() for at in GOOD["time"]]),
        changed(time=[f"{at:%Y-%m-%dT%H:%M}+00:00" for at in GOOD["time"]]),
        epoch(1),
        epoch(1e3),
        epoch(1e6),
        epoch(1e9),
        {**GOOD, "volume": [1.0] * HOURS},
        {name.upper(): column for name, column in GOOD.items()},
    ],
    ids=["utc", "naive", "+08:00", "text", "text-zone", "s", "ms", "us", "ns", "more-columns", "upper-case"],
)
@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_the_same_candles_are_the_same_however_their_times_are_written(
    tmp_path: Path, columns: Columns, suffix: str
) -> None:
    write(tmp_path / f"coin{suffix}", columns)
    series = only(tmp_path)
    assert series.first_hour == FIRST.timestamp() // 3600
    assert series.close.tolist() == pytest.approx(GOOD["close"], rel=1e-12)
    assert series.remarks == ()


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (picked(list(range(HOURS))[::-1]), "not in the order of time: sorted"),
        (picked([*range(HOURS), 7, 8]), "2 candles were there twice"),
        (without(2_000, 2_001), "2 missing hours in 1 gaps, the longest 2 from 2022-08-23 08:00"),
        (with_row(5, close=GOOD["high"][5] * 1.001), "1 candles had open or close a hair outside"),
    ],
)
def test_what_can_be_mended_is_mended_and_said(tmp_path: Path, columns: Columns, says: str) -> None:
    write(tmp_path / "coin.parquet", columns)
    told: list[str] = []
    series = only(tmp_path, told)
    assert len(series.open) == HOURS
    assert any(says in line for line in told)
    assert any(says in remark for remark in series.remarks)


def test_a_missing_hour_is_flat_and_no_cover_touches_a_gap_of_more_than_a_day(tmp_path: Path) -> None:
    write(tmp_path / "coin.parquet", without(*range(100, 103), *range(200, 240)))
    series = only(tmp_path)
    flat = [*range(100, 103), *range(200, 240)]
    for prices in (series.open, series.high, series.low, series.close):
        assert prices[flat].tolist() == [GOOD["close"][99]] * 3 + [GOOD["close"][199]] * 40
    assert np.flatnonzero(series.unknown).tolist() == list(range(200, 240))


def test_shorter_candles_are_put_together_and_half_an_hour_at_an_end_is_left_away(tmp_path: Path) -> None:
    minutes = [FIRST + timedelta(minutes=15 * n) for n in range(2 + 4 * HOURS + 1)]
    start = [at - timedelta(minutes=30) for at in minutes]
    base = [100 + n % 7 for n in range(len(start))]
    write(
        tmp_path / "coin.csv",
        {
            "time": start,
            "open": base,
            "high": [p + 1.5 for p in base],
            "low": [p - 1.5 for p in base],
            "close": [p + 0.5 for p in base],
        },
    )
    series = only(tmp_path)
    assert (series.first_hour, len(series.open)) == (FIRST.timestamp() // 3600, HOURS)
    for hour in range(20):
        inside = base[2 + 4 * hour : 6 + 4 * hour]
        found = (series.open[hour], series.high[hour], series.low[hour], series.close[hour])
        assert found == (inside[0], max(inside) + 1.5, min(inside) - 1.5, inside[-1] + 0.5)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (
            {k: v for k, v in GOOD.items() if k != "low"},
            r"has no column low; its columns are time, open",
        ),
        (with_row(9, high=1.0, low=2.0), r"2022-06-01 09:00: high 1 is below low 2 \(1 such rows\)"),
        (with_row(9, low=0.0), r"2022-06-01 09:00: low is 0 "),
        (with_row(9, open=-3.0), r"open is -3 "),
        (with_row(9, close=float("nan")), r"close is nan "),
        (with_row(9, close=None), r"close is nan "),
        (with_row(9, high=float("inf")), r"high is inf "),
        (with_row(9, close=GOOD["high"][9] * 2), r"open or close lies outside of high and low"),
        (changed(close=["dear"] * HOURS), r"column close holds string, not numbers"),
        (with_row(9, time=None), r"1 rows have no time"),
        (changed(time=list(range(HOURS))), r"its times are numbers up to 2599"),
        (changed(time=["noon"] * HOURS), r"row 1: 'noon' is no time"),
        (changed(time=[FIRST + timedelta(days=n) for n in range(HOURS)]), r"candles are 24 hours long"),
        (changed(time=[FIRST + timedelta(minutes=7 * n) for n in range(HOURS)]), r"420 seconds long"),
        (changed(time=[at + timedelta(minutes=30) for at in GOOD["time"]]), r"1800 seconds off its clock"),
        (with_row(9, time=GOOD["time"][8]), r"2022-06-01 08:00 is there twice with different prices"),
        (with_row(0, time=datetime(1999, 1, 1, tzinfo=UTC)), r"row 1: its time is not between 2009 and 2100"),
        ({name: column[:2_000] for name, column in GOOD.items()}, r"holds 2000 hours; 2448 are needed"),
        ({name: column[:1] for name, column in GOOD.items()}, r"holds 1 candles"),
        ({name: column[:0] for name, column in GOOD.items()}, r"coin.parquet: "),
    ],
)
def test_what_cannot_be_used_is_refused_by_file_and_place(
    tmp_path: Path, columns: Columns, says: str
) -> None:
    write(tmp_path / "coin.parquet", columns)
    with pytest.raises(Unusable, match=says) as refused:
        only(tmp_path)
    assert str(refused.value).startswith("coin")
    assert "\n" not in str(refused.value)


def _nothing(folder: Path) -> None:
    (folder / "SOURCES.md").write_text("no candles")


def _text(folder: Path) -> None:
    (folder / "coin.parquet").write_text("time,open\n")


def _empty(folder: Path) -> None:
    (folder / "coin.csv").write_text("")


def _both(folder: Path) -> None:
    write(folder / "coin.csv", GOOD)
    write(folder / "coin.parquet", GOOD)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda folder: folder.rmdir(), "there is no such folder"),
        (_nothing, "holds no .parquet or .csv file"),
        (_text, "coin.parquet: cannot be read"),
        (_empty, "coin.csv: cannot be read"),
        (_both, "holds coin twice"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(
    tmp_path: Path, made: Callable[[Path], None], says: str
) -> None:
    folder = tmp_path / "candles"
    folder.mkdir()
    made(folder)
    with pytest.raises(Unusable, match=says):
        list(series_of(folder, print))


def test_prices_as_single_precision_or_decimals_are_taken(tmp_path: Path) -> None:
    table = pa.table(GOOD)
    for column, kind in ((1, pa.float32()), (2, pa.float32()), (3, pa.float32()), (4, pa.float32())):
        table = table.set_column(column, table.column_names[column], table.column(column).cast(kind))
    parquet.write_table(table, tmp_path / "coin.parquet")
    assert only(tmp_path).close.tolist() == pytest.approx(GOOD["close"], rel=1e-6)
