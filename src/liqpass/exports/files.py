"""Writing an export: beside its place first, which it takes once it is whole; stdout sees it only then."""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import NamedTuple

from liqpass.exports import beancount, hledger, parquet, spreadsheet
from liqpass.exports.formats import Format
from liqpass.exports.rows import Closing, Head, Row


class Journal(NamedTuple):
    """The three parts of a journal, each from what it tells of to text."""

    head: Callable[[Head], str]
    transaction: Callable[[Row], str]
    closing: Callable[[Closing], str]


WRITERS = {
    Format.HLEDGER: Journal(hledger.head, hledger.transaction, hledger.closing),
    Format.BEANCOUNT: Journal(beancount.head, beancount.transaction, beancount.closing),
}
Pages = AsyncIterator[list[Row]]


async def write(
    path: Path,
    form: Format,
    head: Head,
    pages: Pages,
    closing: Callable[[date | None], Awaitable[Closing]],
    *,
    mark: bool,
) -> None:
    """Write the whole export. `closing` is asked with the last day of all rows, None without any: only where
    the format is a journal. `mark`: a CSV begins with a byte order mark."""
    if form is Format.PARQUET:
        await parquet.write(path, head, pages)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if form is Format.CSV:
            file.write(spreadsheet.header(mark=mark))
            async for rows in pages:
                file.writelines(map(spreadsheet.line, rows))
            return
        journal, last = WRITERS[form], None
        file.write(journal.head(head))
        async for rows in pages:
            file.writelines(map(journal.transaction, rows))
            last = max([row.at.date() for row in rows] + ([last] if last else []), default=None)
        file.write(journal.closing(await closing(last)))


@contextmanager
def to_file(out: Path) -> Iterator[Path]:
    """A path beside `out` to write to; it takes the place of `out` in the end, and is gone after an error.

    Raises OSError.
    """
    place = out.resolve()
    if place.exists() and not place.is_file():
        raise OSError(f"{out} is no file; without --out the export goes to stdout")
    _refuse_no_place(out, place.parent)
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)


def _refuse_no_place(out: Path, folder: Path) -> None:
    """Said before anything is read, and of the file that was asked for, not of the one beside it."""
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(f"--out {out} cannot be written: {error.strerror}") from None


@contextmanager
def to_stdout() -> Iterator[Path]:
    """A path to write to, copied to stdout in the end: a slow reader there would keep the snapshot open."""
    with TemporaryDirectory(prefix="liqpass-export-") as folder:
        part = Path(folder) / "export"
        yield part
        sys.stdout.flush()
        with part.open("rb") as file:
            try:
                shutil.copyfileobj(file, sys.stdout.buffer)
                sys.stdout.buffer.flush()
            except BrokenPipeError:  # `| head` has seen enough
                with suppress(OSError):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
