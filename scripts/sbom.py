"""Writes what LiqPass runs with as a bill of materials: CycloneDX, JSON, version 1.6, licences and hashes.

Run in .venv/sbom, where cyclonedx-bom is, which reads what is installed and validates what is written; nobody
is asked. Python's packages are those of requirements.lock, npm's those of both package-lock.json that are
installed: contracts/ is for the demo and to compile, tests/web/ for checks alone. The same lock files give
the same bytes: a time is there only where SOURCE_DATE_EPOCH says one, a serial number where --serial does.
"""

import argparse
import base64
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts import licences

TOP = licences.TOP
LOCK = "requirements.lock"
ROOT = "root-component"
NPM_SCOPES = {"contracts": "optional", "tests/web": "excluded"}
ALGORITHMS = {"sha512": "SHA-512", "sha256": "SHA-256", "sha1": "SHA-1"}

Json = dict[str, Any]


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--out", type=Path, default=Path("sbom.json"), help="the file to write")
    wanted.add_argument("--serial", type=UUID, help="its serial number")
    wanted.add_argument(
        "--unchecked", action="store_true", help="leave out what takes longest, the validation"
    )
    given = wanted.parse_args()
    if not given.out.absolute().parent.is_dir() or given.out.is_dir():
        wanted.error(f"--out: {given.out} is no file in a folder that is there")
    document = bill()
    if given.serial:
        document["serialNumber"] = f"urn:uuid:{given.serial}"
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    said = "not validated"
    if not given.unchecked:
        wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
        if wrong is not None:
            sys.exit(f"It is not CycloneDX 1.6: {wrong}")
        said = "valid CycloneDX 1.6"
    given.out.write_text(text, "utf-8")
    print(f"{given.out}: {len(document['components'])} components, {said}")


def bill() -> Json:
    """The whole document."""
    installed = cyclonedx("environment", "--pyproject", "pyproject.toml", ".venv")
    locked = cyclonedx("requirements", "--pyproject", "pyproject.toml", LOCK)
    hashes = {licences.canonical(one["name"]): one["externalReferences"] for one in locked["components"]}
    python = [
        python_component(one, hashes[name])
        for one in installed["components"]
        if (name := licences.canonical(one["name"])) in hashes
    ]
    npm = [component for folder, scope in NPM_SCOPES.items() for component in npm_components(folder, scope)]
    installed["components"] = sorted(python + npm, key=lambda one: str(one["bom-ref"]))
    refs = {one["bom-ref"] for one in installed["components"]}
    installed["dependencies"] = [
        narrowed(one, refs, npm) for one in installed["dependencies"] if one["ref"] in refs | {ROOT}
    ] + [{"ref": one["bom-ref"]} for one in npm]
    return installed


def cyclonedx(*arguments: str) -> Json:
    """What cyclonedx-py says; the same for the same packages."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "bom.json"
        given = ["--sv", "1.6", "--output-reproducible", "--no-validate", "-o", str(out), *arguments[1:]]
        program = str(Path(sys.executable).with_name("cyclonedx-py"))
        done = subprocess.run(
            [program, arguments[0], *given], cwd=TOP, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"cyclonedx-py failed:\n{done.stderr}")
        read: Json = json.loads(out.read_text("utf-8"))
        return read


def python_component(one: Json, references: list[Json]) -> Json:
    """With the hashes by which the lock file takes it, and a licence by its SPDX name."""
    told = list(one.get("externalReferences", []))
    wheels = [reference for reference in references if reference["type"] == "distribution"]
    return {
        **one,
        "scope": "required",
        "externalReferences": told + wheels,
        "licenses": spdx_licences(LOCK, licences.canonical(one["name"]), one.get("licenses", [])),
    }


def spdx_licences(lock: str, name: str, own: list[Json]) -> list[Json]:
    """Its own words where all of them are SPDX's, else what scripts/licences.py found."""
    if own and all("expression" in one or "id" in one["license"] for one in own):
        return own
    found = next(one for one in known() if (one.package.lock, one.package.name) == (lock, name))
    return [{"expression": found.licence, "acknowledgement": "concluded"}]


@cache
def known() -> list[licences.Judged]:
    return [licences.judged(one) for one in licences.packages(TOP, licences.installed_here())]


def npm_components(folder: str, scope: str) -> list[Json]:
    """Those of a package-lock.json that are installed: it has every platform's."""
    lock = json.loads((TOP / folder / "package-lock.json").read_text("utf-8"))
    return [
        npm_component(folder, scope, where.rpartition("node_modules/")[2], told)
        for where, told in lock["packages"].items()
        if where and (TOP / folder / where).is_dir()
    ]


def npm_component(folder: str, scope: str, name: str, told: Json) -> Json:
    group, _, short = name.rpartition("/")
    algorithm, _, digest = told["integrity"].partition("-")
    lock = f"{Path(folder).name}/package-lock.json"
    own = told.get("license")
    return {
        "type": "library",
        "bom-ref": f"npm:{name}@{told['version']}",
        "name": short,
        **({"group": group} if group else {}),
        "version": told["version"],
        "purl": f"pkg:npm/{name.replace('@', '%40')}@{told['version']}",
        "scope": scope,
        "hashes": [{"alg": ALGORITHMS[algorithm], "content": base64.b64decode(digest).hex()}],
        "licenses": [{"expression": own, "acknowledgement": "declared"}]
        if own
        else spdx_licences(lock, f"npm:{name}", []),
    }


def narrowed(one: Json, refs: set[str], npm: list[Json]) -> Json:
    """A node of the graph without what is not listed; the root with npm's packages too."""
    on = [ref for ref in one.get("dependsOn", []) if ref in refs]
    if one["ref"] == ROOT:
        on += [str(component["bom-ref"]) for component in npm]
    return {"ref": one["ref"], **({"dependsOn": sorted(on)} if on else {})}


if __name__ == "__main__":
    main()
