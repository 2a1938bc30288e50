"""What a chain shows of the treasury: logs in transactions in blocks."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Came:
    """USDC into the treasury; `for_premium` when the checkout moved it."""

    sender: bytes
    amount: int
    for_premium: bool = False


@dataclass(frozen=True)
class Left:
    """USDC out of the treasury."""

    recipient: bytes
    amount: int


@dataclass(frozen=True)
class Paid:
    """PremiumPaid of the checkout."""

    order_id: bytes
    payer: bytes
    amount: int


@dataclass(frozen=True)
class Other:
    """Somebody else's log: it only takes a number in its block."""


Log = Came | Left | Paid | Other


@dataclass(frozen=True)
class Tx:
    """A transaction: in another block it is the same one, with the same logs at other numbers."""

    hash: bytes
    logs: tuple[Log, ...]


@dataclass(frozen=True)
class Block:
    """A block; `number` and position in the chain are the same."""

    number: int
    hash: bytes
    time: datetime
    txs: tuple[Tx, ...]


@dataclass(frozen=True)
class Shown:
    """A log and where the chain shows it now."""

    block: Block
    tx: Tx
    index: int
    log: Log

    @property
    def ref(self) -> bytes:
        """What the books call it: transaction hash and log index."""
        return self.tx.hash + self.index.to_bytes(4, "big")
