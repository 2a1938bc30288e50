"""How many prices one core computes a second, and how long `GET /quotes` takes, each beside an earlier build:
`python -m bench.prices`. See README.md."""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

from bench.earlier import HERE, checked_out, environment
from bench.kept import RESULTS, commit, machine, tell
from bench.processes import cpu_sec, family
from liqpass.sandbox.anvil import Wallet
from liqpass.sandbox.children import end_with_parent
from liqpass.sandbox.trader import Trader

BEFORE = "c929352"  # prices by a table of leverage
READY_SEC = 300
AIM_A_SECOND = 10_000
ROW = {
    "instType": "SWAP", "instId": "BTC-USDT-SWAP", "mgnMode": "isolated", "posSide": "long", "posId": "1",
    "ccy": "USDT", "pos": "1", "lever": "10", "avgPx": "60000", "markPx": "60000", "liqPx": "54600",
    "upl": "0", "uplRatio": "0", "margin": "6000", "imr": "", "mmr": "", "mgnRatio": "",
    "notionalUsd": "60000", "realizedPnl": "", "liqPenalty": "", "adl": "1", "bizRefType": "",
    "cTime": "1763800000000", "uTime": "1763800000000",
}  # fmt: skip
# Run by either build: a quote is a position's facts and a product's price.
COUNTING = """
import json, sys, time
from datetime import UTC, datetime
from liqpass.exchange.records import position
from liqpass.pricing.premium import facts_of, price
from liqpass.pricing.skus import load_products
more = ()
try:
    from liqpass.market.volatility import Volatility
    now = datetime(2026, 12, 2, 9, 30, tzinfo=UTC)
    more = (Volatility("BTC-USDT-SWAP", now, 1_000_000, 1_000_000, "00", "bench"), now)
except ImportError:
    pass
held, skus = position(json.loads(sys.argv[1])), load_products(None).sku
quotes, began = 0, time.process_time()
while time.process_time() - began < float(sys.argv[2]):
    for sku in skus:
        price(sku, facts_of(held), *more)
    quotes += len(skus)
print(quotes / (time.process_time() - began))
"""


def prices_a_second(tree: Path, seconds: float) -> float:
    """By processor time, so that what else runs counts little."""
    said = subprocess.run(
        [sys.executable, "-c", COUNTING, json.dumps(ROW), str(seconds)],
        env=environment(tree), capture_output=True, text=True, check=True, cwd=tree,
    )  # fmt: skip
    return float(said.stdout)


def cmdline(pid: int) -> bytes:
    """What a process was started with."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@asynccontextmanager
async def demo(tree: Path, name: str) -> AsyncIterator[tuple[Mapping[str, Any], int]]:
    """The tree's own demo, after its story: where everything listens, and the process of its API."""
    with TemporaryDirectory(prefix="liqpass-bench-data-") as data:
        state, log = Path(data) / "state.json", Path(data) / "log"
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "liqpass", "demo", "--state", str(state),
                env=environment(tree, LIQPASS_DATA_DIR=data), cwd=tree, stdout=out, stderr=out,
                preexec_fn=end_with_parent,
            )  # fmt: skip
        try:
            tell(f"waiting for the demo of {name} …")
            for _ in range(READY_SEC):
                if state.exists() or process.returncode is not None:
                    break
                await asyncio.sleep(1)
            if not state.exists():
                raise OSError(f"the demo of {name} is not up\n{log.read_text()[-2_000:]}")
            serve = next(pid for pid in family(process.pid) if b"\0serve\0" in cmdline(pid))
            yield json.loads(state.read_text()), serve
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()


@asynccontextmanager
async def asker(state: Mapping[str, Any]) -> AsyncIterator[tuple[Trader, str]]:
    """A trader whose positions have prices, and the exchange account."""
    told = state["wallets"][-1]
    key = next(one for one in reversed(state["okxKeys"]) if one["perm"] == "read_only")
    wallet = Wallet(*(bytes.fromhex(told[name][2:]) for name in ("address", "privateKey")))
    async with Trader(state["api"], wallet) as trader:
        await trader.sign_in()
        account = await trader.add_key({name: key[name] for name in ("apiKey", "secret", "passphrase")})
        for _ in range(READY_SEC):
            await trader.positions(account)
            told = await trader.call("GET", "/api/insurance/quotes", apiAccountId=account)
            if any(quote["premiumAmount"] for one in told["positions"] for quote in one["quotes"]):
                break
            await asyncio.sleep(1)
        yield trader, account


async def asked(trader: Trader, account: str, serve: int, times: int) -> tuple[float, float]:
    """So many calls, one after the other, of a fresh reading: ms that a quarter of them needed at most, which
    says more than a median where something else runs beside it, and the API's processor time, ms a call."""
    await trader.positions(account)
    took, cpu = [], cpu_sec(serve)
    for _ in range(times):
        began = time.perf_counter()
        await trader.call("GET", "/api/insurance/quotes", apiAccountId=account)
        took.append((time.perf_counter() - began) * 1000)
    return quantiles(took, n=4)[0], (cpu_sec(serve) - cpu) * 1000 / times


async def side_by_side(trees: Mapping[str, Path], rounds: int, times: int) -> dict[str, list[Any]]:
    """Of each round what `asked` found, the builds in turn."""
    found: dict[str, list[Any]] = {name: [] for name in trees}
    async with AsyncExitStack() as stack:
        asking = {}
        for name, tree in trees.items():
            state, serve = await stack.enter_async_context(demo(tree, name))
            asking[name] = (*await stack.enter_async_context(asker(state)), serve)
        for number in range(rounds):
            tell(f"round {number + 1} of {rounds} …")
            for name, (trader, account, serve) in asking.items():
                found[name].append(await asked(trader, account, serve, times))
    return found


def main() -> None:
    """Measure, say, and keep it."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--before", default=BEFORE, help="the commit to compare with")
    given.add_argument("--rounds", type=int, default=5)
    given.add_argument("--seconds", type=float, default=1.0, help="of prices in a round")
    given.add_argument("--times", type=int, default=100, help="calls of GET /quotes in a round")
    given.add_argument("--no-http", action="store_true", help="prices only")
    of = given.parse_args()
    with checked_out(of.before) as before:
        trees = {of.before: before, commit(): HERE}
        a_second: dict[str, list[float]] = {name: [] for name in trees}
        for number in range(of.rounds):
            tell(f"prices, round {number + 1} of {of.rounds} …")
            for name, tree in trees.items():
                a_second[name].append(prices_a_second(tree, of.seconds))
        told = {} if of.no_http else asyncio.run(side_by_side(trees, of.rounds, of.times))
    was, now = (median(rates) for rates in a_second.values())
    print(f"prices a second on one core: {was:,.0f} before, {now:,.0f} now (ratio {now / was:.2f})")
    if told:
        for place, what in enumerate(("ms", "ms of the API's processor")):
            before_ms, now_ms = (median(each[place] for each in rounds) for rounds in told.values())
            ratios = sorted(b[place] / a[place] for a, b in zip(*told.values(), strict=True))
            print(f"GET /quotes, {what}: {before_ms:.2f} before, {now_ms:.2f} now")
            print(f"  ratio of the rounds: {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    RESULTS.mkdir(exist_ok=True)
    result = {"machine": machine(), "pricesASecond": a_second, "quotesMs": told}
    (RESULTS / "prices.json").write_text(json.dumps(result, indent=1))
    sys.exit(0 if now >= AIM_A_SECOND else 1)


if __name__ == "__main__":
    main()
