"""What stands in the way of a payment, said before the wallet asks for a signature. Pure."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from liqpass.chain import reverts
from liqpass.chain.payer import Standing
from liqpass.chain.reverts import Revert
from liqpass.money import usd
from liqpass.orders.paying import Bill


class Code(StrEnum):
    """What it is. Stable: pages have words for each."""

    CHECKOUT_PAUSED = "CHECKOUT_PAUSED"
    """Our contract takes no payments at present."""
    USDC_PAUSED = "USDC_PAUSED"
    """No USDC moves at present."""
    TREASURY_BLACKLISTED = "TREASURY_BLACKLISTED"
    """USDC refuses our treasury."""
    PAYER_BLACKLISTED = "PAYER_BLACKLISTED"
    """USDC refuses the payer."""
    QUOTE_EXPIRED = "QUOTE_EXPIRED"
    """The time to pay is over."""
    ALREADY_PAID = "ALREADY_PAID"
    """The contract has taken a payment for this order."""
    QUOTE_NOT_ACCEPTED = "QUOTE_NOT_ACCEPTED"
    """The contract's signer is another than ours."""
    BALANCE_TOO_LOW = "BALANCE_TOO_LOW"
    """The payer has less USDC than the premium."""
    WOULD_FAIL = "WOULD_FAIL"
    """Anything else for which a contract refuses."""
    NO_ETH = "NO_ETH"
    """The payer has no ether for the fee; somebody else may bear it."""


DETAILS = {
    Code.CHECKOUT_PAUSED: "The checkout is paused: it takes no payments at present.",
    Code.USDC_PAUSED: "USDC itself is paused by its issuer.",
    Code.TREASURY_BLACKLISTED: "The treasury is on the blacklist of USDC: nothing can be paid at present.",
    Code.PAYER_BLACKLISTED: "This address is on the blacklist of USDC: it cannot pay.",
    Code.QUOTE_EXPIRED: "The quote has run out. Get a new one.",
    Code.ALREADY_PAID: "This order is paid already. It shows here as soon as the chain's blocks are read.",
    Code.QUOTE_NOT_ACCEPTED: "The checkout does not accept this quote. Get a new one.",
    Code.BALANCE_TOO_LOW: "This address has {haveUsd} USDC of {needUsd}: {missingUsd} are missing.",
    Code.WOULD_FAIL: "The payment would fail: {words}.",
    Code.NO_ETH: "This address has no ether for the network's fee.",
}

BY_NAME = {
    "EnforcedPause": Code.CHECKOUT_PAUSED,
    "QuoteExpired": Code.QUOTE_EXPIRED,
    "AlreadyPaid": Code.ALREADY_PAID,
    "QuoteNotSigned": Code.QUOTE_NOT_ACCEPTED,
}

# The token's words, and which of the things that were read explain them.
EXPLAINED_BY = {
    reverts.PAUSED: {Code.USDC_PAUSED},
    reverts.BLACKLISTED: {Code.PAYER_BLACKLISTED, Code.TREASURY_BLACKLISTED},
    reverts.TOO_LITTLE_HELD: {Code.BALANCE_TOO_LOW},
}
TOO_LITTLE_ALLOWED = Revert(words=reverts.TOO_LITTLE_ALLOWED)
NO_REASON = "the contract gives no reason"


class Obstacle(msgspec.Struct, frozen=True):
    """What stands in the way, with the values that its words need. Not `blocking`: it can be paid all the
    same."""

    code: Code
    detail: str
    blocking: bool
    values: dict[str, Any]


def obstacles(
    bill: Bill, now: datetime, payer: bytes, treasury: bytes, found: Standing, revert: Revert | None
) -> list[Obstacle]:
    """All of them, each once. `revert` is how payPremium would fail from the payer: the token looks at pause,
    blacklist, allowance and balance in this order, so short of an allowance the rest is as it was read, and
    a refusal without a reason is no more than that."""
    codes: dict[Code, dict[str, Any]] = {code: {} for code in _read(bill, now, payer, treasury, found)}
    if found.balance < bill.amount:
        codes[Code.BALANCE_TOO_LOW] = {
            "haveUsd": usd(found.balance),
            "needUsd": usd(bill.amount),
            "missingUsd": usd(bill.amount - found.balance),
        }
    is_short = needs_approval(bill, found, revert) and revert in (TOO_LITTLE_ALLOWED, reverts.UNEXPLAINED)
    if revert is not None and not is_short:
        code = BY_NAME.get(revert.name)
        if code is not None:
            codes[code] = {}
        elif not EXPLAINED_BY.get(revert.words, set()) & codes.keys():
            codes[Code.WOULD_FAIL] = {"words": revert.name or revert.words or NO_REASON}
    if not found.ether and not found.is_contract:
        codes[Code.NO_ETH] = {}
    return [
        Obstacle(code, DETAILS[code].format_map(codes[code]), code != Code.NO_ETH, codes[code])
        for code in Code
        if code in codes
    ]


def _read(bill: Bill, now: datetime, payer: bytes, treasury: bytes, found: Standing) -> list[Code]:
    """What can be read without trying. The quote's time by our clock too: the next block is later than the
    head, on which it is tried."""
    seen = {
        Code.CHECKOUT_PAUSED: found.checkout_paused,
        Code.USDC_PAUSED: found.usdc_paused,
        Code.TREASURY_BLACKLISTED: treasury in found.blacklisted,
        Code.PAYER_BLACKLISTED: payer in found.blacklisted,
        Code.QUOTE_EXPIRED: bill.pay_before < now,
    }
    return [code for code, there in seen.items() if there]


def needs_approval(bill: Bill, found: Standing, revert: Revert | None) -> bool:
    """Whether the payer has to approve, or to sign a permit, before paying."""
    return found.allowance < bill.amount or revert == TOO_LITTLE_ALLOWED
