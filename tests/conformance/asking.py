"""Other people's programs read the sandbox exchange, each in a process and an environment of its own."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

ENVIRONMENTS = Path(sys.prefix)  # they are folders in ours: scripts/install.py


async def ask(client: str, asked: object) -> Any:
    """What with_<client>.py writes when it reads this; AssertionError with its words if it fails."""
    python = ENVIRONMENTS / client / "bin" / "python"
    assert python.exists(), f"there is no environment for {client}: make deps-dev"
    pipe, program = asyncio.subprocess.PIPE, Path(__file__).with_name(f"with_{client}.py")
    direct = {**os.environ, "NO_PROXY": "*", "no_proxy": "*"}
    process = await asyncio.create_subprocess_exec(
        python, program, stdin=pipe, stdout=pipe, stderr=pipe, env=direct
    )
    said, errors = await process.communicate(json.dumps(asked).encode())
    assert process.returncode == 0, errors.decode()
    return json.loads(said)
