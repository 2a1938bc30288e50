"""The page of what is covered, and how that is decided: from the policy, and from the code that judges."""

from decimal import Decimal
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromQuery

from liqpass.claims.policy import CURRENT, POLICIES, Policy
from liqpass.web import examples
from liqpass.web.price_line import PriceLine, price_line
from liqpass.web.rendering import number, page
from liqpass.web.site import Site
from liqpass.web.viewing import Viewer

PATH = "/what-is-covered"
EXAMPLE_OF: dict[str, Any] = {
    "contracts": examples.CONTRACTS,
    "coins": examples.CONTRACTS * examples.CONTRACT_VALUE,
    "entry": examples.ENTRY,
    "liquidation": examples.LIQUIDATION,
    "payout": examples.PAYOUT,
}


@get(PATH)
async def what_is_covered(
    viewer: NamedDependency[Viewer], site: NamedDependency[Site], version: FromQuery[str] = ""
) -> Response[str]:
    """By the rules of a version; by those of new orders where none is named."""
    policy = POLICIES.get(version or CURRENT.version)
    if policy is None:
        raise NotFoundException
    return page(
        viewer,
        "what_is_covered.html",
        here=PATH,
        site=site,
        policy=policy,
        current=CURRENT,
        tolerance=percent(viewer, policy),
        example_of=EXAMPLE_OF,
        examples=[(one, _said(viewer, one), _line(one)) for one in examples.examples(policy)],
    )


def percent(viewer: Viewer, policy: Policy) -> str:
    """The tolerance in percent, as the reader writes numbers."""
    return number(viewer.language, Decimal(policy.tolerance_bps) / 100)


def _said(viewer: Viewer, one: examples.Example) -> str:
    values = {name: number(viewer.language, value) for name, value in one.values.items()}
    return str(viewer.language.translations.gettext(one.story)) % values


def _line(one: examples.Example) -> PriceLine | None:
    part = one.part
    if part is None or part.bound_px is None:
        return None
    return price_line(
        "long",
        {
            "liquidation": examples.LIQUIDATION,
            "bound": Decimal(part.bound_px),
            "trigger": Decimal(part.trigger_px or part.px),
        },
        is_funded=True,
    )
