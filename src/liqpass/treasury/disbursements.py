"""What is to be paid out: asked for, cancelled, written into a batch. The treasury's owners send it, and the
transfer that shows up on chain is matched by booking."""

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import CheckViolationError

from liqpass.chain.outgoing import Outgoing
from liqpass.chain.rpc import Node
from liqpass.db import Connection, Database
from liqpass.hexes import checksum, to_hex
from liqpass.ids import uuid7
from liqpass.ledger.book import Account, Entry, Kind
from liqpass.ledger.posting import balance, overdrawn, post
from liqpass.money import usd
from liqpass.problems import Problem
from liqpass.settings import ChainSettings
from liqpass.treasury import sql
from liqpass.treasury.before_batches import refuse_unread, refuse_unsettled
from liqpass.treasury.holding import Held, held, token_says, token_says_of
from liqpass.treasury.owed import sql as owed
from liqpass.treasury.pairing import Purpose
from liqpass.treasury.records import Disbursement, Outflow
from liqpass.treasury.suspense import hold, items, key_of, may_receive, part

BATCH_MOST = 200  # transfers in one file: a Safe sends them as one transaction
WORDS_MOST = 200
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f]"
)  # nobody's words; a terminal obeys some, PostgreSQL takes no zero

ByHand = dict[bytes, list[Outflow]]


class Asked(msgspec.Struct, frozen=True):
    """A new disbursement. `left` is what remains where it was taken from: item or free pool."""

    id: UUID
    recipient: bytes
    amount: int
    left: int
    shown: bytes | None
    """A transfer that has left already and will be taken for this one."""


class Dues(msgspec.Struct, frozen=True):
    """What is still to be paid out, the oldest first: ready for a batch file, in an earlier one, or seen on
    its way."""

    ready: list[Disbursement]
    batched: list[Disbursement]
    on_their_way: list[Disbursement]


class Batch(msgspec.Struct, frozen=True):
    """What goes into a batch file, and what does not: held back, batched before, seen on its way, or too
    many. `held` says why, also of what was batched before: then that file fails as a whole.
    `by_hand`: what left without a reason to whom is in it."""

    included: list[Disbursement]
    held_back: list[Disbursement]
    batched: list[Disbursement]
    on_their_way: list[Disbursement]
    later: list[Disbursement]
    held: dict[UUID, Held]
    by_hand: ByHand


async def refund(
    conn: Connection,
    now: datetime,
    random: bytes,
    chain: ChainSettings,
    ref: bytes,
    *,
    by: str,
    reason: str,
    to: bytes | None = None,
    amount: int | None = None,
) -> Asked:
    """Money in suspense goes back, to whom it came from unless `to` says otherwise; all of it unless `amount`
    does. Raises Problem. `random`: 10 bytes."""
    held = await hold(conn, chain, ref)
    taken = part(held, amount, "--amount")
    if to is None and not may_receive(held.sender, chain):
        origin = "has no sender" if held.sender is None else "came from a contract, or from nobody"
        raise Problem(
            "INVALID_FIELD", f"{key_of(ref)} {origin}: name with --to where it shall go.", field="--to"
        )
    asked = _Ask(uuid7(now, random), Purpose.REFUND, ref, to or held.sender or b"", taken, reason, by)
    shown = await _ask(conn, now, chain, asked)
    await post(conn, now, [Entry(Kind.REFUND, ref, held.refund + taken)])
    return Asked(asked.id, asked.recipient, taken, held.remaining - taken, shown)


async def token_says_of_refund(
    db: Database, nodes: Sequence[Node], chain: ChainSettings, ref: bytes, *, to: bytes | None
) -> Outgoing:
    """Ask the token whom a refund of this item would go to. Whether it may be refunded, `refund` says.
    Raises Problem NODE_UNAVAILABLE: nothing is posted of which nobody knows whether it can be paid."""
    async with db.pool.acquire() as conn:
        found = [item for item in await items(conn, chain) if item.ref == ref]
    recipient = to or (found[0].sender if found else None)
    return await token_says_of(nodes, chain, {recipient: found[0].remaining} if recipient and found else {})


async def withdraw(
    conn: Connection,
    now: datetime,
    random: bytes,
    chain: ChainSettings,
    amount: int,
    to: bytes,
    *,
    by: str,
    reason: str,
) -> Asked:
    """Free capital is paid out. Raises Problem when there is less. `random`: 10 bytes."""
    new = uuid7(now, random)
    asked = _Ask(new, Purpose.WITHDRAWAL, new.bytes, to, amount, reason, by)
    shown = await _ask(conn, now, chain, asked)
    try:
        async with conn.transaction():
            await post(conn, now, [Entry(Kind.WITHDRAWAL, asked.ref, amount)])
    except CheckViolationError as error:
        if not overdrawn(error):
            raise
        free = await balance(conn, Account.POOL_FREE)
        raise Problem(
            "INVALID_FIELD", f"AMOUNT is more than is free: {usd(free)} USDC.", field="AMOUNT"
        ) from None
    return Asked(asked.id, to, amount, await balance(conn, Account.POOL_FREE), shown)


async def owe_claim(
    conn: Connection,
    now: datetime,
    random: bytes,
    chain: ChainSettings,
    ref: bytes,
    *,
    to: bytes,
    amount: int,
    total: int,
    by: str,
    reason: str,
) -> Asked:
    """A claim is approved: `amount` is to be paid for the order of the public id `ref`, which with what was
    approved before makes `total`. The claim has to be locked, and its `approved_amount` written beside; to be
    the last of a transaction: it posts. `left`: what the order's payout leaves. `random`: 10 bytes.

    Raises Problem; CAPITAL_SHORT where the cover's capital was freed when it was settled, and is not there.
    """
    cover = await locked_cover(conn, ref)
    if total > cover.payout:
        said = f"The order pays {usd(cover.payout)} USDC at most, and {usd(total)} USDC would be approved."
        raise Problem("INVALID_FIELD", said, field="amount")
    if cover.claim + amount != total:
        raise RuntimeError("a claim was approved without its lock")
    asked = _Ask(uuid7(now, random), Purpose.CLAIM, ref, to, amount, reason, by, _OF_CLAIMS)
    shown = await _ask(conn, now, chain, asked)
    try:
        async with conn.transaction():
            await post(conn, now, claim_stands(cover, ref, total))
    except CheckViolationError as error:
        if not overdrawn(error):
            raise
        free = await balance(conn, Account.POOL_FREE)
        raise Problem(
            "CAPITAL_SHORT",
            f"{usd(amount)} USDC are needed and {usd(free)} are free: what this cover held was freed when it "
            "was settled. Deposit more with liqpass pool deposit, then approve again.",
            freeAmount=str(free),
            neededAmount=str(amount),
        ) from None
    return Asked(asked.id, to, amount, cover.payout - total, shown)


async def locked_cover(conn: Connection, ref: bytes) -> owed.Cover:
    """What is held and owed for an order, its claim and its cover locked: nobody approves, cancels or settles
    beside us."""
    await owed.lock_claim(conn, ref)
    await owed.lock_cover(conn, ref)
    return await owed.cover(conn, ref)


def claim_stands(cover: owed.Cover, ref: bytes, total: int) -> list[Entry]:
    """What an approved total makes of the books: a settled cover holds what its claim takes, no more."""
    held = [Entry(Kind.HELD, ref, total)] if cover.settled else []
    return [*held, Entry(Kind.CLAIM, ref, total)]


_Fields = tuple[str, str, str]  # how whoever asks calls recipient, reason and name
_BY_COMMAND: _Fields = ("--to", "--reason", "--by")
_OF_CLAIMS: _Fields = ("recipient", "reason", "by")


class _Ask(msgspec.Struct, frozen=True):
    id: UUID
    purpose: Purpose
    ref: bytes
    recipient: bytes
    amount: int
    reason: str
    by: str
    fields: _Fields = _BY_COMMAND


async def _ask(conn: Connection, now: datetime, chain: ChainSettings, asked: _Ask) -> bytes | None:
    """Keep it, and say whether a transfer is there that will be taken for it."""
    to_field, reason_field, by_field = asked.fields
    if not may_receive(asked.recipient, chain):
        who = f"{checksum(asked.recipient)} is the treasury itself, a contract of the product, or nobody"
        raise Problem("INVALID_FIELD", f"{to_field} {who}: money sent there would be lost.", field=to_field)
    reason, by = words(asked.reason, reason_field), words(asked.by, by_field)
    await sql.ask(
        conn,
        asked.id,
        chain.chain_id,
        asked.purpose,
        asked.ref,
        asked.recipient,
        asked.amount,
        reason,
        by,
        now,
    )
    kept = await sql.disbursement(conn, chain.chain_id, asked.id)
    return None if kept is None else kept.shown


async def cancel(
    conn: Connection, now: datetime, chain: ChainSettings, text: str, *, by: str, reason: str
) -> Disbursement:
    """It is not to be paid out after all: the money is in suspense or free again, or the claim is approved
    for so much less, and an operator decides again. Raises Problem."""
    found = await found_by(conn, chain, text)
    held = await hold(conn, chain, found.ref) if found.purpose == Purpose.REFUND else None
    cover = await locked_cover(conn, found.ref) if found.purpose == Purpose.CLAIM else None
    await sql.lock_disbursements(conn, chain.chain_id, [found.id])
    found = await found_by(conn, chain, text)
    if found.cancelled_at is not None:
        raise Problem("INVALID_FIELD", f"{found.id} was cancelled already.", field="DISBURSEMENT")
    if (paid := found.made_by or found.shown) is not None:
        raise Problem("INVALID_FIELD", f"{found.id} was paid by {to_hex(paid)}.", field="DISBURSEMENT")
    await sql.cancel(conn, found.id, now, words(by, "--by"), words(reason, "--reason"))
    if held is not None:
        await post(conn, now, [Entry(Kind.REFUND, found.ref, held.refund - found.amount)])
    elif cover is not None:
        left = cover.claim - found.amount
        await owed.approved_for(conn, found.ref, left)
        await post(conn, now, claim_stands(cover, found.ref, left))
    else:
        await post(conn, now, [Entry(Kind.WITHDRAWAL, found.ref, 0)])
    return found


async def found_by(conn: Connection, chain: ChainSettings, text: str) -> Disbursement:
    """The disbursement of this name. Raises Problem."""
    try:
        found = await sql.disbursement(conn, chain.chain_id, UUID(text))
    except ValueError:
        found = None
    if found is None:
        raise Problem("NOT_FOUND", f"There is no disbursement {text}: liqpass suspense list shows them.")
    return found


async def make_batch(
    db: Database, nodes: Sequence[Node], chain: ChainSettings, now: datetime, *, again: bool
) -> Batch:
    """Ask the token about all that is due, look whether all that left the treasury is stored, then `batch`.
    Raises Problem, NODE_UNAVAILABLE, CHAIN_NOT_READ and RESTORE_UNSETTLED too."""
    async with db.pool.acquire() as conn:
        await refuse_unsettled(conn)
        waiting = [due for due in await dues(conn, chain) if due.shown is None]
    said = await token_says(nodes, chain, waiting)
    await refuse_unread(db, nodes, chain)
    return await db.run(lambda conn: batch(conn, now, chain, said, again=again))


async def batch(
    conn: Connection, now: datetime, chain: ChainSettings, said: Outgoing, *, again: bool
) -> Batch:
    """Mark what goes into a batch file. What stands in an earlier one is left out unless `again`: two files
    with the same transfer pay it twice. What the token refuses, as it `said`, is held back. Raises Problem
    when the ledger does not say that so much is due: what nobody posted was written into the table by a hand.
    """
    await sql.lock_disbursements(conn, chain.chain_id, [due.id for due in await dues(conn, chain)])
    now_open = parted(await dues(conn, chain), again=again)
    why = held([*now_open.batched, *now_open.ready], said)
    payable = [due for due in now_open.ready if due.id not in why]
    included, later = payable[:BATCH_MOST], payable[BATCH_MOST:]
    if (odd := await sql.not_booked(conn, chain.chain_id, [due.id for due in included])) is not None:
        what = "is not what the ledger says is due: liqpass check --books says more. No batch was made"
        raise Problem("INVALID_FIELD", f"{odd} {what}.", field="DISBURSEMENT")
    await sql.mark_batched(conn, [due.id for due in included], now)
    held_back = [due for due in now_open.ready if due.id in why]
    by_hand = await paid_by_hand(conn, chain, included)
    return Batch(included, held_back, now_open.batched, now_open.on_their_way, later, why, by_hand)


async def paid_by_hand(conn: Connection, chain: ChainSettings, found: Sequence[Disbursement]) -> ByHand:
    """By wallet to which something of these is due: what left to it without a reason and may have paid it."""
    recipients = sorted({due.recipient for due in found})
    left = defaultdict(list)
    for one in await sql.unexplained(conn, chain.chain_id, recipients) if recipients else []:
        left[one.recipient].append(one)
    return dict(left)


async def dues(conn: Connection, chain: ChainSettings) -> list[Disbursement]:
    """All that is still to be paid out, the oldest first."""
    return await sql.dues(conn, chain.chain_id)


def parted(found: Sequence[Disbursement], *, again: bool = False) -> Dues:
    """By what is to be done about them; with `again`, what was batched is ready once more."""
    left = [due for due in found if due.shown is None]
    return Dues(
        ready=[due for due in left if due.batched_at is None or again],
        batched=[due for due in left if due.batched_at is not None and not again],
        on_their_way=[due for due in found if due.shown is not None],
    )


def words(text: str, field: str, most: int = WORDS_MOST) -> str:
    """A name or a reason. Raises Problem INVALID_FIELD that names `field`."""
    kept = " ".join(text.split())
    if not 0 < len(kept) <= most:
        raise Problem("INVALID_FIELD", f"{field} is 1 to {most} characters.", field=field)
    if _CONTROL.search(kept):
        raise Problem("INVALID_FIELD", f"{field} has a control character in it: leave it out.", field=field)
    return kept
