"""What can still be covered when the free capital is short of a payout."""

from liqpass.db import Connection
from liqpass.ledger.book import Account
from liqpass.ledger.posting import balance
from liqpass.money import usd
from liqpass.orders.priced import PricedFrom
from liqpass.pricing.premium import NotInsurable, Price, price
from liqpass.pricing.skus import Products, Sku
from liqpass.problems import Problem


def fitting(products: Products, made_from: PricedFrom, free: int) -> list[tuple[Sku, Price]]:
    """The products whose payout for this position is at most `free` micro-USDC, the largest first."""
    found = []
    for sku in products.sku:
        try:
            cost = price(sku, made_from.facts, made_from.volatility, made_from.at)
        except NotInsurable:
            continue
        if cost.payout <= free:
            found.append((sku, cost))
    return sorted(found, key=lambda pair: -pair[1].payout)


def shortage(payout: int, free: int) -> str:
    """That there is too little free capital, in words."""
    return f"This cover pays {usd(payout)} USDC, and at present there is capital for {usd(free)} USDC."


async def exhausted(conn: Connection, products: Products, made_from: PricedFrom, payout: int) -> Problem:
    """The refusal of an order whose payout is not there, and which smaller cover would fit at this moment."""
    free = await balance(conn, Account.POOL_FREE)
    fits = fitting(products, made_from, free)
    if fits:
        names = ", ".join(f"{sku.id} (pays {usd(cost.payout)} USDC)" for sku, cost in fits)
        way = f"This would fit: {names}; bind the position again with that product."
    elif free:
        way = "A position with less margin would fit, or try again when other covers have ended."
    else:
        way = "Try again when other covers have ended."
    return Problem(
        "CAPACITY_EXHAUSTED",
        f"{shortage(payout, free)} {way}",
        field="bindId",
        largestPayoutAmount=str(free),
        largestPayoutUsd=usd(free),
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
