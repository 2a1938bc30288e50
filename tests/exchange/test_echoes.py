"""An answer that repeats the key which asked for it is none: it would be kept as evidence, and shown."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web

from liqpass.exchange.errors import ExchangeError, Kind
from liqpass.exchange.okx import Credentials
from tests.exchange.conftest import MakeGateway, Serve

KEY = Credentials("f0e1d2c3-0000-4000-8000-1a2b3c4d5e6f", "A0B1" * 8, 'Pass"!/word1é', "global", demo=False)
CONFIG = {"uid": "7", "mainUid": "7", "perm": "read_only", "ip": "", "acctLv": "2", "posMode": "net_mode"}
REPEATED = ("OK-ACCESS-KEY", "OK-ACCESS-SIGN", "OK-ACCESS-PASSPHRASE")


def as_json(headers: Mapping[str, str], name: str) -> bytes:
    return json.dumps({"code": "0", "data": [], "request": headers[name]}).encode()


def as_itself(headers: Mapping[str, str], name: str) -> bytes:
    said = {"code": "0", "data": [], "request": headers[name]}
    return json.dumps(said, ensure_ascii=False).replace("/", "\\/").encode()


def in_a_text(headers: Mapping[str, str], name: str) -> bytes:
    return json.dumps({"code": "0", "data": [], "msg": json.dumps({name: headers[name]})}).encode()


@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.parametrize("way", [as_json, as_itself, in_a_text])
async def test_an_answer_that_repeats_a_header_is_refused_before_anybody_reads_it(
    make_gateway: MakeGateway, errors: list[str], serve: Serve, name: str, way: Any
) -> None:
    async def answer(request: web.Request) -> web.Response:
        sent = dict(request.headers) if "OK-ACCESS-KEY" in request.headers else dict.fromkeys(REPEATED, "")
        return web.Response(body=way(sent, name), content_type="application/json")

    async with serve(answer) as url:
        gateway = make_gateway(hosts={"global": url})
        for asking in (gateway.positions(KEY), gateway.positions_history(KEY), gateway.bills(KEY)):
            with pytest.raises(ExchangeError) as raised:
                await asking
            assert (raised.value.code, raised.value.kind) == ("repeats_the_key", Kind.UNAVAILABLE)
    assert set(errors) == {"repeats_the_key"}


async def test_what_repeats_nothing_is_read(make_gateway: MakeGateway, serve: Serve) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"code": "0", "data": [], "request": request.path})

    short = Credentials("k", "s", "p", "global", demo=False)  # of no key of OKX: it stands in every answer
    async with serve(answer) as url:
        gateway = make_gateway(hosts={"global": url})
        assert (await gateway.positions(short)).positions == []
        assert (await gateway.positions(KEY)).positions == []


async def test_who_named_their_key_by_its_passphrase_has_a_key_without_a_name(
    make_gateway: MakeGateway, serve: Serve
) -> None:
    async def answer(_: web.Request) -> web.Response:
        row = {**CONFIG, "label": f"my {KEY.passphrase}"}
        return web.json_response({"code": "0", "data": [row], "msg": ""})

    async with serve(answer) as url:
        config = await make_gateway(hosts={"global": url}).account_config(KEY)
        assert (config.uid, config.label) == ("7", "")
