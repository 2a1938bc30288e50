"""What the published OpenAPI document allows, and what it does not: schemathesis tries both, signed in.

Its choices are the same on every run. It is a client in a thread, for the server lives in this event loop.
"""

import asyncio
from contextlib import suppress
from itertools import count
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from liqpass.problems import STATUS_BY_CODE
from tests.flows.newcomers import newcomer
from tests.world import TestWorld

EXAMPLES = 8
LOGOUT = "POST /api/auth/logout"
_keys = count(1)


def try_all(api: str, cookies: dict[str, str]) -> dict[str, set[int]]:
    """Every operation, with data that fits the document and with data that does not: the statuses seen."""
    schema = schemathesis.openapi.from_url(f"{api}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    seen: dict[str, set[int]] = {operation.label: set() for operation in operations}
    with requests.Session() as session:
        for operation in sorted(operations, key=lambda operation: operation.label == LOGOUT):
            for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:

                @settings(
                    max_examples=EXAMPLES,
                    derandomize=True,
                    database=None,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
                @given(case=operation.as_strategy(mode))
                def send(case: Case[Any]) -> None:
                    if isinstance(case.body, dict) and isinstance(case.body.get("apiKey"), str):
                        case.body["apiKey"] = f"key {next(_keys)}"  # one key would be held to OKX's pace
                    answer = case.call(base_url=api, session=session, cookies=cookies, timeout=10)
                    seen[case.operation.label].add(answer.status_code)
                    hold(case, answer.status_code, answer.headers["content-type"][0], answer.json)

                with suppress(Unsatisfiable):  # what takes nothing cannot be called wrongly
                    send()
    return seen


def hold(case: Case[Any], status: int, kind: str, body: Any) -> None:
    """No failure of ours; and a refusal is a problem document."""
    where = f"{case.as_curl_command()} → {status}"
    assert status < 500, where
    if status >= 400:
        assert kind == "application/problem+json", where
        assert STATUS_BY_CODE[body()["code"]] == status, where


async def test_no_call_that_the_document_allows_or_forbids_makes_the_server_fail(town: TestWorld) -> None:
    async with newcomer(town) as somebody:
        await somebody.order()
        await town.work()
        cookies = {c.key: c.value for c in somebody.trader.http.cookie_jar}
        seen = await asyncio.to_thread(try_all, town.api, cookies)
        assert len(seen) > 15
        assert all(seen.values()), seen
        # signed in, or the whole test would only have seen 401
        assert 200 in seen["GET /api/insurance/orders"]
        assert not any(401 in statuses for label, statuses in seen.items() if "/auth/" not in label), seen
