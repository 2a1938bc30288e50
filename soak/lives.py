"""One whole life: a position, its order, how it is paid, what becomes of it, what its owner asks for."""

import random
from typing import Any

from tests.storms.fates import IN_PARTS, WHOLE
from tests.storms.storm import FUNDED

SLOTS = [(inst, side) for inst in ("BTC", "ETH", "SOL", "DOGE") for side in ("long", "short")]
SIZES = {"BTC": 5, "ETH": 8, "SOL": 20, "DOGE": 12}
SECONDS = {"LIQPASS_8H": 28_800, "LIQPASS_24H": 86_400, "LIQPASS_30D": 2_592_000}
LEVERS = {"LIQPASS_8H": (10, 20), "LIQPASS_24H": (10, 20), "LIQPASS_30D": (5, 10)}
# How it is paid, how often of a hundred.
WAYS = {
    "exact": 58,
    "cancelled first": 4,
    "another wallet": 5,
    "twice": 4,
    "too little": 3,
    "plain": 3,
    "late": 4,
    "never": 4,
    "dropped": 4,
    "replaced": 4,
    "not allowed": 3,
    "racing cancel": 4,
}
# Which hash is handed in.
SUBMITS = {"after": 50, "before": 10, "never": 22, "false": 6, "another's": 6, "twice": 6}
Later = list[tuple[int, str, dict[str, Any]]]


def of_hundred(draw: random.Random, table: dict[str, int]) -> str:
    """One of its names, as often as it says."""
    return draw.choices(list(table), list(table.values()))[0]


def drawn(
    number: int, slot: tuple[int, str, str], draw: random.Random, *, longest: bool
) -> tuple[dict[str, Any], Later]:
    """What it is when its position is opened, and what is done later, after so many seconds."""
    account, inst, side = slot
    sku = of_hundred(draw, {"LIQPASS_8H": 70, "LIQPASS_24H": 26, "LIQPASS_30D": 4 if longest else 0})
    fates = WHOLE if inst in FUNDED else IN_PARTS
    life = {
        "life": number,
        "account": account,
        "inst": inst,
        "side": side,
        "size": SIZES[inst] + draw.randrange(4),
        "lever": draw.choice(LEVERS[sku]),
        "sku": sku,
        "fate": draw.choice(fates).__name__ if draw.random() < 0.45 else "",
        "seed": draw.randrange(2**31),
    }
    lasts, bought = SECONDS[sku], draw.randrange(120, 400)
    later: Later = [(bought, "buy", {"life": number})]
    later += _paid(number, bought, draw)
    if draw.random() < 0.3:
        at = bought + int(lasts * draw.uniform(0.1, 1.4))
        later.append((at, "claim", {"life": number}))
        if draw.random() < 0.5:
            later.append((at + draw.randrange(3600, 40_000), "object", {"life": number}))
    inside = not life["fate"] and draw.random() < 0.2
    closes = int(lasts * draw.uniform(0.2, 0.9)) if inside else lasts + draw.randrange(5_000, 16_000)
    later.append((bought + closes, "close", {"life": number}))
    later.append((bought + closes + 600, "free", {"account": account, "inst": inst, "side": side}))
    return life, later


def _paid(number: int, bought: int, draw: random.Random) -> Later:
    way, submit = of_hundred(draw, WAYS), of_hundred(draw, SUBMITS)
    at = bought + (draw.randrange(5_500, 9_000) if way == "late" else draw.randrange(1, 500))
    later: Later = []
    if way in ("cancelled first", "racing cancel"):
        before = draw.randrange(1, 300) if way == "cancelled first" else 0
        later.append((max(bought + 1, at - before), "cancel", {"life": number}))
    if way != "never":
        later.append(
            (at, "pay", {"life": number, "way": way, "submit": submit, "seed": draw.randrange(2**31)})
        )
        if submit == "after":
            later.append((at + draw.randrange(1, 900), "submit", {"life": number}))
    return later
