"""Asking nodes about contract wallets for people who are not signed in: sparingly, because the watcher of
payments lives from the same nodes, and what is asked runs code of the asker's choice."""

import asyncio
from datetime import datetime, timedelta

from liqpass.limits import Limiter, Places, Rate
from liqpass.signin import contract_wallet, siwe
from liqpass.signin.contract_wallet import EthCall

AT_ONCE = 4
WAITING = 8
# A clear answer uses a message up; this is for one whose question makes nodes fail.
_PER_MESSAGE = Rate(3, timedelta(minutes=5))
# All together. Rather no contract wallet signs in for a minute than no payment is seen.
_PER_PROCESS = Rate(60, timedelta(minutes=1))
_BUSY = "Too many contract wallets sign in at present. Try again soon."
_TRIED = "This message was tried too often: ask for a new one."


class ContractChecks:
    """One for each process."""

    def __init__(self, eth_call: EthCall) -> None:
        self._eth_call = eth_call
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._places = Places(AT_ONCE + WAITING)
        self._messages = Limiter(_PER_MESSAGE)
        self._process = Limiter(_PER_PROCESS)

    async def accepts(self, now: datetime, message: siwe.Message, hashed: bytes, signature: bytes) -> bool:
        """Whether the contract wallet at the message's address accepts the signature of `hashed` (32 bytes).

        Raises Problem TOO_MANY_REQUESTS, and what `contract_wallet.accepts` raises.
        """
        with self._places.one("all", _BUSY):
            self._messages.take(message.nonce, now, _TRIED)
            self._process.take("all", now, _BUSY)
            async with self._turns:
                return await contract_wallet.accepts(self._eth_call, message.address, hashed, signature)
