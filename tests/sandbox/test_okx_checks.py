"""The sandbox exchange lets in and refuses as OKX does: order of checks, status and body."""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from yarl import URL

from liqpass.clock import system_clock
from liqpass.sandbox.okx_server import SandboxExchange

CONFIG = "/api/v5/account/config"
POSITIONS = "/api/v5/account/positions"
Answer = tuple[int, str]


@pytest.fixture
async def okx() -> AsyncIterator[SandboxExchange]:
    async with SandboxExchange(system_clock) as exchange:
        yield exchange


async def ask(
    okx: SandboxExchange,
    target: str = CONFIG,
    label: str = "reads one",
    region: str = "global",
    sent_at: str | None = None,
    secret: str | None = None,
    **headers: str,
) -> Answer:
    """A request signed here, by hand; `headers` (with _ for -) replace those sent, "" leaves one out."""
    key = next(key for key in okx.test_keys() if key["label"] == label)
    timestamp = sent_at or stamp(0)
    prehash = f"{timestamp}GET{target}".encode()
    made = hmac.new((secret or str(key["secret"])).encode(), prehash, hashlib.sha256).digest()
    sent = {
        "OK-ACCESS-KEY": str(key["apiKey"]),
        "OK-ACCESS-SIGN": base64.b64encode(made).decode(),
        "OK-ACCESS-TIMESTAMP": timestamp,
        "OK-ACCESS-PASSPHRASE": str(key["passphrase"]),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    sent = {name: value for name, value in sent.items() if value}
    async with (
        aiohttp.ClientSession() as session,
        session.get(URL(okx.hosts[region] + target, encoded=True), headers=sent) as response,
    ):
        return response.status, await response.text()


def stamp(ahead_sec: float) -> str:
    then = datetime.now(UTC) + timedelta(seconds=ahead_sec)
    return then.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


@pytest.mark.parametrize(
    ("changed", "answer"),
    [
        (
            {"OK_ACCESS_KEY": ""},
            (401, '{"msg":"Request header \\"OK-ACCESS-KEY\\" cannot be empty.","code":"50103"}'),
        ),
        (
            {"OK_ACCESS_PASSPHRASE": ""},
            (401, '{"msg":"Request header \\"OK-ACCESS-PASSPHRASE\\" cannot be empty.","code":"50104"}'),
        ),
        (
            {"OK_ACCESS_SIGN": ""},
            (401, '{"msg":"Request header \\"OK-ACCESS-SIGN\\" cannot be empty.","code":"50106"}'),
        ),
        (
            {"OK_ACCESS_TIMESTAMP": ""},
            (401, '{"msg":"Request header \\"OK-ACCESS-TIMESTAMP\\" cannot be empty.","code":"50107"}'),
        ),
        ({"OK_ACCESS_KEY": "nobody's"}, (401, '{"msg":"API key doesn\'t exist","code":"50119"}')),
        ({"region": "eea"}, (401, '{"msg":"API key doesn\'t exist","code":"50119"}')),
        ({"secret": "wrong"}, (401, '{"msg":"Invalid Sign","code":"50113"}')),
        ({"sent_at": "2026-03-01T12:00:00Z"}, (401, '{"msg":"Invalid OK-ACCESS-TIMESTAMP","code":"50112"}')),
        (
            {"sent_at": "2026-13-01T12:00:00.000Z"},
            (401, '{"msg":"Invalid OK-ACCESS-TIMESTAMP","code":"50112"}'),
        ),
        ({"sent_at": stamp(-86_400)}, (401, '{"msg":"Timestamp request expired","code":"50102"}')),
        ({"sent_at": stamp(86_400)}, (401, '{"msg":"Timestamp request expired","code":"50102"}')),
        (
            {"OK_ACCESS_PASSPHRASE": "wrong"},
            (401, '{"msg":"Request header OK-ACCESS-PASSPHRASE incorrect.","code":"50105"}'),
        ),
        (
            {"x_simulated_trading": "1"},
            (401, '{"msg":"APIKey does not match current environment.","code":"50101"}'),
        ),
    ],
)
async def test_a_wrong_request_gets_okxs_status_and_body(
    okx: SandboxExchange, changed: dict[str, Any], answer: Answer
) -> None:
    assert await ask(okx, **changed) == answer


async def test_of_several_faults_the_first_in_okxs_order_is_told(okx: SandboxExchange) -> None:
    wrong = {"secret": "wrong", "sent_at": "yesterday", "OK_ACCESS_PASSPHRASE": "wrong"}
    assert "50113" in (await ask(okx, **wrong))[1]
    del wrong["secret"]
    assert "50112" in (await ask(okx, **wrong))[1]
    del wrong["sent_at"]
    assert "50105" in (await ask(okx, **wrong))[1]


async def test_a_key_bound_elsewhere_is_refused_with_the_callers_address(okx: SandboxExchange) -> None:
    uid = next(iter(okx.books.accounts))
    okx.books.add_key(uid, label="bound", ip="203.0.113.7")
    assert await ask(okx, label="bound") == (
        401,
        '{"msg":"Your IP 127.0.0.1 is not included in your API key\'s bound IP whitelist.","code":"50110"}',
    )


async def test_a_key_without_the_right_to_read_is_refused(okx: SandboxExchange) -> None:
    okx.books.add_key(next(iter(okx.books.accounts)), label="blind", perm="trade")
    assert "50120" in (await ask(okx, label="blind"))[1]


async def test_the_sixth_request_for_the_config_in_two_seconds_is_too_many() -> None:
    seconds = 0.0
    async with SandboxExchange(system_clock, monotonic=lambda: seconds) as okx:
        assert [(await ask(okx))[0] for _ in range(5)] == [200] * 5
        assert await ask(okx) == (429, '{"msg":"Too Many Requests","code":"50011"}')
        assert (await ask(okx, POSITIONS))[0] == 200
        assert (await ask(okx, label="reads two"))[0] == 200
        seconds = 2.0
        assert (await ask(okx))[0] == 200


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        (f"{POSITIONS}?instType=SWOP", (400, '{"code":"51000","data":[],"msg":"Parameter instType error"}')),
        (
            f"{POSITIONS}?instId=NO-SUCH-SWAP",
            (
                200,
                '{"code":"51001","data":[],'
                '"msg":"Instrument ID, Instrument ID code, or Spread ID doesn\'t exist."}',
            ),
        ),
        (f"{POSITIONS}-history?limit=101", (400, '{"code":"51000","data":[],"msg":"Parameter limit error"}')),
        (f"{POSITIONS}-history?after=x", (400, '{"code":"51000","data":[],"msg":"Parameter after error"}')),
        (
            "/api/v5/trade/orders-history",
            (400, '{"code":"50014","data":[],"msg":"instType cannot be empty"}'),
        ),
        (
            f"{POSITIONS}?posId={','.join(map(str, range(21)))}",
            (400, '{"code":"50025","data":[],"msg":"Parameter posId count exceeds the limit 20."}'),
        ),
        (
            "/api/v5/account/nothing",
            (
                404,
                '{"code":404,"data":{},"detailMsg":"","error_code":"404",'
                '"error_message":"Not Found","msg":"Not Found"}',
            ),
        ),
    ],
)
async def test_a_wrong_parameter_or_path_gets_okxs_status_and_body(
    okx: SandboxExchange, target: str, answer: Answer
) -> None:
    assert await ask(okx, target) == answer


async def test_the_signature_is_over_the_query_as_it_was_sent(okx: SandboxExchange) -> None:
    for comma in (",", "%2C"):
        status, body = await ask(okx, f"{POSITIONS}?instId=BTC-USDT-SWAP{comma}ETH-USDT-SWAP")
        assert (status, body[:11]) == (200, '{"code":"0"')


async def test_the_same_seed_makes_the_same_world_and_another_seed_another() -> None:
    first, same, other = (SandboxExchange(system_clock, seed=seed).test_keys() for seed in (1, 1, 2))
    assert first == same
    assert first != other
