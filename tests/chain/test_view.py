"""Stored rows and a view → changes: the cases one by one, then any chain at all against a model."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from liqpass.chain.checkout import LogPlace, PremiumPaid, UsdcTransfer
from liqpass.chain.view import (
    Changes,
    Cursor,
    Head,
    Heads,
    Log,
    Stage,
    StoredLog,
    View,
    Witness,
    compare,
    key_of,
    moved,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
PAYER = b"\x01" * 20


def block_hash(number: int, fork: int = 0) -> bytes:
    return fork.to_bytes(16, "big") + number.to_bytes(16, "big")


def head(number: int, fork: int = 0) -> Head:
    return Head(number=number, hash=block_hash(number, fork), time=START + timedelta(seconds=2 * number))


def paid(tx: int, block: int, fork: int = 0, *, amount: int = 5, log_index: int = 0) -> PremiumPaid:
    place = LogPlace(
        block_number=block,
        block_hash=block_hash(block, fork),
        tx_hash=tx.to_bytes(32, "big"),
        log_index=log_index,
    )
    return PremiumPaid(place=place, purchase_order_id=tx.to_bytes(32, "big"), payer=PAYER, amount=amount)


def cursor_at(finalized: int, safe: int) -> Cursor:
    return Cursor(
        finalized_number=finalized,
        finalized_hash=block_hash(finalized),
        safe_number=safe,
        safe_time=head(safe).time,
        latest_number=safe,
        latest_time=head(safe).time,
        read_at=START,
        doubtful_views=0,
        doubt=None,
        halted=None,
    )


CURSOR = cursor_at(finalized=10, safe=15)


def view(
    *logs: Log,
    finalized: int = 10,
    safe: int = 15,
    latest: int = 20,
    upto: int | None = None,
    blocks: Iterable[Head] = (),
    unknown: Iterable[int] = (),
    spoken: Sequence[int] = (),
) -> View:
    """A view of fork 0 with these logs; `blocks` are headers that differ from it."""
    known: dict[int, Head | None] = {number: head(number) for number in range(latest + 1)}
    known |= {block.number: block for block in blocks} | dict.fromkeys(unknown)
    return View(
        heads=Heads(finalized=head(finalized), safe=head(safe), latest=head(latest)),
        upto=latest if upto is None else upto,
        logs=logs,
        blocks=known,
        spoken=spoken,
    )


SEEN, SAFE, FINAL, DROPPED = Stage.SEEN, Stage.SAFE, Stage.FINAL, Stage.DROPPED
AT_17, AT_14, AT_12 = paid(1, 17), paid(1, 14), paid(1, 12)
AGREES: Witness = frozenset([AT_17, AT_14, AT_12])


@pytest.mark.parametrize(
    ("log", "finalized", "witnesses", "stage"),
    [
        pytest.param(AT_17, 10, [], SEEN, id="above safe it is only seen"),
        pytest.param(AT_14, 10, [], SAFE, id="below safe it is safe"),
        pytest.param(AT_12, 12, [], FINAL, id="at finalized it is final"),
        pytest.param(AT_14, 10, [frozenset([AT_14])], SAFE, id="a second endpoint shows it: safe"),
        pytest.param(AT_14, 10, [frozenset()], SEEN, id="one that does not show it keeps it back"),
        pytest.param(AT_14, 10, [None], SEEN, id="one that cannot say keeps it back"),
        pytest.param(AT_14, 10, [AGREES & {AT_14}, None], SEEN, id="one of two is not enough"),
        pytest.param(AT_12, 12, [None], SEEN, id="nothing is final that was not safe"),
        pytest.param(
            AT_14, 10, [frozenset([paid(1, 14, amount=6)])], None, id="another amount is another log: doubt"
        ),
        pytest.param(AT_14, 10, [frozenset([paid(1, 14, fork=1)])], None, id="another block hash too"),
    ],
)
def test_a_new_log_is_added_at_its_stage(
    log: Log, finalized: int, witnesses: list[Witness | None], stage: Stage | None
) -> None:
    changes = compare(CURSOR, [], view(log, finalized=finalized), witnesses)
    assert list(changes.add) == ([] if stage is None else [(log, stage)])
    assert (changes.doubt is None) == (stage is not None)


@pytest.mark.parametrize(
    ("row", "shown", "finalized", "stage"),
    [
        (StoredLog(AT_14, SEEN), AT_14, 10, SAFE),
        (StoredLog(AT_12, SAFE), AT_12, 13, FINAL),
        (StoredLog(AT_12, SEEN), AT_12, 13, FINAL),
        (StoredLog(AT_14, SAFE), paid(1, 17), 10, SEEN),
        (StoredLog(AT_17, SEEN), paid(1, 14), 10, SAFE),
        (StoredLog(AT_14, DROPPED), paid(1, 17), 10, SEEN),
        (StoredLog(AT_14, DROPPED), AT_14, 10, SAFE),
    ],
)
def test_a_known_log_advances_or_moves_to_its_new_block(
    row: StoredLog, shown: Log, finalized: int, stage: Stage
) -> None:
    changes = compare(CURSOR, [row], view(shown, finalized=finalized), [])
    assert list(changes.advance) == [(shown, stage)]
    assert not changes.add
    assert not changes.drop


def test_a_log_that_stands_where_it_stood_changes_nothing() -> None:
    stored = [StoredLog(AT_17, SEEN), StoredLog(paid(2, 12), SAFE)]
    changes = compare(CURSOR, stored, view(AT_17, paid(2, 12)), [])
    assert changes == Changes(add=[], advance=[], drop=[], agreed=True)


def test_a_safe_log_stays_safe_while_the_other_endpoint_is_away_and_the_cursor_waits() -> None:
    changes = compare(CURSOR, [StoredLog(AT_12, SAFE)], view(AT_12, finalized=13), [None])
    assert changes == Changes(add=[], advance=[], drop=[], agreed=False)
    assert moved(CURSOR, view(AT_12, finalized=13), changes, START).finalized_number == 10


@pytest.mark.parametrize("stage", [SEEN, SAFE])
def test_a_log_that_is_not_shown_is_dropped_when_its_block_is_another_one(stage: Stage) -> None:
    changes = compare(CURSOR, [StoredLog(AT_17, stage)], view(blocks=[head(17, fork=1)]), [])
    assert list(changes.drop) == [AT_17]
    assert changes.agreed


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(view(), id="an empty list, and its block is still there"),
        pytest.param(view(unknown=[17]), id="a node that does not know its block"),
        pytest.param(view(latest=16, unknown=[17]), id="a node whose head is below its block"),
        pytest.param(view(paid(1, 17, amount=6)), id="the same log, saying something else"),
        pytest.param(view(AT_17, finalized=9), id="a finalized head that went back"),
        pytest.param(view(AT_17, finalized=9, blocks=[head(10, fork=1)]), id="the same, on a fork that died"),
        pytest.param(view(AT_17, unknown=[10]), id="a node that does not know the cursor's block"),
        pytest.param(view(safe=12, latest=14), id="a head below what was safe"),
        pytest.param(view(AT_17, spoken=[16]), id="a bloom filter that speaks of another payment"),
    ],
)
def test_a_doubtful_view_changes_nothing(answer: View) -> None:
    changes = compare(CURSOR, [StoredLog(AT_17, SEEN)], answer, [])
    assert changes.doubt
    assert changes == Changes(doubt=changes.doubt)


def test_a_log_that_only_another_endpoint_shows_raises_doubt() -> None:
    changes = compare(CURSOR, [], view(), [frozenset([AT_14])])
    assert changes.doubt == f"Another endpoint shows Log 0 of transaction 0x{1:064x}, and this one does not."


def test_a_bloom_filter_that_speaks_of_a_payment_that_is_shown_raises_none() -> None:
    assert not compare(CURSOR, [], view(AT_14, spoken=[14]), []).doubt


def test_while_catching_up_what_lies_above_the_part_read_is_left_alone() -> None:
    part = view(finalized=13, safe=13, upto=13, latest=40)
    cursor = cursor_at(finalized=10, safe=20)
    changes = compare(cursor, [StoredLog(AT_17, SEEN)], part, [])
    assert changes == Changes(add=[], advance=[], drop=[], agreed=True)
    after = moved(cursor, part, changes, START)
    assert (after.finalized_number, after.safe_number, after.latest_number) == (13, 20, 40)


@pytest.mark.parametrize(
    ("stored", "answer"),
    [
        pytest.param([], view(blocks=[head(10, fork=1)]), id="the cursor's block is another one"),
        pytest.param(
            [StoredLog(paid(1, 4), FINAL)], view(blocks=[head(4, fork=1)]), id="a final log's block is"
        ),
        pytest.param(
            [StoredLog(paid(1, 4), FINAL)],
            view(latest=9, finalized=5, safe=7, unknown=[10], blocks=[head(4, fork=1)]),
            id="a new chain that is shorter than the old one was",
        ),
        pytest.param([StoredLog(paid(1, 4), FINAL)], view(AT_14), id="a final log is shown elsewhere"),
        pytest.param(
            [StoredLog(paid(1, 4), FINAL)],
            view(paid(1, 14, log_index=3)),
            id="a final transaction is shown elsewhere",
        ),
    ],
)
def test_a_contradiction_of_what_was_final_changes_nothing_but_is_told(
    stored: list[StoredLog], answer: View
) -> None:
    changes = compare(CURSOR, stored, answer, [])
    assert changes.contradiction
    assert changes == Changes(contradiction=changes.contradiction)


def test_the_cursor_never_goes_back_and_its_reading_time_never_stands_still() -> None:
    seen = view(safe=14, latest=16)
    after = moved(CURSOR, seen, compare(CURSOR, [], seen, []), START - timedelta(hours=1))
    assert (after.safe_number, after.safe_time, after.latest_number) == (15, head(15).time, 16)
    assert after.read_at > CURSOR.read_at


class Block:
    """A block of the model: its number, the fork that made it, and the transactions in it."""

    def __init__(self, number: int, fork: int, txs: list[int]) -> None:
        self.number, self.fork, self.txs = number, fork, txs


class AnyChainAtAll(RuleBasedStateMachine):
    """Blocks come, payments are mined, forks replace what is not final, nodes are late or leave logs out.

    The model is the list of blocks. What is stored must converge to it, whatever was shown in between.
    """

    def __init__(self) -> None:
        super().__init__()
        self.chain = [Block(0, 0, [])]
        self.finalized = self.safe = 0
        self.txs = self.forks = 0
        self.waiting: list[int] = []
        self.memory: list[tuple[list[Block], int, int]] = []  # what a late node still shows
        self.cursor = cursor_at(0, 0)
        self.rows: dict[tuple[bytes, int], StoredLog] = {}
        self.final: dict[tuple[bytes, int], Log] = {}

    @rule(payments=st.integers(0, 2), again=st.booleans())
    def a_block_is_mined(self, payments: int, again: bool) -> None:
        txs = list(range(self.txs, self.txs + payments))
        self.txs += payments
        if again and self.waiting:
            txs.append(self.waiting.pop())
        self.chain.append(Block(len(self.chain), self.forks, txs))

    @rule(depth=st.integers(1, 4))
    def a_fork_takes_the_last_blocks_away(self, depth: int) -> None:
        depth = min(depth, len(self.chain) - 1 - self.finalized)
        if depth > 0:
            self.remember()
            gone = self.chain[-depth:]
            self.waiting += [tx for block in gone for tx in block.txs]
            self.forks += 1
            kept = self.chain[:-depth]
            self.chain = kept + [Block(len(kept) + n, self.forks, []) for n in range(depth)]
            self.safe = min(self.safe, len(kept) - 1)

    @rule(steps=st.integers(1, 3))
    def safe_moves(self, steps: int) -> None:
        self.safe = min(self.safe + steps, len(self.chain) - 1)

    @rule(steps=st.integers(1, 3))
    def finalized_moves(self, steps: int) -> None:
        self.finalized = min(self.finalized + steps, self.safe)

    @rule()
    def remember(self) -> None:
        self.memory.append((list(self.chain), self.finalized, self.safe))

    @rule(leave_out=st.booleans(), witness=st.sampled_from(["none", "agrees", "away", "shows nothing"]))
    def a_node_is_read(self, leave_out: bool, witness: str) -> None:
        logs = self.logs_of(self.chain)
        answers: dict[str, list[Witness | None]] = {
            "none": [],
            "agrees": [frozenset(log for log in logs if log.place.block_number <= self.safe)],
            "away": [None],
            "shows nothing": [frozenset()],
        }
        if leave_out and witness in ("none", "away", "shows nothing") and self.new_logs(logs):
            return  # nobody could know that the list is too short: no endpoint ever showed these
        self.read(self.chain, self.finalized, self.safe, [] if leave_out else logs, answers[witness])

    @precondition(lambda self: self.memory)
    @rule(which=st.integers(0, 50))
    def a_late_node_is_read(self, which: int) -> None:
        chain, finalized, safe = self.memory[which % len(self.memory)]
        logs = self.logs_of(chain)
        self.read(chain, finalized, safe, logs, [])

    def logs_of(self, chain: list[Block]) -> list[Log]:
        return [
            paid(tx, block.number, block.fork)
            for block in chain
            for tx in block.txs
            if block.number > self.cursor.finalized_number
        ]

    def new_logs(self, logs: list[Log]) -> bool:
        return any(key_of(log) not in self.rows or self.rows[key_of(log)].log != log for log in logs)

    def read(
        self,
        chain: list[Block],
        finalized: int,
        safe: int,
        logs: list[Log],
        witnesses: list[Witness | None],
    ) -> None:
        heads = {block.number: head(block.number, block.fork) for block in chain}
        numbers = {row.log.place.block_number for row in self.rows.values()} | {self.cursor.finalized_number}
        shown = View(
            heads=Heads(finalized=heads[finalized], safe=heads[safe], latest=heads[len(chain) - 1]),
            upto=len(chain) - 1,
            logs=logs,
            blocks={n: heads.get(n) for n in numbers},
        )
        hashes = {log.place.tx_hash for log in logs}
        stored = [
            row for row in self.rows.values() if row.stage in (SEEN, SAFE) or row.log.place.tx_hash in hashes
        ]
        changes = compare(self.cursor, stored, shown, witnesses)
        assert not changes.contradiction
        if changes.doubt:
            assert changes == Changes(doubt=changes.doubt)
            return
        for gone in changes.drop:
            now = heads[gone.place.block_number]
            assert now.hash != gone.place.block_hash
            self.rows[key_of(gone)] = StoredLog(gone, DROPPED)
        for log, stage in (*changes.add, *changes.advance):
            self.rows[key_of(log)] = StoredLog(log, stage)
        self.cursor = moved(self.cursor, shown, changes, START)

    @invariant()
    def what_is_final_never_changes(self) -> None:
        for key, log in self.final.items():
            assert self.rows[key] == StoredLog(log, FINAL)
        self.final = {key: row.log for key, row in self.rows.items() if row.stage is FINAL}

    @invariant()
    def the_cursor_has_passed_exactly_what_is_final(self) -> None:
        for row in self.rows.values():
            if row.stage is not DROPPED:
                passed = row.log.place.block_number <= self.cursor.finalized_number
                assert passed == (row.stage is FINAL)

    def teardown(self) -> None:
        """Whatever happened: a few honest views later the rows are the chain."""
        self.chain += [Block(len(self.chain) + n, self.forks, []) for n in range(8)]
        self.safe = len(self.chain) - 1
        honest = self.logs_of(self.chain)
        self.read(self.chain, self.finalized, self.safe, honest, [frozenset(honest)])
        self.finalized = self.safe
        honest = self.logs_of(self.chain)
        self.read(self.chain, self.finalized, self.safe, honest, [frozenset(honest)])
        living = {key_of(row.log): row for row in self.rows.values() if row.stage is not DROPPED}
        mined = [paid(tx, block.number, block.fork) for block in self.chain for tx in block.txs]
        assert living == {key_of(log): StoredLog(log, FINAL) for log in mined}


AnyChainAtAll.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestAnyChainAtAll = AnyChainAtAll.TestCase


def test_transfers_and_payments_of_one_transaction_are_kept_apart() -> None:
    place = LogPlace(block_number=14, block_hash=block_hash(14), tx_hash=(1).to_bytes(32, "big"), log_index=1)
    into = UsdcTransfer(place=place, sender=PAYER, recipient=b"\x02" * 20, amount=5)
    assert list(compare(CURSOR, [], view(AT_14, into), []).add) == [(AT_14, SAFE), (into, SAFE)]
