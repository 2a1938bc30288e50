"""A node that knows one thing: what the treasury held after which block."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class BalanceNode:
    """Answers `balanceOf` by block hash; of any other block it keeps nothing, as most nodes do."""

    url: str = ""
    balances: dict[bytes, int] = field(default_factory=dict)

    async def _answer(self, request: web.Request) -> web.Response:
        asked = await request.json()
        _call, block = asked["params"]
        held = self.balances.get(bytes.fromhex(block["blockHash"][2:]))
        if held is None:
            error = {"code": -32000, "message": "missing trie node"}
            return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "error": error})
        return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": f"0x{held:064x}"})


@asynccontextmanager
async def balance_node() -> AsyncIterator[BalanceNode]:
    """A node that listens, and knows nothing yet."""
    node = BalanceNode()
    app = web.Application()
    app.router.add_post("/", node._answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    node.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield node
    await runner.cleanup()
