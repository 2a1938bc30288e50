"""What a fresh view of the chain means for what is stored. Pure: rows and a view in, changes out.

A view is one endpoint's whole window: every log of ours from the cursor (the finalized head up to which
everything is read and agreed) to `upto`, and the headers that prove it. The whole window is read again at
every step, so a reorganisation needs no algorithm: the view says where each log stands now.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from liqpass.chain.checkout import PremiumPaid, UsdcTransfer
from liqpass.hexes import to_hex

Log = PremiumPaid | UsdcTransfer
# Transaction hash, log index, and whether it is a payment. On a chain the first two would do; but what is
# stored may stand in a block that is gone, and in the new one a transfer may have the number of a payment.
LogKey = tuple[bytes, int, bool]


class Stage(StrEnum):
    """How far a log has come."""

    SEEN = "SEEN"  # in a block, above the safe head or not shown by every endpoint
    SAFE = "SAFE"  # was at or below the safe head and shown by every endpoint
    FINAL = "FINAL"  # the cursor has passed its block: never touched again
    DROPPED = "DROPPED"  # its block is gone and no view shows it


CONFIRMED = (Stage.SAFE, Stage.FINAL)
"""Stages at which a log counts: what it moved is in the books."""


class Head(Struct, frozen=True):
    """A block: number, hash (32 bytes), time."""

    number: int
    hash: bytes
    time: datetime


class Heads(Struct, frozen=True):
    """The heads; `safe` is what the confirmation policy calls so. Only `latest` may be above `View.upto`.
    `finalized` is lowered to where the transfers are known by all: the cursor goes there and no further."""

    finalized: Head
    safe: Head
    latest: Head


class Cursor(Struct, frozen=True):
    """The row of `chain_cursors`: how far everything is read (finalized, safe), and the last good view."""

    finalized_number: int
    finalized_hash: bytes
    safe_number: int
    safe_time: datetime
    latest_number: int
    latest_time: datetime
    read_at: datetime
    doubtful_views: int
    doubt: str | None
    halted: str | None


class StoredLog(Struct, frozen=True):
    """A row of `premium_payments` or `usdc_transfers`."""

    log: Log
    stage: Stage


class View(Struct, frozen=True):
    """What one endpoint shows of (cursor, upto]. `upto` is below `latest` only while catching up.

    `blocks` are headers read after the logs: of the cursor, of every block that a stored open row names, and
    more; None is a block that the node does not know. `spoken` are blocks whose bloom filter speaks of a
    payment. Payments are shown up to `upto`, transfers up to `transfers_upto`; `waits` says why no further.
    """

    heads: Heads
    upto: int
    transfers_upto: int
    logs: Sequence[Log]
    blocks: Mapping[int, Head | None]
    spoken: Collection[int] = ()
    waits: str | None = None


class Witness(Struct, frozen=True):
    """What another endpoint shows of the window: payments up to the view's safe head, transfers up to there
    or, for the reason that `waits` gives, only up to `transfers_upto`."""

    logs: frozenset[Log]
    transfers_upto: int
    waits: str | None = None


class Changes(Struct, frozen=True):
    """What to do. With a doubt or a contradiction: nothing. `agreed`: every witness shows the same payments,
    so the cursor and the safe head may move."""

    add: Sequence[tuple[Log, Stage]] = ()
    advance: Sequence[tuple[Log, Stage]] = ()
    drop: Sequence[Log] = ()
    agreed: bool = False
    doubt: str | None = None
    contradiction: str | None = None


def key_of(log: Log) -> LogKey:
    """What identifies a log, whichever block it is in."""
    return log.place.tx_hash, log.place.log_index, isinstance(log, PremiumPaid)


def known_by_all(cursor: Cursor, view: View, witnesses: Sequence[Witness | None]) -> int:
    """The highest block up to which all who answered have read the transfers, and show those of the view.

    What becomes final must not pass it, or a transfer would be missing for ever; payments need not wait.
    """
    said = [one for one in witnesses if one is not None]
    upto = min([view.transfers_upto, *(one.transfers_upto for one in said)])
    transfers = [log for log in view.logs if isinstance(log, UsdcTransfer)]
    for log in transfers:
        number = log.place.block_number
        if number <= view.heads.safe.number and any(log not in one.logs for one in said):
            upto = min(upto, number - 1)
    return max(upto, cursor.finalized_number)


def compare(
    cursor: Cursor, stored: Sequence[StoredLog], view: View, witnesses: Sequence[Witness | None]
) -> Changes:
    """Stored rows and a fresh view → changes.

    `stored` are all open rows, and any others whose transaction the view shows. `witnesses` are the other
    configured endpoints, None for one that could not say.
    """
    if contradiction := _contradiction(cursor, stored, view):
        return Changes(contradiction=contradiction)
    shown = {key_of(log): log for log in view.logs}
    missing = [row for row in stored if _is_open(row) and key_of(row.log) not in shown]
    if doubt := _doubt_of_heads(cursor, view) or _doubt_of_logs(stored, view, missing, witnesses):
        return Changes(doubt=doubt)
    paid = [log for log in view.logs if isinstance(log, PremiumPaid)]
    to_agree_on = [log for log in paid if log.place.block_number <= view.heads.safe.number]
    agreed = all(w is not None and w.logs.issuperset(to_agree_on) for w in witnesses)
    rows = {key_of(row.log): row for row in stored}
    add, advance = [], []
    for key, log in shown.items():
        row = rows.get(key)
        stage = _stage(log, row, view.heads, witnesses, agreed=agreed)
        if row is None:
            add.append((log, stage))
        elif row.log != log or row.stage != stage:
            advance.append((log, stage))
    drop = [row.log for row in missing if _block_is_gone(row, view) or _never_was(row, view, witnesses)]
    return Changes(add=add, advance=advance, drop=drop, agreed=agreed)


def moved(cursor: Cursor, view: View, changes: Changes, now: datetime) -> Cursor:
    """The cursor after a good view. Finalized and safe move only on agreement, and never back.

    `read_at` always moves on, if only by a microsecond: two watchers tell by it whether the row is the same.
    """
    heads = view.heads
    read_at = max(now, cursor.read_at + timedelta(microseconds=1))
    cursor = replace(
        cursor, latest_number=heads.latest.number, latest_time=heads.latest.time, read_at=read_at, doubt=None
    )
    if not changes.agreed:
        return cursor
    if heads.safe.number >= cursor.safe_number:
        cursor = replace(cursor, safe_number=heads.safe.number, safe_time=heads.safe.time)
    return replace(cursor, finalized_number=heads.finalized.number, finalized_hash=heads.finalized.hash)


def _is_open(row: StoredLog) -> bool:
    return row.stage in (Stage.SEEN, Stage.SAFE)


def _block_is_gone(row: StoredLog, view: View) -> bool:
    """The evidence that a drop needs: the block of that number has another hash now."""
    block = view.blocks.get(row.log.place.block_number)
    return block is not None and block.hash != row.log.place.block_hash


def _never_was(row: StoredLog, view: View, witnesses: Sequence[Witness | None]) -> bool:
    """One endpoint had shown it, and now all of them, two at least, show the blocks up to the safe head
    without it: what it takes to believe a payment, it takes to disbelieve one. Else a single wrong answer,
    once stored, would hold up everything for ever."""
    return (
        row.stage is Stage.SEEN
        and bool(witnesses)
        and row.log.place.block_number <= min(view.heads.safe.number, _read_upto(row.log, view))
        and all(one is not None and _reads(one, row.log) and row.log not in one.logs for one in witnesses)
    )


def _reads(witness: Witness, log: Log) -> bool:
    """Whether it would show this log of a block up to the view's safe head, were it there."""
    return isinstance(log, PremiumPaid) or log.place.block_number <= witness.transfers_upto


def _stage(
    log: Log, row: StoredLog | None, heads: Heads, witnesses: Iterable[Witness | None], *, agreed: bool
) -> Stage:
    number = log.place.block_number
    before = row.stage if row is not None and row.log.place == log.place else Stage.SEEN
    if before is Stage.FINAL or (agreed and number <= heads.finalized.number):
        return Stage.FINAL
    confirmed = number <= heads.safe.number and all(w is not None and log in w.logs for w in witnesses)
    return Stage.SAFE if confirmed or before is Stage.SAFE else Stage.SEEN


def _contradiction(cursor: Cursor, stored: Sequence[StoredLog], view: View) -> str | None:
    """What was final is not: no reorganisation does that, so a person has to look.

    Only what the node calls final itself counts. A late one may still show a fork that has died since.
    """
    final = view.heads.finalized.number
    finals = [row.log.place for row in stored if row.stage is Stage.FINAL]
    claims = {place.block_number: place.block_hash for place in finals}
    claims[cursor.finalized_number] = cursor.finalized_hash
    for number, was in claims.items():
        found = view.blocks.get(number)
        if number <= final and found is not None and found.hash != was:
            return (
                f"Block {number:,} was final as {to_hex(was)}, and the node now shows {to_hex(found.hash)}."
            )
    places = {log.place.tx_hash: log.place for log in view.logs}
    for place in finals:
        now = places.get(place.tx_hash, place)
        if cursor.finalized_number <= final and now.block_hash != place.block_hash:
            return (
                f"Transaction {to_hex(place.tx_hash)} was final in block {place.block_number:,}, "
                f"and the node now shows it in block {now.block_number:,}."
            )
    return None


def _doubt_of_heads(cursor: Cursor, view: View) -> str | None:
    """A node behind a load balancer may be late, and answers as if nothing had happened since."""
    heads = view.heads
    if heads.finalized.number < cursor.finalized_number or view.blocks.get(cursor.finalized_number) is None:
        below = f"{heads.finalized.number:,} is below {cursor.finalized_number:,}, which was final before"
        return f"The finalized head {below}. The node is late, or the chain was made anew."
    if heads.latest.number < cursor.safe_number:
        below = f"{heads.latest.number:,} is below {cursor.safe_number:,}, which was safe before"
        return f"The head {below}. The node is late."
    return None


def _doubt_of_logs(
    stored: Sequence[StoredLog],
    view: View,
    missing: Sequence[StoredLog],
    witnesses: Sequence[Witness | None],
) -> str | None:
    """Something known to be there is not shown, and nothing shows that it has gone."""
    for row in missing:
        place = row.log.place
        read = _read_upto(row.log, view)
        if place.block_number > read and read < view.heads.latest.number:
            continue  # not read this time
        if not _block_is_gone(row, view) and not _never_was(row, view, witnesses):
            known = view.blocks.get(place.block_number) is not None
            why = "shows its block, but not the log" if known else "does not know its block"
            return f"{_name(row.log)} was seen in block {place.block_number:,}. The node {why}."
    rows = {key_of(row.log): row for row in stored if row.stage is not Stage.DROPPED}
    for log in view.logs:
        was = rows.get(key_of(log))
        same_block = was is not None and was.log.place.block_hash == log.place.block_hash
        if was is not None and same_block and was.log != log and not _never_was(was, view, witnesses):
            return f"{_name(log)} is in the block where it was, but says something else."
    others: set[Log] = set().union(*(w.logs for w in witnesses if w is not None))
    unshown = [log for log in others.difference(view.logs) if log.place.block_number <= _read_upto(log, view)]
    if unshown:
        return f"Another endpoint shows {_name(min(unshown, key=key_of))}, and this one does not."
    mute = set(view.spoken).difference(
        log.place.block_number for log in view.logs if isinstance(log, PremiumPaid)
    )
    if mute:
        return f"The bloom filter of block {min(mute):,} speaks of a payment that the node does not show."
    return None


def _read_upto(log: Log, view: View) -> int:
    return view.upto if isinstance(log, PremiumPaid) else view.transfers_upto


def _name(log: Log) -> str:
    return f"Log {log.place.log_index} of transaction {to_hex(log.place.tx_hash)}"
