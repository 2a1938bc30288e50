"""axe-core in a page: what would keep people out, in words."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from playwright.async_api import Page

SOURCE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# The only ones that depend on the colours.
OF_COLOURS = ["color-contrast", "link-in-text-block"]
RUN = """async (rules) => {
  const found = await axe.run(document, {runOnly: rules, resultTypes: ["violations"]})
  return found.violations.flatMap(({id, help, nodes}) =>
    nodes.map(({html, failureSummary}) => `${id}: ${help}: ${html.slice(0, 200)} ${failureSummary}`))
}"""

WIDE = """() => {
  if (document.documentElement.scrollWidth <= innerWidth) return []
  const scrolls = (one) => one !== document.body
    && (/auto|scroll/.test(getComputedStyle(one).overflowX) || scrolls(one.parentElement))
  const ends = (one) => Math.round(one.getBoundingClientRect().right)
  return [...document.body.querySelectorAll("*")]
    .filter((one) => ends(one) > innerWidth && !scrolls(one.parentElement))
    .map((one) => `ends at ${ends(one)}: ${one.outerHTML.slice(0, 120)}`).concat("it scrolls sideways")
}"""


@cache
def source() -> str:
    """The library as npm brought it."""
    return SOURCE.read_text("utf-8")


async def violations(page: Page, rules: Sequence[str] = RULES) -> list[str]:
    """What axe-core finds in the page as it stands, by these rules or groups of rules; it comes in past the
    content security policy, as a browser's own tools do."""
    await page.evaluate(source())
    found: list[str] = await page.evaluate(RUN, rules)
    return found


async def sticks_out(page: Page) -> list[str]:
    """What makes the page scroll sideways; nothing if it does not."""
    found: list[str] = await page.evaluate(WIDE)
    return found
