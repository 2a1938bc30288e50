"""Rules of the tree that no linter knows."""

import ast
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
LINES_PER_FILE = 400
LINES_PER_FUNCTION = 60
# written in two pieces, so that this file does not hold what it looks for
REGISTRY_HOSTS = [
    "pypi" + ".org",
    "python" + "hosted",
    "npm" + "js",
    "yarn" + "pkg",
    "deb." + "debian",
    "security." + "debian",
]
MACHINE_PATHS = re.compile(r"/wo" + r"rk/|/ro" + r"ot/|/home/(?!ada\b)|/tmp" + r"/[A-Za-z0-9_]|/Users/|/opt/")
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
KINDS = {"utils", "helpers", "common", "misc", "base", "manager", "managers", "service", "services"}


@cache
def tracked() -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, text=True, check=True)
    return [TOP / name for name in names.stdout.split("\0") if name and (TOP / name).is_file()]


def texts() -> dict[str, str]:
    """Path and content of every tracked file that is text."""
    found = {}
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            found[str(path.relative_to(TOP))] = content.decode("utf-8")
    return found


def modules() -> dict[str, ast.Module]:
    return {name: ast.parse(text) for name, text in texts().items() if name.endswith(".py")}


def hits(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_holds_the_address_of_a_package_registry() -> None:
    assert hits(re.compile("|".join(re.escape(host) for host in REGISTRY_HOSTS))) == []


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    this = str(Path(__file__).resolve().relative_to(TOP))
    assert [hit for hit in hits(MACHINE_PATHS) if not hit.startswith(this)] == []


def test_nothing_is_marked_as_unfinished() -> None:
    assert hits(UNFINISHED) == []


@pytest.mark.parametrize("suffix", [".py", ".sol", ".mjs", ".sql", ".css", ".js"])
def test_no_source_file_is_longer_than_a_reader_bears(suffix: str) -> None:
    long = {name: len(text.splitlines()) for name, text in texts().items() if name.endswith(suffix)}
    allowed = {"src/liqpass/schema.sql"} | {name for name in long if "/migrations/" in name}
    assert {
        name: lines for name, lines in long.items() if lines > LINES_PER_FILE and name not in allowed
    } == {}


def test_the_manual_knows_how_many_connections_a_worker_takes() -> None:
    tasks = len(re.findall(r"^        Task\(\d+,", texts()["src/liqpass/worker.py"], re.MULTILINE))
    assert f"each of its {tasks} tasks" in texts()["docs/running.md"]


def test_every_function_fits_on_a_screen() -> None:
    long = [
        f"{name}:{node.lineno} {node.name}"
        for name, module in modules().items()
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= LINES_PER_FUNCTION
    ]
    assert long == []


def test_no_test_is_skipped_or_expected_to_fail_without_a_reason() -> None:
    silent = []
    for name, module in modules().items():
        nodes = list(ast.walk(module))
        told = {id(node.func) for node in nodes if isinstance(node, ast.Call) and gives_reason(node)}
        silent += [
            f"{name}:{node.lineno}"
            for node in nodes
            if isinstance(node, ast.Attribute)
            and ast.unparse(node).startswith("pytest.")
            and node.attr in {"skip", "skipif", "xfail"}
            and id(node) not in told
        ]
    assert silent == []


def gives_reason(call: ast.Call) -> bool:
    """`reason=…`, or the sentence itself as in `pytest.skip("…")`."""
    words = [it.value for it in call.args if isinstance(it, ast.Constant) and isinstance(it.value, str)]
    return bool(words) or "reason" in {it.arg for it in call.keywords}


def test_no_module_is_named_by_its_kind() -> None:
    sources = [path for path in tracked() if path.suffix == ".py"]
    assert [str(path.relative_to(TOP)) for path in sources if KINDS & {path.stem, path.parent.name}] == []


def test_every_module_of_the_product_says_what_it_is_for() -> None:
    product = {name: module for name, module in modules().items() if name.startswith("src/")}
    assert [name for name, module in product.items() if module.body and not ast.get_docstring(module)] == []


def test_every_slice_is_named_in_the_import_contracts() -> None:
    contracts = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert any(it["type"] == "layers" and it["exhaustive"] for it in contracts)
    protected = {name for it in contracts for name in it.get("protected_modules", [])}
    queries = {f"liqpass.{path.parent.name}.sql" for path in tracked() if path.match("src/liqpass/*/sql.py")}
    assert queries <= protected
    assert "liqpass.*.routes" in protected


def test_the_lock_files_agree_and_every_package_has_a_hash() -> None:
    runtime, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    assert runtime.items() <= dev.items()
    wanted = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=]", it)[0] for it in wanted["dependencies"]}
    assert names <= runtime.keys()
    assert {re.split(r"[<>=]", it)[0] for it in wanted["optional-dependencies"]["dev"]} <= dev.keys()
    assert all(pins(path.name) for path in TOP.glob("requirements*.lock"))


def test_other_peoples_clients_are_programs_and_no_import_of_ours() -> None:
    """Their pins are not ours, and one is LGPL: docs/decisions/0017."""
    clients = {"ccxt": "with_ccxt.py", "nautilus_trader": "with_nautilus.py"}
    importing = {
        (client, name)
        for name, module in modules().items()
        for node in ast.walk(module)
        for client in clients
        if client in imported(node)
    }
    assert importing == {(client, f"tests/conformance/{program}") for client, program in clients.items()}


def imported(node: ast.AST) -> set[str]:
    """The packages that an import statement names."""
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    return {(node.module or "").split(".")[0]} if isinstance(node, ast.ImportFrom) else set()


def pins(name: str) -> dict[str, str]:
    entries = re.split(r"\n(?=\S)", (TOP / name).read_text().strip())
    assert all("--hash=sha256:" in entry for entry in entries)
    return dict(entry.split()[0].split("==") for entry in entries)


def test_every_link_from_one_page_to_another_leads_somewhere() -> None:
    """And no page is published with a place still to be filled in."""
    pages = {name: text for name, text in texts().items() if name.endswith(".md")}
    dead = [
        f"{name}: {target}"
        for name, text in pages.items()
        for target in re.findall(r"\]\(([^)#:]+)\)", text)
        if not ((TOP / name).parent / target).exists()
    ]
    assert dead == []
    assert [name for name, text in pages.items() if "@" + "@" in text] == []
