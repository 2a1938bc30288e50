"""`liqpass serve` or `work` as they are, by the soak's clock: python -m soak.process serve --port 8000."""

import os
from functools import partial
from pathlib import Path

from liqpass import running
from liqpass.__main__ import main
from liqpass.app import clients
from soak.clock import SharedClock

CLOCK, WHO = "SOAK_CLOCK", "SOAK_WHO"


def run() -> None:
    """The command, given another clock than the machine's; all else is as it is installed."""
    clock = SharedClock(Path(os.environ[CLOCK]), int(os.environ[WHO]))
    vars(running)["clients"] = partial(clients, clock=clock)
    main()


if __name__ == "__main__":
    run()
