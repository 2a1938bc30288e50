"""What the books have to say, in plain Python: no SQL, no ledger, nothing of the product.

It is given what is true (who ordered what, what the chain shows, what was decided about money in suspense,
what time it is), and says what every kind stands at for every ref, so what every account holds, and what
reconciliation has to find. Statuses are those that matter for money: an order is open until it is covered,
over or cancelled.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from tests.properties.shown import Block, Came, Left, Paid, Shown

DAY = timedelta(days=1)
CLAIM_WINDOW = 14 * DAY
OPEN, ACTIVE, EXPIRED, CANCELLED = "OPEN", "ACTIVE", "EXPIRED", "CANCELLED"

Stands = dict[tuple[str, bytes], int]


class Chain(Protocol):
    """A chain as the model sees it; `held` is what the treasury had before anything that is shown."""

    held: int

    def head(self, tag: str) -> Block:
        """`latest`, `safe` or `finalized`."""

    def shown(self) -> list[Shown]:
        """All logs, in their order."""


@dataclass
class Order:
    """An order, and what became of it. `cover` is the payment that covers it: transaction and block time."""

    premium: int
    payout: int
    delay: timedelta
    duration: timedelta
    pay_before: datetime
    status: str = OPEN
    cover: tuple[bytes, datetime] | None = None
    earned: int = 0
    settled: bool = False

    def is_paid_by(self, one: Shown) -> bool:
        """The exact amount, in time."""
        amount = one.log.amount if isinstance(one.log, Paid) else None
        return amount == self.premium and one.block.time <= self.pay_before

    def begins(self) -> datetime:
        """When the cover begins. Only for one that was paid."""
        assert self.cover is not None
        return self.cover[1] + self.delay


@dataclass
class Due:
    """Something that is to be paid out; `ref` is what it is taken from, or its own id."""

    id: UUID
    purpose: str
    ref: bytes
    recipient: bytes
    amount: int
    cancelled: bool = False


@dataclass
class Model:
    """The truth beside the product. `opening` is its ref and amount, once the books have begun;
    `undecided` are the orders whose claims wait for a decision, or to be paid."""

    chain: Chain
    opening: bytes
    opened: bool = False
    orders: dict[bytes, Order] = field(default_factory=dict)
    capital: Counter[bytes] = field(default_factory=Counter)
    dues: list[Due] = field(default_factory=list)
    undecided: set[bytes] = field(default_factory=set)

    # What time and the chain do

    def look(self, now: datetime) -> None:
        """A worker has looked at the chain as it is at this moment, and done all that follows."""
        self.opened = True
        newest = min(now, self.chain.head("latest").time)
        safe = self.chain.head("safe")
        for order_id, order in self.orders.items():
            paying = [one for one in self._payments(order_id) if order.is_paid_by(one)]
            confirmed = [one for one in paying if one.block.number <= safe.number]
            if order.status in (OPEN, ACTIVE):
                self._cover(order, confirmed)
            if order.status == OPEN and not paying and order.pay_before < safe.time:
                order.status = CANCELLED
            if order.status == ACTIVE:
                if order.begins() + order.duration <= newest:
                    order.status = EXPIRED
                elif order.begins() + order.duration > now:
                    order.earned = max(order.earned, self._earned(order, newest))
            if order_id not in self.undecided:
                self._settle(order, now)

    @staticmethod
    def _settle(order: Order, now: datetime) -> None:
        """Nobody reads the position: how it ended is unknown until nobody can claim any more."""
        if order.status == EXPIRED and order.begins() + order.duration + CLAIM_WINDOW <= now:
            order.settled = True

    @staticmethod
    def _cover(order: Order, confirmed: list[Shown]) -> None:
        """The first confirmed payment covers it; another one than before is a new cover."""
        cover = (confirmed[0].tx.hash, confirmed[0].block.time) if confirmed else None
        if cover != order.cover:
            order.cover, order.earned = cover, 0
            order.status = ACTIVE if cover else OPEN

    @staticmethod
    def _earned(order: Order, newest: datetime) -> int:
        """Day by day, and only where the cover lasts longer than one."""
        days = (newest - order.begins()) // DAY
        return order.premium * days // (order.duration // DAY) if order.duration > DAY and days > 0 else 0

    def _payments(self, order_id: bytes) -> list[Shown]:
        return [s for s in self.chain.shown() if isinstance(s.log, Paid) and s.log.order_id == order_id]

    def confirmed(self) -> list[Shown]:
        """The logs at or below the safe head."""
        safe = self.chain.head("safe").number
        return [one for one in self.chain.shown() if one.block.number <= safe]

    # What the books have to say

    def stands(self) -> Stands:
        """What every kind stands at for every ref, without zeros; not those of money that went out."""
        found: Stands = {}
        for order_id, order in self.orders.items():
            found["CLAIM", order_id] = order.payout - self.left(order_id)
            is_over = order.settled or order.status == CANCELLED
            found["HELD", order_id] = found["CLAIM", order_id] if is_over else order.payout
        covering = self.covering()
        for one in self.confirmed():
            if one.ref in covering:
                order_id = covering[one.ref]
                order = self.orders[order_id]
                found["PREMIUM", order_id] = order.premium
                found["EARNED", order_id] = order.premium if order.status == EXPIRED else order.earned
            elif isinstance(one.log, Paid):
                found["RECEIVED", one.ref] = one.log.amount
        for one in self._strays():
            assert isinstance(one.log, Came)
            found["RECEIVED", one.ref] = one.log.amount
        found["OPENING", self.opening] = self.chain.held if self.opened else 0
        found |= {("CAPITAL", ref): amount for ref, amount in self.capital.items()}
        refunds: Counter[bytes] = Counter()
        for due in self._asked("REFUND"):
            refunds[due.ref] += due.amount
        found |= {("REFUND", ref): amount for ref, amount in refunds.items()}
        found |= {("WITHDRAWAL", due.ref): due.amount for due in self._asked("WITHDRAWAL")}
        return {key: amount for key, amount in found.items() if amount}

    def left(self, order_id: bytes) -> int:
        """What of an order's payout was not approved."""
        approved = sum(due.amount for due in self._asked("CLAIM") if due.ref == order_id)
        return self.orders[order_id].payout - approved

    def waiting(self) -> int:
        """What is held because claims are not decided, or not paid: what is left of payouts of covers that
        were not settled before."""
        return sum(self.left(one) for one in self.undecided if not self.orders[one].settled)

    def covering(self) -> dict[bytes, bytes]:
        """The payments that cover an order: ref → order."""
        found = {}
        for order_id, order in self.orders.items():
            for one in self._payments(order_id):
                ends_well = order.cover is not None and one.tx.hash == order.cover[0]
                if order.status in (ACTIVE, EXPIRED) and ends_well and order.is_paid_by(one):
                    found[one.ref] = order_id
                    break
        return found

    def _strays(self) -> list[Shown]:
        """Transfers into the treasury that are no premium's own. Of several in one transaction which nobody
        can tell apart, the premium's are the first."""
        alike: dict[tuple[bytes, bytes, int], list[Shown]] = defaultdict(list)
        for one in self.confirmed():
            if isinstance(one.log, Came):
                alike[one.tx.hash, one.log.sender, one.log.amount].append(one)
        strays = []
        for same in alike.values():
            premiums = sum(isinstance(one.log, Came) and one.log.for_premium for one in same)
            strays += same[premiums:]
        return strays

    def _asked(self, purpose: str) -> list[Due]:
        return [due for due in self.dues if due.purpose == purpose and not due.cancelled]

    # Money that went out

    def went_out(self) -> list[Shown]:
        """Confirmed transfers out of the treasury."""
        return [one for one in self.confirmed() if isinstance(one.log, Left)]

    def paid_as(self) -> dict[tuple[bytes, int], Counter[str]]:
        """For each recipient and amount, how many transfers are booked as what. Each due takes one of its
        recipient and amount; no test mixes refunds, withdrawals and claims."""
        found: dict[tuple[bytes, int], Counter[str]] = defaultdict(Counter)
        left = Counter((s.log.recipient, s.log.amount) for s in self.went_out() if isinstance(s.log, Left))
        for purpose in ("REFUND", "WITHDRAWAL", "CLAIM"):
            asked = Counter((due.recipient, due.amount) for due in self._asked(purpose))
            for key in left:
                made = min(left[key], asked[key])
                found[key][f"{purpose}_PAID"] += made
                left[key] -= made
        for key, transfers in left.items():
            found[key]["PAID_OUT"] += transfers
        return found

    def accounts(self) -> dict[str, int]:
        """What every account holds, on the side on which it grows."""
        stood: Counter[str] = Counter()
        for (kind, _), amount in self.stands().items():
            stood[kind] += amount
        for (_, amount), kinds in self.paid_as().items():
            for kind, transfers in kinds.items():
                stood[kind] += amount * transfers
        out = sum(stood[kind] for kind in ("REFUND_PAID", "WITHDRAWAL_PAID", "CLAIM_PAID", "PAID_OUT"))
        return {
            "TREASURY": stood["OPENING"] + stood["PREMIUM"] + stood["RECEIVED"] - out,
            "OUTFLOW_UNEXPLAINED": stood["PAID_OUT"],
            "UNEARNED_PREMIUM": stood["PREMIUM"] - stood["EARNED"],
            "EARNED_PREMIUM": stood["EARNED"],
            "SUSPENSE": stood["OPENING"] + stood["RECEIVED"] - stood["CAPITAL"] - stood["REFUND"],
            "REFUNDS_DUE": stood["REFUND"] - stood["REFUND_PAID"],
            "WITHDRAWALS_DUE": stood["WITHDRAWAL"] - stood["WITHDRAWAL_PAID"],
            "POOL_FREE": stood["CAPITAL"] - stood["HELD"] - stood["WITHDRAWAL"],
            "POOL_LOCKED": stood["HELD"] - stood["CLAIM"],
            "CLAIMS_PAYABLE": stood["CLAIM"] - stood["CLAIM_PAID"],
        }

    def in_suspense(self) -> dict[bytes, int]:
        """What remains of each item, whether or not it is final."""
        stands = self.stands()
        items = {ref: n for (kind, ref), n in stands.items() if kind in ("RECEIVED", "OPENING")}
        taken: Counter[bytes] = Counter(self.capital)
        for due in self._asked("REFUND"):
            taken[due.ref] += due.amount
        return {ref: amount - taken[ref] for ref, amount in items.items() if amount > taken[ref]}

    # What reconciliation has to find

    def breaks(self) -> set[tuple[str, str]]:
        """Type and subject of each, when nobody's hand was in the books; not those of money that went out."""
        logs = {one.ref: one.log for one in self.confirmed()}
        paid = set(self.covering().values())
        found = {
            (
                "ORDER_PAID_WITHOUT_EVENT",
                f"order 0x{order_id.hex()}",
            )  # it left the chain when the cover was over
            for order_id, order in self.orders.items()
            if order.status == EXPIRED and order_id not in paid
        }
        for ref in self.in_suspense():
            log = logs.get(ref)
            unknown = isinstance(log, Paid) and log.order_id not in self.orders
            subject = "opening" if ref == self.opening else named(ref)
            found.add(("EVENT_WITHOUT_ORDER" if unknown else "MONEY_IN_SUSPENSE", subject))
        return found


def named(ref: bytes) -> str:
    """A log as people name it."""
    return f"0x{ref[:32].hex()}:{int.from_bytes(ref[32:], 'big')}"
