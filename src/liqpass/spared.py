"""What other people's packages import where it is installed, and can do without."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(package: str) -> Iterator[None]:
    """Inside, importing `package` fails as if it were not installed; one that is there already stays."""
    there = sys.modules.get(package)
    if there is None:
        sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if there is None:
            del sys.modules[package]
