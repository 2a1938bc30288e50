"""The file of products: its probabilities are those of its comment, and a malformed one stops the start."""

import tomllib
from importlib import resources
from math import ceil, sqrt
from pathlib import Path
from statistics import NormalDist

import pytest

from liqpass.pricing.skus import Band, Sku, load_products
from liqpass.settings import SettingError

SHIPPED = (resources.files("liqpass.pricing") / "skus.toml").read_text(encoding="utf-8")
YEAR_SEC = 365 * 86_400
FIRST = SHIPPED.index("[[sku]]")
SECOND = SHIPPED.index("[[sku]]", FIRST + 1)
ONE_PRODUCT = SHIPPED[:SECOND]


def chance_bps(leverage: int, duration_sec: int) -> float:
    """A driftless price at 60 % a year touches a barrier at 1/leverage less 0.4 % maintenance margin."""
    spread = 0.6 * sqrt(duration_sec / YEAR_SEC)
    return max(25.0, 10_000 * 2 * (1 - NormalDist().cdf((1 / leverage - 0.004) / spread)))


@pytest.mark.parametrize(
    ("sku", "band"),
    [(sku, band) for sku in load_products(None).sku for band in sku.bands],
    ids=lambda value: value.id if isinstance(value, Sku) else str(value.up_to_leverage),
)
def test_a_probability_is_that_of_the_formula_and_not_below_it(sku: Sku, band: Band) -> None:
    exact = chance_bps(band.up_to_leverage, sku.duration_sec)
    assert ceil(exact) <= band.probability_bps <= exact + 2


def test_the_products_on_sale_are_the_three_of_the_design() -> None:
    assert {s.id: s.duration_sec for s in load_products(None).sku} == {
        "LIQPASS_8H": 8 * 3_600,
        "LIQPASS_24H": 24 * 3_600,
        "LIQPASS_30D": 30 * 86_400,
    }


def test_a_file_of_ones_own_is_taken(tmp_path: Path) -> None:
    (tmp_path / "skus.toml").write_text(ONE_PRODUCT)
    assert [s.id for s in load_products(tmp_path / "skus.toml").sku] == ["LIQPASS_8H"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "version"),
        (b"version =", "Invalid value"),
        (b"\xff\xfe", "utf-8"),
        (b'version = "1"', "sku"),
        (b'version = ""\nsku = []', "length"),
        (ONE_PRODUCT + ONE_PRODUCT[FIRST:], "two products have the same id"),
        (ONE_PRODUCT.replace('id = "LIQPASS_8H"', 'id = "eight hours"'), "id"),
        (ONE_PRODUCT.replace("fee_micro = 500_000", "fee_micro = 0.5"), "fee_micro"),
        (ONE_PRODUCT.replace("fee_micro = 500_000", "fee_micro = -1"), "fee_micro"),
        (ONE_PRODUCT.replace("fee_micro = 500_000", ""), "fee_micro"),
        (ONE_PRODUCT.replace("floor_micro = 1_000_000", "floor_micro = 0"), "floor_micro"),
        (ONE_PRODUCT.replace("duration_sec = 28_800", 'duration_sec = "8h"'), "duration_sec"),
        (ONE_PRODUCT.replace("delay_sec = 600", "delay_sec = -600"), "delay_sec"),
        (ONE_PRODUCT.replace("probability_bps = 25,", "probability_bps = 10_001,"), "probability_bps"),
        (ONE_PRODUCT.replace("payout_ratio_bps = 3_000", "payout_ratio_bps = 0"), "payout_ratio_bps"),
        (
            ONE_PRODUCT.replace("max_leverage = 100", "max_leverage = 125"),
            "the last one reaches max_leverage",
        ),
        (ONE_PRODUCT.replace("up_to_leverage = 20", "up_to_leverage = 5"), "the bands rise"),
        (ONE_PRODUCT.replace("up_to_leverage = 20", "up_to_leverage = 10"), "the bands rise"),
        (
            ONE_PRODUCT.replace("min_notional_micro = 20_000_000", "min_notional_micro = 300_000_000_000"),
            "min_no",
        ),
        (ONE_PRODUCT.replace('title = "8 hours"', 'title = "8 hours"\ncolour = "red"'), "colour"),
    ],
)
def test_a_malformed_file_is_refused_in_one_line(tmp_path: Path, content: bytes | str, says: str) -> None:
    assert content != ONE_PRODUCT
    path = tmp_path / "skus.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingError, match=says) as refused:
        load_products(path)
    assert str(refused.value).startswith("LIQPASS_SKUS: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["missing.toml", ""])
def test_a_file_that_is_not_there_or_is_a_folder_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingError, match=r"^LIQPASS_SKUS: .* cannot be used"):
        load_products(tmp_path / name)


def test_the_comment_and_the_version_are_in_the_file() -> None:
    assert "2 * (1 - N(d / (0.6 * sqrt(years))))" in SHIPPED
    assert tomllib.loads(SHIPPED)["version"]
