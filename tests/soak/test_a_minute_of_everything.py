"""A minute of what `make soak` does for half an hour, always the same one: docs/soak.md."""

import asyncio
import os
import sys
from pathlib import Path

from soak.schedule import SMALL, Schedule

TOP = Path(__file__).resolve().parents[2]
SEED, ROUNDS = 1, 24


async def soaked(*command: str) -> tuple[int | None, str]:
    """Exit status, and what was said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "soak", *command),
        cwd=TOP,
        env={**os.environ, "PYTHONPATH": f"{TOP / 'src'}:{TOP}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_nothing_is_lost_and_nothing_done_twice_while_everything_goes_wrong(tmp_path: Path) -> None:
    command = ["--small", "--rounds", str(ROUNDS), "--seed", str(SEED), "--folder", str(tmp_path)]
    status, said = await soaked(*command)
    assert status == 0, f"seed {SEED}, the log: {tmp_path / 'schedule.jsonl'}\n{said}"
    assert "Nothing was wrong, at any of " in said.splitlines()[-1]


async def test_what_cannot_be_played_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no log\n")
    for typed, why in (
        (("--replay", f"{tmp_path}/nowhere"), "nowhere cannot be used: No such file or directory"),
        (("--replay", f"{tmp_path}/file"), "file is no schedule.jsonl of a soak"),
        (("--folder", f"{tmp_path}/file"), "file cannot be used: File exists"),
        (("--rounds", "0"), "--rounds: one at least"),
        (("--minutes", "0"), "--minutes: more than none"),
        (("--minutes", "nan"), "--minutes: more than none"),
        (("--rounds", "2", "--minutes", "1"), "--rounds: instead of --minutes, not beside it"),
    ):
        status, said = await soaked(*typed)
        assert (status, why in said.splitlines()[-1]) == (2, True), said


def test_what_happens_is_decided_by_the_seed_alone() -> None:
    def drawn(seed: int) -> list[object]:
        schedule = Schedule(seed, SMALL)
        return [*(schedule.next_round() for _ in range(100)), *schedule.tail()]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
