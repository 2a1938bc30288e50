"""What fails: the exchange at its wire, the database in the middle of a statement. All of it drawn from one
seed, so that a storm can be had again."""

import random
from collections.abc import Callable

import asyncpg

from liqpass.sandbox.okx_control import Faults

# Whatever writes of claims, of money, of what is watched.
STRUCK = [
    "claims",
    "claim_events",
    "claim_evidence",
    "claim_verdicts",
    "claim_approvals",
    "watched_covers",
    "watched_changes",
    "watched_accounts",
    "ledger_transfers",
    "disbursements",
    "disbursements_made",
    "order_events",
]
# A sequence goes on where a transaction does not: no statement is struck each time that it is tried again.
STORM = """
    create table storm (one_in integer not null, seed integer not null);
    insert into storm values (0, {seed});
    create sequence storm_at;
    create function strike() returns trigger language plpgsql security definer as $$
    declare luck bigint; weather storm;
    begin
        select * into weather from storm;
        if weather.one_in = 0 then return null; end if;
        luck := abs(hashint8(nextval('storm_at') * 7919 + weather.seed)::bigint) % (3 * weather.one_in);
        if luck = 0 then raise exception 'overtaken' using errcode = '40001'; end if;
        if luck = 1 then raise exception 'the disk is full' using errcode = '53100'; end if;
        if luck = 2 then perform pg_terminate_backend(pg_backend_pid()); end if;
        return null;
    end $$;
"""
PRIVATE = ["account/positions", "account/bills", "trade/orders-history", "trade/fills", "positions-history"]

# How late each endpoint shows what happened, in seconds, and how much later still: another order at each.
LAGS = [
    ("/account/positions", 5, 30),
    ("/positions-history", 60, 900),
    ("/account/bills", 20, 600),
    ("/bills-archive", 600, 900),
    ("/trade/orders-history", 300, 1_800),
    ("/orders-history-archive", 1_200, 900),
    ("/trade/fills", 10, 60),
]


class Weather:
    """`owner` is the database's own connection, past the product."""

    def __init__(self, seed: int, faults: Faults, owner: asyncpg.Connection) -> None:
        self._draw = random.Random(seed)  # noqa: S311
        self._seed, self._faults, self._owner = seed, faults, owner
        self.struck = 0

    async def gather(self) -> None:
        """From now on the database can be struck."""
        await self._owner.execute(STORM.format(seed=self._seed))
        for table in STRUCK:
            when = f"before insert or update or delete on {table} for each statement"
            await self._owner.execute(f"create trigger storm {when} execute function strike()")

    async def storm(self, one_in: int) -> None:
        """One of so many statements fails, in one of three ways; and some requests to the exchange."""
        await self._owner.execute("update storm set one_in = $1", one_in)
        self._faults.heal()
        for path, seconds, spread in LAGS:
            self._faults.delay(path, seconds, spread=spread)
        for _ in range(self._draw.randrange(4)):
            path, count = self._draw.choice([*PRIVATE, ""]), self._draw.randrange(1, 30)
            self._draw.choice(self._ways())(path=path, count=count)
            self.struck += 1
        if self._draw.randrange(4) == 0:
            self._faults.skew_clock(self._draw.choice((-40, -3, 3, 40)))

    async def outage(self) -> None:
        """The exchange is down, the database works."""
        await self._owner.execute("update storm set one_in = 0")
        self._faults.html(status=503)

    async def calm(self) -> None:
        """Nothing fails."""
        await self._owner.execute("update storm set one_in = 0")
        self._faults.heal()

    def _ways(self) -> list[Callable[..., None]]:
        faults = self._faults
        return [
            faults.html,
            faults.rate_limit,
            lambda **where: faults.fail("50001", **where),  # the service is unavailable for a while
            lambda **where: faults.fail("50026", status=500, **where),
            lambda **where: faults.fail("", **where),
            lambda **where: faults.answer("{", **where),
            lambda **where: faults.answer('{"code":"0","data":[],"msg":""}', **where),  # nothing to show
            lambda **where: faults.answer('{"code":"0","data":[{"instId":"?"}],"msg":""}', **where),
        ]
