"""Holds each package of the lock files against the licences that are allowed, which licences.toml lists.

Run in .venv/sbom, where license-expression is. It reads what is installed and asks nobody. What a package
says of itself in several places has to be allowed in each; a word that names no licence needs an entry in the
table, which holds only while the package says just that.
"""

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from license_expression import ExpressionError, Licensing, get_spdx_licensing

TOP = Path(__file__).resolve().parent.parent
TABLE = Path(__file__).with_suffix(".toml")
NPM_FOLDERS = ("contracts", "tests/web")
SITES = (".venv/lib/python3*/site-packages", ".venv/*/lib/python3*/site-packages")
TEXTS = re.compile(r"(licen[cs]e|copying)[^/]*$", re.IGNORECASE)


@dataclass(frozen=True)
class Package:
    """One pin of a lock file. `words`: what it says of its licence, place by place; None where it is not
    installed here. `texts`: the files with its licences."""

    lock: str
    name: str
    words: tuple[str, ...] | None
    texts: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Judged:
    """`licence`: an SPDX expression, "" where none is known. `from_table`: it is not the package's own word.
    `against`: why it may not be used, "" where it may."""

    package: Package
    licence: str
    from_table: bool = False
    against: str = ""


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--locks", type=Path, default=TOP, help="the folder with the lock files")
    wanted.add_argument("--also", type=Path, action="append", default=[], help="one more folder of packages")
    given = wanted.parse_args()
    found = packages(given.locks, [*installed_here(), *given.also])
    judgements = [judged(one) for one in found]
    said = [f"{one.package.lock}: {one.package.name}: {one.against}" for one in judgements if one.against]
    said += unused_entries(judgements)
    if said:
        sys.exit(
            "\n".join(sorted(set(said))) + f"\nWhat is allowed, and where to tell more: scripts/{TABLE.name}"
        )
    print(f"Each of {len({(one.lock, one.name) for one in found})} pins has a licence that is allowed")


def packages(locks: Path, sites: list[Path]) -> list[Package]:
    """Each pin of each lock file, those of Python and of npm."""
    own_site: dict[str, list[Distribution]] = {}
    for site in sites:
        for one in distributions(path=[str(site)]):
            own_site.setdefault(canonical(one.metadata["Name"]), []).append(one)
    found = []
    for lock in sorted(locks.glob("requirements*.lock")):
        for name, version in sorted(set(pins(lock.read_text("utf-8")))):
            same = [one for one in own_site.get(name, []) if one.version == version]
            found += [Package(lock.name, name, words_of(one), texts_of(one)) for one in same]
            found += [] if same else [Package(lock.name, name, None)]
    for folder in NPM_FOLDERS:
        found += npm_packages(locks / folder)
    return found


def pins(lock: str) -> Iterator[tuple[str, str]]:
    """Name and version of each pin."""
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;]+)", lock, re.MULTILINE):
        yield canonical(name), version


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def words_of(package: Distribution) -> tuple[str, ...]:
    """What its metadata says of its licence; of a whole text, the first line."""
    own = [line for key in ("License-Expression", "License") for line in package.metadata.get_all(key, [])]
    classes = [one for one in package.metadata.get_all("Classifier", []) if one.startswith("License :: ")]
    return tuple(dict.fromkeys(filter(None, [*(one.strip().partition("\n")[0] for one in own), *classes])))


def texts_of(package: Distribution) -> tuple[Path, ...]:
    listed = [Path(str(package.locate_file(one))) for one in package.files or [] if TEXTS.search(str(one))]
    return tuple(one for one in listed if ".dist-info" in str(one) and one.is_file())


def npm_packages(folder: Path) -> list[Package]:
    """Those of a package-lock.json, which npm takes licences into."""
    lock = json.loads((folder / "package-lock.json").read_text("utf-8"))
    found = []
    for where, told in lock["packages"].items():
        if where:
            words = (told["license"],) if told.get("license") else ()
            texts = tuple(
                one for one in (folder / where).glob("*") if TEXTS.match(one.name) and one.is_file()
            )
            name = where.rpartition("node_modules/")[2]
            found.append(Package(f"{folder.name}/package-lock.json", f"npm:{name}", words, texts))
    return found


def installed_here() -> list[Path]:
    return [found for pattern in SITES for found in sorted(TOP.glob(pattern))]


def judged(package: Package) -> Judged:
    """By its own words where they name a licence, else by the table."""
    entry = entries("told").get(package.name)
    elsewhere = entries("elsewhere").get(package.name)
    own = own_licence(package.words or ())
    if package.words is None:
        if elsewhere is None:
            return Judged(package, "", against="is not installed here, so nothing tells its licence")
        licence, from_table = elsewhere["licence"], True
    elif own:
        licence, from_table = own, False
    elif entry and tuple(entry["words"]) == package.words:
        licence, from_table = entry["licence"], True
    elif elsewhere and tuple(elsewhere.get("words", ())) == package.words:
        licence, from_table = elsewhere["licence"], True
    else:
        said = "; ".join(package.words) or "nothing"
        return Judged(package, "", against=f"no licence is known by what it says: {said}")
    return Judged(package, licence, from_table, refusal(package, licence))


def own_licence(words: tuple[str, ...]) -> str:
    """All that it says, joined by AND; "" where a word names no licence. A vague one adds nothing."""
    exact = []
    for word in words:
        if word in table()["vague"]:
            continue
        named = table()["words"].get(word, word)
        if not is_spdx(named):
            return ""
        exact.append(named)
    joined = " AND ".join(f"({one})" for one in dict.fromkeys(exact))
    return str(spdx().parse(joined)) if exact else ""


def refusal(package: Package, licence: str) -> str:
    """Why it may not be used, "" where it may."""
    program = entries("program").get(package.name)
    by_program = program is not None and package.lock in program["locks"] and licence == program["licence"]
    if not by_program and not is_allowed(licence):
        return f"{licence} is not allowed"
    for text in package.texts:
        content = text.read_text("utf-8", errors="replace")
        for pattern in table()["never_in_a_text"]:
            if hit := re.search(pattern, content, re.MULTILINE):
                return f"its {text.name} has the words “{hit.group().strip()}”"
    return ""


def is_allowed(licence: str) -> bool:
    """OR: one of them is; AND: all are; WITH: the pair is."""
    parts = spdx()

    def holds(tree: Any) -> bool:
        if isinstance(tree, parts.OR):
            return any(map(holds, tree.args))
        if isinstance(tree, parts.AND):
            return all(map(holds, tree.args))
        return str(tree) in table()["allowed"]

    return is_spdx(licence) and holds(parts.parse(licence))


def is_spdx(licence: str) -> bool:
    try:
        return spdx().parse(licence, validate=True, strict=True) is not None
    except ExpressionError:
        return False


def unused_entries(judgements: list[Judged]) -> list[str]:
    """An entry that no package needs would wait for the next one of that name."""
    names = {one.package.name for one in judgements}
    there = [(kind, name) for kind in ("told", "elsewhere", "program") for name in entries(kind)]
    gone = [f"{TABLE.name}: {kind}: no lock file has {name}" for kind, name in there if name not in names]
    needed = {one.package.name for one in judgements if one.from_table or one.against}
    kept = (name for name in entries("told") if name in names - needed)
    return gone + [
        f"{TABLE.name}: told: {name} names its licence itself: this entry has to go" for name in kept
    ]


@cache
def entries(kind: str) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in table()[kind]}


@cache
def table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text("utf-8"))


@cache
def spdx() -> Licensing:
    return get_spdx_licensing()


if __name__ == "__main__":
    main()
