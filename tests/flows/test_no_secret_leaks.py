"""Invariant 6: a whole order loop by the real processes; then all they said is searched for secrets."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from liqpass.sandbox.story import priced
from liqpass.sandbox.story_books import give_capital
from liqpass.sandbox.trader import Refused, Trader
from liqpass.sandbox.world import World, sandbox_world

TIMES = 300
WRONG = "Wrong!passphrase1"


class Listener(Trader):
    """A trader who remembers every body that the server sent, and every signature sent to it."""

    heard: list[str]
    said: list[str]

    async def call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """As a trader's, but kept."""
        self.said += [str(body["signature"])] if isinstance(body, dict) and "signature" in body else []
        url = self.api + path
        async with self.http.request(method, url, json=body, params=query) as answer:
            self.heard.append(await answer.text())
            said = await answer.json(content_type=None)
            if answer.status >= 400:
                raise Refused(answer.status, said)
            return said


async def refused(trader: Listener, method: str, path: str, body: object = None, **query: str) -> None:
    with pytest.raises(Refused):
        await trader.call(method, path, body, **query)


async def until_active(trader: Listener, order_id: str) -> None:
    for _ in range(TIMES):
        if (await trader.order(order_id))["status"] == "ACTIVE":
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"not active: {trader.heard[-1]}")


async def live(world: World, trader: Listener, key: dict[str, Any]) -> None:
    """The loop from the key to the cover, with a misfortune of each kind on the way."""
    await trader.sign_in()
    for wrong in (
        {"passphrase": "Wrong!passphrase1"},
        {"secret": "0" * 32},
        {"region": "mars"},
        {"demo": True},
    ):
        await refused(trader, "POST", "/api/okx/api-accounts", {**key, **wrong, "label": "x"})
    account = await trader.add_key(key)
    position = next(p for p in await priced(trader, account) if p["insurable"])
    world.exchange.faults.html(count=9)
    await refused(trader, "GET", "/api/okx/positions", apiAccountId=account)
    world.exchange.faults.heal()
    await trader.positions(account)
    await failing(world, trader, account, position)
    order = await trader.create_order((await trader.bind(account, position, "LIQPASS_24H"))["bindId"])
    await trader.submit(order["purchaseOrderId"], await trader.pay(world.chain, order))
    await until_active(trader, order["purchaseOrderId"])
    await trader.call("GET", "/api/insurance/orders")
    await trader.call("GET", "/api/okx/api-accounts")


async def failing(world: World, trader: Listener, account: str, position: dict[str, Any]) -> None:
    """Something that nobody foresaw: a trace goes into the log. And a secret that does not open."""
    owner = await asyncpg.connect(world.env["DATABASE_URL"])
    try:
        await owner.execute("alter table insured_bindings add constraint never check (sku = '')")
        with pytest.raises(Refused, match="INTERNAL_ERROR"):
            await trader.bind(account, position, "LIQPASS_24H")
        await owner.execute("alter table insured_bindings drop constraint never")
        await owner.execute("alter table api_accounts add column kept text")
        await owner.execute("update api_accounts set kept = secret_enc, secret_enc = passphrase_enc")
        with pytest.raises(Refused, match="API_ACCOUNT_UNREADABLE"):
            await trader.positions(account)
        await owner.execute("update api_accounts set secret_enc = kept")
        await owner.execute("alter table api_accounts drop column kept")
    finally:
        await owner.close()


def logs_in(folder: Path) -> list[str]:
    """What the processes wrote."""
    return [path.read_text() for path in sorted(folder.glob("*.log"))]


async def test_6_no_secret_is_in_a_log_an_answer_or_a_metric(
    server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", server_url)
    async with sandbox_world(lambda _said: None) as world:
        await give_capital(world.env, world.chain.capital)
        key = next(k for k in world.exchange.test_keys() if k["label"] == "reads two")
        async with Listener(world.api, world.chain.wallets[2]) as trader:
            trader.heard, trader.said = [], []
            await live(world, trader, key)
            cookies = [cookie.value for cookie in trader.http.cookie_jar]
            async with aiohttp.ClientSession() as http:
                for path in ("/metrics", "/readyz", "/openapi.json", "/docs", "/api/policy"):
                    async with http.get(world.api + path) as answer:
                        trader.heard.append(await answer.text())
        logs = logs_in(world.folder)
        assert [len(log) > 200 for log in logs] == [True, True]
        assert "request_failed" in "".join(logs)
        assert "Traceback" in "".join(logs)
        sealing = world.env["API_KEYS_ENC_KEY"]
        raw = base64.b64decode(sealing)
        secrets = {
            "secret": key["secret"],
            "passphrase": key["passphrase"],
            "wrong passphrase": WRONG,
            "api key": key["apiKey"],
            "sealing key": sealing,
            "sealing key in hex": raw.hex(),
            "sealing key as Python shows it": repr(raw)[2:-1],
            "quote signer": world.env["LIQPASS_QUOTE_SIGNER_KEY"].removeprefix("0x"),
            "session": cookies[0],
            "signature of the sign-in": trader.said[0].removeprefix("0x"),
            "wallet": trader.wallet.key.hex(),
        }
        for where, text in (("logs", "\n".join(logs)), ("answers", "\n".join(trader.heard))):
            found = [name for name, secret in secrets.items() if str(secret).lower() in text.lower()]
            assert found == [], where
