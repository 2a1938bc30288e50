"""`make sbom`: what LiqPass runs with, for programs that look for what is old or dangerous."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[2]
SERIAL = "0197a000-0000-7000-8000-000000000001"
ONLY_ELSEWHERE = {"colorama"}  # needed on Windows


def written(to: Path, *more: str) -> tuple[dict[str, Any], str]:
    """The document, and what was said."""
    command = [str(TOP / ".venv/sbom/bin/python"), "-m", "scripts.sbom", "--out", str(to), *more]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(to.read_bytes()), done.stdout


def test_each_package_is_there_with_version_hashes_and_licence_and_nothing_of_the_moment(
    tmp_path: Path,
) -> None:
    """Twice the same, but for the serial number that was asked for."""
    first, said = written(tmp_path / "first.json")
    assert said.endswith(" components, valid CycloneDX 1.6\n")
    again, _ = written(tmp_path / "again.json", "--serial", SERIAL, "--unchecked")
    assert again.pop("serialNumber") == f"urn:uuid:{SERIAL}"
    assert first == again
    assert (first["bomFormat"], first["specVersion"]) == ("CycloneDX", "1.6")
    assert "timestamp" not in first["metadata"]
    assert first["metadata"]["component"]["licenses"][0]["license"]["id"] == "Apache-2.0"
    python = [one for one in first["components"] if one["purl"].startswith("pkg:pypi/")]
    found = {one["purl"].removeprefix("pkg:pypi/").partition("@")[0]: one for one in python}
    # two versions where one is for newer Pythons
    locked = set(re.findall(r"^(\S+)==([^ ;]+)", (TOP / "requirements.lock").read_text(), re.MULTILINE))
    assert {name for name, _ in locked} - found.keys() <= ONLY_ELSEWHERE
    assert {(name, one["version"]) for name, one in found.items()} <= locked
    npm = {one["purl"] for one in first["components"]} - {one["purl"] for one in python}
    assert "pkg:npm/%40openzeppelin/contracts@5.7.0" in npm
    for one in first["components"]:
        references = one.get("externalReferences", [])
        hashes = one.get("hashes", []) + [it for ref in references for it in ref.get("hashes", [])]
        assert {it["alg"] for it in hashes} & {"SHA-256", "SHA-512"}, one["name"]
        assert one["licenses"], one["name"]
        assert all("expression" in it or "id" in it["license"] for it in one["licenses"]), one["name"]
    refs = {one["bom-ref"] for one in first["components"]} | {first["metadata"]["component"]["bom-ref"]}
    assert {one["ref"] for one in first["dependencies"]} == refs
    assert str(TOP) not in json.dumps(first)


def test_where_it_cannot_be_written_is_said_before_anything_is_read(tmp_path: Path) -> None:
    for out in (tmp_path, tmp_path / "nowhere" / "sbom.json"):
        command = [str(TOP / ".venv/sbom/bin/python"), "-m", "scripts.sbom", "--out", str(out)]
        done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
        assert (done.returncode, f"--out: {out} is no file in a folder that is there" in done.stderr) == (
            2,
            True,
        )
