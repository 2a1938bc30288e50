"""What is exported, whatever the format: one row a transfer, and what the books are held against. Pure."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType

import msgspec

from liqpass.hexes import checksum, to_hex
from liqpass.ledger.book import Account, Kind
from liqpass.money import MICRO


class Extra(StrEnum):
    """Accounts that only an export has, so that every row has two sides."""

    IN_TRANSIT = "IN_TRANSIT"
    """Booked, but not yet on chain at the block of the assertion; or there, and not yet booked."""
    OPENING_BALANCES = "OPENING_BALANCES"
    """The other side of what is brought forward; it stands at zero again after the last of these rows."""


class ExtraKind(StrEnum):
    """Rows that are no transfers of the ledger."""

    BROUGHT_FORWARD = "BROUGHT_FORWARD"
    """An account's balance before the first day of the export."""
    IN_TRANSIT = "IN_TRANSIT"
    """The difference, transaction by transaction, between the books and the chain at a block."""


class Row(msgspec.Struct, frozen=True):
    """One transfer: `amount` micro-USDC (> 0) from the credit account to the debit account.

    `seq` and `leg` are None where the row is no transfer of the ledger. `reversal`: it takes back what an
    earlier leg of the same fact booked. `counterparty` is the address that USDC came from or went to.
    `disbursement_id`: one, or several with spaces between them, where one transfer paid them all.
    """

    seq: int | None
    at: datetime
    kind: Kind | ExtraKind
    leg: int | None
    reversal: bool
    debit: Account | Extra
    credit: Account | Extra
    amount: int
    order_id: bytes | None = None
    tx_hash: bytes | None = None
    log_index: int | None = None
    block_number: int | None = None
    counterparty: bytes | None = None
    disbursement_id: str | None = None
    reason: str | None = None


class Head(msgspec.Struct, frozen=True):
    """What stands above the rows. `first_day` and `last_day` are None where the export has no such end."""

    chain_id: int
    treasury: bytes
    first_day: date | None
    last_day: date | None
    last_seq: int

    @property
    def span(self) -> str:
        """From when to when, for a reader."""
        first, last = self.first_day or "the beginning", self.last_day or f"transfer {self.last_seq}"
        return f"from {first} to {last}, days in UTC"


class OnChain(msgspec.Struct, frozen=True):
    """What the treasury held on chain after a block, in micro-USDC, by the nodes' word."""

    block_number: int
    block_hash: bytes
    balance: int


class Closing(msgspec.Struct, frozen=True):
    """What the rows are held against, on the last day that a row has.

    `on_chain` is None where no node could be asked; `why_not` says why. `in_transit` explains the difference
    between books and chain at that block. `balances` are those that the database keeps beside the transfers,
    debits positive; empty where the export ends before the books do.
    """

    day: date
    on_chain: OnChain | None
    why_not: str
    in_transit: list[Row]
    balances: dict[Account, int]


WORDS: Mapping[Kind | ExtraKind, str] = MappingProxyType(
    {
        Kind.OPENING: "Held before the books began",
        Kind.PREMIUM: "Premium",
        Kind.RECEIVED: "Received for no order",
        Kind.EARNED: "Premium earned",
        Kind.HELD: "Capital held for an order",
        Kind.CAPITAL: "Capital paid in",
        Kind.REFUND: "Refund due",
        Kind.REFUND_PAID: "Refund paid",
        Kind.WITHDRAWAL: "Withdrawal due",
        Kind.WITHDRAWAL_PAID: "Withdrawal paid",
        Kind.CLAIM: "Claim approved",
        Kind.CLAIM_PAID: "Claim paid",
        Kind.PAID_OUT: "Paid out, unexplained",
        ExtraKind.BROUGHT_FORWARD: "Brought forward",
        ExtraKind.IN_TRANSIT: "In transit",
    }
)


ABOUT_TRANSIT = "Booked, and not final at the block below; or final there, and not booked (then with a minus)"
ABOUT_CHAIN = "What the treasury holds on chain after this block, as the nodes say"
ABOUT_KEPT = "What the database keeps beside the transfers"


def usdc(micro: int) -> str:
    """Micro-USDC with all six decimals.

    >>> usdc(1), usdc(-12_340_000)
    ('0.000001', '-12.340000')
    """
    whole, rest = divmod(abs(micro), MICRO)
    return f"{'-' if micro < 0 else ''}{whole}.{rest:06d}"


def words(row: Row) -> str:
    """What happened, for a reader."""
    return WORDS[row.kind] + (", reversed" if row.reversal else "")


def one_line(text: str) -> str:
    """Text that a person typed, without control characters and line ends of any kind."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def tags(row: Row) -> dict[str, str | int]:
    """What is known of a row beside its amount, by name; hashes as 0x…"""
    known: dict[str, str | int | None] = {
        "seq": row.seq,
        "kind": row.kind.value,
        "leg": row.leg,
        "order": to_hex(row.order_id) if row.order_id else None,
        "tx": to_hex(row.tx_hash) if row.tx_hash else None,
        "log": row.log_index,
        "block": row.block_number,
        "counterparty": checksum(row.counterparty) if row.counterparty else None,
        "disbursement": row.disbursement_id,
        "reason": one_line(row.reason or "") or None,
    }
    return {name: value for name, value in known.items() if value is not None}
