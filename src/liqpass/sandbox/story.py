"""`liqpass demo`: two orders' lives, told as they happen. Every line is an answer of the running product."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import aiohttp
import typer
from rich.console import Console

from liqpass.money import usd
from liqpass.sandbox.browser_wallet import BrowserWallet
from liqpass.sandbox.story_books import balance_the_books, give_capital
from liqpass.sandbox.story_claims import is_paid, liquidated_and_found, mark_comes_near, proven_and_approved
from liqpass.sandbox.telling import StoryError, Teller, expect
from liqpass.sandbox.trader import Refused, Trader, calls_of
from liqpass.sandbox.window import window
from liqpass.sandbox.world import MINUTES_SKU, SHORT_SKU, World, last_words, sandbox_world
from liqpass.serving import until_stopped
from liqpass.settings import SettingError

PATIENCE_SEC = 30
POLL_SEC = 0.1
PRICE_SEC = 0.5
FALLS = "SOL-USDT-SWAP"  # no other account's isolated long is in it


async def demo(*, once: bool, state: Path | None) -> None:
    """Play the story; then end (`once`), or stay up until a signal. Exit status 1 when it fails."""
    console = Console()
    teller = Teller(console)
    teller.dim(
        "LiqPass demo. Real: PostgreSQL, an EVM node, the code of USDC, liqpass serve and liqpass work."
    )
    teller.dim("Played: OKX, by a server that speaks its wire protocol. All of it is on this machine.")
    if state is not None and once:
        raise SettingError("--state", "is for a demo that stays up: leave it or --once away")
    if state is not None:
        _refuse_what_cannot_be_written(state)
    began = datetime.now(UTC)
    async with sandbox_world(teller.dim) as world:
        try:
            await give_capital(world.env, world.chain.capital)
            await play(world, teller)
        except (StoryError, Refused, aiohttp.ClientError) as error:
            console.print(f"\nThe story failed: {error}", style="bold red", markup=False, soft_wrap=True)
            teller.dim(last_words(world.folder))
            raise typer.Exit(1) from error
        took = (datetime.now(UTC) - began).total_seconds()
        console.print(
            "\n[bold green]The order loop works, end to end; a liquidation is paid; the books are clean[/] "
            f"({took:.0f} s).",
            soft_wrap=True,
        )
        if once:
            return
        async with window(world.api, _visitors(world)) as pages:
            if state is not None:
                _write_state(state, {**world.state(), "window": pages})
                teller.dim(f"Where everything listens is in {state}.")
            _invite(teller, world, pages)
            await until_stopped()


def _visitors(world: World) -> list[BrowserWallet]:
    """Two traders whom the story left alone, and the operator."""
    first, second = world.chain.wallets[-2:]
    return [
        BrowserWallet(world.chain, first, "Trader 1", "sandbox.one", "seagreen"),
        BrowserWallet(world.chain, second, "Trader 2", "sandbox.two", "royalblue"),
        BrowserWallet(world.chain, world.chain.owner, "Operator", "sandbox.operator", "sienna"),
    ]


def _invite(teller: Teller, world: World, pages: str) -> None:
    """What somebody needs who wants to try it by hand."""
    key = next(key for key in world.exchange.test_keys() if key["label"] == "reads three")
    teller.dim("")
    teller.dim(f"Try it in a browser: {pages} comes with wallets, no extension is needed.")
    teller.dim("  Trader 1 and Trader 2 hold USDC; the wallet Operator also sees the books.")
    teller.dim(f"  An OKX key to hand over: {key['apiKey']}")
    teller.dim(f"     secret {key['secret']}   passphrase {key['passphrase']}")
    door = f"{world.exchange.control_url}/control/move_mark"
    teller.dim("Once a cover has begun, let its position be liquidated, and its claim begins by itself:")
    teller.dim(f"""  curl -d '{{"inst_id": "BTC-USDT-SWAP", "px": "54000"}}' {door}""")
    teller.dim(f"The API stays up at {world.api} (documentation: {world.api}/docs). Ctrl-C ends it.")


def _refuse_what_cannot_be_written(path: Path) -> None:
    """Said before the story, not after it."""
    if not path.absolute().parent.is_dir():
        raise SettingError("--state", f"{path.absolute().parent} is no folder")
    if path.is_dir():
        raise SettingError("--state", f"{path} is a folder: name a file")
    try:
        with TemporaryFile(dir=path.absolute().parent):
            pass
    except OSError as error:
        raise SettingError("--state", f"{path} cannot be written: {error.strerror}") from None


def _write_state(path: Path, told: dict[str, Any]) -> None:
    """Whole or not at all: a program that waits for the file never reads half of it."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


async def play(world: World, teller: Teller) -> None:
    """The whole story. Raises StoryError or Refused."""
    trader_wallet, vanishing_wallet, stranger = world.chain.wallets[:3]
    keys = {str(key["label"]): key for key in world.exchange.test_keys()}
    async with Trader(world.api, trader_wallet) as trader:
        account, positions = await _keys_and_positions(trader, teller, keys)
        order = await _bind_and_order(trader, teller, account, positions[0], SHORT_SKU)
        await _pay_and_submit(world, trader, teller, order)
        await _cover(trader, teller, order["purchaseOrderId"])
    async with Trader(world.api, vanishing_wallet) as trader:
        insured = await _vanished_browser(world, trader, teller, keys["reads two"])
        claim = await liquidated_and_found(world, trader, teller, *insured)
        await proven_and_approved(world, teller, claim)
        await balance_the_books(world, teller, stranger, partial(is_paid, trader, teller, insured[0]))


async def _keys_and_positions(
    trader: Trader, teller: Teller, keys: dict[str, dict[str, Any]]
) -> tuple[str, list[dict[str, Any]]]:
    teller.chapter("A trader signs in with a wallet")
    await trader.sign_in()
    teller.line("signed in", (await trader.call("GET", "/api/auth/me"))["address"])
    teller.chapter("A key that can trade is refused, a read-only one is accepted")
    teller.line("key that trades", await _refusal(trader.add_key(keys["trades"]), "API_KEY_NOT_READ_ONLY"))
    account = await trader.add_key(keys["reads one"])
    teller.line("read-only key", f"accepted as account {account}")
    teller.chapter("Its open positions, read over OKX's wire protocol")
    teller.dim("    … what they cost follows within a second: how much their instruments move is read")
    positions = await priced(trader, account)
    for p in positions:
        what = (
            f"{p['mgnMode']} {p['posSide']}, {p['pos']} contracts at {p['lever']}x, mark price {p['markPx']}"
        )
        at = f", liquidation price {Decimal(p['liqPx']):.2f}" if p["liqPx"] else ""
        teller.line(p["instId"], what + at)
        teller.line("", "can be covered" if p["insurable"] else f"cannot be covered: {p['reason']}")
    insurable = [p for p in positions if p["insurable"]]
    expect(bool(insurable), "no position is insurable")
    return account, insurable


async def priced(trader: Trader, account: str) -> list[dict[str, Any]]:
    """Its positions once `liqpass work` knows how much their instruments move. Raises StoryError after half a
    minute."""
    for _ in range(int(PATIENCE_SEC / PRICE_SEC)):
        positions = await trader.positions(account)
        if all(p["reasonCode"] != "PRICE_UNAVAILABLE" for p in positions):
            return positions
        await asyncio.sleep(PRICE_SEC)
    raise StoryError("waited in vain for prices")


async def _bind_and_order(
    trader: Trader, teller: Teller, account: str, position: dict[str, Any], sku: str
) -> dict[str, Any]:
    teller.chapter("One position is bound, twice: the same answer")
    bound = await trader.bind(account, position, sku)
    expect(await trader.bind(account, position, sku) == bound, "binding again answered something else")
    teller.line("bindId", f"{bound['bindId']} ({bound['status']})")
    teller.chapter("An order is made, twice: the same order")
    order = await trader.create_order(bound["bindId"])
    again = await trader.create_order(bound["bindId"])
    expect(again["purchaseOrderId"] == order["purchaseOrderId"], "a second order was made")
    expect(again["calls"] == order["calls"], "the same order asks for other calls")
    teller.line("purchaseOrderId", order["purchaseOrderId"])
    teller.line("premium", f"{order['premiumUsd']} USDC")
    teller.line("pays on liquidation", f"{order['payoutUsd']} USDC")
    teller.line("pay before", order["payBefore"])
    return order


async def _pay_and_submit(world: World, trader: Trader, teller: Teller, order: dict[str, Any]) -> None:
    chain, order_id = world.chain, order["purchaseOrderId"]
    approve, pay_premium = calls_of(order)
    before = await chain.usdc_balance(chain.treasury)
    teller.chapter("The premium is paid: approve, then payPremium")
    await chain.transact(trader.wallet, approve.to, approve.data)
    # From here on the story mines block by block, so that the reorgs below hit exactly the payment.
    await chain.set_automine(on=False)
    raw = await chain.sign(trader.wallet, pay_premium.to, pay_premium.data)
    tx_hash = await chain.send_raw(raw)
    await chain.mine()
    teller.line("payPremium", "0x" + tx_hash.hex())
    teller.line("treasury", f"+{usd(await chain.usdc_balance(chain.treasury) - before)} USDC")
    teller.chapter("The hash is submitted, twice: the same answer")
    expect(await trader.submit(order_id, tx_hash) == await trader.submit(order_id, tx_hash), "answers differ")
    shown = await _until(trader, order_id, lambda o: _stage(o) == "SEEN")
    teller.line("status", f"{shown['status']}, seen in block {shown['payment']['blockNumber']}")
    teller.chapter("A reorg takes the payment away, a second one brings it back")
    await chain.reorg(1)
    shown = await _until(trader, order_id, lambda o: _stage(o) == "DROPPED")
    teller.line(
        "first reorg", f"the payment is {shown['payment']['stage']}, the order stays {shown['status']}"
    )
    await chain.reorg(1, keep=[raw])
    shown = await _until(trader, order_id, lambda o: _stage(o) != "DROPPED")
    payment = shown["payment"]
    teller.line("second reorg", f"the payment is {payment['stage']} again, in block {payment['blockNumber']}")
    await chain.mine_every(1)


async def _cover(trader: Trader, teller: Teller, order_id: str) -> None:
    teller.chapter("The payment is at the safe head: the order is cover")
    shown = await _until(trader, order_id, lambda o: o["status"] == "ACTIVE")
    teller.line("status", shown["status"])
    teller.line("paid", shown["paidAt"])
    teller.line(
        "covered from",
        f"{shown['coverageStartAt']} (after a waiting period of {shown['coverageDelaySec']} s)",
    )
    teller.line("covered until", shown["coverageEndAt"])
    teller.dim("    … waiting until then")
    teller.chapter("The cover is over; the order's whole history")
    shown = await _until(trader, order_id, lambda o: o["status"] == "EXPIRED")
    for event in shown["history"]:
        moved = f"{event['fromStatus'] or 'nothing'} → {event['toStatus']}"
        teller.line(event["at"][11:23], f"{moved}: {event['reason']} ({event['actor']})")


async def _vanished_browser(
    world: World, trader: Trader, teller: Teller, key: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The order, and the position that it covers."""
    teller.chapter("A second trader pays, and the browser is gone before the hash is submitted")
    await trader.sign_in()
    account = await trader.add_key(key)
    position = next(p for p in await priced(trader, account) if p["instId"] == FALLS)
    bound = await trader.bind(account, position, MINUTES_SKU)
    order = await trader.create_order(bound["bindId"])
    teller.line("premium", f"{order['premiumUsd']} USDC for ten minutes of {position['instId']}")
    near = mark_comes_near(world, position)
    tx_hash = await trader.pay(world.chain, order)
    teller.line("payPremium", f"0x{tx_hash.hex()}, told to nobody")
    shown = await _until(trader, order["purchaseOrderId"], lambda o: o["status"] == "ACTIVE")
    expect(shown["payTxHash"] == "0x" + tx_hash.hex(), "another transaction was taken for the payment")
    teller.line("status", f"{shown['status']}: the watcher found the payment by itself")
    teller.line("mark price", f"has come down to {near}: the account is read every few seconds")
    return order, position


async def _refusal(call: Awaitable[object], code: str) -> str:
    """What the API said when it refused. Raises StoryError when it did not refuse, or otherwise."""
    try:
        await call
    except Refused as refused:
        expect(refused.code == code, f"refused with {refused.code}, not {code}")
        return f"refused, {refused.status} {refused.code}: {refused.body['detail']}"
    raise StoryError(f"not refused with {code}")


async def _until(trader: Trader, order_id: str, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Look at the order until something holds. Raises StoryError after half a minute."""
    shown: dict[str, Any] = {}
    for _ in range(int(PATIENCE_SEC / POLL_SEC)):
        shown = await trader.order(order_id)
        if holds(shown):
            return shown
        await asyncio.sleep(POLL_SEC)
    raise StoryError(f"waited in vain; the order is {shown['status']}, its payment {shown['payment']}")


def _stage(order: dict[str, Any]) -> str | None:
    return order["payment"]["stage"] if order["payment"] else None
