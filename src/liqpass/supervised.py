"""What whoever supervises a process gives it and wants to hear: secrets as files, and when it is ready.

systemd's own ways (systemd.exec(5), LoadCredential; sd_notify(3)), which other supervisors speak as well.
"""

import socket
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

from liqpass.settings import SettingError

MOST_BYTES = 64 * 1024
_OURS = ("DATABASE_URL", "API_KEYS_ENC_KEY")


def take_credentials(env: MutableMapping[str, str]) -> None:
    """Settings that stand in files of $CREDENTIALS_DIRECTORY, named as they are; what the environment says
    itself counts more. Raises SettingError."""
    folder = env.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return
    try:
        files = [path for path in Path(folder).iterdir() if _is_setting(path.name) and path.name not in env]
    except OSError as error:
        raise SettingError("CREDENTIALS_DIRECTORY", f"{folder} cannot be read: {error.strerror}") from None
    for path in files:
        try:
            env[path.name] = _content(path)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no line of text"
            raise SettingError(path.name, f"{path} cannot be read: {why}") from None


def _is_setting(name: str) -> bool:
    return name in _OURS or (name.startswith("LIQPASS_") and name.isupper())


def _content(path: Path) -> str:
    with path.open("rb") as file:
        text = file.read(MOST_BYTES).decode().strip()
    if not text.isprintable():  # a second line, or a NUL, which no environment may hold
        raise ValueError
    return text


def tell_supervisor(env: MutableMapping[str, str], status: str) -> None:
    """That it is ready, once; what it starts has nothing to tell. Harmless where nobody listens."""
    address = env.pop("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # an address that is no file (unix(7))
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.connect(address)
        sock.send(f"READY=1\nSTATUS={status}".encode())
