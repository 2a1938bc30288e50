"""A chain on paper: blocks in a list, served over JSON-RPC as a node serves them.

It knows what anvil does not show: which transfer is a premium's own, because it was made by the checkout.
`safe` is two blocks behind the newest one and `finalized` five; nothing that is final is ever replaced.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from liqpass.chain.checkout import PREMIUM_PAID_TOPIC, TRANSFER_TOPIC, word
from liqpass.hexes import to_hex
from tests.properties.shown import Block, Came, Left, Paid, Shown, Tx

CHAIN_ID = 8453
USDC, CHECKOUT, TREASURY = b"\xc0" * 20, b"\xc1" * 20, b"\xc2" * 20
SAFE_LAG, FINAL_LAG = 2, 5


@dataclass
class PaperChain:
    """`held` is what the treasury has before the first block."""

    held: int
    begins: datetime
    blocks: list[Block] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        for _ in range(FINAL_LAG + 1):
            self.mine((), self.begins)

    def fresh(self, what: str) -> bytes:
        """32 bytes that nobody has seen before, the same on every run."""
        self.made += 1
        return hashlib.sha256(f"{what} {self.made}".encode()).digest()

    def mine(self, txs: Sequence[Tx], time: datetime) -> Block:
        """One more block."""
        block = Block(len(self.blocks), self.fresh("block"), time, tuple(txs))
        self.blocks.append(block)
        return block

    def head(self, tag: str) -> Block:
        """`latest`, `safe` or `finalized`."""
        lag = {"latest": 0, "safe": SAFE_LAG, "finalized": FINAL_LAG}[tag]
        return self.blocks[max(0, len(self.blocks) - 1 - lag)]

    def reorg(self, depth: int) -> list[Tx]:
        """Replace the last blocks by as many empty ones of the same times; what stood in them."""
        depth = min(depth, self.head("latest").number - self.head("finalized").number)
        if depth < 1:
            return []
        gone = self.blocks[-depth:]
        del self.blocks[-depth:]
        for block in gone:
            self.mine((), block.time)
        return [tx for block in gone for tx in block.txs]

    def put(self, number: int, txs: Sequence[Tx]) -> None:
        """Write transactions into an empty block above the finalized head that nobody has looked at yet."""
        old = self.blocks[number]
        self.blocks[number] = Block(number, self.fresh("block"), old.time, tuple(txs))

    def shown(self) -> list[Shown]:
        """All logs, in their order."""
        return [one for block in self.blocks for one in logs_in(block)]

    def balance_at(self, number: int) -> int:
        """What the treasury holds after a block."""
        logs = [one.log for block in self.blocks[: number + 1] for one in logs_in(block)]
        came = sum(log.amount for log in logs if isinstance(log, Came))
        return self.held + came - sum(log.amount for log in logs if isinstance(log, Left))

    # What a node answers

    def answer(self, method: str, params: list[Any]) -> Any:
        """One call."""
        match method:
            case "eth_chainId":
                return hex(CHAIN_ID)
            case "eth_blockNumber":
                return hex(self.head("latest").number)
            case "eth_getBlockByNumber":
                return self._header(params[0])
            case "eth_getLogs":
                return list(self._logs(params[0]))
            case "eth_getTransactionByHash" | "eth_getTransactionReceipt":
                return self._receipt(params[0])
            case "eth_call":  # balanceOf(treasury) at a block named by its hash
                found = [b for b in self.blocks if to_hex(b.hash) == params[1]["blockHash"]]
                return to_hex(word(self.balance_at(found[0].number)))
        raise LookupError(f"nobody asks a node for {method}")

    def _header(self, tag: str) -> dict[str, str] | None:
        number = int(tag, 16) if tag.startswith("0x") else self.head(tag).number
        if number >= len(self.blocks):
            return None
        block = self.blocks[number]
        time = hex(int(block.time.timestamp()))
        return {"number": hex(number), "hash": to_hex(block.hash), "timestamp": time}

    def _logs(self, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        first, last = int(asked["fromBlock"], 16), asked["toBlock"]
        end = len(self.blocks) if last == "latest" else int(last, 16) + 1
        for block in self.blocks[first:end]:
            for one in logs_in(block):
                raw = _raw(one)
                if raw and raw["address"] == asked["address"] and _fits(raw["topics"], asked["topics"]):
                    yield raw

    def _receipt(self, tx_hash: str) -> dict[str, Any] | None:
        for block in self.blocks:
            for one in logs_in(block):
                if to_hex(one.tx.hash) == tx_hash:
                    logs = [raw for other in logs_in(block) if other.tx is one.tx and (raw := _raw(other))]
                    return {"blockNumber": hex(block.number), "status": "0x1", "logs": logs}
        return None


def logs_in(block: Block) -> list[Shown]:
    """A block's logs, numbered through the whole block."""
    pairs = [(tx, log) for tx in block.txs for log in tx.logs]
    return [Shown(block, tx, index, log) for index, (tx, log) in enumerate(pairs)]


def _raw(one: Shown) -> dict[str, Any] | None:
    match one.log:
        case Came(sender, amount):
            contract, topics = USDC, [TRANSFER_TOPIC, word(sender), word(TREASURY)]
        case Left(recipient, amount):
            contract, topics = USDC, [TRANSFER_TOPIC, word(TREASURY), word(recipient)]
        case Paid(order_id, payer, amount):
            contract, topics = CHECKOUT, [PREMIUM_PAID_TOPIC, order_id, word(payer)]
        case _:
            return None
    return {
        "address": to_hex(contract),
        "topics": [to_hex(topic) for topic in topics],
        "data": to_hex(word(amount)),
        "blockNumber": hex(one.block.number),
        "blockHash": to_hex(one.block.hash),
        "transactionHash": to_hex(one.tx.hash),
        "logIndex": hex(one.index),
    }


def _fits(topics: list[str], wanted: list[str | None]) -> bool:
    return all(want is None or want == topic for want, topic in zip(wanted, topics, strict=False))


@asynccontextmanager
async def served(chain: PaperChain) -> AsyncIterator[str]:
    """The chain as a JSON-RPC endpoint on a free port: its address."""

    async def answer(request: web.Request) -> web.Response:
        asked = json.loads(await request.read())
        calls = asked if isinstance(asked, list) else [asked]
        told = [{"id": call["id"], "result": chain.answer(call["method"], call["params"])} for call in calls]
        return web.json_response(told if isinstance(asked, list) else told[0])

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
