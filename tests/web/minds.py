"""Wallets to which something happens while their owner thinks, and wallets that say what others do not."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from liqpass.sandbox.browser_wallet import BrowserWallet, WalletError


@dataclass
class InterruptedWallet(BrowserWallet):
    """`before`: what happens once before a method is answered; a WalletError raised there is the answer."""

    before: dict[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)

    async def request(self, method: str, params: Any) -> dict[str, object]:
        """EIP-1193's `request`."""
        happens = self.before.pop(method, None)
        try:
            if happens is not None:
                await happens()
        except WalletError as error:
            self.asked.append(method)
            return {"error": {"code": error.code, "message": str(error)}, "events": []}
        return await super().request(method, params)


@dataclass
class OddWallet(InterruptedWallet):
    """`says`: what a method is answered with instead, as long as there is something: {"result": …} or
    {"error": …}. `heard`: what it was asked, with parameters."""

    says: dict[str, Iterator[dict[str, object]]] = field(default_factory=dict)
    heard: list[tuple[str, Any]] = field(default_factory=list)

    async def request(self, method: str, params: Any) -> dict[str, object]:
        """EIP-1193's `request`."""
        self.heard.append((method, params))
        instead = next(self.says.get(method, iter(())), None)
        if instead is None:
            return await super().request(method, params)
        self.asked.append(method)
        return {**instead, "events": []}


def refuses(code: int, words: str) -> Callable[[], Awaitable[object]]:
    """The wallet's answer is this error."""

    async def answer() -> None:
        raise WalletError(code, words)

    return answer
