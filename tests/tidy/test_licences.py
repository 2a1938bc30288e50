"""What `make check` says of the licences of packages. A lock file gets more packages, which are laid beside
those that are installed; nothing else is changed."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
APART = TOP / ".venv/sbom/bin/python"
NO_LICENCE = "no licence is known by what it says"

CAN_BE_KEPT = [
    "MIT",
    "MIT OR AGPL-3.0-only",
    "(GPL-2.0-only OR BSD-3-Clause) AND ISC",
    "Apache-2.0 WITH LLVM-exception",
]
CANNOT_BE_KEPT = [
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "SSPL-1.0",
    "BUSL-1.1",
    "MIT AND AGPL-3.0-only",
    "MIT AND (AGPL-3.0-only OR SSPL-1.0)",
    "GPL-3.0-or-later WITH GCC-exception-3.1",
    "PolyForm-Noncommercial-1.0.0",
    "CC-BY-NC-4.0",
    "GPL-2.0-only",
]
NAMES_NO_LICENCE = [
    [],
    ["License: Proprietary"],
    ["License: free for non-commercial use"],
    ["Classifier: License :: OSI Approved :: BSD License"],
    ["Classifier: License :: Other/Proprietary License"],
    [
        "License-Expression: MIT",
        "Classifier: License :: OSI Approved :: GNU Affero General Public License v3",
    ],
]
FORBIDS_MORE_THAN_IT_IS_CALLED = [
    "                    GNU AFFERO GENERAL PUBLIC LICENSE\n                       Version 3\n",
    "Business Source License 1.1\n",
    "“Commons Clause” License Condition v1.0\n",
    "You may use this for noncommercial purposes.\n",
]


class Locks:
    """The lock files, to be changed, and a folder of packages that count as installed."""

    def __init__(self, folder: Path, site: Path) -> None:
        self.folder, self.site = folder, site
        for name in ("contracts", "tests/web"):
            (folder / name).mkdir(parents=True)
            shutil.copy(TOP / name / "package-lock.json", folder / name)
        for lock in TOP.glob("requirements*.lock"):
            shutil.copy(lock, folder)

    def pin(self, name: str, lock: str = "requirements.lock") -> None:
        with (self.folder / lock).open("a") as pinned:
            pinned.write(f"{name}==1.0 \\\n    --hash=sha256:{'0' * 64}\n")

    def add(self, name: str, metadata: Sequence[str], text: str = "") -> None:
        """A package with these lines of metadata, and its licence's text."""
        self.pin(name)
        info = self.site / f"{name}-1.0.dist-info"
        (info / "licenses").mkdir(parents=True)
        lines = ["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *metadata, ""]
        (info / "METADATA").write_text("\n".join(lines))
        (info / "licenses/LICENSE").write_text(text)
        (info / "RECORD").write_text(f"{info.name}/METADATA,,\n{info.name}/licenses/LICENSE,,\n")

    def add_to_npm(self, name: str, licence: str | None) -> None:
        path = self.folder / "contracts/package-lock.json"
        lock = json.loads(path.read_text())
        lock["packages"][f"node_modules/{name}"] = {"version": "1.0.0", "license": licence}
        path.write_text(json.dumps(lock))

    def checked(self) -> tuple[int, list[str]]:
        """The exit status, and the lines that were said."""
        given = ["--locks", str(self.folder), "--also", str(self.site)]
        command = [str(APART), "-m", "scripts.licences", *given]
        done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.fixture
def locks(tmp_path: Path) -> Locks:
    return Locks(tmp_path / "locks", tmp_path / "site")


def test_every_package_that_is_pinned_has_a_licence_that_is_allowed(locks: Locks) -> None:
    for number, licence in enumerate(CAN_BE_KEPT):
        locks.add(f"kept{number}", [f"License-Expression: {licence}"])
    status, said = locks.checked()
    assert status == 0, said
    assert len(said) == 1


def test_a_package_with_a_licence_of_the_affero_kind_fails_by_itself(locks: Locks) -> None:
    locks.add("added", ["License-Expression: AGPL-3.0-only"])
    status, said = locks.checked()
    assert (status, said[:-1]) == (1, ["requirements.lock: added: AGPL-3.0-only is not allowed"])


def test_each_package_fails_whose_licence_cannot_be_kept_or_is_not_known(locks: Locks) -> None:
    """A text counts more than what the metadata calls it, and npm's packages are held to the same."""
    wanted = set()
    for number, licence in enumerate(CANNOT_BE_KEPT):
        locks.add(f"refused{number}", [f"License-Expression: {licence}"])
        wanted.add(f"requirements.lock: refused{number}: {licence} is not allowed")
    for number, metadata in enumerate(NAMES_NO_LICENCE):
        locks.add(f"unknown{number}", metadata)
        words = "; ".join(line.partition(": ")[2] for line in metadata) or "nothing"
        wanted.add(f"requirements.lock: unknown{number}: {NO_LICENCE}: {words}")
    for number, text in enumerate(FORBIDS_MORE_THAN_IT_IS_CALLED):
        locks.add(f"called{number}", ["License-Expression: MIT"], text)
    locks.pin("absent")
    wanted.add("requirements.lock: absent: is not installed here, so nothing tells its licence")
    for number, own in enumerate(["AGPL-3.0-only", "SEE LICENSE IN LICENSE.md", None]):
        locks.add_to_npm(f"page{number}", own)
    status, said = locks.checked()
    assert status == 1
    assert wanted <= set(said)
    texts = [line for line in said if ": its LICENSE has the words “" in line]
    assert [line.split(": ")[1] for line in texts] == ["called0", "called1", "called2", "called3"]
    npm = [line.removeprefix("contracts/package-lock.json: npm:") for line in said if ": npm:" in line]
    assert npm == [
        "page0: AGPL-3.0-only is not allowed",
        f"page1: {NO_LICENCE}: SEE LICENSE IN LICENSE.md",
        f"page2: {NO_LICENCE}: nothing",
    ]
    assert len(said) == len(wanted) + len(texts) + len(npm) + 1  # the last one says where to look


def test_what_is_a_program_for_tests_may_not_come_into_what_runs(locks: Locks) -> None:
    dev = (locks.folder / "requirements-dev.lock").read_text().splitlines()
    with (locks.folder / "requirements.lock").open("a") as pinned:
        pinned.write(next(line for line in dev if line.startswith("beancount==")) + "\n")
    status, said = locks.checked()
    assert (status, said[:-1]) == (1, ["requirements.lock: beancount: GPL-2.0-only is not allowed"])


def test_an_entry_that_no_package_needs_any_more_has_to_go(locks: Locks) -> None:
    for lock in locks.folder.glob("requirements*.lock"):
        lock.write_text(lock.read_text().replace("\nhyperframe==", "\nidna=="))
    assert "licences.toml: told: no lock file has hyperframe" in locks.checked()[1]
