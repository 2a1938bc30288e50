"""A made chain behind JSON-RPC, in a process of its own: blocks of payments and transfers that follow from
their numbers, answered as fast as they can be written. `python -m bench.wire JSON` prints its port."""

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import msgspec
from aiohttp import web
from eth_hash.auto import keccak

from liqpass.chain.checkout import PREMIUM_PAID_TOPIC, TRANSFER_TOPIC
from liqpass.sandbox.children import end_with_parent

CHAIN_ID = 31337
USDC, CHECKOUT, TREASURY = (bytes([n]) * 20 for n in (0xA1, 0xA2, 0xA3))
GENESIS_SEC = 1_700_000_000
SAFE_BEHIND, FINAL_BEHIND = 20, 40
A_STRAY_EVERY = 100
"""Of so many payments' transfers stands one beside them that no payment explains."""


class Made(msgspec.Struct, frozen=True):
    """A chain: `blocks` of them have `payments` each, as many transfers, and now and then a stray one; a few
    empty ones follow, so that all of these are final."""

    blocks: int
    payments: int

    @property
    def latest(self) -> int:
        return self.blocks + FINAL_BEHIND

    @property
    def events(self) -> int:
        return self.blocks * self.payments

    @property
    def strays(self) -> int:
        return self.events // A_STRAY_EVERY


def block_hash(number: int) -> str:
    """64 digits."""
    return hashlib.sha256(b"block %d" % number).hexdigest()


def _log(contract: bytes, topics: str, amount: int, number: int, tx: str, index: int) -> str:
    return (
        f'{{"address":"0x{contract.hex()}","topics":[{topics}],"data":"0x{amount:064x}",'
        f'"blockNumber":"{number:#x}","blockHash":"0x{block_hash(number)}","blockTimestamp":'
        f'"{GENESIS_SEC + 2 * number:#x}","transactionHash":"0x{tx}","transactionIndex":"0x1",'
        f'"logIndex":"{index:#x}","removed":false}}'
    )


def _topic(topic: bytes) -> str:
    return f'"0x{topic.hex()}"'


def _address(digits: str) -> str:
    return f'"0x{"0" * 24}{digits[:40]}"'


def payments(made: Made, number: int) -> Iterator[str]:
    """`PremiumPaid` of a block, each with a random payer and an order that nobody has."""
    if 0 < number <= made.blocks:
        for place in range(made.payments):
            event = (number - 1) * made.payments + place
            order = hashlib.sha256(b"order %d" % event).hexdigest()
            topics = f'{_topic(PREMIUM_PAID_TOPIC)},"0x{order}",{_address(order)}'
            yield _log(CHECKOUT, topics, 1_000_000 + event, number, _tx(event), 3 * place + 1)


def transfers(made: Made, number: int) -> Iterator[str]:
    """`Transfer` of USDC into the treasury in a block: one for each payment, and the stray ones."""
    if 0 < number <= made.blocks:
        for place in range(made.payments):
            event = (number - 1) * made.payments + place
            order = hashlib.sha256(b"order %d" % event).hexdigest()
            topics = f"{_topic(TRANSFER_TOPIC)},{_address(order)},{_address(TREASURY.hex())}"
            yield _log(USDC, topics, 1_000_000 + event, number, _tx(event), 3 * place)
            if event % A_STRAY_EVERY == A_STRAY_EVERY - 1:
                yield _log(USDC, topics, 5_000_000 + event, number, _tx(-event), 3 * place + 2)


def _tx(event: int) -> str:
    return hashlib.sha256(b"transaction %d" % event).hexdigest()


@cache
def _bloom(spoken: bool) -> str:
    bits = 0
    for word in (CHECKOUT, PREMIUM_PAID_TOPIC, USDC, TRANSFER_TOPIC) if spoken else ():
        digest = keccak(word)
        for place in (0, 2, 4):
            bits |= 1 << (int.from_bytes(digest[place : place + 2], "big") & 2047)
    return f"0x{bits:0512x}"


def block(made: Made, asked: str) -> str:
    """A header, with what a node gives besides of fixed length."""
    behind = {"latest": 0, "safe": SAFE_BEHIND, "finalized": FINAL_BEHIND}
    number = made.latest - behind[asked] if asked in behind else int(asked, 16)
    if number > made.latest:
        return "null"
    spoken = 0 < number <= made.blocks and made.payments > 0
    return (
        f'{{"number":"{number:#x}","hash":"0x{block_hash(number)}","parentHash":"0x{block_hash(number - 1)}",'
        f'"timestamp":"{GENESIS_SEC + 2 * number:#x}","logsBloom":"{_bloom(spoken)}","gasLimit":"0x8f0d180",'
        f'"gasUsed":"0x1c9c380","miner":"0x{"4" * 40}","extraData":"0x","size":"0x5208","transactions":[]}}'
    )


def answer(made: Made, method: str, params: list[Any]) -> str:
    """One call's result as JSON. Raises LookupError for what the watcher has no reason to ask here."""
    if method == "eth_chainId":
        return f'"{CHAIN_ID:#x}"'
    if method == "eth_blockNumber":
        return f'"{made.latest:#x}"'
    if method == "eth_getBlockByNumber":
        return block(made, params[0])
    if method == "eth_getLogs":
        return f"[{','.join(_logs(made, params[0]))}]"
    raise LookupError(method)


def _logs(made: Made, asked: dict[str, Any]) -> Iterator[str]:
    last = made.latest if asked["toBlock"] == "latest" else int(asked["toBlock"], 16)
    if asked["address"] == "0x" + CHECKOUT.hex():
        of = payments
    elif asked["topics"][1] is None:  # into the treasury; nothing leaves it here
        of = transfers
    else:
        return
    for number in range(int(asked["fromBlock"], 16), min(last, made.latest) + 1):
        yield from of(made, number)


async def serve(made: Made) -> None:
    """Answer on a free port of loopback until ended; its number is the first line on stdout."""

    async def answered(request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read())
        calls = asked if isinstance(asked, list) else [asked]
        said = ",".join(
            f'{{"jsonrpc":"2.0","id":{c["id"]},"result":{answer(made, c["method"], c["params"])}}}'
            for c in calls
        )
        body = f"[{said}]" if isinstance(asked, list) else said
        return web.Response(body=body.encode(), content_type="application/json")

    app = web.Application(client_max_size=2**24)
    app.router.add_post("/", answered)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


@asynccontextmanager
async def wire(made: Made) -> AsyncIterator[tuple[str, int]]:
    """The chain in a process of its own: its address and its process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.wire",
        json.dumps(msgspec.to_builtins(made)),
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=end_with_parent,
    )
    try:
        if process.stdout is None:
            raise OSError("the wire has no stdout")
        port = int(await process.stdout.readline())
        yield f"http://127.0.0.1:{port}/", process.pid
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(serve(msgspec.convert(json.loads(sys.argv[1]), Made)))
