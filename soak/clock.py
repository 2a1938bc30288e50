"""The time of a soak: it stands still until the soak moves it, and every process sees the same.

Eight bytes in a file, microseconds since 1970; after them eight for each process: how far its clock is off.
"""

import mmap
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

PROCESSES = 16
_WORD = struct.Struct("<q")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


def make_clock_file(path: Path, now: datetime) -> None:
    """Everybody's clock shows `now`."""
    path.write_bytes(_WORD.pack((now - _EPOCH) // _US) + bytes(_WORD.size * PROCESSES))


class SharedClock:
    """The clock of process `who` (None: the true one, that of exchange and soak)."""

    def __init__(self, path: Path, who: int | None = None) -> None:
        with path.open("r+b") as file:
            self._words = mmap.mmap(file.fileno(), _WORD.size * (PROCESSES + 1))
        self._who = who

    def __call__(self) -> datetime:
        off = 0 if self._who is None else self._read(1 + self._who)
        return _EPOCH + (self._read(0) + off) * _US

    def set(self, now: datetime) -> None:
        """For everybody."""
        self._write(0, (now - _EPOCH) // _US)

    def put_off(self, who: int, by: timedelta) -> None:
        """From now on the clock of that process is ahead by so much, or behind for less than nothing."""
        self._write(1 + who, by // _US)

    def _read(self, place: int) -> int:
        return int(_WORD.unpack_from(self._words, place * _WORD.size)[0])

    def _write(self, place: int, value: int) -> None:
        _WORD.pack_into(self._words, place * _WORD.size, value)
