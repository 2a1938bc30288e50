"""The browser: Chromium of this machine, without what would phone home."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

from scripts.programs import BROWSERS

QUIETLY = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def program() -> str | None:
    """Where Chromium is, if it is installed."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


@asynccontextmanager
async def opened(executable: str) -> AsyncIterator[Browser]:
    """Started, without a window. root's Chromium runs only without its sandbox; it sees our own pages."""
    flags = QUIETLY + (["--no-sandbox"] if os.geteuid() == 0 else [])
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=flags)
        yield browser
        await browser.close()
