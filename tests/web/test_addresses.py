"""The site's address is kept as this browser writes it, or refused."""

import pytest
from playwright.async_api import Browser

from liqpass.settings import SettingError, Settings
from tests.foundation.test_settings import WHOLE

ADDRESSES = [
    "http://Bücher.EXAMPLE",
    "http://faß.de",
    "http://ｌｉｑ.example",
    "http://例え。テスト",
    "http://мойсайт.рф:8443",
    "http://XN--BCHER-KVA.example",
    "http://a\u00adb.example",
    "http://ünï.localhost:8000",
    "http://a_b.example",
    "http://LIQPASS.example:08443",
    "http://liqpass.example:",
    "http://liqpass.example?",
    "http://1.2.3.４",
    "http://[::1]:8000",
    "http://[2001:DB8:0:0:1:0:0:1]",
    "http://[::FFFF:1.2.3.4]",
    "http://[0:0:1:0:0:0:1:0]",
    "http://[1:0:0:2:3:0:0:0]",
    "http://[1:0:3:0:5:0:7:0]",
    "http://[1:2:3:4:5:6:7:8]",
    "http://[::]",
]
# What this browser takes in a way of its own, or not at all.
REFUSED = [
    "http://💩.example",
    "http://ä..example",
    "http://127.1",
    "http://0x7f000001",
    "http://127.0.0.01",
    "http://a%62c.example",
    "http://liq\\pass.example",
    "http://@liqpass.example",
    "http://[fe80::1%25eth0]",
    "http://[::g]",
    "http://a.123",
    "http://" + "a" * 64 + ".example",
]


def public_url(written: str) -> str:
    return Settings.from_env(WHOLE | {"LIQPASS_PUBLIC_URL": written}).public_url


async def test_an_address_is_kept_as_the_browser_writes_it(browser: Browser) -> None:
    page = await browser.new_page()
    origins = await page.evaluate("all => all.map((one) => new URL(one).origin)", ADDRESSES)
    await page.close()
    assert [public_url(written) for written in ADDRESSES] == origins


@pytest.mark.parametrize("written", REFUSED)
def test_an_address_that_browsers_write_otherwise_is_refused_in_words(written: str) -> None:
    with pytest.raises(SettingError, match=r"^LIQPASS_PUBLIC_URL: .{20}"):
        public_url(written)
