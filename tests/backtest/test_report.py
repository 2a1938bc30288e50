"""The report: the same for the same candles, and what adds up in it; the commands that write it."""

import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from liqpass.__main__ import cli
from liqpass.backtest.fitting import fitted_model
from liqpass.backtest.page import off_buckets
from liqpass.backtest.report import report
from liqpass.pricing.model import Model
from liqpass.pricing.skus import load_products
from tests.backtest.made import candles, folder, write

PRODUCTS = load_products(None)
UNSEEN = "2022-10-01"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["price", *map(str, arguments)], prog_name="liqpass")


def read(path: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in path.iterdir()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("candles"), hours=4_000)


@pytest.fixture(scope="module")
def written(made: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("report") / "new" / "folder"
    done = run("backtest", made, "--out", out, "--from", UNSEEN)
    assert done.exit_code == 0, done.output
    return out, done


@pytest.fixture(scope="module")
def document(written: tuple[Path, Result]) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((written[0] / "report.json").read_text())
    return loaded


def test_the_same_candles_give_the_same_bytes(
    made: Path, written: tuple[Path, Result], tmp_path: Path
) -> None:
    again = run("backtest", made, "--out", tmp_path, "--from", UNSEEN)
    assert again.stdout == written[1].stdout
    assert read(tmp_path) == read(written[0])
    assert {"report.json", "report.html", "reliability.json"} < read(tmp_path).keys()


def test_what_is_told_on_the_way_is_no_part_of_the_table(written: tuple[Path, Result]) -> None:
    assert "1 of 2: COIN1-1h.parquet, 4,000 hours" in written[1].stderr
    assert "COIN1" not in written[1].stdout
    assert "Brier score of this price" in written[1].stdout


def test_divisions_add_up_to_the_whole(document: dict[str, Any]) -> None:
    assert [one["sku"] for one in document["products"]] == [sku.id for sku in PRODUCTS.sku]
    assert [one["instrument"] for one in document["inputs"]] == ["COIN1-1h", "COIN2-1h"]
    for one in document["products"]:
        everybody = one["buyers"][0]
        for division in ("byLeverage", "bySide", "byInstrument", "byQuarter", "byHour"):
            for what in ("covers", "premiumMicro", "payoutMicro"):
                assert sum(row[what] for row in one[division]) == everybody[what]
        assert sum(point["samples"] for point in one["reliability"]) == one["samples"]
        assert (
            0
            < everybody["covers"]
            == one["offeredBps"] * one["samples"] // 10_000
            + everybody["covers"] % max(1, everybody["covers"])
            or everybody["covers"] <= one["samples"]
        )
        years = {row["of"] for row in everybody["years"]}
        assert years == {2022}


def test_a_world_without_surprises_is_forecast_well(document: dict[str, Any]) -> None:
    for one in document["products"]:
        assert one["brierPpm"] < one["brierConstantPpm"]
        assert 0 < one["lossRatioBps"] < 10_000
    for point in document["products"][0]["reliability"]:
        assert (
            point["samples"] < 1_000 or 0.5 < point["seenPpm"] / point["predictedPpm"] < 1.5 or point["least"]
        )


def test_the_page_needs_nothing_beside_it(written: tuple[Path, Result]) -> None:
    page = (written[0] / "report.html").read_text()
    assert page.count("<svg") == 1 + 6 * len(PRODUCTS.sku)
    for outside in ("<link", "<script", "src=", "href=", "url(", "@import"):
        assert outside not in page
    assert "COIN1-1h" in page
    assert '<meta name="viewport"' in page  # a phone draws it as wide as it is
    assert page.count("<table>") == page.count("<div><table>")  # which scroll by themselves


def test_the_curve_is_what_the_public_page_reads(written: tuple[Path, Result]) -> None:
    curve = json.loads((written[0] / "reliability.json").read_text())
    assert (curve["format"], curve["version"]) == (1, PRODUCTS.version)
    assert curve["instruments"] == ["COIN1", "COIN2"]
    assert curve["from"] >= UNSEEN
    for one in curve["products"]:
        assert {"fromPpm", "toPpm", "samples", "predictedPpm", "seenPpm"} == one["points"][0].keys()


def test_other_products_are_priced_by_their_own_file(made: Path, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "src/liqpass/pricing/skus.toml").read_text()
    other = tmp_path / "skus.toml"
    text = text.replace('version = "', 'version = "other-').replace("load_bps = 5_", "load_bps = 15_")
    other.write_text(text)
    document = report(made, load_products(other), lambda line: None, unseen_from=date(2022, 10, 1))
    ours = report(made, PRODUCTS, lambda line: None, unseen_from=date(2022, 10, 1))
    assert document["version"].startswith("other-")
    for dear, usual in zip(document["products"], ours["products"], strict=True):
        assert dear["brierPpm"] == usual["brierPpm"]
        assert dear["lossRatioBps"] < usual["lossRatioBps"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("backtest", "no/such/folder"), "there is no such folder"),
        (("backtest", ".", "--skus", "no-such.toml"), "--skus: no-such.toml cannot be used"),
        (("backtest", ".", "--out", __file__), f"--out: {__file__} cannot be a folder (File exists). Name"),
        (("calibrate", "no/such/folder"), "there is no such folder"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments: tuple[str, ...], says: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 1
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_part_without_covers_is_told_with_what_to_do(made: Path) -> None:
    late = run("backtest", made, "--from", "2030-01-01")
    assert (late.exit_code, late.stdout) == (1, "")
    assert "Give an earlier day with --from" in late.stderr
    early = run("calibrate", made, "--until", "2022-06-02")
    assert early.exit_code == 1
    assert "a later day with --until" in early.stderr


def test_calibration_prints_lines_that_a_file_of_products_takes(tmp_path: Path) -> None:
    write(tmp_path / "coin.parquet", candles(5_500))
    done = run("calibrate", tmp_path, "--until", "2022-12-05")
    assert done.exit_code == 0, done.output
    blocks = done.stdout.split("[sku.model]\n")[1:]
    assert len(blocks) == len(PRODUCTS.sku)
    for block in blocks:
        model = Model(**tomllib.loads(block))
        assert 0 <= model.short_weight_bps <= 10_000
    assert done.stdout.count("# unseen: log loss") == len(PRODUCTS.sku)


def test_the_fit_ends_at_the_least_loss() -> None:
    def loss(model: Model) -> float:
        return (
            (model.short_weight_bps - 3_175) ** 2
            + (model.scale_bps - 9_850) ** 2
            + (model.spread_bps - 425) ** 2
        )

    assert fitted_model(Model(8_000, 8_200, 5_000), loss, lambda line: None) == Model(3_175, 9_850, 425)


def test_a_bucket_is_off_by_more_than_a_fifth_of_itself_only_with_samples_enough() -> None:
    def bucket(samples: int, predicted: int, seen: int, *, least: bool = False) -> dict[str, object]:
        return {"samples": samples, "predictedPpm": predicted, "seenPpm": seen, "least": least}

    good = [bucket(501, 100_000, 120_000), bucket(500, 100_000, 0), bucket(9_999, 5_000, 0, least=True)]
    bad = [bucket(501, 100_000, 120_001), bucket(501, 100_000, 79_999)]
    assert off_buckets({"reliability": [*good, *bad]}) == bad
