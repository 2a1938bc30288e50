"""The middle of the story: the market falls, a covered position is liquidated, and the claim is found, proven
and approved. Its payout goes with the next batch (story_books.py)."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from liqpass.money import usd
from liqpass.sandbox.story_books import OPERATOR, ran
from liqpass.sandbox.telling import StoryError, Teller, expect
from liqpass.sandbox.trader import Trader
from liqpass.sandbox.world import World

PATIENCE_SEC = 60
POLL_SEC = 0.2
CLAIMS = "/api/insurance/claims"
NEAR = Decimal("0.001")  # of the liquidation price: from there on the account is read every few seconds


def mark_comes_near(world: World, position: dict[str, Any]) -> Decimal:
    """The mark price falls to just above the position's liquidation price; it is this."""
    px = (Decimal(position["liqPx"]) * (1 + NEAR)).quantize(Decimal("0.01"))
    world.exchange.books.move_mark(position["instId"], px)
    return px


async def liquidated_and_found(
    world: World, trader: Trader, teller: Teller, order: dict[str, Any], position: dict[str, Any]
) -> dict[str, Any]:
    """The claim, once it is payable. Nobody has asked for it."""
    inst_id, was = position["instId"], position["markPx"]
    teller.chapter("The mark price falls through the liquidation price: OKX liquidates the position")
    await _cover_has_begun(trader, order["purchaseOrderId"])
    px = (Decimal(position["liqPx"]) * (1 - NEAR)).quantize(Decimal("0.01"))
    liquidated = world.exchange.books.move_mark(inst_id, px)
    expect(len(liquidated) == 1, f"{len(liquidated)} positions were liquidated, not one")
    world.exchange.books.move_mark(inst_id, was)  # it recovers: what is gone stays gone
    teller.line("mark price", f"falls to {px}, past {Decimal(position['liqPx']):.2f}, and is back at {was}")
    claim = await _until(trader, order, lambda found: found["claimId"])
    teller.line("claim", f"{claim['claimId']}, opened by the {claim['openedBy'].lower()}")
    teller.chapter("The exchange is asked, its answers are kept, and the verdict follows from them")
    claim = await _until(trader, order, lambda found: found["status"] == "PAYABLE")
    for move in claim["history"]:
        teller.line(move["at"][11:23], f"{move['toStatus']}: {move['reason']} ({move['actor']})")
    teller.line("liquidated at", claim["liquidatedAt"])
    teller.line("trigger price", claim["triggerPx"])
    teller.line("owed", f"{usd(int(claim['amount']))} USDC of {usd(int(order['payoutAmount']))} insured")
    return claim


async def proven_and_approved(world: World, teller: Teller, claim: dict[str, Any]) -> None:
    """Anybody computes the verdict again; an operator approves it."""
    path = world.folder / "claim.json"
    teller.chapter("All of it is one document, from which anybody computes the verdict again")
    await ran(world, "claims", "bundle", claim["claimId"], "--out", str(path))
    teller.line("bundle", f"{path.stat().st_size:,} bytes, SHA-256 {claim['bundleSha256']}")
    teller.quote(await ran(world, "claims", "replay", str(path)))
    teller.chapter("An operator approves it")
    by = ("--by", OPERATOR, "--reason", "history, orders and bills agree")
    teller.quote(await ran(world, "claims", "approve", claim["claimId"], *by))


async def is_paid(trader: Trader, teller: Teller, order: dict[str, Any]) -> None:
    """What the trader sees in the end."""
    claim = await _until(trader, order, lambda found: found["status"] == "PAID")
    teller.line("claim", f"{claim['status']}: {usd(int(claim['amount']))} USDC by {claim['payTxHash']}")


async def _cover_has_begun(trader: Trader, order_id: str) -> None:
    shown = await trader.order(order_id)
    begins = datetime.fromisoformat(shown["coverageStartAt"]) + timedelta(seconds=1)
    await asyncio.sleep(max(0.0, (begins - datetime.now(UTC)).total_seconds()))


async def _until(
    trader: Trader, order: dict[str, Any], holds: Callable[[dict[str, Any]], object]
) -> dict[str, Any]:
    """Look at the order's claim until something holds. Raises StoryError after a minute."""
    found: dict[str, Any] | None = None
    for _ in range(int(PATIENCE_SEC / POLL_SEC)):
        listed: list[dict[str, Any]] = (await trader.call("GET", CLAIMS))["claims"]
        found = next((one for one in listed if one["purchaseOrderId"] == order["purchaseOrderId"]), None)
        if found is not None and holds(found):
            return found
        await asyncio.sleep(POLL_SEC)
    raise StoryError(f"waited in vain for the claim: {found or 'there is none'}")
