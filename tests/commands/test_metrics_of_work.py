"""What a worker tells Prometheus: of itself, and nothing that it does not know."""

import asyncio

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from liqpass.serving import free_port
from tests.commands.cli import ended, hear, start
from tests.conftest import on_server

TASKS = 21


async def told(port: int) -> dict[str, dict[str, float]]:
    """Our own metrics: name → the only label's value ("" without one) → number."""
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics") as answer:
        families = text_string_to_metric_families(await answer.text())
    found: dict[str, dict[str, float]] = {}
    for sample in (sample for family in families for sample in family.samples):
        if sample.name.startswith("liqpass_"):
            found.setdefault(sample.name, {})["".join(sample.labels.values())] = sample.value
    return found


async def test_a_worker_tells_which_tasks_it_owns_and_nothing_of_books_that_it_does_not_look_at(
    env: dict[str, str],
) -> None:
    """A gauge that nobody sets is 0: not halted, nothing unseen, no break: it would look healthy."""
    port = free_port()
    work = await start("work", "--metrics-port", str(port), env=env)
    heard = await hear(work.stderr, "Ctrl-C")
    while heard.count("task_owned") < TASKS:
        heard += await hear(work.stderr, "task_owned")
    seen = await told(port)
    work.terminate()
    assert (await ended(work)).status == 0
    names = {name for name in seen if not name.endswith("_created")}
    assert names == {"liqpass_task_owned", "liqpass_task_failures_total"}
    assert len(seen["liqpass_task_owned"]) == TASKS
    assert set(seen["liqpass_task_owned"].values()) == {1.0}
    assert seen["liqpass_task_failures_total"].keys() == seen["liqpass_task_owned"].keys()


async def test_a_worker_counts_the_steps_that_fail(env: dict[str, str], database_url: str) -> None:
    port = free_port()
    work = await start("work", "--metrics-port", str(port), env=env)
    await hear(work.stderr, "task_owned")
    await on_server(database_url, "alter table settle_queue rename to settle_queue_away")
    failures: dict[str, float] = {}
    while not failures.get("settle"):
        await asyncio.sleep(0.1)
        failures = (await told(port))["liqpass_task_failures_total"]
    await on_server(database_url, "alter table settle_queue_away rename to settle_queue")
    work.terminate()
    assert (await ended(work)).status == 0
    assert failures["earn"] == 0
