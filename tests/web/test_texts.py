"""What people read is there in every language, whole, and in the language that they ask for."""

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from jinja2 import nodes

from liqpass.problems import STATUS_BY_CODE
from liqpass.web.assets import assets
from liqpass.web.rendering import templates
from liqpass.web.texts import languages, preferred
from scripts.texts import SAID_BY_SCRIPT, WEB, catalogs, extracted

# Placeholders, percent signs, tags and what is typed into a terminal.
FIXED = re.compile(r"%\(\w+\)s|%%|%|</?\w+>|`[^`]*`")
NAMES = re.compile(r"LiqPass|USDC|OKX|SHA-256")
SPOKEN = {"alt", "aria-label", "data-name", "placeholder", "title"}
LETTER = re.compile(r"[^\W\d_]")
CHINESE = "[\u4e00-\u9fff]"
BADLY_SET = re.compile(f"{CHINESE}[,.;:!?()]|[,;:!?()]{CHINESE}|{CHINESE}[A-Za-z0-9]|[A-Za-z0-9]{CHINESE}")

OF_CATALOGS = pytest.mark.parametrize("catalog", [pytest.param(it, id=path.stem) for path, it in catalogs()])


@OF_CATALOGS
def test_every_text_is_in_every_catalog_and_none_that_nobody_says(catalog: Catalog) -> None:
    said = {message.id for message in extracted() if message.id}
    assert said - {message.id for message in catalog} == set(), "python -m scripts.texts puts them in"
    assert {message.id for message in catalog if message.id} - said == set()
    assert catalog.obsolete == {}


@OF_CATALOGS
def test_every_text_is_translated_for_sure(catalog: Catalog) -> None:
    assert [message.id for message in catalog if message.id and not message.string] == []
    assert [message.id for message in catalog if message.id and message.fuzzy] == []


@OF_CATALOGS
def test_a_translation_keeps_placeholders_tags_and_commands(catalog: Catalog) -> None:
    changed = {
        message.id: message.string
        for message in catalog
        if message.string and fixed(str(message.id)) != fixed(str(message.string))
    }
    assert changed == {}


def fixed(text: str) -> Counter[str]:
    return Counter(FIXED.findall(text))


def test_chinese_has_its_own_punctuation_and_space_around_other_letters() -> None:
    (chinese,) = [catalog for path, catalog in catalogs() if path.stem == "zh_Hans"]
    texts = [str(message.string) for message in chinese if message.id]
    assert [text for text in texts if BADLY_SET.search(FIXED.sub("", text))] == []


def test_the_texts_of_scripts_reach_the_browser() -> None:
    for tag in set(languages()) - {"en"}:
        name = f"words.{tag}.js"
        words = json.loads(assets().files[name].body.removeprefix(b"globalThis.liqpassWords = "))
        for script in (WEB / "static").glob("*.js"):
            texts = [json.loads(text) for text in SAID_BY_SCRIPT.findall(script.read_text())]
            assert [text for text in texts if not words.get(text)] == [], script.name
        assert len(words) > 100


def test_scripts_say_only_texts_that_can_be_found() -> None:
    for script in (WEB / "static").glob("*.js"):
        source = script.read_text().replace("export function _(", "")
        calls = re.findall(r"(?<![\w.])_\(", source)
        assert len(calls) == len(SAID_BY_SCRIPT.findall(source)), f'{script.name}: _("…") takes a plain text'


def test_every_refusal_has_words_of_its_own() -> None:
    """RUN_NOT_FOUND: no page asks for a run."""
    by_code = (WEB / "static" / "refusals.js").read_text().partition("export const BY_CODE = {")[2]
    said = set(re.findall(r"(?m)^  ([A-Z_]+):", by_code))
    assert said == set(STATUS_BY_CODE) - {"RUN_NOT_FOUND"} | {"OFFLINE"}


@pytest.mark.parametrize(
    ("header", "cookie", "tag"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", None, "zh-Hans"),
        ("zh-TW", None, "zh-Hans"),
        ("zh-Hant-HK", None, "zh-Hans"),
        ("ZH", None, "zh-Hans"),
        ("en-US,en;q=0.9,zh;q=0.8", None, "en"),
        ("zh;q=0.5,en", None, "en"),
        ("en;q=0.5, zh ; q=0.6", None, "zh-Hans"),
        ("zh;q=0,en;q=0.1", None, "en"),
        ("zh;q=0", None, "en"),
        ("fr", None, "en"),
        ("fr-FR,fr;q=0.9,zh;q=0.3", None, "zh-Hans"),
        ("*", None, "en"),
        ("", None, "en"),
        (";;,q=1,zh;q=2,=,\0", None, "en"),
        ("zh" * 10_000, None, "en"),
        ("," * 10_000 + "zh", None, "en"),
        ("en", "zh-Hans", "zh-Hans"),
        ("zh-CN", "en", "en"),
        ("zh-CN", "xx", "zh-Hans"),
        ("zh-CN", "", "zh-Hans"),
    ],
)
def test_the_language_is_what_somebody_chose_or_what_the_browser_asks_for(
    header: str, cookie: str | None, tag: str
) -> None:
    assert preferred(header, cookie).tag == tag


class Words(HTMLParser):
    """What somebody reads or hears of a page; scripts and styles are not read."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.unread = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.unread = tag in ("script", "style")
        self.found += [value for name, value in attrs if name in SPOKEN and value]

    def handle_endtag(self, tag: str) -> None:
        self.unread = False

    def handle_data(self, data: str) -> None:
        if not self.unread:
            self.found.append(data)


def unmarked(source: str) -> list[str]:
    """The words of a template that stand outside of {% trans %} and {{ _(…) }}."""
    data = templates("en").parse(source).find_all(nodes.TemplateData)
    words = Words()
    words.feed("".join(part.data for part in data))
    words.close()
    return [text.strip() for text in words.found if LETTER.search(NAMES.sub("", text))]


@pytest.mark.parametrize("template", sorted((WEB / "templates").glob("*.html")), ids=lambda path: path.stem)
def test_every_word_of_a_template_is_marked(template: Path) -> None:
    assert unmarked(template.read_text()) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>Hello</p>", ["Hello"]),
        ("{% if x %}<b>{{ x }} hours</b>{% endif %}", ["hours"]),
        ('<img alt="A chart">', ["A chart"]),
        ("<p>{% trans %}Hello{% endtrans %}: {{ _('you') }}, 1,5 USDC</p>", []),
        ('<p class="note" aria-label="{{ _(\'Note\') }}">…</p><script>const x = "Hello"</script>', []),
    ],
)
def test_a_new_word_without_a_mark_is_found(source: str, found: list[str]) -> None:
    assert unmarked(source) == found
