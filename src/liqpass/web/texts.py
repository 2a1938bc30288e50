"""What people read. English stands where it is used, in templates, scripts and code; other languages are
gettext catalogs (locale/*.po), read as they are when the server starts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from io import BytesIO

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

ENGLISH = "en"
CHINESE = "zh-Hans"
COOKIE = "liqpass_lang"
_WEIGHTED = re.compile(r"\s*([A-Za-z*-]{1,35})\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?))?\s*")


@dataclass(frozen=True)
class Language:
    """A language that the pages speak. `for_scripts`: what its scripts say, by the English text."""

    tag: str
    own_name: str
    locale: Locale
    translations: NullTranslations
    for_scripts: Mapping[str, str]


@cache
def languages() -> Mapping[str, Language]:
    """All of them by their tag (BCP 47), English first."""
    found = [
        Language(ENGLISH, "English", Locale("en"), NullTranslations(), {}),
        _translated(CHINESE, "简体中文", "zh_Hans"),
    ]
    return {language.tag: language for language in found}


def preferred(accept_language: str, chosen: str | None) -> Language:
    """What somebody chose, else what their browser asks for first (RFC 9110, 12.5.4), else English.

    Every kind of Chinese gets the one that there is.
    """
    known = languages()
    if chosen is not None and chosen in known:
        return known[chosen]
    wanted = []
    for part in accept_language[:500].split(","):
        if (found := _WEIGHTED.fullmatch(part)) and float(found[2] or 1) > 0:
            wanted.append((-float(found[2] or 1), found[1].lower()))
    for _, tag in sorted(wanted, key=lambda pair: pair[0]):
        primary = tag.partition("-")[0]
        if primary in ("en", "zh"):
            return known[CHINESE if primary == "zh" else ENGLISH]
    return known[ENGLISH]


def catalog(name: str) -> Catalog:
    """The catalog of a locale, as Babel names it (zh_Hans)."""
    path = resources.files("liqpass.web") / "locale" / f"{name}.po"
    with path.open("rb") as file:
        return read_po(file, locale=name)


def _translated(tag: str, own_name: str, name: str) -> Language:
    messages = catalog(name)
    compiled = BytesIO()
    write_mo(compiled, messages)
    compiled.seek(0)
    for_scripts = {
        str(message.id): str(message.string)
        for message in messages
        if message.id and message.string and any(place.endswith(".js") for place, _ in message.locations)
    }
    return Language(tag, own_name, Locale.parse(name), Translations(compiled), for_scripts)
