"""Suspense: money that came in and pays no order. It stays there until an operator says whose it is."""

import re
from enum import StrEnum
from typing import NoReturn

import msgspec

from liqpass.chain.view import Stage
from liqpass.db import Connection
from liqpass.hexes import to_hex
from liqpass.ledger.book import chain_ref, log_ref
from liqpass.money import usd
from liqpass.problems import Problem
from liqpass.settings import ChainSettings
from liqpass.treasury import sql
from liqpass.treasury.records import Suspended

OPENING = "opening"
NOBODY = bytes(20)  # USDC comes from it when it is made
_ITEM = re.compile(r"0[xX]([0-9a-fA-F]{64}):([0-9]{1,10})", re.ASCII)

WAIT_FOR_FINAL = "wait until its block is final"
WAIT_FOR_WORKER = "nothing: the worker's next step takes it out of the books"


class Why(StrEnum):
    """Why something is in suspense."""

    OPENING = "OPENING"
    """The treasury held it before the books began."""
    PLAIN_TRANSFER = "PLAIN_TRANSFER"
    """Sent straight to the treasury."""
    RESCUED = "RESCUED"
    """Had been sent to the checkout, and was taken out of it."""
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    """Paid through the checkout for an order that is not ours."""
    WRONG_AMOUNT = "WRONG_AMOUNT"
    """Paid for an order, and not its premium."""
    LATE = "LATE"
    """Paid for an order after its quote had run out."""
    ORDER_CLOSED = "ORDER_CLOSED"
    """Paid for an order that was cancelled, over, or paid already."""
    GONE = "GONE"
    """Its log has left the chain; booking takes it out."""


SAID = {
    Why.OPENING: "in the treasury before the books began",
    Why.PLAIN_TRANSFER: "sent straight to the treasury, for no order",
    Why.RESCUED: "rescued from the checkout, where somebody had sent it",
    Why.UNKNOWN_ORDER: "paid through the checkout for order {order}, which is not ours",
    Why.WRONG_AMOUNT: "paid for order {order}, whose premium is another",
    Why.LATE: "paid for order {order} after its quote had run out",
    Why.ORDER_CLOSED: "paid for order {order}, which was cancelled, over, or paid already",
    Why.GONE: "its transaction has left the chain",
}


def why(item: Suspended, chain: ChainSettings) -> Why:
    """Why it is in suspense."""
    if item.ref == chain_ref(chain.chain_id):
        return Why.OPENING
    if item.stage is None:
        return Why.GONE
    if item.purchase_order_id is not None:
        return Why.__members__.get(item.outcome or "", Why.GONE)
    return Why.RESCUED if item.sender == chain.checkout else Why.PLAIN_TRANSFER


def said(item: Suspended, chain: ChainSettings) -> str:
    """The same in words."""
    return SAID[why(item, chain)].format(order=to_hex(item.purchase_order_id or b""))


def is_final(item: Suspended, chain: ChainSettings) -> bool:
    """Nothing takes it away any more: it may be given to the pool or back."""
    return item.stage == Stage.FINAL or item.ref == chain_ref(chain.chain_id)


def next_steps(item: Suspended, chain: ChainSettings) -> list[str]:
    """What an operator may do with it: one of these."""
    key, found = key_of(item.ref), why(item, chain)
    if found == Why.GONE:
        return [WAIT_FOR_WORKER]
    if not is_final(item, chain):
        return [WAIT_FOR_FINAL]
    to = "" if may_receive(item.sender, chain) else " --to ADDRESS"
    refund = f"liqpass suspense refund {key}{to} --by NAME --reason TEXT"
    deposit = f"liqpass pool deposit --from {key} --by NAME"
    if found == Why.OPENING:
        return [deposit]
    return [refund, deposit] if found == Why.PLAIN_TRANSFER else [refund]


def may_receive(who: bytes | None, chain: ChainSettings) -> bool:
    """Whether money can be sent there: not into a contract of the product, nor to nobody."""
    return who is not None and who not in (NOBODY, chain.checkout, chain.usdc, chain.treasury)


def key_of(ref: bytes) -> str:
    """How an item is named: 0x<transaction>:<log index>, or `opening`."""
    return f"{to_hex(ref[:32])}:{int.from_bytes(ref[32:], 'big')}" if len(ref) == 36 else OPENING


def ref_of(text: str, chain: ChainSettings, field: str) -> bytes:
    """The ref of an item's name. Raises Problem INVALID_FIELD that names `field`."""
    if text.lower() == OPENING:
        return chain_ref(chain.chain_id)
    return _log_named(text, field, f"liqpass suspense list shows it, or the word {OPENING}")


def ref_of_outflow(text: str, field: str) -> bytes:
    """The ref of a transfer that left the treasury. Raises the same."""
    return _log_named(text, field, "liqpass reconcile breaks shows it")


def _log_named(text: str, field: str, shown: str) -> bytes:
    found = _ITEM.fullmatch(text)
    if found is None or int(found[2]) >= 2**31:
        what = f"{field} is a transaction and the index of a log in it, 0x…:3, as {shown}."
        raise Problem("INVALID_FIELD", what, field=field)
    return log_ref(bytes.fromhex(found[1]), int(found[2]))


class Held(msgspec.Struct, frozen=True):
    """An item, locked until the transaction ends. Micro-USDC."""

    ref: bytes
    sender: bytes | None
    remaining: int
    capital: int
    refund: int


async def hold(conn: Connection, chain: ChainSettings, ref: bytes) -> Held:
    """Lock an item of which something is to be taken, so that two at once never take more than there is.

    Raises Problem when there is none, or when a reorg could still take it away.
    """
    if ref == chain_ref(chain.chain_id):
        if await sql.lock_opening(conn, chain.chain_id) is None:
            raise Problem("NOT_FOUND", "The books have not begun yet: liqpass work opens them.")
        return await _held(conn, ref, None)
    place = ref[:32], int.from_bytes(ref[32:], "big")
    log = await sql.lock_payment(conn, chain.chain_id, *place)
    log = log or await sql.lock_transfer(conn, chain.chain_id, *place)
    if log is None:
        raise Problem("NOT_FOUND", f"Nothing came into the treasury under {key_of(ref)}.")
    held = await _held(conn, ref, log.sender)
    if held.remaining and log.stage != Stage.FINAL:
        raise Problem(
            "INVALID_FIELD",
            f"The block of {key_of(ref)} is not final: a reorg could still take the money away. "
            "Try again in some minutes.",
        )
    return held


async def _held(conn: Connection, ref: bytes, sender: bytes | None) -> Held:
    found = await sql.remaining(conn, ref)
    return Held(ref, sender, found.came_in - found.capital - found.refund, found.capital, found.refund)


def part(held: Held, amount: int | None, field: str) -> int:
    """How much is to be taken of an item: all that remains unless an amount is named. Raises Problem."""
    if held.remaining <= 0:
        _refuse(f"Nothing of {key_of(held.ref)} is in suspense.", field)
    if amount is not None and amount > held.remaining:
        _refuse(f"Of {key_of(held.ref)} only {usd(held.remaining)} USDC are in suspense.", field)
    return held.remaining if amount is None else amount


def _refuse(detail: str, field: str) -> NoReturn:
    raise Problem("INVALID_FIELD", detail, field=field)


async def items(conn: Connection, chain: ChainSettings) -> list[Suspended]:
    """All that is in suspense, the oldest first."""
    return await sql.suspended(conn, chain.chain_id)
