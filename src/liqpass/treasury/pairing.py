"""What each transfer is: a premium's own, stray, a payout that was due, or left without a reason. Pure."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from uuid import UUID

import msgspec

from liqpass.chain.view import CONFIRMED, Stage
from liqpass.ledger.book import Entry, Kind, log_ref

Key = tuple[bytes, int]  # transaction hash and log index


class Purpose(StrEnum):
    """What a disbursement is for."""

    REFUND = "REFUND"
    """Of money in suspense."""
    WITHDRAWAL = "WITHDRAWAL"
    """Of free capital."""
    CLAIM = "CLAIM"
    """Of an approved claim."""


PAID_AS = {
    Purpose.REFUND: Kind.REFUND_PAID,
    Purpose.WITHDRAWAL: Kind.WITHDRAWAL_PAID,
    Purpose.CLAIM: Kind.CLAIM_PAID,
    None: Kind.PAID_OUT,
}


class Transfer(msgspec.Struct, frozen=True):
    """USDC that came into the treasury, or left it where a recipient is named; as the watcher stored it."""

    tx_hash: bytes
    log_index: int
    block_number: int
    block_hash: bytes
    sender: bytes
    recipient: bytes | None
    amount: int
    stage: Stage

    @property
    def key(self) -> Key:
        return self.tx_hash, self.log_index

    @property
    def confirmed(self) -> bool:
        return self.stage in CONFIRMED


class Premium(msgspec.Struct, frozen=True):
    """One PremiumPaid of our checkout, as far as it explains a transfer."""

    tx_hash: bytes
    log_index: int
    block_hash: bytes
    payer: bytes
    amount: int
    stage: Stage


class Due(msgspec.Struct, frozen=True):
    """A disbursement that no transfer has made yet."""

    id: UUID
    purpose: Purpose
    recipient: bytes
    amount: int


class Made(msgspec.Struct, frozen=True):
    """A disbursement and the transfer that was found, or adopted, to make it. A transfer may make several."""

    tx_hash: bytes
    log_index: int
    disbursement_id: UUID
    purpose: Purpose
    recipient: bytes
    amount: int


def explained(transfers: Sequence[Transfer], premiums: Sequence[Premium]) -> set[Key]:
    """The transfers that are a premium's own: the same transaction and block, from the payer, of the same
    amount; where several are alike, the first is the first one's, and so on."""
    left = Counter((p.tx_hash, p.block_hash, p.payer, p.amount) for p in premiums if p.stage != Stage.DROPPED)
    found = set()
    for t in sorted(transfers, key=lambda t: t.key):
        alike = (t.tx_hash, t.block_hash, t.sender, t.amount)
        if t.recipient is None and t.stage != Stage.DROPPED and left[alike]:
            left[alike] -= 1
            found.add(t.key)
    return found


def undone(transfers: Sequence[Transfer], made: Sequence[Made]) -> list[Made]:
    """What was made by a transfer that is no longer what it was: gone, above the safe head, or another. Only
    one that is final may have been more than what it makes: nobody adopts another."""
    stored, makes = {t.key: t for t in transfers}, _makes(made)

    def holds(one: Made) -> bool:
        key = one.tx_hash, one.log_index
        t, paid = stored.get(key), sum(makes[key].values())
        if t is None or not t.confirmed or t.recipient != one.recipient:
            return False
        return t.amount == paid or (t.stage == Stage.FINAL and t.amount > paid)

    return [one for one in made if not holds(one)]


def waiting(transfers: Sequence[Transfer], made: Sequence[Made]) -> list[Transfer]:
    """What left the treasury and makes no disbursement yet, the oldest first."""
    known = {(one.tx_hash, one.log_index) for one in made}
    out = [t for t in transfers if t.recipient is not None and t.confirmed and t.key not in known]
    return sorted(out, key=lambda t: (t.block_number, t.log_index))


def assign(out: Sequence[Transfer], dues: Sequence[Due]) -> list[Made]:
    """To each transfer, in the order given, the first disbursement of its recipient and amount."""
    alike: dict[tuple[bytes | None, int], list[Due]] = defaultdict(list)
    for due in reversed(dues):
        alike[due.recipient, due.amount].append(due)
    return [
        Made(t.tx_hash, t.log_index, due.id, due.purpose, due.recipient, due.amount)
        for t in out
        if (same := alike[t.recipient, t.amount])
        for due in [same.pop()]
    ]


def entries(transfers: Sequence[Transfer], premiums: Sequence[Premium], made: Sequence[Made]) -> list[Entry]:
    """What these transfers shall stand at in the books.

    All kinds are named, since a log's place may hold another transfer after a reorg. Where it holds a payment
    now, what came in there is for the settling of payments to say.
    """
    own, makes = explained(transfers, premiums), _makes(made)
    payments = {(p.tx_hash, p.log_index) for p in premiums if p.stage != Stage.DROPPED}
    found = []
    for t in transfers:
        stands = _stands(t, makes[t.key]) if t.confirmed and t.key not in own else {}
        found += [
            Entry(kind, log_ref(*t.key), stands.get(kind, 0))
            for kind in (Kind.RECEIVED, *PAID_AS.values())
            if kind != Kind.RECEIVED or t.key not in payments
        ]
    return found


def _stands(t: Transfer, makes: Mapping[Purpose, int]) -> dict[Kind, int]:
    """By kind: what it makes, and what is left of it without a reason."""
    if t.recipient is None:
        return {Kind.RECEIVED: t.amount}
    paid = {PAID_AS[purpose]: amount for purpose, amount in makes.items()}
    return {**paid, PAID_AS[None]: t.amount - sum(paid.values())}


def _makes(made: Sequence[Made]) -> defaultdict[Key, Counter[Purpose]]:
    """How much of each purpose a transfer makes."""
    found: defaultdict[Key, Counter[Purpose]] = defaultdict(Counter)
    for one in made:
        found[one.tx_hash, one.log_index][one.purpose] += one.amount
    return found
