"""Backups: a dump and what it is of, restored into an empty database only."""


class BackupError(Exception):
    """A backup cannot be made, read or restored; the message says why and what to do."""
