"""What LiqPass and its guides tell people to type under their name is all that has to be typed."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.tidy.test_runbook import understood

TOP = Path(__file__).parents[2]
SIGNED = re.compile(r"liqpass (?:[\w{}.-]+ )+--by NAME(?: --[a-z]+ (?:[A-Z]+\b|'[^']+'))*")


def told() -> set[tuple[str, str]]:
    """Where such a line stands, and the line. What is filled in when it is shown stands for a direction."""
    names = ["docs/*.md", "deploy/**", "README.md", "src/liqpass/**.py"]
    listed = subprocess.run(
        ["git", "ls-files", "--", *names], cwd=TOP, capture_output=True, text=True, check=True
    )
    return {
        (name, re.sub(r"{[\w.]+}", "long", line))
        for name in listed.stdout.splitlines()
        for line in SIGNED.findall((TOP / name).read_text("utf-8"))
    }


@pytest.mark.parametrize(("name", "line"), sorted(told()))
def test_a_line_with_a_name_is_taken_as_it_stands(name: str, line: str) -> None:
    understood(line)


def test_they_were_found_wherever_they_stand() -> None:
    found = {name for name, _ in told()}
    assert {"README.md", "docs/backups.md", "docs/runbook.md"} <= found
    assert {"src/liqpass/commands/backup.py", "src/liqpass/exposure/told.py"} <= found
