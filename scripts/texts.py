"""Keeps the catalogs of the pages' languages: `python -m scripts.texts` (or `make texts`) looks through
templates, scripts and code for what people read, and brings every catalog up to it."""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from liqpass.exchange.errors import MEANINGS
from liqpass.gathering.troubles import Trouble
from liqpass.reconcile.checks import NEXT_STEPS
from liqpass.reconcile.rules import INVARIANTS
from liqpass.treasury.suspense import WAIT_FOR_FINAL, WAIT_FOR_WORKER
from liqpass.vault.api_accounts import ASKED_AGAIN, GIVE_AGAIN
from liqpass.vault.exchange_trouble import ABOUT_THE_KEY

WEB = Path(__file__).parents[1] / "src" / "liqpass" / "web"
SOURCES = [
    ("**.py", "python"),
    ("templates/**.html", "jinja2.ext:babel_extract"),
]
# as rendering.py sets them: else a text's English would not be the one that is looked up
OPTIONS = {"templates/**.html": {"trimmed": "true", "trim_blocks": "true", "lstrip_blocks": "true"}}
KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
# Babel's own reader of scripts passes over a text among the values of another.
SAID_BY_SCRIPT = re.compile(r'(?<![\w.])_\(\s*("(?:[^"\\]|\\.)*")')
# What pages pass on from further inside, where no word is marked: by the file that has it.
PASSED_ON: dict[str, Iterable[str]] = {
    "../gathering/troubles.py": list(Trouble),
    "../exchange/errors.py": [it.message_for_user for it in MEANINGS.values() if it.kind in ABOUT_THE_KEY],
    "../reconcile/checks.py": NEXT_STEPS.values(),
    "../reconcile/rules.py": [invariant.broken for invariant in INVARIANTS],
    "../treasury/suspense.py": [WAIT_FOR_FINAL, WAIT_FOR_WORKER],
    "../vault/api_accounts.py": [GIVE_AGAIN, ASKED_AGAIN],
}


def extracted() -> Catalog:
    """Everything that the pages say, in English."""
    found = Catalog(project="LiqPass")
    for name, _, message, comments, context in extract_from_dir(
        WEB, SOURCES, OPTIONS, keywords=KEYWORDS, comment_tags=("i18n:",), strip_comment_tags=True
    ):
        found.add(message, None, [(name, 1)], auto_comments=comments, context=context)
    for script in sorted((WEB / "static").glob("*.js")):
        for text in SAID_BY_SCRIPT.findall(script.read_text()):
            found.add(json.loads(text), None, [(f"static/{script.name}", 1)])
    for name, texts in PASSED_ON.items():
        for text in texts:
            found.add(text, None, [(name, 1)])
    return found


def catalogs() -> Iterator[tuple[Path, Catalog]]:
    """Each language's catalog and its file."""
    for path in sorted((WEB / "locale").glob("*.po")):
        with path.open("rb") as file:
            yield path, read_po(file, locale=path.stem)


def main() -> None:
    """Bring the catalogs up to the sources; say what is left to translate, and exit with 1 if anything is."""
    said = extracted()
    missing = 0
    for path, catalog in catalogs():
        catalog.update(said, no_fuzzy_matching=True, update_creation_date=False)
        catalog.obsolete.clear()
        catalog.header_comment = ""
        with path.open("wb") as file:
            write_po(file, catalog, width=110, sort_output=True, include_lineno=False, omit_header=False)
        left = [message.id for message in catalog if message.id and not message.string]
        missing += len(left)
        print(f"{path.name}: {len(catalog)} texts, {len(left)} to translate")
        for text in left:
            print(f"  {text}")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
