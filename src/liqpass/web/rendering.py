"""From a template and what it shows to a page."""

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal

from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_decimal
from litestar import MediaType, Response
from litestar.datastructures import Cookie
from markupsafe import Markup

from liqpass.hexes import checksum
from liqpass.money import MICRO, usd
from liqpass.web import claim_words
from liqpass.web.assets import assets
from liqpass.web.texts import Language, languages
from liqpass.web.viewing import Viewer
from liqpass.web.words import (
    MARK_OF_PHASE,
    SAID_OF_ACTOR,
    SAID_OF_PHASE,
    SAID_OF_REASON,
    SAID_OF_RIGHT,
    SAID_OF_STAGE,
    SAID_OF_STATUS,
)

if TYPE_CHECKING:
    from jinja2 import Environment

# No script, style or picture from another host, nothing inline; wallets bring their icons as data.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# A unit, its seconds, and from how many on it is used.
UNITS: tuple[tuple[Literal["day", "hour", "minute", "second"], int, int], ...] = (
    ("day", 86_400, 172_800),
    ("hour", 3_600, 3_600),
    ("minute", 60, 60),
    ("second", 1, 0),
)
# Digits: of an exchange's 40 before the point, exponents of 99, the pattern's six after it, and room.
LONGEST_NUMBER = 200
HEADERS = {"content-security-policy": CONTENT_SECURITY_POLICY, "vary": "accept-language, cookie"}


@cache
def templates(tag: str) -> "Environment":
    """The templates in a language."""
    # 9 ms until `serve` answers, and 2 MB where nobody asks for a page
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    language = languages()[tag]
    env = Environment(
        loader=PackageLoader("liqpass.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    env.policies["ext.i18n.trimmed"] = True
    env.install_gettext_translations(language.translations, newstyle=True)  # type: ignore[attr-defined]
    # `translated`, unlike _(), takes a text that may have come from outside: it is escaped, and a % is a %.
    env.filters |= {
        "usdc": partial(usdc, language),
        "moment": partial(moment, language),
        "utc": partial(utc, language),
        "span": partial(span, language),
        "number": partial(number, language),
        "percent": partial(percent, language),
        "short": short,
        "short_order": short_order,
        "eip55": checksum,
        "plain": usd,
        "millis": millis,
        "translated": language.translations.gettext,
    }
    env.globals |= {
        "static": assets().url,
        "languages": languages(),
        "said_of_status": SAID_OF_STATUS,
        "said_of_phase": SAID_OF_PHASE,
        "mark_of_phase": MARK_OF_PHASE,
        "said_of_reason": SAID_OF_REASON,
        "said_of_right": SAID_OF_RIGHT,
        "said_of_actor": SAID_OF_ACTOR,
        "said_of_stage": SAID_OF_STAGE,
        "said_of_claim": claim_words.SAID_OF_CLAIM,
        "mark_of_claim": claim_words.MARK_OF_CLAIM,
        "said_of_outcome": claim_words.SAID_OF_OUTCOME,
        "said_of_claim_reason": claim_words.SAID_OF_REASON,
        "said_of_missing": claim_words.SAID_OF_MISSING,
        "said_of_opener": claim_words.SAID_OF_OPENER,
    }
    return env


def page(viewer: Viewer, name: str, status: int = 200, **shown: Any) -> Response[str]:
    """A template as a response; it also knows `viewer`."""
    text = templates(viewer.language.tag).get_template(name).render(viewer=viewer, **shown)
    headers = {**HEADERS, "content-language": viewer.language.tag}
    return Response(text, status_code=status, media_type=MediaType.HTML, headers=headers)


def preference(name: str, value: str, *, secure: bool) -> Cookie:
    """A choice of the reader's that outlives the session: language or theme ("" forgets it)."""
    lives = timedelta(days=365) if value else timedelta()
    return Cookie(
        name, value=value, path="/", max_age=int(lives.total_seconds()), secure=secure, samesite="lax",
        httponly=True,
    )  # fmt: skip


def usdc(language: Language, micro: int | str) -> str:
    """Micro-USDC as USDC with at least two decimals: 1,234.50."""
    return format_decimal(Decimal(int(micro)) / MICRO, "#,##0.00####", locale=language.locale)


def number(language: Language, value: int | Decimal) -> str:
    """A number with the language's separators; a small price keeps seven digits that say something."""
    pattern = "#,##0.######" if not value or abs(Decimal(value)) >= 1 else "@######"
    with localcontext(prec=LONGEST_NUMBER):
        return format_decimal(value, pattern, locale=language.locale)


def percent(language: Language, ppm: int) -> str:
    """Millionths as a percentage, with two decimals below five percent, else one; as texts.js says it."""
    pattern = "#,##0.##%" if ppm < 50_000 else "#,##0.#%"
    return format_decimal(Decimal(ppm) / 1_000_000, pattern, locale=language.locale)


def moment(language: Language, at: datetime) -> Markup:
    """A time in UTC, marked up so that the browser can say it in its reader's own zone (page.js)."""
    iso = at.astimezone(UTC).isoformat(timespec="seconds")
    return Markup('<time datetime="{}">{}</time>').format(iso, utc(language, at))


def utc(language: Language, at: datetime) -> str:
    """A time in UTC that stays so: for what is printed and sent to others."""
    return format_datetime(at, "yyyy-MM-dd HH:mm:ss 'UTC'", tzinfo=UTC, locale=language.locale)


def millis(at: datetime | int) -> str:
    """A time in UTC to the millisecond, as what is compared is written; also from milliseconds since 1970."""
    if isinstance(at, int):
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(' ', 'milliseconds')} UTC"


def span(language: Language, seconds: float) -> str:
    """A length of time in its largest unit, as texts.js says it: 24 hours, 30 days."""
    unit, length = next(((unit, length) for unit, length, least in UNITS if seconds >= least), UNITS[-1][:2])
    # not format_unit: Babel's data has no long form of Chinese units, and it would say "8 duration-hour"
    whole = timedelta(seconds=round(seconds / length) * length)
    said = format_timedelta(whole, granularity=unit, threshold=math.inf, locale=language.locale)
    return re.sub(r"(?<=\d)(?=[\u4e00-\u9fff])", " ", said)  # Chinese texts set numbers apart


def short(text: str) -> str:
    """An address or a hash by its ends: 0x1234…abcd."""
    return f"{text[:6]}…{text[-4:]}" if len(text) > 14 else text


def short_order(order_id: str) -> str:
    """An order's id by its end: those of one time begin alike (`ids.order_id`)."""
    return f"{order_id[:4]}…{order_id[-8:]}"
