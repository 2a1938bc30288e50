"""Paying with a permit: what the payer signs instead of approving, and the one call that it makes."""

from collections.abc import Sequence
from datetime import datetime

from liqpass.chain import payer as asking
from liqpass.chain import reverts
from liqpass.chain.checkout import Call
from liqpass.chain.permits import Permit, digest, with_permit
from liqpass.chain.reverts import Revert
from liqpass.chain.rpc import Node
from liqpass.orders.paying import Bill
from liqpass.problems import Problem
from liqpass.settings import ChainSettings
from liqpass.signin.siwe import expanded, signer_of


def deadline_of(bill: Bill) -> int:
    """A permit is good for as long as its quote: unix seconds."""
    return int(bill.pay_before.timestamp())


async def offered(
    nodes: Sequence[Node], chain: ChainSettings, bill: Bill, now: datetime, payer: bytes
) -> Permit:
    """The permit that this payer may sign now. Raises ORDER_NOT_PAYABLE, PERMIT_UNAVAILABLE, NodeError."""
    if bill.pay_before < now:
        raise Problem("ORDER_NOT_PAYABLE", "The quote of this order has run out.", field="purchaseOrderId")
    why_not = refused(await asking.standing(nodes, chain, bill.checkout, payer))
    if why_not is not None:
        raise _unavailable(why_not)
    terms = await asking.permit_terms(nodes, chain, payer)
    if terms is None:
        raise _unavailable("The token takes no permits here.")
    return Permit(terms.domain, payer, bill.checkout, bill.amount, terms.nonce, deadline_of(bill))


def refused(payer: asking.Standing) -> str | None:
    """Why the token would refuse any permit of this payer; None where it looks at the signature of its key.

    USDC asks the code of an account that has some, ERC-1271's question. Whether the code of an account that
    delegates (EIP-7702) takes what its key has signed shows only once it has: many want it signed otherwise.
    """
    if payer.is_contract:
        return "The payer is a contract, which has no key to sign a permit with."
    if payer.code:
        return "The payer's account runs a contract's code (EIP-7702), and the token asks that, not the key."
    return None


async def paid_with(nodes: Sequence[Node], bill: Bill, permit: Permit, signature: bytes) -> Call:
    """The payment with this permit, signed. Raises PERMIT_REJECTED when somebody else signed it or something
    else was signed, PERMIT_UNAVAILABLE when no key makes such a signature (65 bytes, or 64 when compact) or
    the token does not take it, NodeError."""
    if signer_of(digest(permit), signature) != permit.owner:
        if len(signature) != 65:
            raise _unavailable("The signature is none that a key makes, which are 65 bytes.")
        raise Problem(
            "PERMIT_REJECTED",
            "The payer has not signed this permit. Ask for it again, and sign with the payer's wallet.",
            field="signature",
        )
    call = with_permit(bill.pay, permit, expanded(signature))
    revert = await asking.tried(nodes, permit.owner, call)
    if revert in (Revert(words=reverts.TOO_LITTLE_ALLOWED), reverts.UNEXPLAINED):
        raise _unavailable("The token does not take this wallet's permit.")
    return call


def _unavailable(why: str) -> Problem:
    return Problem("PERMIT_UNAVAILABLE", f"{why} Approve the amount instead.", field="payer")
