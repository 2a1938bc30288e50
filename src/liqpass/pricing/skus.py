"""The products, from skus.toml (or the file that LIQPASS_SKUS names)."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from liqpass.pricing.model import Model
from liqpass.problems import Problem
from liqpass.settings import SettingError

Positive = Annotated[int, Meta(gt=0, le=10**15)]
Bps = Annotated[int, Meta(ge=0, le=10_000)]


class Sku(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One product: how long it covers, whom, what it costs and pays. Money in micro-USDC.

    `payout_ratio_bps`: the share of the margin that is paid. `most_chance_bps`: a position that is liquidated
    more probably is not taken; `most_premium_bps`: nor one whose premium is a larger share of its payout.
    """

    id: Annotated[str, Meta(pattern="^[A-Z0-9_]{1,32}$")]
    title: str
    duration_sec: Annotated[int, Meta(gt=0, le=366 * 86_400)]
    delay_sec: Annotated[int, Meta(ge=0, le=86_400)]
    max_leverage: Positive
    min_notional_micro: Positive
    max_notional_micro: Positive
    min_distance_bps: Bps
    payout_cap_micro: Positive
    load_bps: Annotated[int, Meta(ge=0, le=100_000)]
    fee_micro: Annotated[int, Meta(ge=0, le=10**12)]
    floor_micro: Positive
    payout_ratio_bps: Annotated[int, Meta(gt=0, le=10_000)]
    most_chance_bps: Annotated[int, Meta(gt=0, le=10_000)]
    most_premium_bps: Annotated[int, Meta(gt=0, lt=10_000)]
    model: Model


class Products(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All products of one version of the file."""

    version: Annotated[str, Meta(min_length=1, max_length=64)]
    sku: Annotated[list[Sku], Meta(min_length=1)]

    def get(self, sku_id: str) -> Sku:
        """The product of an id. Raises Problem SKU_NOT_FOUND, which names those there are."""
        for sku in self.sku:
            if sku.id == sku_id:
                return sku
        known = ", ".join(s.id for s in self.sku)
        raise Problem("SKU_NOT_FOUND", f"There is no such product. There are: {known}.", field="sku")


def load_products(path: Path | None) -> Products:
    """Read and check the file; None: the one in the package. Raises SettingError LIQPASS_SKUS."""
    try:
        text = (path or resources.files("liqpass.pricing") / "skus.toml").read_text(encoding="utf-8")
        products = msgspec.convert(tomllib.loads(text), Products)
    except (OSError, ValueError, msgspec.ValidationError) as error:  # not TOML, not UTF-8: ValueError
        raise SettingError("LIQPASS_SKUS", f"{path or 'skus.toml'} cannot be used: {error}") from error
    for sku in products.sku:
        if sku.min_notional_micro > sku.max_notional_micro:
            raise SettingError("LIQPASS_SKUS", f"{sku.id}: min_notional_micro is above max_notional_micro")
    if len({sku.id for sku in products.sku}) != len(products.sku):
        raise SettingError("LIQPASS_SKUS", "two products have the same id")
    return products
