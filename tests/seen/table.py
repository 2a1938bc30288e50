"""docs/who-may-see-what.md, whose tables say what each call answers to whom."""

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/who-may-see-what.md"
FOR_ALL, OWN, OPERATORS = "For everybody", "What a trader sees of their own", "For operators alone"
WHO = ("nobody", "owner", "other", "operator", "over", "foreign", "method")

_ROW = re.compile(r"\| `([A-Z]+ /[^`]*)` \|(.*)\|")


@dataclass(frozen=True)
class Row:
    """A call, the heading that it stands under, and the status that it gives to each of WHO."""

    call: str
    heading: str
    cells: tuple[str, ...]

    def line(self) -> str:
        """As it stands on the page."""
        return f"| `{self.call}` | {' | '.join(self.cells)} |"

    def of(self, who: str) -> str:
        """What they get."""
        return self.cells[WHO.index(who)]


def told(text: str) -> list[Row]:
    """The page's rows, in its order."""
    rows, heading = list[Row](), ""
    for line in text.splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif found := _ROW.fullmatch(line):
            cells = tuple(cell.strip() for cell in found[2].split("|"))
            assert len(cells) == len(WHO), line
            rows.append(Row(found[1], heading, cells))
    return rows
