"""A window into the sandbox for any browser: LiqPass's pages as they are, and wallets that need no extension.

It stands before the API as an extension stands inside a browser. Everything is passed on; pages get one
script more, which announces the sandbox's wallets (EIP-6963), and what those are asked is answered here.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from liqpass.sandbox.browser_wallet import BrowserWallet, announcing

SCRIPT = "/sandbox-wallets.js"
ASKED = "/sandbox-wallet"
# What holds for one connection only (RFC 9110, 7.6.1), and what aiohttp writes anew.
NOT_PASSED_ON = (
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-length",
    "content-encoding",
    "host",
)
# What a wallet asks its owner about is asked here, too.
ASK = f"""
window.askWallet = async (uuid, method, params) => {{
  const asks = {{
    personal_sign: "sign this text", eth_signTypedData_v4: "sign a permission for exactly the premium",
    eth_sendTransaction: "send a transaction", wallet_sendCalls: "send these transactions",
  }}
  if (asks[method] && !confirm(`Sandbox wallet: ${{asks[method]}}?`)) {{
    return {{ error: {{ code: 4001, message: "User rejected the request." }}, events: [] }}
  }}
  const body = JSON.stringify({{ uuid, method, params }})
  return (await fetch("{ASKED}", {{ method: "POST", body }})).json()
}}
"""


@asynccontextmanager
async def window(api: str, wallets: list[BrowserWallet]) -> AsyncIterator[str]:
    """Open it before the API at that address; where it is."""
    by_uuid = {wallet.info["uuid"]: wallet for wallet in wallets}
    script = ASK + announcing(wallets)

    async def wallets_script(_: web.Request) -> web.Response:
        return web.Response(text=script, content_type="text/javascript")

    async def asked(request: web.Request) -> web.Response:
        said = await request.json()
        return web.json_response(await by_uuid[said["uuid"]].request(said["method"], said["params"]))

    async with aiohttp.ClientSession(auto_decompress=True, cookie_jar=aiohttp.DummyCookieJar()) as http:

        async def passed_on(request: web.Request) -> web.StreamResponse:
            return await _passed_on(http, api, request)

        app = web.Application()
        app.router.add_get(SCRIPT, wallets_script)
        app.router.add_post(ASKED, asked)
        app.router.add_route("*", "/{path:.*}", passed_on)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


async def _passed_on(http: aiohttp.ClientSession, api: str, request: web.Request) -> web.StreamResponse:
    """The API's own answer as it comes: an order's events go on for as long as they are followed."""
    headers = _kept(request.headers)
    if "origin" in headers:
        headers["origin"] = api  # the browser names the window's address, which the product does not know
    body = await request.read()
    async with http.request(
        request.method, api + request.raw_path, headers=headers, data=body or None, allow_redirects=False
    ) as answer:
        passed = web.StreamResponse(status=answer.status, headers=_kept(answer.headers))
        if answer.content_type == "text/html":
            page = await answer.text()
            passed.headers.popall("content-length", None)
            await passed.prepare(request)
            await passed.write(page.replace("<head>", f'<head><script src="{SCRIPT}"></script>', 1).encode())
            return passed
        await passed.prepare(request)
        async for part in answer.content.iter_any():
            await passed.write(part)
        return passed


def _kept(headers: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in NOT_PASSED_ON)
