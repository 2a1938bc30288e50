"""The file of products: a malformed one stops the start, as does one whose longer cover could be cheaper."""

import tomllib
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from importlib import resources
from pathlib import Path

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from liqpass.market.volatility import Volatility
from liqpass.market.week import milli_hours
from liqpass.pricing.dominance import least_times_as_long
from liqpass.pricing.model import Model
from liqpass.pricing.premium import Facts, NotInsurable, price
from liqpass.pricing.skus import Sku, checked, load_products
from liqpass.settings import SettingError

SHIPPED = (resources.files("liqpass.pricing") / "skus.toml").read_text(encoding="utf-8")
FIRST = SHIPPED.index("[[sku]]")
SECOND = SHIPPED.index("[[sku]]", FIRST + 1)
ONE_PRODUCT = SHIPPED[:SECOND]
PRODUCTS = load_products(None)
SHORT, LONG, MONTH = PRODUCTS.sku


def test_the_products_on_sale_are_the_three_of_the_design() -> None:
    assert {s.id: s.duration_sec for s in load_products(None).sku} == {
        "LIQPASS_8H": 8 * 3_600,
        "LIQPASS_24H": 24 * 3_600,
        "LIQPASS_30D": 30 * 86_400,
    }


def test_caps_limits_and_ratios_on_sale_are_whole_cents_and_leave_a_third_of_the_payout() -> None:
    for sku in PRODUCTS.sku:
        assert sku.payout_cap_micro % 10_000 == sku.fee_micro % 10_000 == sku.floor_micro % 10_000 == 0
        assert sku.most_chance_bps <= 4_000
        assert sku.most_premium_bps <= 6_500


def test_a_file_of_ones_own_is_taken(tmp_path: Path) -> None:
    (tmp_path / "skus.toml").write_text(ONE_PRODUCT)
    assert [s.id for s in load_products(tmp_path / "skus.toml").sku] == ["LIQPASS_8H"]


def with_line(name: str, value: object) -> str:
    """The one product, with another value of a name."""
    before, _, after = ONE_PRODUCT.partition(f"\n{name} = ")
    return f"{before}\n{name} = {value}\n{after.partition(chr(10))[2]}"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "version"),
        (b"version =", "Invalid value"),
        (b"\xff\xfe", "utf-8"),
        (b'version = "1"', "sku"),
        (b'version = ""\nsku = []', "length"),
        (ONE_PRODUCT + ONE_PRODUCT[FIRST:], "two products have the same id"),
        (with_line("id", '"eight hours"'), "id"),
        (with_line("fee_micro", "0.5"), "fee_micro"),
        (with_line("fee_micro", -1), "fee_micro"),
        (with_line("fee_micro", "500_000\ncolour = 1"), "colour"),
        (ONE_PRODUCT.replace("fee_micro", "#"), "fee_micro"),
        (with_line("floor_micro", 0), "floor_micro"),
        (with_line("duration_sec", '"8h"'), "duration_sec"),
        (with_line("duration_sec", 367 * 86_400), "duration_sec"),
        (with_line("delay_sec", -600), "delay_sec"),
        (with_line("min_distance_bps", 0), "min_distance_bps"),
        (with_line("payout_ratio_bps", 0), "payout_ratio_bps"),
        (with_line("payout_ratio_bps", 10_001), "payout_ratio_bps"),
        (with_line("most_chance_bps", 10_001), "most_chance_bps"),
        (with_line("most_premium_bps", 10_000), "most_premium_bps"),
        (with_line("scale_bps", 999), "model.scale_bps"),
        (with_line("short_weight_bps", 10_001), "model.short_weight_bps"),
        (with_line("spread_bps", "[5_200]"), "model.spread_bps"),
        (ONE_PRODUCT.replace("[sku.model]", "[model]"), "model"),
        (with_line("min_notional_micro", 300_000_000_000), "min_notional_micro is above max_notional_micro"),
        (with_line("floor_micro", 10**12), "nobody could buy it"),
        (with_line("fee_micro", 10**12), "nobody could buy it"),
        (with_line("payout_cap_micro", 1_500_000), "nobody could buy it"),
        (with_line("most_premium_bps", 1), "nobody could buy it"),
        (with_line("most_chance_bps", 49), "nobody could buy it"),
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


def test_the_file_says_where_its_numbers_come_from_and_has_a_version() -> None:
    assert "docs/price.md" in SHIPPED
    assert tomllib.loads(SHIPPED)["version"]


# A longer one is never cheaper -----------------------------------------------------------------------------

AT = datetime(2026, 12, 5, 3, tzinfo=UTC)


def file_of(*skus: Sku) -> str:
    """As a file of one's own."""
    lines = ['version = "1"']
    for sku in skus:
        told = msgspec.to_builtins(sku)
        model = ", ".join(f"{name} = {value}" for name, value in told.pop("model").items())
        lines += [
            "[[sku]]",
            *(f"{name} = {value!r}" for name, value in told.items()),
            f"model = {{ {model} }}",
        ]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"load_bps": SHORT.load_bps - 1}, f"raise its load_bps to {SHORT.load_bps} or more"),
        ({"fee_micro": SHORT.fee_micro - 1}, f"raise its fee_micro to {SHORT.fee_micro} or more"),
        ({"floor_micro": SHORT.floor_micro - 1}, f"raise its floor_micro to {SHORT.floor_micro} or more"),
        ({"model": msgspec.structs.replace(SHORT.model, short_weight_bps=0)}, "short_weight_bps"),
        ({"model": msgspec.structs.replace(SHORT.model, short_weight_bps=10_000)}, "short_weight_bps"),
        ({"model": msgspec.structs.replace(SHORT.model, scale_bps=3_000)}, "scale_bps"),
        ({"model": msgspec.structs.replace(SHORT.model, spread_bps=20_000)}, "spread_bps"),
        ({"duration_sec": SHORT.duration_sec + 1, "delay_sec": 0}, "gives the lower chance"),
    ],
)
def test_a_file_in_which_a_longer_cover_could_be_cheaper_is_refused_with_what_to_change(
    tmp_path: Path, changes: dict[str, object], says: str
) -> None:
    longer = msgspec.structs.replace(SHORT, **({"id": "LONGER", "duration_sec": 86_400} | changes))
    path = tmp_path / "skus.toml"
    path.write_text(file_of(longer, SHORT))
    with pytest.raises(SettingError, match=says) as refused:
        load_products(path)
    assert "LONGER could cost less than LIQPASS_8H" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_month_that_forgets_what_the_last_days_showed_would_be_cheaper_than_a_day_after_a_crash() -> None:
    """What the refusal of such a file is about."""
    forgets = msgspec.structs.replace(MONTH, model=msgspec.structs.replace(MONTH.model, short_weight_bps=0))
    day, month = (
        msgspec.structs.replace(sku, most_chance_bps=10_000, most_premium_bps=9_999, payout_cap_micro=10**9)
        for sku in (LONG, forgets)
    )
    after_a_crash = Volatility("ANY-USDT-SWAP", AT, 4 * 10**9, 10**6, "00", "tests")
    facts = Facts("long", 1_000, 10**9, 10**10, 250_000)
    assert price(month, facts, after_a_crash, AT).premium < price(day, facts, after_a_crash, AT).premium
    with pytest.raises(SettingError):
        checked(msgspec.structs.replace(PRODUCTS, sku=[LONG, forgets]))


@pytest.mark.parametrize(("longer", "shorter"), [(30_000, 29_400), (86_430, 86_400), (700, 605)])
def test_how_many_times_as_long_a_cover_is_holds_at_every_moment_of_the_week(
    longer: int, shorter: int
) -> None:
    least = least_times_as_long(longer, shorter)
    starts = [AT + timedelta(seconds=30 * n) for n in range(7 * 24 * 120)]
    ratios = [Fraction(milli_hours(at, longer), milli_hours(at, shorter)) for at in starts]
    assert min(ratios) >= least
    assert float(min(ratios) / least) < 1 + 4_000 / shorter / 1.2


models = st.builds(Model, st.integers(0, 10_000), st.integers(1_000, 50_000), st.integers(0, 20_000))
nearly = st.builds(Model, st.integers(3_000, 9_000), st.integers(8_000, 9_500), st.integers(4_000, 7_000))
of_any_kind = st.integers(1, 2**63 - 1) | st.integers(10**6, 4 * 10**9)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Sku, Sku]:
    """A product, and one that covers longer, with models of any kind."""
    days = sorted(draw(st.sets(st.integers(1, 366 * 86_400), min_size=2, max_size=2)))
    base = msgspec.structs.replace(SHORT, most_chance_bps=10_000, most_premium_bps=9_999, min_distance_bps=1)
    pair = [
        msgspec.structs.replace(
            base,
            id=f"N{n}",
            duration_sec=seconds,
            delay_sec=draw(st.sampled_from([0, 600, 86_400])),
            model=draw(nearly | models),
            load_bps=base.load_bps + n * draw(st.integers(0, 5_000)),
            floor_micro=base.floor_micro + n * draw(st.integers(0, 5)),
        )
        for n, seconds in enumerate(days)
    ]
    return pair[0], pair[1]


@given(
    pairs(), st.sampled_from(["long", "short"]), st.integers(100, 10**6), of_any_kind, of_any_kind,
    st.integers(0, 7 * 86_400),
)  # fmt: skip
@example((SHORT, LONG), "long", 90_000, 25 * 10**6, 25 * 10**6, 13 * 3_600)
@example((LONG, MONTH), "short", 90_000, 4 * 10**9, 10**6, 4 * 86_400 + 13 * 3_600)
def test_in_any_file_that_is_taken_the_longer_one_is_never_cheaper_for_the_same_payout(
    pair: tuple[Sku, Sku], side: str, distance: int, short: int, long: int, second: int
) -> None:
    try:
        checked(msgspec.structs.replace(PRODUCTS, sku=list(pair)))
    except SettingError:
        assume(False)
    at = datetime.fromtimestamp(AT.timestamp() + second, UTC)
    moves = Volatility("ANY-USDT-SWAP", AT, short, long, "00", "tests")
    facts = Facts(side, 100, 600 * 10**6, 10**10, distance)  # type: ignore[arg-type]
    costs = []
    for sku in pair:
        try:
            costs.append(price(sku, facts, moves, at).premium)
        except NotInsurable:
            costs.append(10**18)
    assert costs == sorted(costs)
