"""Words of the operator's pages for what the code names by a constant."""

from collections.abc import Mapping

from markupsafe import Markup

from liqpass.exposure.limits import Scope
from liqpass.ledger.book import Account
from liqpass.reconcile.checks import BreakType
from liqpass.treasury.holding import Code
from liqpass.treasury.pairing import Purpose
from liqpass.treasury.suspense import Why
from liqpass.web.words import N_

SAID_OF_BREAK: Mapping[str, str] = {
    BreakType.ORDER_PAID_WITHOUT_EVENT: N_("Covered without a payment"),
    BreakType.EVENT_WITHOUT_ORDER: N_("Payment for no order of ours"),
    BreakType.AMOUNT_DIFFERS: N_("Amounts differ"),
    BreakType.LEDGER_WITHOUT_EVENT: N_("In the ledger, not on chain"),
    BreakType.EVENT_WITHOUT_LEDGER: N_("On chain, not in the ledger"),
    BreakType.BALANCE_DIFFERS: N_("Treasury and ledger differ"),
    BreakType.COVER_WITHOUT_CAPITAL: N_("Held capital is wrong"),
    BreakType.ORDER_STUCK: N_("Order does not move on"),
    BreakType.BINDING_DISAGREES: N_("Binding and order disagree"),
    BreakType.MONEY_IN_SUSPENSE: N_("Money in suspense"),
    BreakType.MONEY_LEFT_UNEXPLAINED: N_("Money left unexplained"),
    BreakType.PREMIUM_EARNED_WRONG: N_("Earned premium is wrong"),
    BreakType.HISTORY_BROKEN: N_("History is broken"),
    BreakType.LEDGER_INCONSISTENT: N_("Ledger is inconsistent"),
    BreakType.CLAIM_WITHOUT_PAYOUT: N_("Claim approved, nothing to be paid"),
    BreakType.PAYOUT_WITHOUT_CLAIM: N_("Payout for no approved claim"),
    BreakType.CLAIM_PAID_TWICE: N_("Claim paid more than approved"),
    BreakType.CLAIM_PAID_TO_ANOTHER: N_("Claim paid to somebody else"),
    BreakType.CLAIM_OVERDUE: N_("Approved claim not paid yet"),
}

SAID_OF_SCOPE: Mapping[str, str] = {
    Scope.DIRECTION: N_("One direction"),
    Scope.INSTRUMENT: N_("One instrument"),
    Scope.ACCOUNT: N_("One exchange account"),
    Scope.WALLET: N_("One wallet"),
    Scope.CLAIMS: N_("Claims of 24 hours, one direction"),
}

SAID_OF_ACCOUNT: Mapping[str, str] = {
    Account.TREASURY: N_("Treasury, as the ledger has it"),
    Account.OUTFLOW_UNEXPLAINED: N_("Left unexplained"),
    Account.UNEARNED_PREMIUM: N_("Unearned premium"),
    Account.EARNED_PREMIUM: N_("Earned premium"),
    Account.SUSPENSE: N_("In suspense"),
    Account.REFUNDS_DUE: N_("Refunds due"),
    Account.WITHDRAWALS_DUE: N_("Withdrawals due"),
    Account.POOL_FREE: N_("Pool, free"),
    Account.POOL_LOCKED: N_("Pool, locked"),
    Account.CLAIMS_PAYABLE: N_("Claims payable"),
}

SAID_OF_WHY: Mapping[str, str] = {
    Why.OPENING: N_("It was in the treasury before the books began."),
    Why.PLAIN_TRANSFER: N_("It was sent straight to the treasury, for no order."),
    Why.RESCUED: N_("It was rescued from the checkout, where somebody had sent it."),
    Why.UNKNOWN_ORDER: N_("It was paid through the checkout for an order that is not ours."),
    Why.WRONG_AMOUNT: N_("It was paid for an order whose premium is another."),
    Why.LATE: N_("It was paid for an order after its quote had run out."),
    Why.ORDER_CLOSED: N_("It was paid for an order that was cancelled, over, or paid already."),
    Why.GONE: N_("Its transaction has left the chain."),
}

SAID_OF_PURPOSE: Mapping[str, str] = {
    Purpose.REFUND: N_("Refund"),
    Purpose.WITHDRAWAL: N_("Withdrawal"),
    Purpose.CLAIM: N_("Claim"),
}

SAID_OF_HELD: Mapping[str, str] = {
    Code.USDC_PAUSED: N_("USDC is paused by its issuer."),
    Code.TREASURY_BLACKLISTED: N_("The treasury is on the blacklist of USDC."),
    Code.RECIPIENT_BLACKLISTED: N_("This address is on the blacklist of USDC."),
    Code.WOULD_FAIL: N_("USDC refuses the transfer: %(words)s"),
    Code.TREASURY_SHORT: N_("The treasury holds less than this and what is due before it."),
    Code.ORDER_NOT_COVERED: N_("The payment of the claim’s order left the chain: there is no cover now."),
    Code.NOT_KNOWN: N_("No endpoint says whether USDC would take it."),
}


def coded(text: str) -> Markup:
    """A sentence in which `…` is typed into a terminal."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )
