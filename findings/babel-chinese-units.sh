#!/usr/bin/env bash
# Babel 2.18.0.
#
# format_unit in Chinese has short words for lengths of time, but neither long nor narrow ones, and falls back to the
# name of the unit in the data: 8 hours are "8 duration-hour". "long" is what it takes unless told. Japanese, Korean
# and Vietnamese have no long ones either. format_timedelta knows the words.
#
# Bites: no error, no warning, and English and German are right: it is seen by readers of the translated page alone.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -qq --disable-pip-version-check install babel==2.18.0
"$work/venv/bin/python" - << 'PY'
from datetime import timedelta

from babel.dates import format_timedelta
from babel.units import format_unit

for locale, length, seen in [
    ("en", "long", "8 hours"),
    ("de", "long", "8 Stunden"),
    ("zh_Hans", "long", "8 duration-hour"),
    ("zh_Hans", "narrow", "8 duration-hour"),
    ("zh_Hans", "short", "8小时"),
    ("ja", "long", "8 duration-hour"),
    ("ko", "long", "8 duration-hour"),
    ("vi", "long", "8 duration-hour"),
]:
    got = format_unit(8, "duration-hour", length=length, locale=locale)
    print(f"{locale} {length}: {got}")
    assert got == seen
assert format_unit(8, "duration-hour", locale="zh_Hans") == "8 duration-hour"
assert format_timedelta(timedelta(hours=8), locale="zh_Hans") == "8小时"
PY
echo "As told: eight hours in Chinese are '8 duration-hour'."
