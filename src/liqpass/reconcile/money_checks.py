"""What is broken of a transaction: its transfers and payments held against the ledger; of the books'
beginning, of the accounts, and of the treasury's balance."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from liqpass.chain.view import CONFIRMED, Stage
from liqpass.hexes import to_hex
from liqpass.ledger.book import DEBIT_SIDE, LEGAL_TRANSFERS, Account, Kind
from liqpass.money import usd
from liqpass.payments.matching import Outcome
from liqpass.reconcile.checks import OF_ACCOUNT, OF_TREASURY, BreakType, Found, log_subject
from liqpass.reconcile.facts.records import DueFacts, LogFacts, OddRef, OpeningFacts, RefFacts
from liqpass.treasury.pairing import Premium, Transfer, explained

DUES_NAMED = 5
_CAME = (Account.TREASURY, Account.SUSPENSE)
_WENT = (Account.TREASURY, Account.OUTFLOW_UNEXPLAINED)
_WHY = {
    Outcome.WRONG_AMOUNT: "paid for an order whose premium is another",
    Outcome.LATE: "paid for an order after its quote had run out",
    Outcome.ORDER_CLOSED: "paid for an order that was cancelled, over, or paid already",
}


def judge_transaction(
    logs: Sequence[LogFacts], refs: Sequence[RefFacts], dues: Mapping[bytes, Sequence[DueFacts]]
) -> list[Found]:
    """What is broken of one transaction; nothing while it waits to be settled or booked. `dues`: what is to
    be paid out, by wallet."""
    if any(log.waiting for log in logs):
        return []
    booked = {ref.log_index: ref for ref in refs}
    # Where one has left the chain, another may have its number now.
    shown = [log for log in logs if log.stage != Stage.DROPPED]
    transfers = {log.log_index: log for log in shown if log.purchase_order_id is None}
    payments = {log.log_index: log for log in shown if log.purchase_order_id is not None}
    own = {key[1] for key in explained(_transfers(transfers), _premiums(payments))}
    strange = _unlike(transfers, payments, own)
    found = [gap for ref in refs for gap in _gaps(ref)]
    found += [_not_moved(payments[index], instead) for index, instead in strange.items()]
    for index in sorted({*booked, *transfers, *payments}):
        ref = booked.get(index)
        log = payments.get(index) or transfers.get(index)
        if log is None or log.stage not in CONFIRMED:
            found += _without_event(ref) if ref else []
        elif log.purchase_order_id is not None:
            # Not received into suspense, it is an order's premium, or a break of that order.
            found += _received(log, ref) if ref and ref.received else []
        elif log.recipient is not None:
            found += _outflow(log, ref, dues.get(log.recipient, ()))
        elif log not in strange.values():
            found += _inflow(log, ref, is_premium=index in own)
    return found


def _transfers(logs: Mapping[int, LogFacts]) -> list[Transfer]:
    return [
        Transfer(t.tx_hash, t.log_index, 0, t.block_hash, t.sender, t.recipient, t.amount, t.stage)
        for t in logs.values()
    ]


def _premiums(logs: Mapping[int, LogFacts]) -> list[Premium]:
    return [Premium(p.tx_hash, p.log_index, p.block_hash, p.sender, p.amount, p.stage) for p in logs.values()]


def _unlike(
    transfers: Mapping[int, LogFacts], payments: Mapping[int, LogFacts], own: set[int]
) -> dict[int, LogFacts | None]:
    """Final payments that no transfer of theirs stands behind, each with what stands in its place, if
    anything: the contract moves the money right before it says so."""
    left = Counter((transfers[i].block_hash, transfers[i].sender, transfers[i].amount) for i in own)
    found = {}
    for index, p in sorted(payments.items()):
        alike = (p.block_hash, p.sender, p.amount)
        if p.stage != Stage.FINAL or left[alike]:
            left[alike] -= 1
            continue
        before = transfers.get(index - 1)
        strange = before is not None and index - 1 not in own and before.recipient is None
        found[index] = before if strange else None
    return found


def _found(
    log: LogFacts | RefFacts,
    kind: BreakType,
    said: str,
    *accounts: Account,
    expected: int | None = None,
    found: int | None = None,
) -> Found:
    known = log if isinstance(log, LogFacts) else None
    return Found(
        type=kind,
        subject=log_subject(log.tx_hash, log.log_index),
        said=said,
        purchase_order_id=known.purchase_order_id if known else None,
        tx_hash=log.tx_hash,
        log_index=log.log_index,
        wallet=(known.recipient or known.sender) if known else None,
        accounts=accounts,
        expected=expected,
        found=found,
        at=log.block_time if isinstance(log, LogFacts) else log.posted_at,
    )


def _gaps(ref: RefFacts) -> Iterator[Found]:
    if ref.gaps:
        said = f"the legs of {', '.join(ref.gaps)} are not numbered 1, 2, 3, …: a transfer is missing"
        yield _found(ref, BreakType.LEDGER_INCONSISTENT, said)


def _without_event(ref: RefFacts) -> Iterator[Found]:
    kind = BreakType.LEDGER_WITHOUT_EVENT
    if ref.received:
        said = f"{usd(ref.received)} are booked as received in a log that is not there, or not confirmed"
        yield _found(ref, kind, said, *_CAME, expected=0, found=ref.received)
    if ref.paid:
        said = f"{usd(ref.paid)} are booked as paid out in a log that is not there, or not confirmed"
        yield _found(ref, kind, said, Account.TREASURY, expected=0, found=ref.paid)
    if ref.given and not ref.received:
        yield _given_too_much(ref)


def _not_moved(log: LogFacts, instead: LogFacts | None) -> Found:
    moved = instead.amount if instead else 0
    said = f"the payment says {usd(log.amount)}, and no transfer to the treasury is stored with it"
    if instead:
        said = f"the payment says {usd(log.amount)}, the transfer before it {usd(moved)}"
    return _found(log, BreakType.AMOUNT_DIFFERS, said, expected=log.amount, found=moved)


def _inflow(log: LogFacts, ref: RefFacts | None, *, is_premium: bool) -> Iterator[Found]:
    received = ref.received if ref else 0
    if is_premium:
        if received:
            said = f"{usd(received)} are booked as received, and it is a premium's own transfer"
            kind = BreakType.LEDGER_WITHOUT_EVENT
            yield _found(log, kind, said, *_CAME, expected=0, found=received)
    elif ref and received:
        yield from _received(log, ref)
    elif log.amount:
        said = f"{usd(log.amount)} came into the treasury, and are not booked"
        kind = BreakType.EVENT_WITHOUT_LEDGER
        yield _found(log, kind, said, *_CAME, expected=log.amount, found=0)


def _received(log: LogFacts, ref: RefFacts) -> Iterator[Found]:
    """Booked as money that pays no order: the amount, and whether something of it waits."""
    remaining = ref.received - ref.given
    if ref.received != log.amount:
        said = f"event and ledger: event {usd(log.amount)}, ledger {usd(ref.received)}"
        kind = BreakType.AMOUNT_DIFFERS
        yield _found(log, kind, said, *_CAME, expected=log.amount, found=ref.received)
    elif remaining < 0:
        yield _given_too_much(ref)
    elif remaining and log.purchase_order_id is not None and not log.order_known:
        said = f"a payment of {usd(log.amount)} names an order that does not exist"
        if remaining != log.amount:
            said += f"; {usd(remaining)} of it wait"
        kind = BreakType.EVENT_WITHOUT_ORDER
        yield _found(log, kind, said, Account.SUSPENSE, expected=0, found=remaining)
    elif remaining:
        why = "sent straight to the treasury, for no order"
        if log.purchase_order_id is not None:
            why = _WHY.get(log.outcome or Outcome.ORDER_CLOSED, _WHY[Outcome.ORDER_CLOSED])
        said = f"{usd(remaining)} of {usd(log.amount)} wait: {why}"
        yield _found(log, BreakType.MONEY_IN_SUSPENSE, said, Account.SUSPENSE, expected=0, found=remaining)


def _given_too_much(ref: RefFacts) -> Found:
    said = f"{usd(ref.given)} were given away of {usd(ref.received)} that came in"
    kind = BreakType.LEDGER_INCONSISTENT
    return _found(ref, kind, said, Account.SUSPENSE, expected=ref.received, found=ref.given)


def _outflow(log: LogFacts, ref: RefFacts | None, dues: Sequence[DueFacts]) -> Iterator[Found]:
    paid, unexplained = (ref.paid, ref.unexplained) if ref else (0, 0)
    if not paid and log.amount:
        said = f"{usd(log.amount)} left the treasury, and are not booked"
        kind = BreakType.EVENT_WITHOUT_LEDGER
        yield _found(log, kind, said, Account.TREASURY, expected=log.amount, found=0)
    elif paid != log.amount:
        said = f"event and ledger: event {usd(log.amount)}, ledger {usd(paid)}"
        kind = BreakType.AMOUNT_DIFFERS
        yield _found(log, kind, said, Account.TREASURY, expected=log.amount, found=paid)
    elif unexplained:
        of = "" if unexplained == log.amount else f" of {usd(log.amount)}"
        said = f"{usd(unexplained)}{of} left the treasury, and no refund or withdrawal asked for it"
        kind = BreakType.MONEY_LEFT_UNEXPLAINED
        yield _found(log, kind, said + _may_be_for(dues), *_WENT, expected=0, found=unexplained)


def _may_be_for(dues: Sequence[DueFacts]) -> str:
    """What is due to the same wallet, though of another amount."""
    if not dues:
        return ""
    shown = [
        f"{d.purpose.lower()} {d.id} of {usd(d.amount)} since {d.asked_at:%Y-%m-%d}"
        for d in dues[:DUES_NAMED]
    ]
    more = f" and {len(dues) - DUES_NAMED} more" if len(dues) > DUES_NAMED else ""
    return f"; due to the same wallet: {', '.join(shown)}{more}"


# The whole -----------------------------------------------------------------------------------------------


class Balance(msgspec.Struct, frozen=True):
    """The treasury as of one final block: what the ledger says, what the chain says (None: `unknown` says
    why), what the stored transfers make; `waiting` transactions are on their way into the books."""

    ledger: int
    transfers: int
    chain: int | None
    unknown: str | None
    waiting: int

    @property
    def difference(self) -> int | None:
        """Chain less ledger."""
        return None if self.chain is None else self.chain - self.ledger

    @property
    def checked(self) -> bool:
        """Whether a difference would be a break."""
        return self.chain is not None and not (self.difference and self.waiting)


def judge_balance(balance: Balance) -> list[Found]:
    """A difference between ledger and chain that is not on its way."""
    if not balance.checked or not balance.difference or balance.chain is None:
        return []
    said = f"ledger {usd(balance.ledger)}, chain {usd(balance.chain)}; stored transfers make "
    return [
        Found(
            type=BreakType.BALANCE_DIFFERS,
            subject=OF_TREASURY,
            said=said + usd(balance.transfers),
            accounts=(Account.TREASURY,),
            expected=balance.ledger,
            found=balance.chain,
        )
    ]


def judge_accounts(kept: Mapping[Account, int], debits: Mapping[Account, int]) -> list[Found]:
    """Balances that are not the sums of their transfers. `debits`: debits less credits, by the transfers."""
    found = []
    for account, balance in kept.items():
        made = debits.get(account, 0) * (1 if account in DEBIT_SIDE else -1)
        if made != balance:
            said = f"the balance is {usd(balance)}, its transfers make {usd(made)}"
            found.append(
                Found(
                    type=BreakType.LEDGER_INCONSISTENT,
                    subject=f"{OF_ACCOUNT}{account}",
                    said=said,
                    accounts=(account,),
                    expected=made,
                    found=balance,
                )
            )
    return found


def judge_pairs(moved: Mapping[tuple[Kind, Account, Account], int]) -> list[Found]:
    """What was moved between accounts between which its kind moves nothing: who asks what a kind stands at
    looks past that. `moved`: by kind, debit and credit."""
    return [
        Found(
            type=BreakType.LEDGER_INCONSISTENT,
            subject=f"{kind} from {credit} to {debit}",
            said=f"{usd(amount)} went from {credit} to {debit} as {kind}, which moves nothing between these",
            accounts=(debit, credit),
            expected=0,
            found=amount,
        )
        for (kind, debit, credit), amount in moved.items()
        if {debit, credit} != set(LEGAL_TRANSFERS[kind])
    ]


def judge_opening(facts: OpeningFacts) -> list[Found]:
    """The books' beginning: booked as measured, and somebody has said whose it is."""

    def found(kind: BreakType, said: str, expected: int, there: int) -> Found:
        return Found(
            type=kind,
            subject="opening",
            said=said,
            accounts=_CAME,
            expected=expected,
            found=there,
        )

    measured, booked = facts.measured or 0, facts.booked - facts.unexplained
    if booked != measured:
        if facts.measured is None:
            said = f"{usd(booked)} are booked as the opening, and the books were never opened"
            return [found(BreakType.LEDGER_WITHOUT_EVENT, said, 0, booked)]
        said = f"opening: measured {usd(measured)}, ledger {usd(booked)}"
        kind = BreakType.AMOUNT_DIFFERS if booked else BreakType.EVENT_WITHOUT_LEDGER
        return [found(kind, said, measured, booked)]
    if facts.unexplained:
        said = f"{usd(facts.unexplained)} had left the treasury before the books began"
        return [found(BreakType.MONEY_LEFT_UNEXPLAINED, said, 0, facts.unexplained)]
    remaining = facts.booked - facts.given
    if remaining < 0:
        said = f"{usd(facts.given)} were given away of an opening of {usd(facts.booked)}"
        return [found(BreakType.LEDGER_INCONSISTENT, said, facts.booked, facts.given)]
    if remaining:
        said = f"{usd(remaining)} of {usd(facts.booked)} wait: in the treasury before the books began"
        return [found(BreakType.MONEY_IN_SUSPENSE, said, 0, remaining)]
    return []


def judge_odd(odd: OddRef) -> Found:
    """Money in the ledger that names neither a log nor this chain."""
    return Found(
        type=BreakType.LEDGER_WITHOUT_EVENT,
        subject=f"{odd.kind} {to_hex(odd.ref)}",
        said=f"{usd(odd.stands)} are booked as {odd.kind} under {to_hex(odd.ref)}, which is no log",
        expected=0,
        found=odd.stands,
        at=odd.posted_at,
    )
