"""What can still be covered when a payout is more than the capital or a limit of exposure leaves."""

from datetime import datetime
from uuid import UUID

from liqpass.db import Connection, Overtaken
from liqpass.exposure.limits import Direction
from liqpass.exposure.rooms import rooms
from liqpass.money import usd
from liqpass.orders.priced import PricedFrom
from liqpass.positions.refusals import WhyNot
from liqpass.pricing.premium import NotInsurable, Price, price
from liqpass.pricing.skus import Products, Sku
from liqpass.problems import Problem


def fitting(products: Products, made_from: PricedFrom, room: int) -> list[tuple[Sku, Price]]:
    """The products whose payout for this position is at most `room` micro-USDC, the largest first."""
    found = []
    for sku in products.sku:
        try:
            cost = price(sku, made_from.facts, made_from.volatility, made_from.at)
        except NotInsurable:
            continue
        if cost.payout <= room:
            found.append((sku, cost))
    return sorted(found, key=lambda pair: -pair[1].payout)


async def refused(
    conn: Connection,
    now: datetime,
    user: bytes,
    api_account_id: UUID,
    inst_id: str,
    products: Products,
    made_from: PricedFrom,
    payout: int,
) -> Problem:
    """Why the database did not take an order: SALE_STOPPED, or CAPACITY_EXHAUSTED with the limit that leaves
    least, and which smaller cover would fit at this moment. Raises Overtaken where this one fits by now."""
    direction = Direction(made_from.facts.side)
    left = (await rooms(conn, now, user, api_account_id, [inst_id])).of(direction, inst_id, now)
    refusal = left.refusal(payout)
    if refusal is None:
        raise Overtaken
    if refusal.code is WhyNot.SALE_STOPPED:
        until = refusal.values["until"] or None
        return Problem("SALE_STOPPED", refusal.words, field="bindId", direction=str(direction), until=until)
    room = left.room
    fits = fitting(products, made_from, room)
    if fits:
        names = ", ".join(f"{sku.id} (pays {usd(cost.payout)} USDC)" for sku, cost in fits)
        way = f"This would fit: {names}; bind the position again with that product."
    elif room:
        way = "A position with less margin would fit, or try again when other covers have ended."
    else:
        way = "Try again when other covers have ended."
    return Problem(
        "CAPACITY_EXHAUSTED",
        f"{refusal.words} {way}",
        field="bindId",
        limit=left.limit,
        room=str(room),
        roomUsd=usd(room),
        largestPayoutAmount=str(room),
        largestPayoutUsd=usd(room),
        fits=[
            {
                "sku": sku.id,
                "premiumAmount": str(cost.premium),
                "premiumUsd": usd(cost.premium),
                "payoutAmount": str(cost.payout),
                "payoutUsd": usd(cost.payout),
            }
            for sku, cost in fits
        ],
    )
