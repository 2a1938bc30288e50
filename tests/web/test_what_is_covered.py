"""The page of what is covered: its numbers are those of the policy, its examples are judged as claims are."""

import re
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from liqpass.claims.case import Missing, Outcome, Reason, Verdict
from liqpass.claims.policy import CURRENT
from liqpass.money import usd
from liqpass.web.examples import PAYOUT, examples
from liqpass.web.texts import languages
from tests.world import TestWorld

PATH = "/what-is-covered"
PAYS = {"Liquidated in full": PAYOUT, "Half of it liquidated": PAYOUT // 2, "Funding paid meanwhile": PAYOUT}
REFUSED = {
    "Closed by hand": Reason.CLOSED_BY_OWNER,
    "Auto-deleveraged": Reason.AUTO_DELEVERAGED,
    "Leverage raised after pricing": Reason.SHORT_OF_PRICE,
    "The same without funding": Reason.SHORT_OF_PRICE,
    "After the end": Reason.AFTER_END,
}


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client without a session here."""
    async with aiohttp.ClientSession() as client:
        yield client


def verdicts(**changed: int) -> dict[str, Verdict]:
    """Of each example by its title, by rules of which this is changed."""
    return {one.title: one.verdict for one in examples(msgspec.structs.replace(CURRENT, **changed))}


def test_the_examples_are_paid_and_refused_as_they_are_told() -> None:
    found = verdicts()
    assert {title: found[title].amount for title in PAYS} == PAYS
    assert {title: found[title].reason for title in REFUSED} == REFUSED
    assert found.keys() == PAYS.keys() | REFUSED.keys()


@pytest.mark.parametrize(
    ("tolerance_bps", "title", "outcome"),
    [
        (10_000, "Leverage raised after pricing", Outcome.PAYABLE),
        (50, "The same without funding", Outcome.PAYABLE),
        (0, "Funding paid meanwhile", Outcome.PAYABLE),
    ],
)
def test_other_rules_judge_the_examples_otherwise(tolerance_bps: int, title: str, outcome: Outcome) -> None:
    assert verdicts(tolerance_bps=tolerance_bps)[title].outcome is outcome


def test_no_example_waits_for_anything() -> None:
    waiting: dict[str, list[Missing]] = {title: it.missing for title, it in verdicts().items() if it.missing}
    assert waiting == {}


@pytest.mark.parametrize("language", languages())
async def test_anybody_reads_what_the_rules_say(
    still: TestWorld, http: aiohttp.ClientSession, language: str
) -> None:
    say = languages()[language].translations.gettext
    headers = {"accept": "text/html", "accept-language": language}
    async with http.get(still.api + PATH, headers=headers) as answer:
        text = await answer.text()
        assert (answer.status, answer.headers["content-language"]) == (200, language)
    assert f"{CURRENT.tolerance_bps / 100}%" in text
    assert re.search(rf"\b{CURRENT.claim_window_sec // 86_400} (days|天)", text)
    for one in examples(CURRENT):
        (card,) = re.findall(rf"(?s)<h3>{re.escape(say(one.title))}</h3>(.*?)</li>", text)
        assert "%(" not in card
        if one.verdict.amount:
            assert usd(one.verdict.amount) in card
        else:
            assert "USDC</span>" not in card


async def test_rules_are_found_by_their_version_and_no_others(
    still: TestWorld, http: aiohttp.ClientSession
) -> None:
    for version, status in ((CURRENT.version, 200), ("2020-01-01", 404), ("<b>", 404), ("\0", 404)):
        async with http.get(still.api + PATH, params={"version": version}) as answer:
            assert answer.status == status, version


@pytest.mark.parametrize("path", ["/", PATH])
async def test_whoever_is_promised_a_payout_finds_what_is_covered(
    still: TestWorld, http: aiohttp.ClientSession, path: str
) -> None:
    async with http.get(still.api + path, headers={"accept": "text/html"}) as answer:
        main = (await answer.text()).partition("<main")[2].partition("</main>")[0]
    assert (f'href="{PATH}"' in main) is (path == "/")
