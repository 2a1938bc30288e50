"""What goes wrong, and how it is put right: each by the name that the schedule gives it."""

import signal
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from liqpass.sandbox.anvil import encode_call
from soak.record import Record
from soak.town import Town


@dataclass
class Breaking:
    """The town's troublemaker. `listed`: whose wallets USDC may still refuse."""

    town: Town
    record: Record
    listed: set[int] = field(default_factory=set)

    async def do_endpoint(self, at: int, how: dict[str, Any]) -> None:
        await self.town.endpoints[at].fail(how)

    async def do_endpoint_well(self, at: int, how: dict[str, Any]) -> None:
        await self.town.endpoints[at].heal(how)

    async def do_exchange(self, name: str, **how: Any) -> None:
        self.town.okx.fail(name, **how)

    async def do_rows_late(self, **how: Any) -> None:
        self.town.okx.rows_late(**how)

    async def do_connections(self, way: str, seed: int) -> None:
        self.record.struck[f"connections {way}"] += 1
        await self.town.server.connections(way, seed)

    async def do_kill(self, who: int) -> None:
        self.record.struck["process killed"] += 1
        self.town.processes[who].signal(signal.SIGKILL)

    async def do_freeze(self, who: int) -> None:
        self.record.struck["process frozen"] += 1
        self.town.processes[who].signal(signal.SIGSTOP)

    async def do_thaw(self, who: int) -> None:
        self.town.processes[who].signal(signal.SIGCONT)

    async def do_clock(self, who: int, off: int) -> None:
        self.record.struck["clock stepped"] += 1
        self.town.clock.put_off(who, timedelta(seconds=off))

    async def do_clock_right(self, who: int, off: int) -> None:
        self.town.clock.put_off(who, timedelta())

    async def do_server(self, way: str) -> None:
        self.record.struck[f"server {way}"] += 1
        await self.town.server.restart(way)

    async def do_disk_full(self) -> None:
        self.record.struck["disk full"] += 1
        await self.town.server.fill_disk()

    async def do_disk_free(self) -> None:
        await self.town.server.free_disk()

    async def do_calm(self) -> None:
        """Nothing is wrong any more."""
        self.town.okx.heal()
        for endpoint in self.town.endpoints:
            await endpoint.heal()
        for process in self.town.processes:
            process.signal(signal.SIGCONT)
            self.town.clock.put_off(process.who, timedelta())
        await self.town.server.free_disk()
        await self.do_unpause_usdc()  # what a reorg took away may have been the word that ends it
        for account in sorted(self.listed):
            await self.do_unblacklist(account)
        self.listed.clear()

    async def _circle(self, function: str, *values: object) -> None:
        """As the issuer of USDC."""
        master = self.town.chain.usdc_master
        data = encode_call(function, *values)
        await self.town.blocks.come_back()
        await self.town.blocks.call(master, self.town.chain.usdc, data, faithful=True)

    async def do_blacklist(self, account: int) -> None:
        self.listed.add(account)
        await self._circle("blacklist(address)", self.town.holders[account].wallet.address)

    async def do_unblacklist(self, account: int) -> None:
        await self._circle("unBlacklist(address)", self.town.holders[account].wallet.address)

    async def do_pause_usdc(self) -> None:
        self.record.struck["USDC paused"] += 1
        await self._circle("pause()")

    async def do_unpause_usdc(self) -> None:
        await self._circle("unpause()")
