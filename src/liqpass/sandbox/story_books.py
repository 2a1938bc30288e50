"""The end of the story: the books against the chain; money comes that nobody ordered, and goes back in one
batch with the payout of a claim."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from liqpass.hexes import checksum
from liqpass.money import usd
from liqpass.sandbox.anvil import Wallet, encode_call
from liqpass.sandbox.telling import StoryError, Teller, expect
from liqpass.sandbox.world import World

PATIENCE_SEC = 30
POLL_SEC = 0.5
STRAY = 12_340_000
CLEAN, BROKEN = 0, 1  # exit statuses of liqpass reconcile
OPERATOR = "the demo's operator"


async def balance_the_books(
    world: World, teller: Teller, stranger: Wallet, paid_out: Callable[[], Awaitable[None]]
) -> None:
    """Zero breaks; a stray transfer breaks them; its refund, sent by the treasury's own key with a claim's
    payout, mends them. `paid_out` tells what the trader sees of that."""
    teller.chapter("The books: orders, chain and ledger, held against each other")
    await _reconciled(world, teller, CLEAN)
    teller.chapter("Somebody sends USDC to the treasury by hand")
    came = await world.chain.transfer(stranger, world.chain.treasury, STRAY)
    teller.line("transfer", f"{usd(STRAY)} USDC from {checksum(stranger.address)}, for no order")
    await _until_final(world, came)
    item = await _stray(world)
    teller.line("in suspense", f"{item['item']}: {item['remainingUsd']} USDC")
    await _reconciled(world, teller, BROKEN, tries=5)  # that it is final is booked within a second, too
    teller.chapter("A refund and a payout: one batch for the treasury's Safe, which alone can send money")
    reason = ("--by", OPERATOR, "--reason", "sent by mistake")
    await ran(world, "suspense", "refund", item["item"], *reason)
    path = world.folder / "payouts.json"
    await ran(world, "suspense", "batch", "--out", str(path))
    batch = json.loads(path.read_text(encoding="utf-8"))
    teller.line(
        "Safe batch", f"{len(batch['transactions'])} transactions, checksum {batch['meta']['checksum']}"
    )
    before = await world.chain.usdc_balance(stranger.address)
    sent = [await _execute(world, transaction) for transaction in batch["transactions"]]
    back = await world.chain.usdc_balance(stranger.address) - before
    expect(back == STRAY, f"{usd(back)} USDC went back, not {usd(STRAY)}")
    teller.line("executed", f"by the sandbox's treasury key: {usd(back)} USDC are back with their sender")
    teller.chapter("The watcher sees both, the claim is paid, and the books are clean again")
    await paid_out()
    await _until_final(world, sent[-1])
    await _reconciled(world, teller, CLEAN, tries=5)  # the watcher books it within a second or two


async def give_capital(env: Mapping[str, str], capital: int) -> None:
    """What the treasury holds from the beginning, in micro-USDC, becomes the pool's. Raises StoryError."""
    for _ in range(int(PATIENCE_SEC / POLL_SEC)):
        code, _, said = await liqpass(env, "pool", "deposit", usd(capital), "--by", OPERATOR)
        if code == 0:
            return
        await asyncio.sleep(POLL_SEC)
    raise StoryError(f"the pool could not be given its capital: {said}")


async def liqpass(env: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
    """A command of the product, as an operator types it: exit status, output, messages."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "liqpass",
        *arguments,
        env={**os.environ, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, messages = await process.communicate()
    return process.returncode or 0, out.decode(), messages.decode()


async def ran(world: World, *arguments: str) -> str:
    """What the command printed. Raises StoryError when it fails."""
    code, out, messages = await liqpass(world.env, *arguments)
    expect(code == 0, f"liqpass {' '.join(arguments)} ended with {code}: {messages}")
    return out


async def _reconciled(world: World, teller: Teller, wanted: int, *, tries: int = 1) -> None:
    """Run `liqpass reconcile`, and show its table. Raises StoryError when it does not end as it should."""
    for _ in range(tries):
        code, out, messages = await liqpass(world.env, "reconcile")
        if code == wanted:
            break
    teller.quote(out)
    expect(code == wanted, f"liqpass reconcile ended with {code}, not {wanted}: {messages}")


async def _until_final(world: World, receipt: dict[str, Any]) -> None:
    """No reorg can take the transaction away any more."""
    number = int(receipt["blockNumber"], 16)
    for _ in range(int(PATIENCE_SEC / POLL_SEC)):
        if (await world.chain.block("finalized"))[0] >= number:
            return
        await asyncio.sleep(POLL_SEC)
    raise StoryError(f"block {number} did not become final")


async def _stray(world: World) -> dict[str, Any]:
    """The item in suspense, once the books say that it is final too."""
    for _ in range(int(PATIENCE_SEC / POLL_SEC)):
        found: list[dict[str, Any]] = json.loads(await ran(world, "suspense", "list", "--format", "json"))
        if found and found[0]["final"]:
            return found[0]
        await asyncio.sleep(POLL_SEC)
    raise StoryError("the stray transfer did not become final in suspense")


async def _execute(world: World, transaction: dict[str, Any]) -> dict[str, Any]:
    """What the Safe does with one transaction of the batch; the receipt."""
    values = transaction["contractInputsValues"]
    data = encode_call("transfer(address,uint256)", bytes.fromhex(values["to"][2:]), int(values["value"]))
    to = bytes.fromhex(transaction["to"][2:])
    return await world.chain.transact(world.chain.treasury_wallet, to, data)
