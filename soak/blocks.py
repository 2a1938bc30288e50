"""The chain's transactions as their senders know them: sent, taken away by a reorg, come back."""

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime

from liqpass.chain.failures import NodeError
from liqpass.hexes import to_hex
from liqpass.keccak import keccak
from liqpass.sandbox.anvil import Wallet, signed, wallet
from liqpass.sandbox.chain import SandboxChain

GAS = 250_000
DEAREST = 200 * 10**9
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


@dataclass(frozen=True)
class Sent:
    """A transaction that somebody signed. `faithful`: sent again, as it is, until it is in a block."""

    by: Wallet
    nonce: int
    raw: bytes
    hash: bytes
    faithful: bool


@dataclass
class Blocks:
    """Mines when it is told to; nothing else does."""

    chain: SandboxChain
    sent: dict[bytes, Sent] = field(default_factory=dict)
    gone: list[Sent] = field(default_factory=list)
    """What was in a block, or in the pool, and is not now."""

    left_the_chain: set[bytes] = field(default_factory=set)
    stood_until: dict[bytes, datetime] = field(default_factory=dict)
    """The latest time of a block in which a reorg found a transaction. anvil dates all blocks of a reorg as
    the one before them: what was late is in time then."""

    turns: dict[bytes, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """By wallet: who holds it signs and sends, and nobody else takes that wallet's next number."""

    reorgs: int = 0
    deep: int = 0
    taken: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    async def signed(
        self, by: Wallet, to: bytes, data: bytes, *, ahead: int = 0, faithful: bool = False
    ) -> Sent:
        """The wallet's next transaction but `ahead`, not sent."""
        nonce = (
            int(await self.chain.rpc("eth_getTransactionCount", [to_hex(by.address), "pending"]), 16) + ahead
        )
        raw = await self.chain.sign(by, to, data, gas=GAS, nonce=nonce)
        return Sent(by, nonce, raw, _hash(raw), faithful)

    async def send(self, *ones: Sent) -> None:
        """Into the pool."""
        for one in ones:
            self.sent[one.hash] = one
            await self.chain.rpc("eth_sendRawTransaction", [to_hex(one.raw)])

    async def call(self, by: Wallet, to: bytes, data: bytes, *, faithful: bool = False) -> bytes:
        """Sign and send, one of a wallet after the other; the hash."""
        async with self.turns[by.address]:
            one = await self.signed(by, to, data, faithful=faithful)
            await self.send(one)
        return one.hash

    async def drop(self, tx_hash: bytes) -> None:
        """Out of the pool, with what its wallet sent after it."""
        first = self.sent[tx_hash]
        for one in list(self.sent.values()):
            if one.by == first.by and one.nonce >= first.nonce and await self.chain.receipt(one.hash) is None:
                await self.chain.drop(one.hash)
                self.gone.append(one)
                self.taken["dropped"] += 1

    async def replace(self, tx_hash: bytes) -> None:
        """Another one with the same number takes its place in the pool: to oneself, for more gas."""
        first = self.sent[tx_hash]
        await self.send(self._instead(first))
        self.taken["replaced"] += 1

    def _instead(self, first: Sent) -> Sent:
        fields = [self.chain.chain_id, first.nonce, 10**9, DEAREST, GAS, first.by.address, 0, b"", []]
        raw = signed(first.by.key, fields)
        return Sent(first.by, first.nonce, raw, _hash(raw), faithful=True)

    async def mine(self, blocks: int, now: datetime) -> None:
        """So many, a second apart, with what is in the pool; the first is of this moment, or a second later
        than the one before."""
        _, _, newest = await self.chain.block()
        first = max(int(now.timestamp()), newest + 1)
        await self.chain.rpc("evm_setNextBlockTimestamp", [first])
        await self.chain.rpc("anvil_mine", [hex(blocks), hex(1)])

    async def reorg(self, depth: int, draw: random.Random) -> None:
        """The last blocks are others now: what stood in them is there again, elsewhere in them, or is not."""
        head, final = await self.chain.block_number(), await self.chain.block_number("finalized")
        depth = min(depth, head - final)
        if depth < 1:
            return
        were: list[tuple[int, Sent]] = []
        for offset in range(depth):
            block = await self.chain.rpc("eth_getBlockByNumber", [hex(head - depth + 1 + offset), False])
            ones = [self.sent[bytes.fromhex(h[2:])] for h in block["transactions"]]
            were += [(offset, one) for one in ones]
            at = datetime.fromtimestamp(int(block["timestamp"], 16), UTC)
            for one in ones:
                self.stood_until[one.hash] = max(at, self.stood_until.get(one.hash, at))
        keep = self._kept(were, depth, draw)
        await self._reorganise(depth, keep)
        self.reorgs += 1
        self.deep += depth > self.chain.slots_in_an_epoch
        there = {one.hash for _, one in keep}
        lost = [one for _, one in were if one.hash not in there]
        self.left_the_chain |= {one.hash for one in lost}
        self.gone += lost
        behind = await self._waiting_behind(lost)  # before the list is looked at: meanwhile it may be another
        self.gone += behind
        self.taken["lost in a reorg"] += len(lost)

    async def _waiting_behind(self, lost: list[Sent]) -> list[Sent]:
        """Taken out of the pool: what the same wallets sent after these. A node would keep it; anvil forgets
        it at the next block, whatever comes back before (findings/anvil-forgets-what-waits.sh)."""
        first: dict[bytes, int] = {}
        for one in lost:
            first[one.by.address] = min(one.nonce, first.get(one.by.address, one.nonce))
        pool = await self.chain.rpc("txpool_content", [])
        waiting = [
            self.sent[bytes.fromhex(known["hash"][2:])]
            for part in ("pending", "queued")
            for of_one in pool[part].values()
            for known in of_one.values()
        ]
        behind = [one for one in waiting if one.nonce > first.get(one.by.address, one.nonce)]
        for one in behind:
            await self.chain.drop(one.hash)
        self.taken["waited behind what a reorg took"] += len(behind)
        return behind

    def _kept(self, were: list[tuple[int, Sent]], depth: int, draw: random.Random) -> list[tuple[int, Sent]]:
        """Of each wallet the first ones, moved at most later; sometimes another instead of the next one."""
        mood = draw.choices(("all", "some", "none"), (6, 3, 1))[0]
        kept: list[tuple[int, Sent]] = []
        cut: set[bytes] = set()
        latest: dict[bytes, int] = defaultdict(int)
        for offset, one in were:
            who = one.by.address
            if who in cut:
                continue
            place = max(latest[who], offset, draw.randrange(depth) if draw.random() < 0.3 else 0)
            if mood == "none" or (mood == "some" and draw.random() < 0.25):
                cut.add(who)
                if not one.faithful and draw.random() < 0.2:
                    instead = self._instead(one)
                    self.sent[instead.hash] = instead
                    kept.append((place, instead))
                    self.taken["replaced in a reorg"] += 1
                continue
            latest[who] = place
            kept.append((place, one))
        return sorted(kept, key=lambda at: at[0])

    async def _reorganise(self, depth: int, keep: list[tuple[int, Sent]]) -> None:
        producer = wallet(f"producer of {self.reorgs}").address
        await self.chain.rpc("anvil_setCoinbase", [to_hex(producer)])
        await self.chain.rpc("anvil_reorg", [depth, [[to_hex(one.raw), place] for place, one in keep]])

    async def come_back(self, draw: random.Random | None = None) -> None:
        """What is gone is sent again as it was: the faithful always, of the others most now and some later,
        and some never; without `draw`, only the faithful, before anything new takes their numbers."""
        gone, self.gone = sorted(self.gone, key=lambda one: (one.by.address, one.nonce)), []
        again: list[Sent] = []
        for one in gone:
            if one.faithful or (draw is not None and (luck := draw.random()) >= 0.25):
                again.append(one)
            elif draw is None or luck < 0.2:
                self.gone.append(one)
        for one in again:  # what a reorg takes away meanwhile is added to what is gone
            try:
                await self.chain.rpc("eth_sendRawTransaction", [to_hex(one.raw)])
                self.taken["came back"] += 1
            except NodeError:
                self.taken["could not come back"] += 1  # another one has its number by now

    async def at(self, tx_hash: bytes) -> int | None:
        """The time of the block in which it succeeded, unix seconds; None where it did not, or is in none."""
        receipt = await self.chain.receipt(tx_hash)
        if receipt is None or int(receipt["status"], 16) != 1:
            return None
        return (await self.chain.block(int(receipt["blockNumber"], 16)))[2]


def _hash(raw: bytes) -> bytes:
    return keccak(raw)
