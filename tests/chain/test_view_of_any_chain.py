"""Stored rows and a view → changes: any chain at all, read in any way, against a model."""

from collections.abc import Iterable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from liqpass.chain.checkout import PremiumPaid
from liqpass.chain.view import (
    Changes,
    Heads,
    Log,
    LogKey,
    StoredLog,
    View,
    Witness,
    compare,
    key_of,
    known_by_all,
    moved,
)
from tests.chain.test_view import DROPPED, FINAL, SAFE, SEEN, START, cursor_at, head, moved_in, paid, shows


class Block:
    """A block of the model: its number, the fork that made it, and the transactions in it."""

    def __init__(self, number: int, fork: int, txs: list[int]) -> None:
        self.number, self.fork, self.txs = number, fork, txs


def log_of(tx: int, block: Block) -> Log:
    """Every second transaction pays a premium, the others are transfers."""
    return (paid if tx % 2 else moved_in)(tx, block.number, block.fork)


def _without(logs: Iterable[Log], upto: int) -> list[Log]:
    """Those that are read where transfers are read up to this block."""
    return [log for log in logs if isinstance(log, PremiumPaid) or log.place.block_number <= upto]


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
        self.rows: dict[LogKey, StoredLog] = {}
        self.final: dict[LogKey, Log] = {}

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

    @rule(
        leave_out=st.booleans(),
        witness=st.sampled_from(["none", "agrees", "away", "shows nothing", "shows payments"]),
        unread=st.integers(0, 6),
        unread_by_witness=st.integers(0, 6),
    )
    def a_node_is_read(self, leave_out: bool, witness: str, unread: int, unread_by_witness: int) -> None:
        logs = self.logs_of(self.chain)
        upto = max(self.safe - unread_by_witness, self.cursor.finalized_number)
        safe = [log for log in logs if log.place.block_number <= self.safe]
        answers: dict[str, list[Witness | None]] = {
            "none": [],
            "agrees": [shows(*_without(safe, upto), transfers_upto=upto)],
            "away": [None],
            "shows nothing": [shows(transfers_upto=self.safe)],
            "shows payments": [shows(*_without(safe, 0), transfers_upto=self.safe)],
        }
        if leave_out and witness != "agrees" and self.new_logs(logs):
            return  # nobody could know that the list is too short: no endpoint ever showed these
        if leave_out and witness != "agrees" and any(self.is_passed_by(log, witness) for log in logs):
            return  # nor this: what is final is read no more, and all who are asked deny it
        shown = [] if leave_out else logs
        self.read(self.chain, self.finalized, self.safe, shown, answers[witness], unread)

    @precondition(lambda self: self.memory)
    @rule(which=st.integers(0, 50), unread=st.integers(0, 6))
    def a_late_node_is_read(self, which: int, unread: int) -> None:
        chain, finalized, safe = self.memory[which % len(self.memory)]
        self.read(chain, finalized, safe, self.logs_of(chain), [], unread)

    def logs_of(self, chain: list[Block]) -> list[Log]:
        return [
            log_of(tx, block)
            for block in chain
            for tx in block.txs
            if block.number > self.cursor.finalized_number
        ]

    def is_passed_by(self, log: Log, witness: str) -> bool:
        """Whether the cursor goes past this log of a final block, if no node that is asked shows it."""
        stage = self.rows[key_of(log)].stage
        is_denied = witness == "shows nothing" or (
            witness == "shows payments" and not isinstance(log, PremiumPaid)
        )
        not_held = stage is DROPPED or (stage is SEEN and is_denied)
        return log.place.block_number <= self.finalized and not_held

    def new_logs(self, logs: list[Log]) -> bool:
        return any(key_of(log) not in self.rows or self.rows[key_of(log)].log != log for log in logs)

    def read(
        self,
        chain: list[Block],
        finalized: int,
        safe: int,
        logs: list[Log],
        witnesses: list[Witness | None],
        unread: int = 0,
    ) -> None:
        """Transfers of the last `unread` blocks are not read."""
        heads = {block.number: head(block.number, block.fork) for block in chain}
        numbers = {row.log.place.block_number for row in self.rows.values()} | {self.cursor.finalized_number}
        transfers_upto = max(len(chain) - 1 - unread, self.cursor.finalized_number)
        shown = View(
            heads=Heads(finalized=heads[finalized], safe=heads[safe], latest=heads[len(chain) - 1]),
            upto=len(chain) - 1,
            transfers_upto=transfers_upto,
            logs=_without(logs, transfers_upto),
            blocks={n: heads.get(n) for n in numbers},
        )
        known = known_by_all(self.cursor, shown, witnesses)
        if known < finalized:
            shown = replace(shown, heads=replace(shown.heads, finalized=heads[known]))
        hashes = {log.place.tx_hash for log in shown.logs}
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
            is_gone = now.hash != gone.place.block_hash
            assert is_gone or self.is_denied_by_all(gone, safe, shown, witnesses)
            self.rows[key_of(gone)] = StoredLog(gone, DROPPED)
        for log, stage in (*changes.add, *changes.advance):
            if stage is FINAL:
                assert all(one is not None and log in one.logs for one in witnesses)
            self.rows[key_of(log)] = StoredLog(log, stage)
        self.cursor = moved(self.cursor, shown, changes, START)

    def is_denied_by_all(self, log: Log, safe: int, shown: View, witnesses: list[Witness | None]) -> bool:
        """Never more than seen, and two endpoints at least, all that are asked, have read its block, which is
        safe, without it."""
        number, is_payment = log.place.block_number, isinstance(log, PremiumPaid)
        read_by_all = all(
            one is not None and (is_payment or number <= one.transfers_upto) and log not in one.logs
            for one in witnesses
        )
        read = number <= safe and (is_payment or number <= shown.transfers_upto) and log not in shown.logs
        return self.rows[key_of(log)].stage is SEEN and len(witnesses) > 0 and read and read_by_all

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
        self.read(self.chain, self.finalized, self.safe, honest, [shows(*honest, transfers_upto=self.safe)])
        self.finalized = self.safe
        honest = self.logs_of(self.chain)
        self.read(self.chain, self.finalized, self.safe, honest, [shows(*honest, transfers_upto=self.safe)])
        living = {key_of(row.log): row for row in self.rows.values() if row.stage is not DROPPED}
        mined = [log_of(tx, block) for block in self.chain for tx in block.txs]
        assert living == {key_of(log): StoredLog(log, FINAL) for log in mined}


AnyChainAtAll.TestCase.settings = settings(max_examples=150, stateful_step_count=30)
TestAnyChainAtAll = AnyChainAtAll.TestCase


def test_what_all_deny_at_the_safe_head_is_dropped_and_comes_back_once_it_is_shown() -> None:
    """A transfer that was seen above the safe head, and that nobody shows when its block is safe."""
    state = AnyChainAtAll()
    state.a_block_is_mined(payments=1, again=False)
    state.remember()
    state.safe_moves(steps=1)
    state.a_late_node_is_read(which=0, unread=0)
    assert [row.stage for row in state.rows.values()] == [SEEN]
    state.a_node_is_read(leave_out=True, witness="shows nothing", unread=0, unread_by_witness=0)
    assert [row.stage for row in state.rows.values()] == [DROPPED]
    state.a_node_is_read(leave_out=False, witness="agrees", unread=0, unread_by_witness=0)
    assert [row.stage for row in state.rows.values()] == [SAFE]
    state.teardown()
