"""The bench of the order loop, but for its speed: what it runs, what it counts, what it says of it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import msgspec
import pytest
import typer

from bench.counters import Counters, counting_statements, read_counters, wal_bytes
from bench.earlier import ADDED, HERE, checked_out
from bench.loop import numbers
from bench.picture import Measured, measured, picture, with_new
from bench.report import AtUsers, Ratio, Result, ratio_of
from bench.rounds import Before, Load, Loop, Round, Window, of_window
from bench.statements import script
from liqpass.embedded import EmbeddedPostgres, embedded_postgres


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """With a log of its own: what is counted stands in it."""
    with (
        TemporaryDirectory(prefix="liqpass-tests-") as folder,
        embedded_postgres(Path(folder), options={"fsync": "off"}) as server,
    ):
        yield server


def a_round(loops_per_sec: float) -> Round:
    took = {"p50": 1.0, "p99": 2.0}
    return Round(
        loops_per_sec=loops_per_sec, loop_ms=took, call_ms={}, cpu_ms={"PostgreSQL": 1.0},
        cpu_cores={"everything else": 0.1}, flushes_a_loop=1.0, transactions_a_loop=1.0, wal_bytes_a_loop=1.0,
    )  # fmt: skip


def a_result(*ours: float, commit: str = "HEAD", beside: str = "184f91c") -> Result:
    """Rounds in which the earlier commit made 100 loops a second."""
    rounds = [{"LiqPass": a_round(rate), "LiqPass 184f91c": a_round(100)} for rate in ours]
    found = AtUsers(users=64, round_trips={}, rounds=rounds)
    return Result(
        at="2026-12-01T00:00:00+00:00", commit=commit, beside=beside, machine={}, seconds=5,
        at_users=[found], memory_at_start={}, memory_after_load={},
    )  # fmt: skip


async def test_the_loop_for_pgbench_is_made_of_the_products_own_statements(database_url: str) -> None:
    conn = await asyncpg.connect(database_url)
    try:
        assert (await script(conn)).count("\\gset") >= 3
    finally:
        await conn.close()


async def test_every_statement_of_a_session_is_counted_but_the_workers_and_our_own(
    server: EmbeddedPostgres,
) -> None:
    owner = await asyncpg.connect(server.url)
    names = ("liqpass serve", "liqpass work: settle", "pgbench")
    serve, work, pgbench = [
        await asyncpg.connect(server.url, server_settings={"application_name": name}) for name in names
    ]
    async with counting_statements(owner, server.log) as executed:
        for _ in range(7):
            await serve.fetch("select $1::int", 1)
        await serve.execute("begin; commit")
        await work.fetch("select $1::int", 1)
        await pgbench.execute("select 'a line\nand another: |LOG:  execute'")
        await owner.execute("select 1")
    await serve.execute("select 1")
    for conn in (serve, work, pgbench, owner):
        await conn.close()
    assert executed.number == 7 + 1 + 1


async def test_transactions_and_what_is_written_are_counted_as_they_are(server: EmbeddedPostgres) -> None:
    owner, other = await asyncpg.connect(server.url), await asyncpg.connect(server.url)
    await owner.execute("create table kept (n int)")
    before, written = await read_counters(owner), await wal_bytes(owner)
    for n in range(50):
        await other.execute(f"insert into kept values ({n})")
    await other.close()  # it reports what it did
    found = (await read_counters(owner)).since(before)
    grown = await wal_bytes(owner) - written
    await owner.close()
    assert 50 <= found.transactions <= 55  # and those that ask
    assert 50 * 64 < grown < 50 * 1_000


def test_loops_outside_the_window_say_nothing_of_speed_but_count_for_the_database() -> None:
    slow, quick = [30.0, 50.0, 20.0], [3.0, 5.0, 2.0]
    loops = [Loop(9.9, slow), *(Loop(10 + n / 10, quick) for n in range(20)), Loop(12.0, slow)]
    load = Load(
        loops=loops,
        window=Window(10, 12, {"API": 0.02, "PostgreSQL": 0.04}),
        before=Before(Counters(0, 0), 0, 0),
        wal_bytes=22_000,
        ended=0,
    )
    found = of_window(load, Counters(flushes=11, transactions=44))
    assert (found.loops_per_sec, found.loop_ms["p50"], found.call_ms["create"]["p99"]) == (10, 10, 5)
    assert found.cpu_ms == {"API": 1.0, "PostgreSQL": 2.0}
    assert (found.flushes_a_loop, found.transactions_a_loop, found.wal_bytes_a_loop) == (0.5, 2, 1_000)


def test_a_ratio_is_the_median_of_rounds_with_the_lowest_and_the_highest() -> None:
    (found,) = a_result(390, 410, 600).at_users
    assert ratio_of(found, "loops a second", "LiqPass 184f91c") == Ratio(4.1, 3.9, 6.0)
    assert ratio_of(found, "CPU ms a loop, API", "LiqPass 184f91c") is None  # pgbench's, say


@pytest.mark.parametrize("given", [["1", "16", "64"], ["1,16,64"], ["1,16", "64"]])
def test_numbers_of_users_may_be_given_one_by_one_or_as_a_list(given: list[str]) -> None:
    assert numbers(given) == [1, 16, 64]


@pytest.mark.parametrize("given", ["many", "0", "16,", "-1"])
def test_what_is_no_number_of_users_is_refused(given: str) -> None:
    with pytest.raises(typer.BadParameter):
        numbers([given])


def test_an_earlier_commit_that_is_not_there_is_named() -> None:
    with pytest.raises(OSError, match="no-such-commit"), checked_out("no-such-commit"):
        pass


def test_this_commit_needs_nothing_that_is_not_installed() -> None:
    with checked_out("HEAD") as tree:
        assert list((tree / ADDED).glob("*.dist-info")) == []
        assert (tree / "bench" / "told.py").read_text() == (HERE / "bench" / "told.py").read_text()


def test_the_picture_has_each_commit_once_as_it_was_measured_last() -> None:
    first, again = measured(a_result(200)), measured(a_result(450))
    other = msgspec.structs.replace(first, commit="184f91c", committed_at="2026-01-01T00:00:00+00:00")
    kept = with_new([first, other], [again])
    assert [(one.commit, loops(one)) for one in kept] == [("184f91c", 2.0), ("HEAD", 4.5)]
    drawn = picture(kept, "184f91c")
    assert "64 at the same time: 4.50 at last" in drawn
    assert drawn.count(">HEAD<") == 2  # a panel for loops, one for the processor


def loops(one: Measured) -> float:
    return one.ratios[64]["loops a second"]["LiqPass 184f91c"].median


@pytest.mark.parametrize("result", [a_result(200, commit="1a15d6c+"), a_result(200, beside="")])
def test_what_no_commit_can_be_held_to_is_not_kept(result: Result) -> None:
    with pytest.raises(ValueError, match="measured beside another"):
        measured(result)


def test_an_earlier_commit_that_is_not_there_is_told_before_anything_is_started() -> None:
    command = [sys.executable, "-m", "bench.loop", "--users", "1", "--beside", "no-such-commit"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE)
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr
        == "bench: git archive no-such-commit failed: fatal: not a valid object name: no-such-commit\n"
    )
