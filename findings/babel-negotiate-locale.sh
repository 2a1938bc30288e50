#!/usr/bin/env bash
# Babel 2.18.0.
#
# negotiate_locale looks aliases up by the lower-case name and says so nowhere: {"zh_CN": "zh_Hans"} is never
# found, {"zh_cn": "zh_Hans"} is. Of a name with several parts it tries the whole and the first part only: whoever asks
# for zh_Hans_CN does not get the zh_Hans that there is.
#
# Bites: pages in Chinese, Serbian, Uzbek and whatever else has a script in its name. Browsers ask for zh-CN, some for
# zh-Hans-CN, and get the default language, though the translation is there and the alias for it was written down.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -qq --disable-pip-version-check install babel==2.18.0
"$work/venv/bin/python" - << 'PY'
from babel import negotiate_locale

THERE = ["en", "zh_Hans"]
for wanted, aliases, seen in [
    ("zh_CN", {"zh_CN": "zh_Hans"}, None),
    ("zh_CN", {"zh_cn": "zh_Hans"}, "zh_Hans"),
    ("zh_Hans_CN", {}, None),
    ("zh_Hans_CN", {"zh_hans_cn": "zh_Hans"}, "zh_Hans"),
    ("en_GB", {}, "en"),
]:
    got = negotiate_locale([wanted], THERE, aliases=aliases)
    print(f"{wanted} of {THERE} with aliases {aliases}: {got}")
    assert got == seen
PY
echo "As told: an alias counts in lower case only, and a script in a name hides the language."
