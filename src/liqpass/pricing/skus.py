"""The products, from skus.toml (or the file that LIQPASS_SKUS names)."""

import tomllib
from importlib import resources
from itertools import combinations
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from liqpass.pricing.dominance import least_times_as_long, never_less_probable
from liqpass.pricing.model import BPS, LEAST_PPM, PPM, Model
from liqpass.problems import Problem
from liqpass.settings import SettingError

Positive = Annotated[int, Meta(gt=0, le=10**15)]


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
    min_distance_bps: Annotated[int, Meta(gt=0, le=10_000)]
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
        why = error.strerror if isinstance(error, OSError) else error
        raise SettingError("LIQPASS_SKUS", f"{path or 'skus.toml'} cannot be used: {why}") from error
    return checked(products)


def checked(products: Products) -> Products:
    """The same products, when they can be sold beside each other. Raises SettingError LIQPASS_SKUS."""
    for sku in products.sku:
        _refuse_unsound(sku)
    if len({sku.id for sku in products.sku}) != len(products.sku):
        raise SettingError("LIQPASS_SKUS", "two products have the same id")
    by_length = sorted(products.sku, key=lambda sku: sku.duration_sec)
    for shorter, longer in combinations(by_length, 2):
        if shorter.duration_sec < longer.duration_sec:
            _refuse_cheaper(longer, shorter)
    return products


def _refuse_unsound(sku: Sku) -> None:
    if sku.min_notional_micro > sku.max_notional_micro:
        raise SettingError("LIQPASS_SKUS", f"{sku.id}: min_notional_micro is above max_notional_micro")
    safest = sku.payout_cap_micro * LEAST_PPM * (BPS + sku.load_bps) // (PPM * BPS) + sku.fee_micro
    most = sku.payout_cap_micro * sku.most_premium_bps // BPS
    if max(safest, sku.floor_micro) > most or sku.most_chance_bps * (PPM // BPS) < LEAST_PPM:
        raise SettingError(
            "LIQPASS_SKUS",
            f"{sku.id}: nobody could buy it: even its largest payout at the least chance is beyond "
            "most_premium_bps or most_chance_bps",
        )


def _refuse_cheaper(longer: Sku, shorter: Sku) -> None:
    """Refuse two products of which the longer one could cost less, at one moment, of one position, for one
    payout."""
    for name in ("load_bps", "fee_micro", "floor_micro"):
        if getattr(longer, name) < getattr(shorter, name):
            raise SettingError(
                "LIQPASS_SKUS",
                f"{longer.id} could cost less than {shorter.id}, which is shorter: raise its {name} to "
                f"{getattr(shorter, name)} or more",
            )
    times = least_times_as_long(*(sku.delay_sec + sku.duration_sec for sku in (longer, shorter)))
    if not never_less_probable(longer.model, shorter.model, times):
        raise SettingError(
            "LIQPASS_SKUS",
            f"{longer.id} could cost less than {shorter.id}, which is shorter: in some markets its model "
            "gives the lower chance; bring its short_weight_bps and spread_bps nearer to the other's, or "
            "raise its scale_bps",
        )
