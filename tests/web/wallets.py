"""The sandbox's wallets in a browser that Playwright drives."""

from typing import Any

from playwright.async_api import BrowserContext

from liqpass.sandbox.browser_wallet import BrowserWallet, announcing


async def install(context: BrowserContext, wallets: list[BrowserWallet]) -> None:
    """Let every page of this browser hear these wallets announce themselves."""
    by_uuid = {wallet.info["uuid"]: wallet for wallet in wallets}

    async def ask(_source: object, uuid: str, method: str, params: Any) -> dict[str, object]:
        return await by_uuid[uuid].request(method, params)

    if wallets:
        await context.expose_binding("askWallet", ask)
        await context.add_init_script(announcing(wallets))
