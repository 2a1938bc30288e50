"""The accounts, the table of legal transfers, and the one way to post.

Whoever posts says what a kind shall stand at for a ref; the difference to what stands is one more transfer,
forward or as a reversal. So posting again changes nothing, a reorg undoes itself, and daily earning is only a
larger number. Pure: the statement itself is SQL that ends with `POST`.
"""

from enum import StrEnum

import msgspec


class Account(StrEnum):
    """The accounts. The first two grow by debits, all others by credits."""

    TREASURY = "TREASURY"
    """USDC in the treasury on chain."""
    OUTFLOW_UNEXPLAINED = "OUTFLOW_UNEXPLAINED"
    """It left the treasury, and nothing says what for."""
    UNEARNED_PREMIUM = "UNEARNED_PREMIUM"
    """Paid for cover that is not over."""
    EARNED_PREMIUM = "EARNED_PREMIUM"
    """Paid for cover that was given."""
    SUSPENSE = "SUSPENSE"
    """It came in, and no order explains it."""
    REFUNDS_DUE = "REFUNDS_DUE"
    """To be sent back, not yet seen on chain."""
    WITHDRAWALS_DUE = "WITHDRAWALS_DUE"
    """Capital to be paid out, not yet seen on chain."""
    POOL_FREE = "POOL_FREE"
    """Capital that no cover holds."""
    POOL_LOCKED = "POOL_LOCKED"
    """Capital held for open orders and covers that are not settled, less what their claims took."""
    CLAIMS_PAYABLE = "CLAIMS_PAYABLE"
    """Owed to traders who were liquidated."""


NEVER_OVERDRAWN = "never_overdrawn"  # the CHECK that no account falls below zero
DEBIT_SIDE: frozenset[Account] = frozenset({Account.TREASURY, Account.OUTFLOW_UNEXPLAINED})


class Kind(StrEnum):
    """Why money moves in the books. The comment says what its ref is."""

    OPENING = "OPENING"
    """What the treasury held before the books began: the chain's id, 8 bytes."""
    PREMIUM = "PREMIUM"
    """An order's payment is safe: the order's public id, 32 bytes."""
    RECEIVED = "RECEIVED"
    """Came in, and pays no order: its log (`log_ref`)."""
    EARNED = "EARNED"
    """Cover was given: the order's public id."""
    HELD = "HELD"
    """Capital stands behind an open order: the order's public id."""
    CAPITAL = "CAPITAL"
    """Money in suspense is the pool's: the ref under which it came in."""
    REFUND = "REFUND"
    """Money in suspense goes back: the ref under which it came in."""
    REFUND_PAID = "REFUND_PAID"
    """The refund's transfer is safe: its log."""
    WITHDRAWAL = "WITHDRAWAL"
    """Capital is to be paid out: the disbursement's id, 16 bytes."""
    WITHDRAWAL_PAID = "WITHDRAWAL_PAID"
    """The withdrawal's transfer is safe: its log."""
    PAID_OUT = "PAID_OUT"
    """Left the treasury for no known reason: its log."""
    CLAIM = "CLAIM"
    """A claim was approved, all that was ever approved for it: the order's public id."""
    CLAIM_PAID = "CLAIM_PAID"
    """The claim's transfer is safe: its log."""


# Debit and credit of each kind; a reversal swaps them. The database holds the same (`ledger_kinds`).
LEGAL_TRANSFERS: dict[Kind, tuple[Account, Account]] = {
    Kind.OPENING: (Account.TREASURY, Account.SUSPENSE),
    Kind.PREMIUM: (Account.TREASURY, Account.UNEARNED_PREMIUM),
    Kind.RECEIVED: (Account.TREASURY, Account.SUSPENSE),
    Kind.EARNED: (Account.UNEARNED_PREMIUM, Account.EARNED_PREMIUM),
    Kind.HELD: (Account.POOL_FREE, Account.POOL_LOCKED),
    Kind.CAPITAL: (Account.SUSPENSE, Account.POOL_FREE),
    Kind.REFUND: (Account.SUSPENSE, Account.REFUNDS_DUE),
    Kind.REFUND_PAID: (Account.REFUNDS_DUE, Account.TREASURY),
    Kind.WITHDRAWAL: (Account.POOL_FREE, Account.WITHDRAWALS_DUE),
    Kind.WITHDRAWAL_PAID: (Account.WITHDRAWALS_DUE, Account.TREASURY),
    Kind.PAID_OUT: (Account.OUTFLOW_UNEXPLAINED, Account.TREASURY),
    Kind.CLAIM: (Account.POOL_LOCKED, Account.CLAIMS_PAYABLE),
    Kind.CLAIM_PAID: (Account.CLAIMS_PAYABLE, Account.TREASURY),
}


class Entry(msgspec.Struct, frozen=True):
    """What a kind shall stand at for a ref, in micro-USDC; 0 undoes it."""

    kind: Kind
    ref: bytes
    stands: int


# What a transfer `t` adds to what its kind stands at, by its row `k` of ledger_kinds.
SIGNED = "case when k.forward then t.amount else -t.amount end"

# What a kind stands at for a ref, and how many legs it has: `lateral` over a row `e` with kind and ref.
STANDING = f"""
    select coalesce(max(t.leg), 0) as legs, coalesce(sum({SIGNED}), 0)::bigint as stands
    from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
    where t.kind = e.kind and t.ref = e.ref
"""

# The end of every statement that posts. Before it stands a CTE `entries (kind, ref, stands, at)`; after it a
# select. Two that post the same at once meet in the unique key (kind, ref, leg): one of them is done again.
POST = f"""
    posted as (
        insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at)
        select e.kind, e.ref, was.legs + 1, way.debit, way.credit, abs(e.stands - was.stands), e.at
        from entries e
        cross join lateral ({STANDING}) was
        join ledger_kinds way on way.kind = e.kind and way.forward = (e.stands > was.stands)
        where e.stands <> was.stands
        returning seq
    )
"""


# The log index in a ref of 36 bytes (`log_ref`); the hash in it is `substring(ref for 32)`.
LOG_INDEX = "('x' || encode(substring({} from 33), 'hex'))::bit(32)::int"


def log_ref(tx_hash: bytes, log_index: int) -> bytes:
    """The ref of a log: transaction hash and log index, 36 bytes. In SQL: tx_hash || int4send(log_index)."""
    return tx_hash + log_index.to_bytes(4, "big")


def chain_ref(chain_id: int) -> bytes:
    """The ref of a chain's opening balance, 8 bytes. In SQL: int8send(chain_id)."""
    return chain_id.to_bytes(8, "big")
