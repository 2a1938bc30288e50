"""A market that moves little, for worlds whose covers are not about their price."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta

from liqpass.sandbox.okx_accounts import Books

DAILY = "0.01"
# A third of a percent, squared: about 30 % a year.
HOURLY_E12 = 10_000_000
_READ = """
insert into volatilities (inst_id, read_at, short_e12, long_e12, candles_sha256, source)
select inst_id, $2::timestamptz, $3, $3, sha256(convert_to(inst_id, 'UTF8')), 'sandbox: a calm market'
from unnest($1::text[]) as wanted (inst_id)
where not exists (
    select from volatilities v
    where v.inst_id = wanted.inst_id and v.read_at > $2::timestamptz - $4::interval
)
on conflict do nothing
"""


async def read_calm(
    execute: Callable[..., Awaitable[object]],
    inst_ids: Iterable[str],
    now: datetime,
    *,
    hourly_e12: int = HOURLY_E12,
    unless_within: timedelta = timedelta(),
) -> None:
    """Variances as if the market had been read now, once for each instrument. `execute`: a connection's or a
    pool's; `hourly_e12`: σ² of an hour; `unless_within`: what was read no longer ago is left as it is."""
    await execute(_READ, sorted(inst_ids), now, hourly_e12, unless_within)


def calm_down(books: Books) -> None:
    """For who reads its candles: every instrument moves little."""
    for inst_id in books.instruments:
        books.set_volatility(inst_id, DAILY)
