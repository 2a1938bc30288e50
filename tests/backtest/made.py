"""Candles made up: a price that wanders, more on some days than on others; always the same for a seed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

FIRST = datetime(2022, 6, 1, tzinfo=UTC)
Columns = dict[str, list[Any]]


def candles(hours: int, seed: int = 1, first: datetime = FIRST) -> Columns:
    """Hourly ones."""
    some = np.random.default_rng(seed)
    restless = 0.006 * np.exp(0.4 * np.repeat(some.standard_normal(hours // 24 + 1), 24)[:hours])
    steps = some.standard_normal((hours, 12)) * restless[:, None] / np.sqrt(12)
    paths = np.exp(np.cumsum(steps.ravel())).reshape(hours, 12) * 100
    opened = np.concatenate([[100.0], paths[:-1, -1]])
    whole = np.column_stack([opened, paths])
    return {
        "time": [first + timedelta(hours=n) for n in range(hours)],
        "open": opened.tolist(),
        "high": whole.max(1).tolist(),
        "low": whole.min(1).tolist(),
        "close": paths[:, -1].tolist(),
    }


def write(path: Path, columns: Columns) -> Path:
    table = pa.table(columns)
    if path.suffix == ".csv":
        csv.write_csv(table, path)
    else:
        parquet.write_table(table, path)
    return path


def folder(path: Path, hours: int = 3_000, instruments: int = 2) -> Path:
    for seed in range(1, instruments + 1):
        write(path / f"COIN{seed}-1h.parquet", candles(hours, seed))
    return path
