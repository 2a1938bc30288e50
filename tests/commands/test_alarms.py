"""Alerts and the dashboard, held against what a running `serve` and `work` tell, by Prometheus's checker."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import prometheus_client
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from liqpass import gauges, worker  # noqa: F401  (what they declare is looked at)
from liqpass.serving import free_port
from tests.commands.cli import ended, hear, start

DEPLOY = Path(__file__).parents[2] / "deploy"
OF_PROMETHEUS = {"job", "instance", "le"}  # labels that a scrape brings, or a histogram
ANY_VALUE = {"code", "route", "status"}  # of the exchange, of the router; HTTP's are looked at by their form
SELECTOR = re.compile(r"\b((?:liqpass|process)_[a-z0-9_]+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'([a-z_]+)(=~|!~|!=|=)"([^"]*)"')
WITHOUT_PROMTOOL = "promtool is not here: Debian's package prometheus has it"

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason=WITHOUT_PROMTOOL)


def rules() -> list[dict[str, Any]]:
    read = yaml.safe_load((DEPLOY / "prometheus/liqpass-alerts.yml").read_text("utf-8"))
    return [rule for group in read["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    board = json.loads((DEPLOY / "grafana/liqpass.json").read_text("utf-8"))
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    asked = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [rule["expr"] for rule in rules()] + asked


def promtool(*arguments: str, cwd: Path = DEPLOY / "prometheus") -> tuple[int, str]:
    done = subprocess.run(["promtool", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@needs_promtool
def test_prometheus_takes_the_alerts() -> None:
    status, said = promtool("check", "rules", "liqpass-alerts.yml")
    assert (status, f"SUCCESS: {len(rules())} rules found" in said) == (0, True), said


@needs_promtool
def test_each_alert_fires_with_one_series_and_stays_silent_with_another() -> None:
    status, said = promtool("test", "rules", "liqpass-alerts.test.yml")
    assert status == 0, said
    tried = yaml.safe_load((DEPLOY / "prometheus/liqpass-alerts.test.yml").read_text("utf-8"))["tests"]
    fires = {one["alertname"] for test in tried for one in test["alert_rule_test"] if one["exp_alerts"]}
    silent = {one["alertname"] for test in tried for one in test["alert_rule_test"] if not one["exp_alerts"]}
    assert fires == silent == {rule["alert"] for rule in rules()}


@needs_promtool
def test_prometheus_understands_what_the_dashboard_asks(tmp_path: Path) -> None:
    asked = [{"record": f"asked:{number}", "expr": one} for number, one in enumerate(expressions())]
    (tmp_path / "asked.yml").write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": asked}]}))
    status, said = promtool("check", "rules", "asked.yml", cwd=tmp_path)
    assert status == 0, said


async def families(port: int) -> dict[str, list[Mapping[str, str]]]:
    """Of each name that a sample has: the labels of its samples; of a metric without samples, none."""
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics") as answer:
        text = await answer.text()
    found: dict[str, list[Mapping[str, str]]] = {}
    for family in text_string_to_metric_families(text):
        found.setdefault(family.name + ("_total" if family.type == "counter" else ""), [])
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def declared() -> dict[str, set[str]]:
    """The labels of each metric of this process, also of those without samples."""
    collectors = [
        *prometheus_client.REGISTRY._names_to_collectors.items(),
        *gauges.SEEN._names_to_collectors.items(),
    ]
    return {name: set(getattr(collector, "_labelnames", ())) for name, collector in collectors}


async def test_every_metric_and_label_that_is_named_is_told(env: dict[str, str]) -> None:
    here, there = free_port(), free_port()
    serve = await start("serve", "--port", str(here), env=env)
    work = await start("work", "--metrics-port", str(there), env=env)
    for process in (serve, work):
        await hear(process.stderr, "Ctrl-C")
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{here}/healthz") as answer:
        assert answer.status == 200
    told = await families(here)
    for name, labels in (await families(there)).items():
        told.setdefault(name, []).extend(labels)
    for process in (serve, work):
        process.terminate()
        assert (await ended(process)).status == 0
    labels_of = declared()
    for expression in expressions():
        for name, matchers in SELECTOR.findall(expression):
            assert name in told, f"{name} is told by neither, in {expression}"
            known = {label for sample in told[name] for label in sample} | labels_of.get(name, set())
            for label, how, value in MATCHER.findall(matchers):
                assert label in known | OF_PROMETHEUS, f"{name} has no label {label}, in {expression}"
                if label in OF_PROMETHEUS | ANY_VALUE or not told[name]:
                    continue
                values = {sample[label] for sample in told[name]}
                wanted = set(value.split("|")) if "~" in how else {value}
                assert wanted <= values, f"{name} has no {label} {wanted - values}, in {expression}"
    assert {name for name in told if name.startswith("liqpass_")} >= {"liqpass_orders", "liqpass_task_owned"}


def test_each_metric_of_ours_is_in_an_alert_or_on_the_dashboard() -> None:
    asked = {name for expression in expressions() for name, _ in SELECTOR.findall(expression)}
    ours = {name for name in declared() if name.startswith("liqpass_")}
    shown = {re.sub(r"_(total|created|bucket|count|sum)$", "", name) for name in asked}
    assert {re.sub(r"_(total|created|bucket|count|sum)$", "", name) for name in ours} <= shown


def test_what_is_summed_over_processes_is_not_counted_twice() -> None:
    """Each `serve` tells the same of the database: only the largest is taken, not the sum."""
    seen = set(gauges.SEEN._names_to_collectors)
    for expression in expressions():
        for name, _ in SELECTOR.findall(expression):
            if name in seen:
                assert not re.search(rf"\b(sum|count|avg)\s*(by \([^)]*\) )?\({name}", expression), expression


def test_the_dashboard_has_units_a_grid_without_overlaps_and_one_source() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not taken & cells, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
        asked = " ".join(target["expr"] for target in panel["targets"])
        unit = panel["fieldConfig"]["defaults"]["unit"]
        if "micro_usdc" in asked:
            assert (unit, "1e6" in asked) in {("currencyUSD", True), ("percentunit", False)}, asked
        elif "_seconds" in asked and "count[" not in asked and "cpu" not in asked:
            assert unit == "s", asked
        assert panel["datasource"]["uid"] == "${datasource}"
