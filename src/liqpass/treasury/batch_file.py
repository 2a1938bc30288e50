"""A batch of disbursements as the file that the treasury's owners load."""

import json
from datetime import datetime

from liqpass.money import usd
from liqpass.settings import ChainSettings
from liqpass.treasury.records import Disbursement
from liqpass.treasury.safe_batch import Batch, batch_of


def file_of(included: list[Disbursement], chain: ChainSettings, now: datetime) -> Batch:
    """What Safe's Transaction Builder imports (see `safe_batch`)."""
    return batch_of(
        chain.chain_id,
        chain.treasury,
        chain.usdc,
        [(due.recipient, due.amount) for due in included],
        now=now,
        name=f"LiqPass: {sum_of(included)}",
        description="; ".join(called(due) for due in included),
    )


def called(due: Disbursement) -> str:
    """What it is for, and its own id, which is not that of a claim."""
    return f"{due.purpose.lower()}, payout {due.id}"


def content_of(file: Batch) -> str:
    """Its text."""
    return json.dumps(file, indent=2) + "\n"


def name_of(now: datetime) -> str:
    """What to call the file; two of one second are one batch."""
    return f"liqpass-payouts-{now:%Y%m%dT%H%M%SZ}.json"


def sum_of(dues: list[Disbursement]) -> str:
    """2 payouts, 12.34 USDC."""
    payouts = "1 payout" if len(dues) == 1 else f"{len(dues)} payouts"
    return f"{payouts}, {usd(sum(due.amount for due in dues))} USDC"
