"""A run and its breaks for people: lines of at most a hundred columns."""

import textwrap
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from liqpass.money import usd
from liqpass.reconcile import sql
from liqpass.reconcile.checks import NEXT_STEPS, BreakType

WIDTH = 100
SHOWN = 5  # of each type; the rest is named by how many there are
ALL_OF_THEM = "liqpass reconcile breaks --format csv"
NO_RUN = "There is no run yet: liqpass reconcile makes one."

Break = Mapping[str, Any]
"""A break as documents and pages hold it: see `views.told`."""


class Sample:
    """The first breaks of each type, out of however many pages."""

    def __init__(self) -> None:
        self.first: dict[str, list[Break]] = defaultdict(list)
        self.counts: dict[str, int] = defaultdict(int)

    def add(self, breaks: Sequence[Break]) -> None:
        """One page more."""
        for one in breaks:
            self.counts[one["type"]] += 1
            if len(self.first[one["type"]]) < SHOWN:
                self.first[one["type"]].append(one)


async def sampled(pages: AsyncIterator[Sequence[Break]]) -> Sample:
    """Of all pages."""
    sample = Sample()
    async for page in pages:
        sample.add(page)
    return sample


def run_rows(runs: Sequence[sql.Run]) -> Iterator[str]:
    """A line a run."""
    if not runs:
        yield NO_RUN
        return
    yield f"{'run':>6}  {'at':<25}{'block':>12}{'ledger USDC':>20}{'difference':>16}{'open':>8}  period"
    for run in runs:
        block = "unknown" if run.to_block is None else f"{run.to_block:,}"
        known = run.chain_balance is not None
        apart = _usd((run.chain_balance or 0) - run.ledger_balance) if known else "unknown"
        what = "all" if run.period_from is None and run.period_to is None else "part"
        yield (
            f"{run.id:>6}  {moment(run.started_at):<25}{block:>12}{_usd(run.ledger_balance):>20}"
            f"{apart:>16}{run.breaks_open:>8,}  {what}"
        )


def run_lines(run: sql.Run, document: Mapping[str, Any]) -> Iterator[str]:
    """What was compared, and the balance."""
    took = (run.finished_at - run.started_at).total_seconds()
    yield f"Reconciliation {run.id} at {moment(run.started_at)}, took {took:.1f} s"
    yield f"Period: {_period(run.period_from, run.period_to)}"
    yield ""
    yield f"{'Compared':<48}{'count':>12}{'USDC':>24}"
    yield from _counted("orders", document["orders"], "status", "orders", "premium")
    yield from _counted("payments", document["payments"], "stage", "payments", "amount")
    for name, out in (("transfers into the treasury", False), ("transfers out of it", True)):
        rows = [row for row in document["transfers"] if row["out"] is out]
        yield from _counted(name, rows, "stage", "transfers", "amount")
    yield from _ledger(document["ledger"]["sums"])
    yield ""
    yield from _balance(run, document["balance"])


def _period(first: datetime | None, until: datetime | None) -> str:
    if first is None and until is None:
        return "all of it"
    parts = ([f"from {moment(first)}"] if first else []) + ([f"before {moment(until)}"] if until else [])
    return " ".join(parts)


def _line(name: str, count: int, amount: int) -> str:
    return f"{name:<48}{count:>12,}{_usd(amount):>24}"


def _counted(
    name: str, rows: Sequence[Mapping[str, Any]], part: str, count: str, amount: str
) -> Iterator[str]:
    yield _line(name, sum(row[count] for row in rows), sum(int(row[amount]) for row in rows))
    for row in rows:
        if row[count]:
            yield _line(f"    {row[part]}", row[count], int(row[amount]))


def _ledger(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Each kind by what it stands at: reversals are taken off."""
    counts: dict[str, int] = defaultdict(int)
    stands: dict[str, int] = defaultdict(int)
    for row in rows:
        counts[row["kind"]] += row["rowsIn"]
        stands[row["kind"]] += int(row["amountIn"]) * (1 if row["forward"] else -1)
    yield f"{'ledger entries':<48}{sum(counts.values()):>12,}"
    for kind, count in counts.items():
        if count:
            yield _line(f"    {kind}", count, stands[kind])


def _balance(run: sql.Run, balance: Mapping[str, Any]) -> Iterator[str]:
    if run.to_block is None or run.block_hash is None:
        yield "The treasury"
    else:
        yield f"The treasury at block {run.to_block:,} (0x{run.block_hash.hex()})"
    yield f"    {'ledger':<44}{_usd(run.ledger_balance):>36}"
    if run.chain_balance is None:
        yield from textwrap.wrap(f"chain: unknown. {run.chain_unknown}", WIDTH - 4, **_indented(4))
    else:
        yield f"    {'chain':<44}{_usd(run.chain_balance):>36}"
        yield f"    {'difference':<44}{_usd(run.chain_balance - run.ledger_balance):>36}"
    if balance["waiting"]:
        yield f"    {'transactions on their way into the books':<44}{balance['waiting']:>36,}"


def none_open(run: sql.Run) -> str:
    """What a run without breaks says: no more than it has looked at."""
    if run.chain_balance is None:
        return "No breaks are open, but what the treasury holds on chain is unknown."
    if run.period_from is not None or run.period_to is not None:
        return "No breaks of this period are open. Those of any time: liqpass reconcile breaks"
    return "No breaks are open: orders, chain and ledger agree."


def none_now(run: sql.Run | None) -> str:
    """The same of all there ever were; `run`: the newest over everything, if there is any."""
    if run is None:
        return NO_RUN
    return f"No breaks are open, as of run {run.id}, {moment(run.finished_at)}."


def break_lines(sample: Sample, now: datetime, clean: str) -> Iterator[str]:
    """How many breaks are open, and the first of each type with what to do; `clean`: what to say of none."""
    total = sum(sample.counts.values())
    if not total:
        yield clean
        return
    yield f"{'Open breaks':<48}{total:>12,}"
    for name in BreakType:
        if sample.counts[name]:
            yield f"    {name:<44}{sample.counts[name]:>12,}"
    for name in BreakType:
        if sample.counts[name]:
            yield ""
            yield from _type_lines(name, sample, now)


def _type_lines(name: BreakType, sample: Sample, now: datetime) -> Iterator[str]:
    yield name
    yield from textwrap.wrap(f"Next: {NEXT_STEPS[name]}", WIDTH, **_indented(2))
    for one in sample.first[name]:
        yield from one_break(one, now)
    more = sample.counts[name] - len(sample.first[name])
    if more:
        yield f"  and {more:,} more: {ALL_OF_THEM}"


def one_break(one: Break, now: datetime) -> Iterator[str]:
    """A break: how old, what, how much, and the ids to look at."""
    opened = datetime.fromisoformat(one["openedAt"])
    since = f", of {moment(datetime.fromisoformat(one['since']))}" if one["since"] else ""
    yield f"  #{one['id']} open for {age(now - opened)}{since}"
    yield from textwrap.wrap(one["said"], WIDTH - 6, **_indented(6))
    if one["expected"] is not None and one["found"] is not None:
        expected, found = int(one["expected"]), int(one["found"])
        amounts = f"expected {_usd(expected)}, found {_usd(found)}, difference {_usd(found - expected)}"
        yield f"      {amounts} USDC"
    if one["purchaseOrderId"]:
        yield f"      order        {one['purchaseOrderId']}"
    if one["txHash"]:
        index = f":{one['logIndex']}" if one["logIndex"] is not None else ""
        yield f"      transaction  {one['txHash']}{index}"
    if one["wallet"]:
        yield f"      wallet       {one['wallet']}"
    if one["accounts"]:
        yield f"      accounts     {', '.join(one['accounts'])}"
    if not one["purchaseOrderId"] and not one["txHash"]:
        yield f"      subject      {one['subject']}"
    if one.get("closedAt"):
        closed = moment(datetime.fromisoformat(one["closedAt"]))
        said = f"closed {closed} by {one['closedBy']}: {one['closeReason']}"
        yield from textwrap.wrap(said, WIDTH - 6, **_indented(6))


def _indented(columns: int) -> dict[str, Any]:
    indent = " " * columns
    return {"initial_indent": indent, "subsequent_indent": indent, "break_long_words": False}


def _usd(micro: int) -> str:
    """1,234.50"""
    whole, dot, cents = usd(micro).partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{int(digits):,}{dot}{cents}"


def moment(at: datetime) -> str:
    """2026-11-22 14:30:00 UTC"""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def age(time: timedelta) -> str:
    """In the largest unit of which it has two, or the smallest."""
    minutes = max(0, int(time.total_seconds())) // 60
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


CSV_COLUMNS = (
    "id",
    "type",
    "openedAt",
    "since",
    "orderId",
    "txHash",
    "logIndex",
    "wallet",
    "accounts",
    "subject",
    "expectedUsd",
    "foundUsd",
    "differenceUsd",
    "said",
    "nextStep",
)


def csv_row(one: Break) -> dict[str, Any]:
    """A break as a spreadsheet takes it: amounts in dollars, hashes as they are."""
    expected, found = one["expected"], one["found"]
    both = expected is not None and found is not None
    return {
        **{name: one.get(name) for name in CSV_COLUMNS},
        "orderId": one["purchaseOrderId"],
        "accounts": " ".join(one["accounts"]),
        "expectedUsd": usd(int(expected)) if expected is not None else None,
        "foundUsd": usd(int(found)) if found is not None else None,
        "differenceUsd": usd(int(found) - int(expected)) if both else None,
        "nextStep": NEXT_STEPS[BreakType(one["type"])],
    }
