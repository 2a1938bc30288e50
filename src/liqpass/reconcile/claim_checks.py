"""What is broken of the payouts of one claim: held against its approval and the ledger."""

from collections.abc import Iterator
from datetime import datetime

from liqpass.hexes import checksum
from liqpass.ledger.book import Account
from liqpass.money import usd
from liqpass.reconcile.checks import CLAIM_OVERDUE_AFTER, BreakType, Found, order_subject
from liqpass.reconcile.claims.sql import ClaimFacts

_OWED = (Account.POOL_LOCKED, Account.CLAIMS_PAYABLE)
_PAID = (Account.CLAIMS_PAYABLE, Account.TREASURY)


def judge_claim(facts: ClaimFacts, now: datetime) -> Iterator[Found]:
    """What is broken of it."""
    approved = facts.approved
    if approved > facts.asked:
        said = f"{usd(approved)} are approved for the claim, and its payouts make {usd(facts.asked)}"
        yield _found(facts, BreakType.CLAIM_WITHOUT_PAYOUT, said, facts.asked, _OWED)
    elif approved < facts.asked:
        said = f"payouts of {usd(facts.asked)} are asked for as a claim's, and {usd(approved)} are approved"
        yield _found(facts, BreakType.PAYOUT_WITHOUT_CLAIM, said, facts.asked, _OWED)
    if facts.booked != approved:
        said = f"claim and ledger: {usd(approved)} are approved, the ledger owes {usd(facts.booked)}"
        yield _found(facts, BreakType.AMOUNT_DIFFERS, said, facts.booked, _OWED)
    if (paid := facts.paid + facts.again) > approved:
        said = f"{usd(approved)} are approved for the claim, and {usd(paid)} were paid"
        if facts.again:
            said += f", {usd(facts.again)} of it once more to the same wallet"
        yield _found(facts, BreakType.CLAIM_PAID_TWICE, said, paid, _PAID)
    if facts.another is not None:
        said = f"a payout of the claim goes to {checksum(facts.another)}, whom nobody named"
        yield _found(facts, BreakType.CLAIM_PAID_TO_ANOTHER, said, facts.asked, _PAID, wallet=facts.another)
    if facts.waits_since is not None and facts.waits_since < now - CLAIM_OVERDUE_AFTER:
        said = f"{usd(facts.waiting)} of the claim are approved since {facts.waits_since:%Y-%m-%d %H:%M} UTC"
        yield _found(facts, BreakType.CLAIM_OVERDUE, f"{said}, and not seen on chain", facts.paid, _PAID)


def _found(
    facts: ClaimFacts,
    kind: BreakType,
    said: str,
    found: int,
    accounts: tuple[Account, ...],
    *,
    wallet: bytes | None = None,
) -> Found:
    return Found(
        type=kind,
        subject=order_subject(facts.purchase_order_id),
        said=said,
        purchase_order_id=facts.purchase_order_id,
        wallet=wallet or facts.owner,
        accounts=accounts,
        expected=facts.approved,
        found=found,
        at=facts.at,
    )
