"""What goes wrong between the product and the world: endpoints, and the exchange."""

import asyncio
from typing import Any

from liqpass.hexes import to_hex
from liqpass.sandbox.okx_control import Faults
from liqpass.sandbox.rpc_proxy import RpcProxy
from soak.blocks import TRANSFER
from soak.record import Record

KNOBS = (
    "lag unavailable html rate_limited too_many retry_after empty_logs max_batch batch_refusal max_body "
    "no_receipts no_old_state string_ids max_range max_logs delay_sec rewrite"
)


class Endpoint:
    """One of the product's endpoints; what is wrong with it is counted by the requests that it hit."""

    def __init__(self, number: int, proxy: RpcProxy, record: Record) -> None:
        self.number, self.proxy, self._record = number, proxy, record
        self._well = {name: getattr(proxy, name) for name in KNOBS.split()}
        self._now: set[str] = set()
        self._turns = asyncio.Lock()
        proxy.before = self._seen

    async def _seen(self, requests: list[dict[str, Any]]) -> None:
        del self.proxy.seen[:]
        for what in self._now:
            self._record.struck[f"endpoint {what}"] += 1

    async def fail(self, how: dict[str, Any]) -> None:
        """From now on."""
        self._now.add(next(iter(how)))
        if "gone" in how:
            async with self._turns:
                await self.proxy.refuse()
        elif "lie" in how:
            self.proxy.rewrite = LIES[how["lie"]]
        else:
            for name, value in how.items():
                setattr(self.proxy, name, value)

    async def heal(self, how: dict[str, Any] | None = None) -> None:
        """What was wrong in this way, or in any."""
        names = (
            KNOBS.split() if how is None or "lie" in how else [name for name in how if name in KNOBS.split()]
        )
        for name in names:
            setattr(self.proxy, name, self._well[name])
        self._now = set() if how is None else self._now - set(how)
        if how is None or "gone" in how:
            async with self._turns:
                await self.proxy.listen()


def _no_payments(method: str, _params: list[Any], result: Any) -> Any:
    """Transfers are there, payments are not."""
    if method != "eth_getLogs" or not isinstance(result, list):
        return result
    return [log for log in result if log["topics"][0] == TRANSFER]


def _other_amounts(method: str, _params: list[Any], result: Any) -> Any:
    """Every payment and transfer is of one micro-USDC more."""
    if method != "eth_getLogs" or not isinstance(result, list):
        return result
    return [{**log, "data": _plus_one(log["data"])} for log in result]


def _plus_one(data: str) -> str:
    raw = bytes.fromhex(data[2:])
    if len(raw) < 32:
        return data
    return to_hex(raw[:-32] + (int.from_bytes(raw[-32:], "big") + 1).to_bytes(32, "big"))


def _other_transactions(method: str, _params: list[Any], result: Any) -> Any:
    """Its logs are of transactions that nobody sent."""
    if method != "eth_getLogs" or not isinstance(result, list):
        return result
    return [{**log, "transactionHash": "0x" + log["transactionHash"][:1:-1]} for log in result]


LIES = {"payments": _no_payments, "amounts": _other_amounts, "hashes": _other_transactions}


class Exchange:
    """The exchange's faults, counted when they are begun: each hits so many requests."""

    def __init__(self, faults: Faults, record: Record) -> None:
        self._faults, self._record = faults, record

    def fail(self, name: str, **how: Any) -> None:
        """As the sandbox's own controls."""
        getattr(self._faults, name)(**how)
        self._record.struck[f"exchange {name}"] += int(how.get("count") or 1)

    def rows_late(self, **how: Any) -> None:
        """Some endpoints show what happened later."""
        self._faults.delay(**how)
        self._record.struck["exchange rows late"] += int(how.get("count") or 1)

    def heal(self) -> None:
        """Nothing is wrong with it."""
        self._faults.heal()
