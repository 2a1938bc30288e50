"""What a connection does when nobody waits for its statement any more: it hangs up.

asyncpg would ask the server to stop the statement. But a commit that waits for its standby and is told to
stop counts as done: everybody sees it, though it is on one disk and may yet be lost. What is no commit ends
soon (`client_connection_check_interval`).
"""

import asyncio
from contextlib import suppress
from typing import Any

import asyncpg
from asyncpg.transaction import Transaction


class HangsUp(asyncpg.Connection):
    """For `connection_class`."""

    _protocol: Any

    def _cancel_current_command(self, waiter: Any, cancel_waiter: Any = None) -> None:
        # Completes both waiters. `terminate` would take it from a pool that is about to take it back.
        asyncio.get_running_loop().call_soon(self._protocol.abort)

    def transaction(self, *, isolation: Any = None, readonly: bool = False, deferrable: bool = False) -> Any:
        return _LeftAlone(self, isolation, readonly, deferrable)


class _LeftAlone(Transaction):
    """asyncpg's own, but that nothing can be rolled back on a connection that hung up is not what is told to
    whoever was cancelled."""

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        if not isinstance(error, asyncio.CancelledError):
            return await super().__aexit__(kind, error, trace)
        with suppress(asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresError, OSError):
            await super().__aexit__(kind, error, trace)
