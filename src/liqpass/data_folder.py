"""The folder of the embedded database: where it is, and that it can be used."""

import os
import pwd
import stat
from collections.abc import Mapping
from pathlib import Path

from liqpass.postgres_programs import may_enter
from liqpass.settings import SettingError


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """LIQPASS_DATA_DIR, else /var/lib/liqpass for root and the `liqpass` in the XDG data home for others.

    Raises SettingError where that is nowhere.
    """
    chosen = environ.get("LIQPASS_DATA_DIR")
    data_home = Path(environ.get("XDG_DATA_HOME", ""))
    try:
        if chosen:
            return Path(chosen).expanduser().absolute()
        if os.geteuid() == 0:
            return Path("/var/lib/liqpass")
        return (data_home if data_home.is_absolute() else Path.home() / ".local/share") / "liqpass"
    except RuntimeError:
        nobody = chosen or f"it is not set, and the user id {os.geteuid()}"
        raise SettingError("LIQPASS_DATA_DIR", f"{nobody} has no home folder: name a folder by /…") from None
    except FileNotFoundError:
        raise SettingError(
            "LIQPASS_DATA_DIR", f"{chosen} is relative to a folder that was deleted: name a folder by /…"
        ) from None


def why_not(error: OSError) -> str:
    """Why a folder cannot be made or used. What mkdir says of a file in its place is no help."""
    return (
        "it is a file, not a folder" if isinstance(error, FileExistsError) else error.strerror or str(error)
    )


def make_data_dir(data_dir: Path, account: pwd.struct_passwd | None) -> Path:
    """The data folder, made when missing. Root's is made passable; what is above stays as it is."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = data_dir.resolve()
        if account:
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o111)
        (folder / "start.lock").open("a").close()
    except OSError as error:
        raise SettingError("LIQPASS_DATA_DIR", f"{data_dir} cannot be used: {why_not(error)}") from None
    if account and not may_enter(account, folder):
        raise SettingError(
            "LIQPASS_DATA_DIR",
            f"root's PostgreSQL runs as {account.pw_name}, which may not pass through a folder above "
            f"{folder}: choose another one (/var/lib/liqpass, say), or set DATABASE_URL",
        )
    return folder
