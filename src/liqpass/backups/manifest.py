"""What a backup is of, beside its dump: when, by which version, how far the chain was read, which run was the
last, which keys its secrets want. A backup is a folder that holds the two; it appears whole or not at all."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from liqpass.backups import BackupError
from liqpass.migrate import Migration

FORMAT = 1
PREFIX = "liqpass-"
DUMP, MANIFEST = "database.dump", "manifest.json"
ALL_OF_IT = f"a backup is a folder {PREFIX}…, as liqpass backup DIR names it"


class Applied(msgspec.Struct, frozen=True, rename="camel"):
    """One migration that the database had. `sha256`: hex, of its file; `needs` as the database had it."""

    number: int
    name: str
    sha256: str
    applied_at: datetime
    needs: int | None = None


class ReadChain(msgspec.Struct, frozen=True, rename="camel"):
    """How far the watcher had read a chain: what came later it reads again. Hashes with 0x."""

    chain_id: int
    finalized_block: int
    finalized_hash: str
    latest_block: int
    read_at: datetime


class LastRun(msgspec.Struct, frozen=True, rename="camel"):
    """The last reconciliation run, whose hash has all before it in it."""

    run: int
    sha256: str
    finished_at: datetime


class Contents(msgspec.Struct, frozen=True, rename="camel"):
    """What stands in the snapshot that was dumped. `key_ids`: how many secrets each key of the vault has
    sealed, `secrets_of_no_key` those of the old layout, which names none. `roles` have rights in it."""

    server_version: int
    migrations: list[Applied]
    chains: list[ReadChain]
    last_run: LastRun | None
    key_ids: dict[str, int]
    secrets_of_no_key: int
    roles: list[str]

    @property
    def schema(self) -> int:
        """The number of the newest migration."""
        return max((one.number for one in self.migrations), default=0)


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """The whole of manifest.json. `size` in bytes, `sha256` in hex: of the dump. `dumped_by`: the major
    version of the programs that can read it."""

    format: int
    made_at: datetime
    liqpass: str
    dumped_by: int
    size: int
    sha256: str
    contents: Contents


def write(folder: Path, manifest: Manifest) -> None:
    """Beside the dump; on disk when it returns. Raises OSError."""
    text = json.dumps(msgspec.to_builtins(manifest), indent=2, sort_keys=True)
    descriptor = os.open(folder / MANIFEST, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path) -> Manifest:
    """Raises BackupError."""
    try:
        text = (folder / MANIFEST).read_bytes()
    except OSError as error:
        within = backups_in(folder)
        newest = f". The newest in it is {within[-1]}" if within else ""
        raise BackupError(
            f"{folder} is no backup ({error.strerror}: {MANIFEST}): {ALL_OF_IT}{newest}"
        ) from None
    try:
        number = msgspec.json.decode(text, type=dict[str, msgspec.Raw])["format"]
        if msgspec.json.decode(number, type=int) > FORMAT:
            raise BackupError(f"{folder} was made by a newer version of LiqPass: update LiqPass")
        return msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, KeyError) as error:
        raise BackupError(f"{folder / MANIFEST} is damaged ({error}): take another backup") from None


def check_dump(folder: Path, manifest: Manifest) -> None:
    """That the dump is the one of the manifest, byte for byte. Raises BackupError."""
    path = folder / DUMP
    try:
        size = path.stat().st_size
        if size != manifest.size:
            raise BackupError(
                f"{path} has {size:,} bytes instead of {manifest.size:,}: it was not copied whole, "
                "copy it again or take another backup"
            )
        if sha256_of(path) != manifest.sha256:
            raise BackupError(f"{path} was changed or damaged (SHA-256): take another backup")
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}") from None


def check_schema(manifest: Manifest, migrations: Sequence[Migration]) -> None:
    """That this version of LiqPass knows the schema. Raises BackupError."""
    known = {one.number: one.sha256.hex() for one in migrations}
    for one in manifest.contents.migrations:
        if one.number not in known:
            raise BackupError(
                f"the backup has migration {one.number:04d}_{one.name}, this version of LiqPass does not: "
                f"restore it with LiqPass {manifest.liqpass} or newer"
            )
        if known[one.number] != one.sha256:
            raise BackupError(f"{one.number:04d}_{one.name} is another migration here than in the backup")


def sha256_of(path: Path) -> str:
    """In hex; however large the file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fsync(path: Path) -> None:
    """A file, or the names in a folder, are on disk when it returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def backups_in(folder: Path) -> list[Path]:
    """Those of a folder, the oldest first. What is not made by `liqpass backup` is none."""
    return sorted(path for path in folder.glob(f"{PREFIX}*") if (path / MANIFEST).is_file() and path.is_dir())


def let_go(folder: Path, keep: int, made: Path) -> list[Path]:
    """Delete all but the newest so many, of which `made` is the last; what was deleted. Those whose names are
    of a later time were made by a clock that was ahead, and go first. Raises OSError."""
    before = [path for path in backups_in(folder) if path != made]
    ahead, rest = [p for p in before if p.name > made.name], [p for p in before if p.name < made.name]
    gone = [*ahead, *rest, made][:-keep]
    for path in gone:
        (path / MANIFEST).unlink()  # first: what is left of it then is no backup
        shutil.rmtree(path)
    return gone
