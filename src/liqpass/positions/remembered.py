"""What a process found out a moment ago: whose session it is, their account as it was read, how instruments
move. Who has looked binds and orders next, and what that is made from need not be asked for again.

Memory never decides. The statement that writes holds what it was made from against the database
(`positions.sql.STANDS`), and a refusal that comes of memory is found out anew.
"""

from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

import msgspec

from liqpass.market.reading import MAX_AGE
from liqpass.market.volatility import Volatility
from liqpass.positions.bindings import Slot
from liqpass.positions.readings import SMALL_BYTES, AccountReading, is_young
from liqpass.problems import Problem

AT_MOST = 512  # of each kind, the oldest is forgotten first
TRIES = 3

N = TypeVar("N", bound=Hashable)
K = TypeVar("K")
F = TypeVar("F")
R = TypeVar("R")
A = TypeVar("A")


class Known(msgspec.Struct, frozen=True):
    """Whose account, as it was read, and how an instrument moves (None: no price)."""

    user_id: bytes
    account: AccountReading
    volatility: Volatility | None


class JustBound(msgspec.Struct, frozen=True):
    """A binding without an order, made by this process."""

    status: str
    slot: Slot
    pos_id: str
    pos_created_ms: int


class _Recent(Generic[N, K]):
    """The last so many, by name."""

    def __init__(self) -> None:
        self._of: dict[N, K] = {}

    def keep(self, name: N, what: K) -> None:
        self._of.pop(name, None)
        self._of[name] = what
        if len(self._of) > AT_MOST:
            del self._of[next(iter(self._of))]

    def get(self, name: N) -> K | None:
        return self._of.get(name)

    def forget(self, name: N) -> None:
        self._of.pop(name, None)


class Remembered:
    """Of one process, by the hash of who asks."""

    def __init__(self) -> None:
        self._accounts: _Recent[tuple[bytes, UUID], tuple[bytes, AccountReading]] = _Recent()
        self._volatilities: _Recent[str, Volatility] = _Recent()
        self.just_bound: _Recent[tuple[bytes, UUID], JustBound] = _Recent()

    def keep(
        self,
        token_sha256: bytes,
        user_id: bytes,
        account_id: UUID,
        account: AccountReading,
        moves: Iterable[Volatility],
    ) -> None:
        """An account as it was read last, and how instruments move."""
        if len(account.reading.raw) <= SMALL_BYTES:
            self._accounts.keep((token_sha256, account_id), (user_id, account))
        for one in moves:
            self._volatilities.keep(one.inst_id, one)

    def known(
        self, token_sha256: bytes, account_id: UUID, inst_id: str, now: datetime, max_age: timedelta
    ) -> Known | None:
        """An account, read at most `max_age` ago, and how one of its instruments moves; None where either is
        not remembered."""
        found, moves = self._accounts.get((token_sha256, account_id)), self._volatilities.get(inst_id)
        if found is None or moves is None or moves.read_at < now - MAX_AGE:
            return None
        user_id, account = found
        return Known(user_id, account, moves) if is_young(account.read_at, now, max_age) else None


async def made_from(
    remembered: K | None,
    find_out: Callable[[], Awaitable[F]],
    ask: Callable[[K | F], R],
    make: Callable[[R], Awaitable[A | None]],
) -> A | None:
    """What `make` makes of what `ask` asks for, from what is remembered, or else from what is found out.
    `make` answers None where what it is made from no longer stands; so does this, when that comes again and
    again.

    Raises what these raise, but no refusal that comes of what is remembered.
    """
    if remembered is not None:
        asked = None
        with suppress(Problem):
            asked = ask(remembered)
        if asked is not None and (made := await make(asked)) is not None:
            return made
    for _ in range(TRIES):
        if (made := await make(ask(await find_out()))) is not None:
            return made
    return None
