"""What a reading of an account says is noted in one transaction: what changed, which claims are opened, when
the account is read next."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from liqpass.claims import opening
from liqpass.claims import sql as claims
from liqpass.claims.case import Missing
from liqpass.claims.policy import policy_of
from liqpass.claims.states import ClaimStatus, Opener
from liqpass.db import Connection
from liqpass.exchange.records import Reading
from liqpass.ids import RANDOM_BYTES
from liqpass.watching import pace, sql
from liqpass.watching.seeing import PENALTY, Shown, Slot, Unclear, shown

Random = Callable[[int], bytes]
# A reading is asked for so long after the moment that it has to be behind by the exchange's clock.
BEHIND = timedelta(seconds=1)


class _PricedFrom(msgspec.Struct, frozen=True):
    """What of orders.PricedFrom stands at the beginning of watching."""

    position: str
    read_at: datetime


@dataclass(frozen=True)
class Read:
    """A reading, when it was begun by our clock, and how far the exchange's is ahead."""

    reading: Reading
    at: datetime
    offset: timedelta

    @property
    def offset_ms(self) -> int:
        """The offset in milliseconds, rounded down."""
        return self.offset // timedelta(milliseconds=1)


async def note(
    conn: Connection, now: datetime, random: Random, due: sql.Due, read: Read, memory: pace.Memory
) -> None:
    """All that the reading says of the account's covers. One that was begun before what is noted already says
    nothing."""
    next_at, unclear, unchanged = list[datetime](), list[str](), list[sql.Cover]()
    for cover in await sql.lock_covers(conn, due.user_id, due.exchange_uid):
        slot, last_at = _slot_of(cover)
        found = shown(slot, read.reading) if read.at > last_at else None
        if isinstance(found, Unclear):
            unclear.append(found.why)
        elif found is not None:
            settled = _alive_after_end(cover, found, read)
            if found.what or settled:
                await _keep(conn, due.user_id, cover, found, read, settled=settled)
            else:
                unchanged.append(cover)
            await _claim(conn, now, random, due.user_id, cover, found, settled=settled)
            if settled:
                continue
        next_at.append(_next(cover, found, read, now, memory))
    if unchanged:
        await sql.note_unchanged(conn, due.user_id, [one.order_id for one in unchanged], read.at)
    trouble = "; ".join(unclear)[:1000] or None
    at = min(next_at, default=None)
    await sql.note_read(conn, due.user_id, due.exchange_uid, due.due_at, at, read.at, trouble)


def _slot_of(cover: sql.Cover) -> tuple[Slot, datetime]:
    """What to look for, and since when its state is known."""
    priced = msgspec.json.decode(cover.priced_from, type=_PricedFrom)
    row = msgspec.json.decode(cover.seen or priced.position, type=dict[str, object])
    slot = Slot(
        cover.inst_id,
        cover.mgn_mode,
        cover.pos_side,
        cover.pos_id,
        cover.pos_created_ms,
        last_row=row,
        gone=cover.gone_at is not None,
        penalty=cover.penalty,
    )
    return slot, cover.seen_at or priced.read_at


def _settles_from(cover: sql.Cover) -> datetime:
    """By the exchange's clock: a reading from then on shows that nothing happened before the end."""
    return cover.coverage_end_at + timedelta(seconds=policy_of(cover.claims_policy).settle_after_end_sec)


def _alive_after_end(cover: sql.Cover, found: Shown, read: Read) -> bool:
    return found.alive and not found.penalised and read.at + read.offset >= _settles_from(cover)


async def _keep(
    conn: Connection, user: bytes, cover: sql.Cover, found: Shown, read: Read, *, settled: bool
) -> None:
    await sql.keep_change(
        conn,
        user,
        cover.order_id,
        read.at,
        found.row if found.alive else None,
        None if found.alive else cover.gone_at or read.at,
        read.at + read.offset if settled else None,
        read.offset_ms,
        [*found.what, "alive_after_end"] if settled else found.what,
        found.row,
        found.row_sha256,
    )


async def _claim(
    conn: Connection,
    now: datetime,
    random: Random,
    user: bytes,
    cover: sql.Cover,
    found: Shown,
    *,
    settled: bool,
) -> None:
    """The claim that this opens, or that waits for it. One that is open already is asked for when something
    has just happened: not by every reading that shows it still, unless it takes the position for open."""
    news = set(found.what)
    if cover.claim_id is None:
        reason = _why_open(found)
        if reason is not None:
            by = Opener.WATCHER
            await opening.opened_for(
                conn, now, random(RANDOM_BYTES), user, cover.order_id, by=by, reason=reason
            )
    elif (
        news & {"gone", "other"}
        or (found.penalised and PENALTY in news)
        or ((settled or not found.alive) and _waits(cover))
    ):
        await claims.ask_soon(conn, user, cover.claim_id, now)


def _why_open(found: Shown) -> str | None:
    if not found.alive:
        return "ANOTHER_POSITION" if found.row else "POSITION_GONE"
    return "PENALTY_SHOWN" if found.penalised else None


def _waits(cover: sql.Cover) -> bool:
    """Whether its claim waits for nothing but its position."""
    return cover.claim_status is ClaimStatus.GATHERING and Missing.EPISODE_RUNS in (cover.claim_missing or [])


def _next(
    cover: sql.Cover, found: Shown | Unclear | None, read: Read, now: datetime, memory: pace.Memory
) -> datetime:
    """When this cover wants its account read again."""
    if found is None:
        soon = now + pace.SOONEST
    elif isinstance(found, Unclear):
        soon = now + pace.UNCLEAR
    elif found.position is None:
        soon = now + pace.after_gone(cover.gone_at or now, now)
    else:
        moves = memory.bps_in_a_minute(cover.inst_id)
        soon = now + pace.until_near(found.position, moves)
    moments = (cover.coverage_start_at, cover.coverage_end_at, _settles_from(cover) - read.offset + BEHIND)
    return min([soon, *(moment for moment in moments if moment > now)])
