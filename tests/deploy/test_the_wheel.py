"""What is installed is what stands in the repository: whole, and nothing else."""

import json
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

import liqpass

TOP = Path(__file__).resolve().parents[2]
IMPORT_ALL = """
import importlib, json, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import liqpass
names = [it.name for it in pkgutil.walk_packages(liqpass.__path__, "liqpass.")]
print(json.dumps(sorted({importlib.import_module(name).__file__ for name in names})))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make wheel` does."""
    return built(tmp_path_factory.mktemp("wheel"))


def built(folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=TOP, check=True, capture_output=True)
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it was installed to, without what it needs."""
    folder = tmp_path_factory.mktemp("installed")
    command = [
        "uv",
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--target",
        str(folder),
        str(wheel),
    ]
    subprocess.run(command, check=True, cwd=folder)
    return folder


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        return message_from_bytes(archive.read(name))


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "src/liqpass"],
        cwd=TOP,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    tree = {name.removeprefix("src/") for name in listed.split("\0") if name and (TOP / name).exists()}
    with zipfile.ZipFile(wheel) as archive:
        package = {name for name in archive.namelist() if name.startswith("liqpass/")}
        beside = {name.partition("/")[2] for name in set(archive.namelist()) - package}
        changed = [name for name in package & tree if archive.read(name) != (TOP / "src" / name).read_bytes()]
    assert package == tree
    assert changed == []
    assert beside == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
        "licenses/NOTICE",
    }


def test_the_same_sources_make_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    assert built(tmp_path).read_bytes() == wheel.read_bytes()


def test_its_metadata_has_the_readme_the_licence_and_the_version(wheel: Path) -> None:
    told = metadata(wheel)
    assert told["Name"] == "liqpass"
    assert told["Version"] == liqpass.__version__
    assert told["License-Expression"] == "Apache-2.0"
    assert told["Description-Content-Type"] == "text/markdown"
    page = told.get_payload(decode=True)
    assert isinstance(page, bytes)
    assert page.decode().strip() == (TOP / "README.md").read_text("utf-8").strip()
    assert "Typing :: Typed" in told.get_all("Classifier", [])
    assert tuple(map(int, told["Metadata-Version"].split("."))) <= (2, 4)  # what pip of Debian 12 knows


def test_every_module_can_be_imported_from_where_it_is_installed(installed: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", IMPORT_ALL, str(installed)],
        cwd=installed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    files = {Path(name) for name in json.loads(done.stdout)}
    assert len(files) > 300
    assert {file for file in files if not file.is_relative_to(installed)} == set()


def test_the_installed_command_says_its_version(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from liqpass.__main__ import main; main()", "--version"],
        env={"PYTHONPATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"liqpass {liqpass.__version__}\n"
    assert (
        "liqpass = liqpass.__main__:main" in next(installed.glob("*.dist-info/entry_points.txt")).read_text()
    )


def test_what_the_demo_fetches_is_what_the_repository_tests_with() -> None:
    known = json.loads((TOP / "contracts/package-lock.json").read_text())["packages"]
    pins = tomllib.loads((TOP / "src/liqpass/sandbox/npm.toml").read_text("utf-8"))
    anvil = known["node_modules/@foundry-rs/anvil"]["version"]
    for name, pin in pins.items():
        if locked := known.get(f"node_modules/{name}"):
            assert (pin["version"], pin["integrity"]) == (locked["version"], locked["integrity"])
        else:  # npm writes down what the machine takes on which the lock file was made
            assert name == "@foundry-rs/anvil-linux-arm64"
            assert pin["version"] == anvil
    assert len(pins) == 3
