"""The pool: the capital that stands behind covers, where it comes from, and how much of it is free."""

from datetime import datetime

import msgspec

from liqpass.db import Connection
from liqpass.hexes import checksum
from liqpass.ids import uuid7
from liqpass.ledger.book import Account, Entry, Kind
from liqpass.ledger.posting import balance, balances, post
from liqpass.money import usd
from liqpass.problems import Problem
from liqpass.settings import ChainSettings
from liqpass.treasury import sql
from liqpass.treasury.disbursements import dues, words
from liqpass.treasury.owed import sql as owed
from liqpass.treasury.owed.sql import Waiting
from liqpass.treasury.records import Disbursement, OpenCover, Suspended
from liqpass.treasury.suspense import hold, is_final, items, key_of, part


class Pool(msgspec.Struct, frozen=True):
    """Where the money is, in micro-USDC."""

    balances: dict[Account, int]
    open_cover: list[OpenCover]
    waiting: Waiting
    dues: list[Disbursement]
    suspended: list[Suspended]


class Deposited(msgspec.Struct, frozen=True):
    """What became capital: of which item, what remains of it in suspense, and what is free now."""

    ref: bytes
    amount: int
    left: int
    free: int


async def show(conn: Connection, chain: ChainSettings) -> Pool:
    """The pool at this moment."""
    return Pool(
        balances=await balances(conn),
        open_cover=await owed.open_cover(conn, chain.chain_id),
        waiting=await owed.waiting(conn, chain.chain_id),
        dues=await dues(conn, chain),
        suspended=await items(conn, chain),
    )


async def deposit(
    conn: Connection,
    now: datetime,
    random: bytes,
    chain: ChainSettings,
    *,
    by: str,
    amount: int | None = None,
    ref: bytes | None = None,
) -> Deposited:
    """Money in suspense becomes capital: the item `ref`, or the one of which just `amount` remains.

    Without `amount` all of the item. Raises Problem. `random`: 10 bytes.
    """
    if ref is None:
        ref = await _of_amount(conn, chain, amount)
    held = await hold(conn, chain, ref)
    taken = part(held, amount, "AMOUNT")
    await sql.keep_deposit(conn, uuid7(now, random), chain.chain_id, ref, taken, words(by, "--by"), now)
    await post(conn, now, [Entry(Kind.CAPITAL, ref, held.capital + taken)])
    return Deposited(ref, taken, held.remaining - taken, await balance(conn, Account.POOL_FREE))


async def _of_amount(conn: Connection, chain: ChainSettings, amount: int | None) -> bytes:
    suspended = await items(conn, chain)
    if amount is None:
        usable = [item for item in suspended if is_final(item, chain)]
        raise Problem("MISSING_FIELDS", f"{_send_first(chain)} {_listed(usable)}")
    alike = [item for item in suspended if item.remaining == amount]
    if not alike:
        found = f"In suspense is no item of {usd(amount)} USDC."
        raise Problem("NOT_FOUND", f"{found} {_send_first(chain)} {_listed(suspended)}")
    final = [item for item in alike if is_final(item, chain)]
    if len(alike) > 1 and len(final) != 1:
        raise Problem(
            "INVALID_FIELD",
            f"Several items are of {usd(amount)} USDC: say with --from which one. {_listed(alike)}",
            field="--from",
        )
    return (final or alike)[0].ref


def _send_first(chain: ChainSettings) -> str:
    return (
        f"Capital comes as USDC sent to the treasury {checksum(chain.treasury)}: send it, wait until its "
        "block is final, then type liqpass pool deposit AMOUNT --by NAME."
    )


def _listed(found: list[Suspended]) -> str:
    if not found:
        return "Nothing is in suspense now that could be deposited."
    shown = ", ".join(f"{key_of(item.ref)} ({usd(item.remaining)} USDC)" for item in found[:5])
    more = f", and {len(found) - 5} more" if len(found) > 5 else ""
    return f"In suspense: {shown}{more}."
