"""Which payouts are held back, because the token would not move them now: one of them in a batch, and the
Safe can send none of it. What is held stays due, and goes into a batch by itself once the token takes it."""

import asyncio
from collections.abc import Mapping, Sequence
from enum import StrEnum
from uuid import UUID

import msgspec

from liqpass.chain import reverts
from liqpass.chain.failures import NodeError
from liqpass.chain.outgoing import Outgoing, outgoing
from liqpass.chain.reverts import Revert
from liqpass.chain.rpc import Node
from liqpass.money import usd
from liqpass.problems import Problem
from liqpass.settings import ChainSettings
from liqpass.treasury.records import Disbursement

Nodes = tuple[Node, ...]
LOOK_SEC = 4.0  # whoever only looks does not wait longer for the endpoints


class Code(StrEnum):
    """Why it is held. Stable: pages have words for each."""

    USDC_PAUSED = "USDC_PAUSED"
    """No USDC moves at present."""
    TREASURY_BLACKLISTED = "TREASURY_BLACKLISTED"
    """USDC moves nothing of the treasury's."""
    RECIPIENT_BLACKLISTED = "RECIPIENT_BLACKLISTED"
    """USDC moves nothing to this address."""
    WOULD_FAIL = "WOULD_FAIL"
    """Anything else for which the token refuses."""
    TREASURY_SHORT = "TREASURY_SHORT"
    """The treasury holds less than what is to be paid before it and this."""
    ORDER_NOT_COVERED = "ORDER_NOT_COVERED"
    """It is for a claim, and the payment of the claim's order left the chain."""
    NOT_KNOWN = "NOT_KNOWN"
    """No endpoint says whether it would pass."""


DETAILS = {
    Code.USDC_PAUSED: "USDC is paused by its issuer",
    Code.TREASURY_BLACKLISTED: "the treasury is on the blacklist of USDC",
    Code.RECIPIENT_BLACKLISTED: "this address is on the blacklist of USDC",
    Code.WOULD_FAIL: "USDC refuses the transfer: {words}",
    Code.TREASURY_SHORT: "the treasury holds {held} USDC, and what is due before it comes first",
    Code.ORDER_NOT_COVERED: "the payment of the claim's order left the chain: there is no cover now",
    Code.NOT_KNOWN: "no endpoint says whether USDC would take it",
}
NO_REASON = "it gives no reason"


class Held(msgspec.Struct, frozen=True):
    """Why a payout is held, in a word and in a sentence; `words` are the token's own, if they are needed."""

    code: Code
    detail: str
    words: str = ""


NOT_KNOWN = Held(Code.NOT_KNOWN, DETAILS[Code.NOT_KNOWN])


async def token_says(nodes: Sequence[Node], chain: ChainSettings, dues: Sequence[Disbursement]) -> Outgoing:
    """Ask the token about these payouts; no transaction may be open. Raises Problem NODE_UNAVAILABLE."""
    return await token_says_of(nodes, chain, {due.recipient: due.amount for due in dues})


async def token_says_of(
    nodes: Sequence[Node], chain: ChainSettings, payouts: Mapping[bytes, int]
) -> Outgoing:
    """The same of recipients and micro-USDC."""
    try:
        return await outgoing(nodes, chain, payouts)
    except NodeError as error:
        what = f"No endpoint says whether USDC can be paid out to them ({error.detail})"
        raise Problem("NODE_UNAVAILABLE", f"{what}. Nothing was written; try again soon.") from None


async def seen(nodes: Sequence[Node], chain: ChainSettings, dues: Sequence[Disbursement]) -> dict[UUID, Held]:
    """For who only looks: what of these is held, and why; no transaction may be open. Where no endpoint
    answers soon, that is said of each."""
    waiting = [due for due in dues if due.shown is None]
    if not waiting:
        return {}
    try:
        async with asyncio.timeout(LOOK_SEC):
            return held(waiting, await token_says(nodes, chain, waiting))
    except (Problem, TimeoutError):
        return {due.id: NOT_KNOWN for due in waiting}


def held(dues: Sequence[Disbursement], said: Outgoing) -> dict[UUID, Held]:
    """Which of these the treasury cannot pay now, and why. In their order, each takes what it needs of what
    the treasury holds."""
    left, found = said.held, {}
    for due in dues:
        why = _held(Code.ORDER_NOT_COVERED) if due.uncovered else refusal(due.recipient, said)
        if why is None and due.amount > left:
            why = _held(Code.TREASURY_SHORT, held=usd(said.held))
        if why is not None:
            found[due.id] = why
        else:
            left -= due.amount
    return found


def refusal(recipient: bytes, said: Outgoing) -> Held | None:
    """Why the token pays this recipient nothing, or None."""
    if said.standstill is not None:
        return _refused(said.standstill, Code.TREASURY_BLACKLISTED)
    if recipient in said.refused:
        return _refused(said.refused[recipient], Code.RECIPIENT_BLACKLISTED)
    return None if recipient in said.asked else NOT_KNOWN


def _refused(revert: Revert, blacklisted: Code) -> Held:
    codes = {reverts.PAUSED: Code.USDC_PAUSED, reverts.BLACKLISTED: blacklisted}
    return _held(codes.get(revert.words, Code.WOULD_FAIL), words=revert.name or revert.words or NO_REASON)


def _held(code: Code, *, words: str = "", **values: str) -> Held:
    return Held(code, DETAILS[code].format(words=words, **values), words)
