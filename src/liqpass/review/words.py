"""What the codes of claims mean, in one sentence each, for callers of the API and of the commands."""

from datetime import timedelta

from liqpass.claims.case import Missing, Outcome, Part, Reason, Verdict
from liqpass.ids import EPOCH
from liqpass.money import usd
from liqpass.treasury.holding import Code

REASONS: dict[str, str] = {
    Reason.CLOSED_BY_OWNER: "The position was closed by its owner: the exchange liquidated nothing of it.",
    Reason.AUTO_DELEVERAGED: "The exchange closed it by auto-deleveraging, which is no liquidation.",
    Reason.NOT_LIQUIDATED: "After the cover's end the position was still open, and nothing of it liquidated.",
    Reason.BEFORE_START: "It was liquidated before the cover began.",
    Reason.AFTER_END: "It was liquidated when the cover was over.",
    Reason.SHORT_OF_PRICE: "It was liquidated before the insured price was reached: something was "
    "changed after the order was priced.",
    Reason.NO_LOSS: "Nothing was lost in the liquidation.",
}

MISSING: dict[str, str] = {
    Missing.EPISODE_RUNS: "The position is open and not liquidated: there is nothing to decide yet.",
    Missing.HISTORY_ROW: "OKX does not show this position in its history yet.",
    Missing.ORDERS_OR_BILLS: "OKX shows neither an order nor a bill of the liquidation yet.",
    Missing.ALL_FILLS: "What was opened and closed since pricing does not add up yet: something is missing.",
    Missing.AGREEMENT: "Two of OKX's endpoints say different things of it.",
    Missing.TRIGGER_PRICE: "Neither the trigger price nor the mark price at the fill is shown.",
    Missing.CONTRACT_VALUE: "What a contract is worth is not known yet.",
    Missing.FUNDING: "It depends on funding that was paid for size added after pricing: an operator decides.",
    Missing.READABLE_ROWS: "A row that may be the position's cannot be read.",
    Missing.UNKNOWN_CLOSING: "OKX closed the position in a way that is not known here.",
}


HELD: dict[str, str] = {
    Code.USDC_PAUSED: "USDC is paused by its issuer: it is paid when that is over.",
    Code.TREASURY_BLACKLISTED: "The treasury is on the blacklist of USDC: nothing can be paid at present.",
    Code.RECIPIENT_BLACKLISTED: "USDC moves nothing to this address: it is on the blacklist of its issuer.",
    Code.WOULD_FAIL: "USDC refuses the transfer at present.",
    Code.TREASURY_SHORT: "What is due before it comes first: the treasury is being filled.",
    Code.ORDER_NOT_COVERED: "The order's payment left the chain: it is paid when the payment is there again.",
    Code.NOT_KNOWN: "Nobody can say at present whether USDC would take it.",
}


def held_in_words(code: str | None) -> str | None:
    """Why USDC would not pay it now."""
    return None if code is None else HELD.get(code, code)


def reason_in_words(code: str | None) -> str | None:
    """The sentence of a reason's code; a code that has none stands for itself."""
    return None if code is None else REASONS.get(code, code)


def missing_in_words(codes: list[str]) -> list[str]:
    """A sentence for each."""
    return [MISSING.get(code, code) for code in codes]


def verdict_in_words(verdict: Verdict) -> list[str]:
    """A verdict for people, line by line."""
    if verdict.outcome == Outcome.PAYABLE:
        lines = [f"PAYABLE: {usd(verdict.amount or 0)} USDC are owed for this order."]
    elif verdict.outcome == Outcome.NOT_COVERED:
        lines = [f"NOT_COVERED: {reason_in_words(verdict.reason)}"]
    else:
        lines = ["NOT_YET_KNOWN: it is not shown either way.", *missing_in_words(list(verdict.missing))]
    return lines + [_part_in_words(part) for part in verdict.parts]


def _part_in_words(part: Part) -> str:
    at = EPOCH + timedelta(milliseconds=part.at_ms)
    what = f"{part.contracts} contracts liquidated at {part.px}, {at:%Y-%m-%d %H:%M:%S} UTC"
    limit = part.bound_px or "a limit that is not known"
    trigger = f"trigger price {part.trigger_px or 'not shown'}, which had to reach {limit}"
    why = "It counts." if part.why_not is None else f"It counts for nothing: {reason_in_words(part.why_not)}"
    return f"{what}; {trigger}. {why}"
