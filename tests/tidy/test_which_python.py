"""Which Python `make` installs with, on machines with several."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
REAL = Path(sys.executable).resolve()  # that of .venv is a link to it
OPTIMISED, PLAIN = "'--enable-optimizations' '--with-lto'", "'--enable-shared'"
NO_ENSUREPIP = "import sys\nsys.modules['ensurepip'] = None\n"

Python = Callable[..., Path]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone in which nothing is installed yet."""
    shutil.copytree(TOP / "scripts", tmp_path / "scripts")
    shutil.copy(TOP / "Makefile", tmp_path)
    return tmp_path


@pytest.fixture
def python(tmp_path: Path) -> Python:
    """Puts a real Python into PATH that takes itself for one that was configured so."""

    def put(name: str, configured: str, customized: str = "") -> Path:
        own = tmp_path / f"of-{name}"
        own.mkdir()
        (own / "_built.py").write_text(f"build_time_vars = {{'CONFIG_ARGS': {configured!r}}}\n")
        (own / "sitecustomize.py").write_text(customized)
        return program(name, f'_PYTHON_SYSCONFIGDATA_NAME=_built PYTHONPATH="{own}" exec "{REAL}" "$@"')

    def program(name: str, script: str) -> Path:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return put


def asked(clone: Path) -> tuple[Path, str]:
    """Which one python3 says, and what else it says."""
    command = [clone / "bin/python3", clone / "scripts/interpreter.py"]
    env = {"PATH": f"{clone / 'bin'}:{os.defpath}"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return Path(done.stdout.rstrip("\n")), done.stderr


def test_an_optimised_python_is_taken_instead_of_a_plain_python3_and_said_in_one_line(
    clone: Path, python: Python
) -> None:
    python("python3", PLAIN)
    quick = python("python3.12", OPTIMISED)
    chosen, said = asked(clone)
    assert chosen == quick
    assert said.startswith(f"Taking {quick}, built with PGO and LTO, instead of python3")
    assert said.count("\n") == 1


def test_a_python3_that_is_optimised_itself_is_taken_without_a_word(clone: Path, python: Python) -> None:
    python("python3", OPTIMISED)
    python("python3.14", OPTIMISED)
    assert asked(clone) == (REAL, "")


def test_a_plain_python3_is_taken_where_none_is_optimised(clone: Path, python: Python) -> None:
    python("python3", PLAIN)
    python("python3.14", PLAIN)
    assert asked(clone) == (REAL, "")


def test_a_python_that_makes_no_virtual_environments_is_not_taken(clone: Path, python: Python) -> None:
    python("python3", PLAIN)
    python("python3.14", OPTIMISED, NO_ENSUREPIP)
    able = python("python3.11", OPTIMISED)
    assert asked(clone)[0] == able


def test_a_command_of_that_name_that_runs_nothing_is_passed_over(clone: Path, python: Python) -> None:
    python("python3", PLAIN)
    python("python3.14", OPTIMISED).write_text("#!/bin/sh\nexit 127\n")
    quick = python("python3.13", OPTIMISED)
    assert asked(clone)[0] == quick


def test_what_the_environment_was_made_with_stays_though_a_newer_came(clone: Path, python: Python) -> None:
    python("python3", PLAIN)
    maker = python("python3.12", OPTIMISED)
    python("python3.14", OPTIMISED)
    (clone / ".venv").mkdir()
    (clone / ".venv" / ".made").write_text(f"3.12.1 {maker} {clone}\n")
    assert asked(clone) == (maker, "")


@pytest.mark.parametrize("given", [["PYTHON=python3.12"], []])
def test_the_python_that_is_set_is_taken_and_nobody_else_asked(clone: Path, given: list[str]) -> None:
    env = {"PATH": os.environ["PATH"], **({} if given else {"PYTHON": "python3.12"})}
    command = ["make", "-C", str(clone), "--no-print-directory", "-n", "deps", *given]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "python3.12 scripts/install.py runtime\n"


def test_without_one_set_make_installs_with_the_one_that_python3_says(clone: Path, python: Python) -> None:
    python("python3", PLAIN)
    python("python3.12", OPTIMISED)
    (clone / "scripts/install.py").write_text(
        "import sysconfig\nprint(sysconfig.get_config_var('CONFIG_ARGS'))\n"
    )
    command = ["make", "-C", str(clone), "--no-print-directory", "deps"]
    env = {"PATH": f"{clone / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == f"{OPTIMISED}\n"
