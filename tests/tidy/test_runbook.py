"""The runbook has a place for everything that can alarm somebody, and types nothing that does not exist."""

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from liqpass.__main__ import cli
from liqpass.claims.states import ClaimStatus
from liqpass.reconcile.book_checks import DELAYS
from liqpass.reconcile.checks import BreakType
from liqpass.reconcile.rules import INVARIANTS
from liqpass.watching.alarms import _WAITS

TOP = Path(__file__).parents[2]
RUNBOOK = (TOP / "docs/runbook.md").read_text("utf-8")
HEADINGS = re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
ALERTS = yaml.safe_load((TOP / "deploy/prometheus/liqpass-alerts.yml").read_text("utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def section(title: str) -> str:
    """What stands below this heading, up to the next of its level."""
    return RUNBOOK.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_column(title: str) -> list[str]:
    """The names in code in the first column of a section's tables."""
    rows = [line.split("|")[1] for line in section(title).splitlines() if line.startswith("| ")]
    return [name for cell in rows for name in re.findall(r"`([^`]+)`", cell)]


def test_each_alert_leads_to_its_place() -> None:
    anchors = {anchor(heading) for heading in HEADINGS}
    wanted = {rule["alert"]: f"docs/runbook.md#{rule['alert'].lower()}" for rule in RULES}
    assert {rule["alert"]: rule["annotations"]["runbook_url"] for rule in RULES} == wanted
    assert {url.partition("#")[2] for url in wanted.values()} <= anchors
    assert {heading for heading in HEADINGS if heading.startswith("LiqPass")} == wanted.keys()


def test_each_alert_says_as_much_there_as_its_severity() -> None:
    for rule in RULES:
        text = RUNBOOK.partition(f"\n### {rule['alert']}\n\n")[2]
        assert text.startswith(f"**{rule['labels']['severity'].capitalize()}"), rule["alert"]


def test_every_link_inside_leads_to_a_heading() -> None:
    pages = {"": RUNBOOK, "running.md": (TOP / "docs/running.md").read_text("utf-8")}
    for page, target in re.findall(r"\]\(((?:running\.md)?)#([^)]+)\)", RUNBOOK):
        headings = re.findall(r"^#+ (.+)$", pages[page], re.MULTILINE)
        assert target in {anchor(heading) for heading in headings}, target


def test_each_kind_of_break_has_a_place() -> None:
    assert set(re.findall(r"^### (\w+)$", section("Breaks of reconciliation"), re.MULTILINE)) == set(
        BreakType
    )


def test_each_state_of_a_claim_has_a_place() -> None:
    assert set(re.findall(r"^### (\w+)$", section("Claims"), re.MULTILINE)) == set(ClaimStatus)


def test_each_rule_of_the_books_has_a_row() -> None:
    assert first_column("Rules of the books")[: len(INVARIANTS)][0] == INVARIANTS[0].name
    names = {invariant.name for invariant in INVARIANTS}
    assert {name for name in first_column("Rules of the books") if "_" in name} == names


def product() -> list[ast.Module]:
    sources = sorted((TOP / "src/liqpass").rglob("*.py"))
    return [ast.parse(path.read_text("utf-8")) for path in sources if "sandbox" not in path.parts]


def test_each_event_that_is_logged_as_wrong_has_a_row() -> None:
    logged = {
        str(node.args[0].value)
        for module in product()
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"log.warning", "log.error", "log.exception"}
        and isinstance(node.args[0], ast.Constant)
    }
    assert len(logged) > 20
    assert set(first_column("Words in the log")) == logged


def test_each_line_of_check_has_a_row() -> None:
    """`node` and `exchange` have what they are of behind them."""
    module = ast.parse((TOP / "src/liqpass/check.py").read_text("utf-8"))
    names = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Finding":
            names.add(ast.unparse(node.args[0]))
    literal = {name.strip("'") for name in names if name.startswith("'")}
    others = names - {f"'{name}'" for name in literal}
    assert others == {"name", "f'exchange {region}'"}  # name: f"node {node.name}"
    rows = [
        line.split("|")[1].strip(" `")
        for line in section("Lines of `liqpass check`").splitlines()[2:]
        if line.startswith("| ")
    ]
    assert set(filter(None, rows)) - {"line"} == literal | {"node", "exchange"}


def test_each_check_of_readyz_has_a_row() -> None:
    module = ast.parse((TOP / "src/liqpass/health.py").read_text("utf-8"))
    names = {
        target.slice.value
        for node in ast.walk(module)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Subscript)
        and ast.unparse(target.value) == "checks"
        and isinstance(target.slice, ast.Constant)
    }
    rows = first_column("Checks and remarks of `/readyz`")
    assert {"database", "migrations", "watcher", "books", "sale"} == names | {"books"} == set(rows)


TYPED = re.findall(r"```sh\n(.*?)```", RUNBOOK, re.DOTALL)
FENCED = [line for block in TYPED for line in block.splitlines() if line.startswith("liqpass ")]
INLINE = [words.replace("\n", " ") for words in re.findall(r"`(liqpass [^`]+)`", RUNBOOK)]


def walked(words: list[str]) -> tuple[Any, list[str]]:
    """The command that is named, and what is typed behind its name. Typer brings a click of its own."""
    command: Any = typer.main.get_command(cli)
    rest = words[1:]
    while rest and hasattr(command, "get_command"):
        found = command.get_command(command.context_class(command), rest[0])
        if found is None:
            break
        command, rest = found, rest[1:]
    return command, rest


def understood(line: str) -> None:
    """Raises what Typer says of a line that it does not take."""
    command, rest = walked(shlex.split(line))
    context = command.make_context(command.name, rest)
    assert not hasattr(command, "get_command") or command.invoke_without_command, line
    assert context.args == [], line


@pytest.mark.parametrize("line", FENCED)
def test_what_is_to_be_typed_is_understood(line: str) -> None:
    understood(line)


@pytest.mark.parametrize(
    "line",
    [
        "liqpass chek",
        "liqpass pool stop up --by A --reason b",
        "liqpass check --book",
        "liqpass suspense batch",
    ],
)
def test_a_line_that_is_wrong_would_be_told(line: str) -> None:
    with pytest.raises(Exception, match=r".") as told:
        understood(line)
    assert {"UsageError", "AssertionError"} & {kind.__name__ for kind in type(told.value).__mro__}


def test_what_is_named_in_a_sentence_exists() -> None:
    assert len(INLINE) > 20
    for words in INLINE:
        command, rest = walked(words.split())
        known = {name for one in command.params for name in one.opts}
        assert {word for word in rest if word.startswith("--")} <= known, words
        assert not hasattr(command, "get_command") or command.invoke_without_command, words
        assert rest == [] or rest[0].startswith("--") or rest[0].isupper(), words


def test_each_remark_that_is_quoted_is_one_that_the_product_makes() -> None:
    """The pieces between the dots stand in its texts; and those that are of a list are all there."""
    sources = (
        "health reconcile/book_checks reconcile/rules_of_chain watching/alarms exposure/told market/standing"
    )
    texts = [ast.parse((TOP / f"src/liqpass/{name}.py").read_text("utf-8")) for name in sources.split()]
    texts.append(ast.parse((TOP / "src/liqpass/chain/heads.py").read_text("utf-8")))
    said = [
        str(node.value)
        for module in texts
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    quoted = re.findall(r'^\| "(.+)" \|', section("Checks and remarks of `/readyz`"), re.MULTILINE)
    assert len(quoted) > 12
    for remark in quoted:
        pieces = [piece.strip(' ,:."') for piece in remark.split("…")]
        for piece in filter(None, pieces):
            assert any(piece in text for text in said), piece
    assert {f"{name}: …" for name in DELAYS} <= set(quoted)
    rows = section("Checks and remarks of `/readyz`")
    assert all(f"[{status}](#{status.lower()}) |" in rows for status in _WAITS)


def test_nothing_is_typed_twice_in_the_manual() -> None:
    running = (TOP / "docs/running.md").read_text("utf-8").partition("## On a bad day")[2]
    assert len(running.splitlines()) < 12
