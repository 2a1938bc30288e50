"""Words of claims for what the code names by a constant: a trader reads the sentences, an operator both."""

from collections.abc import Mapping

from liqpass.claims.case import Missing, Outcome, Reason
from liqpass.claims.states import ClaimStatus, Opener
from liqpass.web.words import N_

SAID_OF_CLAIM: Mapping[str, str] = {
    ClaimStatus.OPEN: N_("Claim opened"),
    ClaimStatus.GATHERING: N_("Collecting evidence"),
    ClaimStatus.NOT_COVERED: N_("Claim not covered"),
    ClaimStatus.PAYABLE: N_("Claim payable, to be approved"),
    ClaimStatus.IN_REVIEW: N_("Claim in review"),
    ClaimStatus.APPROVED: N_("Claim approved"),
    ClaimStatus.BATCHED: N_("Payout on its way"),
    ClaimStatus.PAID: N_("Claim paid"),
    ClaimStatus.REFUSED: N_("Claim refused"),
}

# Classes of .state in style.css, as of a phase: each has a mark of its own.
MARK_OF_CLAIM: Mapping[str, str] = {
    ClaimStatus.OPEN: "waiting",
    ClaimStatus.GATHERING: "waiting",
    ClaimStatus.NOT_COVERED: "no",
    ClaimStatus.PAYABLE: "waiting",
    ClaimStatus.IN_REVIEW: "waiting",
    ClaimStatus.APPROVED: "good",
    ClaimStatus.BATCHED: "good",
    ClaimStatus.PAID: "good",
    ClaimStatus.REFUSED: "bad",
}

SAID_OF_OUTCOME: Mapping[str, str] = {
    Outcome.PAYABLE: N_("Payable"),
    Outcome.NOT_COVERED: N_("Not covered"),
    Outcome.NOT_YET_KNOWN: N_("Not known yet"),
}

SAID_OF_REASON: Mapping[str, str] = {
    Reason.CLOSED_BY_OWNER: N_("The position was closed by its owner; OKX liquidated nothing of it."),
    Reason.AUTO_DELEVERAGED: N_(
        "OKX closed the position by auto-deleveraging (ADL), which is not a liquidation."
    ),
    Reason.NOT_LIQUIDATED: N_(
        "After the cover had ended, OKX still showed the position, and nothing of it had been liquidated."
    ),
    Reason.BEFORE_START: N_("OKX liquidated it before the cover began."),
    Reason.AFTER_END: N_("OKX liquidated it when the cover was over."),
    Reason.SHORT_OF_PRICE: N_(
        "OKX liquidated it before the price reached the liquidation price that was insured: "
        "something about the position was changed after it had been priced."
    ),
    Reason.NO_LOSS: N_("Nothing was lost in the liquidation."),
}

SAID_OF_MISSING: Mapping[str, str] = {
    Missing.EPISODE_RUNS: N_(
        "The position is open, and OKX has liquidated nothing of it: there is nothing to decide yet."
    ),
    Missing.HISTORY_ROW: N_("OKX’s history of positions does not show yet how this one ended."),
    Missing.ORDERS_OR_BILLS: N_("OKX shows neither an order nor a bill of the liquidation yet."),
    Missing.ALL_FILLS: N_(
        "What was opened and closed since the position was priced does not add up yet: "
        "OKX does not show all of it."
    ),
    Missing.AGREEMENT: N_("Two of OKX’s answers say different things."),
    Missing.TRIGGER_PRICE: N_(
        "OKX shows neither the trigger price nor the mark price at which it was liquidated."
    ),
    Missing.CONTRACT_VALUE: N_("What one contract is worth is not known yet."),
    Missing.FUNDING: N_(
        "It depends on funding for size that was added after the position was priced: an operator decides."
    ),
    Missing.READABLE_ROWS: N_("One of OKX’s answers that may be about this position cannot be read."),
    Missing.UNKNOWN_CLOSING: N_(
        "OKX closed the position in a way that is not known here: an operator decides."
    ),
}

SAID_OF_OPENER: Mapping[str, str] = {
    Opener.WATCHER: N_("LiqPass saw that the position had changed."),
    Opener.TRADER: N_("You reported a liquidation."),
    Opener.OPERATOR: N_("An operator opened the claim."),
}

OPENED_BY: Mapping[str, str] = {
    Opener.WATCHER: N_("by the watcher"),
    Opener.TRADER: N_("by its owner"),
    Opener.OPERATOR: N_("by an operator"),
}

# What was seen to change of a covered position (claims/case.py: Watched).
SAID_OF_CHANGE: Mapping[str, str] = {
    "pos": N_("Size"),
    "margin": N_("Margin"),
    "lever": N_("Leverage"),
    "avgPx": N_("Entry price"),
    "liqPx": N_("Liquidation price"),
    "fundingFee": N_("Funding"),
    "liqPenalty": N_("Liquidation penalty"),
    "posId": N_("Number of the position"),
    "cTime": N_("Time of opening"),
    "gone": N_("Not shown any more"),
    "back": N_("Shown again"),
    "other": N_("Another position stands in its place"),
    "alive_after_end": N_("Seen after the cover’s end"),
}

# claim_events.actor; an operator's name stands beside it.
SAID_OF_CLAIM_ACTOR: Mapping[str, str] = {
    "WATCHER": N_("Watcher"),
    "TRADER": N_("Its owner"),
    "OPERATOR": N_("Operator"),
    "POLICY": N_("Rule for small amounts"),
    "EXCHANGE": N_("OKX’s answers"),
    "CHAIN": N_("Chain"),
    "CLOCK": N_("Automatic"),
}
