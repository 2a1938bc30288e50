"""What the books can be written as."""

from enum import StrEnum


class Format(StrEnum):
    """A format's name on the command line."""

    HLEDGER = "hledger"
    """A journal of hledger."""
    BEANCOUNT = "beancount"
    """A file of beancount."""
    CSV = "csv"
    """A table for spreadsheets."""
    PARQUET = "parquet"
    """A table for pandas, DuckDB and their like."""


class Table(StrEnum):
    """What is written, one row each."""

    TRANSFERS = "transfers"
    """The ledger."""
    CLAIMS = "claims"
    """The claims as they stand; no journal has these."""


JOURNALS = frozenset({Format.HLEDGER, Format.BEANCOUNT})
"""Those that hold assertions."""
