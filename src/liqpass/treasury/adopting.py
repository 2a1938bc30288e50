"""Adopting a transfer: somebody says that money which left the treasury was for what is due to that wallet.

By itself a transfer makes only a due of exactly its amount. Here it may make several, or a part of one: then
that one is parted in two, the part that was paid and the rest, which stays due or is written off.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NoReturn
from uuid import UUID

import msgspec

from liqpass.chain.view import Stage
from liqpass.db import Connection
from liqpass.hexes import checksum, to_hex
from liqpass.ids import RANDOM_BYTES, uuid7
from liqpass.ledger.book import Entry, Kind
from liqpass.ledger.posting import post
from liqpass.problems import Problem
from liqpass.settings import ChainSettings
from liqpass.treasury import sql
from liqpass.treasury.disbursements import claim_stands, found_by, locked_cover, words
from liqpass.treasury.owed import sql as owed
from liqpass.treasury.pairing import Purpose, Transfer, entries
from liqpass.treasury.records import Disbursement
from liqpass.treasury.suspense import Held, hold, key_of

RANDOM = 2 * RANDOM_BYTES  # a due is parted into two


class Part(msgspec.Struct, frozen=True):
    """So much of a due, under an id of its own where it was parted."""

    id: UUID
    amount: int


class Adopted(msgspec.Struct, frozen=True):
    """What a transfer was said to pay. `rest` of the last due stays due, or `written_off` of it do not;
    `unexplained` of the transfer is still without a reason."""

    paid: list[Part]
    rest: Part | None
    written_off: int
    unexplained: int
    dues: list[Disbursement]


async def adopt(
    conn: Connection,
    now: datetime,
    random: bytes,
    chain: ChainSettings,
    ref: bytes,
    names: Sequence[str],
    *,
    by: str,
    reason: str,
    write_off: bool = False,
) -> Adopted:
    """The transfer under `ref` pays these dues, in their order. Raises Problem. `random`: 20 bytes.

    Whoever books waits for the transaction's place in the queue, whoever refunds or cancels for the items,
    whoever approves for the claims.
    """
    who, why = words(by, "--by"), words(reason, "--reason")
    await sql.hold_back(conn, chain.chain_id, ref[:32])
    transfers = await sql.transfers_of(conn, chain.chain_id, [ref[:32]])
    transfer = _the_one(transfers, ref)
    known = [await found_by(conn, chain, name) for name in names]
    refunds = sorted({due.ref for due in known if due.purpose == Purpose.REFUND})
    items = {item: await hold(conn, chain, item) for item in refunds}
    claimed = sorted({due.ref for due in known if due.purpose == Purpose.CLAIM})
    covers = {order: await locked_cover(conn, order) for order in claimed}
    await sql.lock_disbursements(conn, chain.chain_id, [due.id for due in known])
    dues = [_payable(await found_by(conn, chain, str(due.id)), transfer) for due in known]
    made = await sql.made_by(conn, chain.chain_id, [ref[:32]])
    left = transfer.amount - sum(one.amount for one in made if (one.tx_hash, one.log_index) == transfer.key)
    paid, short = _shares(dues, left, ref)
    given: list[Entry] = []
    rest = None
    if short:
        now_due = await _part(conn, now, random, chain, dues[-1], paid[-1].amount, who, why, write_off)
        paid[-1], rest = now_due[0], now_due[1] if len(now_due) > 1 else None
        given = await _given(conn, dues[-1], now_due, items, covers)
    ids = [part.id for part in paid]
    places = [transfer.tx_hash] * len(ids), [transfer.log_index] * len(ids)
    await sql.make(conn, chain.chain_id, *places, ids, now, who, why)
    premiums = await sql.premiums_of(conn, chain.chain_id, [ref[:32]])
    made = await sql.made_by(conn, chain.chain_id, [ref[:32]])
    await post(conn, now, [*given, *entries(transfers, premiums, made)])
    return Adopted(paid, rest, short if write_off else 0, left - sum(part.amount for part in paid), dues)


def _the_one(transfers: Sequence[Transfer], ref: bytes) -> Transfer:
    """What left the treasury under this ref, for good."""
    found = next((t for t in transfers if t.log_index == int.from_bytes(ref[32:], "big")), None)
    if found is None or found.recipient is None or found.stage == Stage.DROPPED:
        raise Problem("NOT_FOUND", f"Nothing left the treasury under {key_of(ref)}.")
    if found.stage != Stage.FINAL:
        _refuse(f"The block of {key_of(ref)} is not final: try again in some minutes.", "TRANSFER")
    return found


def _payable(due: Disbursement, transfer: Transfer) -> Disbursement:
    """A due that this transfer may have paid."""
    if due.cancelled_at is not None:
        _refuse(f"{due.id} was cancelled already.", "--due")
    if (paid := due.made_by or due.shown) is not None:
        _refuse(f"{due.id} was paid by {to_hex(paid)}.", "--due")
    if due.recipient != transfer.recipient:
        went, owed = checksum(transfer.recipient or b""), checksum(due.recipient)
        what = f"{due.id} is due to {owed}, and the money went to {went}"
        _refuse(f"{what}: if that was right, cancel it and ask for one to {went}.", "--due")
    return due


def _shares(dues: Sequence[Disbursement], left: int, ref: bytes) -> tuple[list[Part], int]:
    """What each is paid of the `left` micro-USDC, and what the last one is short of."""
    if len({due.id for due in dues}) < len(dues):
        _refuse("Each due is named once.", "--due")
    paid, short = [], 0
    for due in dues:
        if left <= 0:
            _refuse(f"Nothing of {key_of(ref)} is left for {due.id}: it makes what stands before.", "--due")
        share = min(due.amount, left)
        paid.append(Part(due.id, share))
        left, short = left - share, due.amount - share
    return paid, short


async def _part(
    conn: Connection,
    now: datetime,
    random: bytes,
    chain: ChainSettings,
    due: Disbursement,
    share: int,
    by: str,
    reason: str,
    write_off: bool,
) -> list[Part]:
    """A due stays as it was asked for: it is cancelled, and asked for anew in two."""
    await sql.cancel(conn, due.id, now, by, reason)
    amounts = [share] if write_off else [share, due.amount - share]
    parts = []
    for place, amount in enumerate(amounts):
        new = uuid7(now, random[place * RANDOM_BYTES :][:RANDOM_BYTES])
        ref = new.bytes if due.purpose == Purpose.WITHDRAWAL else due.ref
        said = f"{'the rest' if place else 'a part'} of {due.id}: {due.reason}"
        await sql.ask(conn, new, chain.chain_id, due.purpose, ref, due.recipient, amount, said, by, now)
        parts.append(Part(new, amount))
    return parts


async def _given(
    conn: Connection,
    due: Disbursement,
    parts: Sequence[Part],
    items: Mapping[bytes, Held],
    covers: Mapping[bytes, owed.Cover],
) -> list[Entry]:
    """What the books say of the due that was parted: of a refund and of a claim as before, less what is
    written off."""
    written_off = due.amount - sum(part.amount for part in parts)
    if due.purpose == Purpose.REFUND:
        return [Entry(Kind.REFUND, due.ref, items[due.ref].refund - written_off)]
    if due.purpose == Purpose.CLAIM:
        approved = covers[due.ref].claim - written_off
        await owed.approved_for(conn, due.ref, approved)
        return claim_stands(covers[due.ref], due.ref, approved)
    whole = Entry(Kind.WITHDRAWAL, due.ref, 0)
    return [whole, *(Entry(Kind.WITHDRAWAL, part.id.bytes, part.amount) for part in parts)]


def _refuse(detail: str, field: str) -> NoReturn:
    raise Problem("INVALID_FIELD", detail, field=field)
