"""A soak is played: each action of a round, in its order; what people do goes on beside the rest."""

import asyncio
import heapq
import random
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import asyncpg

from liqpass.chain.failures import NodeError
from liqpass.db import DATABASE_AWAY, TRY_AGAIN
from liqpass.sandbox.okx_margin import Position
from liqpass.sandbox.trader import Refused
from liqpass.worker import tasks_of
from soak.breaking import Breaking
from soak.operators import Operators
from soak.people import Unanswered
from soak.record import Life, Record
from soak.schedule import Action
from soak.town import Town, moment_of
from tests.storms import fates
from tests.storms.truth import Cover

PACE_SEC = 0.35
SEEN_TRIES = 80
LONG_SEC = 30.0
SLOW_SEC = 2.0  # told, so that somebody may look why
DELAY = timedelta(seconds=600)
EXPECTED = (Refused, Unanswered)
UNLUCKY: tuple[type[Exception], ...] = (NodeError, *DATABASE_AWAY, *TRY_AGAIN)
ALL_FATES = {fate.__name__: fate for fate in [*fates.WHOLE, *fates.IN_PARTS]}
# What moves the chain or the time, or breaks something: done before the next thing begins.
NOT_BESIDE = {"time", "mine", "reorg", "come_back", "open", "close", "free", "work", "seen", "quiet", "end"}


@dataclass
class Playing:
    """`happenings`: what the exchange does to insured positions, and when."""

    town: Town
    record: Record
    operators: Operators
    judge: Callable[["Playing", bool], Awaitable[None]]
    breaking: Breaking = field(init=False)
    hands: fates.Hands = field(init=False)
    happenings: list[tuple[datetime, int, Life, Callable[[], None]]] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)
    _beside: set["asyncio.Task[None]"] = field(default_factory=set)
    _operating: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.breaking = Breaking(self.town, self.record)
        self.hands = fates.Hands(self.town.exchange.books)

    async def round(self, actions: list[Action]) -> None:
        """All of them, and no less than the workers need to notice something."""
        begun = asyncio.get_running_loop().time()
        for action in actions:
            self.record.action(action)
            self.record.counts[f"did {action.do}"] += 1
            doing = self._guarded(action)
            if action.do in NOT_BESIDE:
                await doing
            else:
                name = f"{action.do} {action.of}"
                self._beside.add(task := asyncio.create_task(doing, name=name))
                task.add_done_callback(self._beside.discard)
        await self._fates()
        if any(action.do == "work" for action in actions):  # what workers do was done
            await self.nobody_is_busy()
            return
        if self._beside:  # who waits for an answer does so while the next things happen
            await asyncio.wait(list(self._beside), timeout=PACE_SEC)
        await asyncio.sleep(max(0.0, begun + PACE_SEC - asyncio.get_running_loop().time()))

    async def nobody_is_busy(self) -> None:
        """What was begun beside is through."""
        for _ in range(3):
            if self._beside:
                await asyncio.wait(list(self._beside), timeout=LONG_SEC)
        for task in list(self._beside):
            where = [line.strip() for line in _stack_of(task)]
            self.record.complain(f"{task.get_name()} has not come to an end: {where}")
            task.cancel()

    async def _guarded(self, action: Action) -> None:
        begun = asyncio.get_running_loop().time()
        try:
            await self._doing(action.do)(**action.of)
        except EXPECTED as said:
            self.record.counts[f"in vain: {action.do}"] += 1
            self.record.tell("in vain", do=action.do, of=action.of, why=str(said))
        except UNLUCKY as error:
            self.record.counts[f"in vain: {action.do}"] += 1
            self.record.tell("in vain", do=action.do, of=action.of, why=f"{type(error).__name__} {error}")
        except Exception:
            self.record.complain(f"{action.do} {action.of}: {traceback.format_exc()}")
        if (spent := asyncio.get_running_loop().time() - begun) > SLOW_SEC:
            self.record.tell("took long", do=action.do, of=action.of, sec=round(spent, 1))

    def _doing(self, name: str) -> Callable[..., Awaitable[None]]:
        """How it is done: here, or by whoever breaks things."""
        mine = getattr(self, f"do_{name}", None)
        done: Callable[..., Awaitable[None]] = mine or getattr(self.breaking, f"do_{name}")
        return done

    def _life(self, number: int) -> Life | None:
        return self.record.lives.get(number)

    # Time and chain

    async def do_time(self, sec: int) -> None:
        """It passes for everybody; what happens meanwhile at the exchange happens at its moment."""
        until = self.town.clock() + timedelta(seconds=sec)
        while self.happenings and self.happenings[0][0] <= until:
            at, _, life, doing = heapq.heappop(self.happenings)
            if life.over:
                continue
            self.town.clock.set(max(at, self.town.clock()))
            candles = life.position.instrument.path
            before = len(candles)
            try:
                doing()
                del candles[before:]  # else a market that liquidates so many moves too much for any cover
                self.record.counts["happenings"] += 1
            except ValueError as error:  # the position is not what it was any more
                self.record.counts["happenings that could not be"] += 1
                self.record.tell("could not happen", life=life.plan["life"], why=str(error))
        self.town.clock.set(until)
        await self.town.blocks.mine(1, until)

    async def do_mine(self, blocks: int) -> None:
        await self.town.blocks.mine(blocks, self.town.clock())

    async def do_reorg(self, depth: int, seed: int) -> None:
        await self.town.blocks.reorg(depth, random.Random(seed))  # noqa: S311

    async def do_come_back(self, seed: int) -> None:
        await self.town.blocks.come_back(random.Random(seed))  # noqa: S311

    async def _fates(self) -> None:
        """Whose payment is in a block for the first time: when it is covered, and what will happen to it."""
        for life in self.record.orders():
            if life.cover is not None or life.over:
                continue
            for tx in life.paid_by:
                if (paid_at := await self.town.blocks.at(tx)) is not None:
                    self._covered(life, moment_of(paid_at))
                    break

    def _covered(self, life: Life, paid_at: datetime) -> None:
        order = life.order or {}
        first, last = (datetime.fromisoformat(order[f"coverage{end}At"]) for end in ("Start", "End"))
        start = paid_at + timedelta(seconds=order["coverageDelaySec"])
        life.cover = Cover(
            ref=life.ref,
            user=life.holder.wallet.address,
            uid=life.holder.okx.uid,
            position=life.position,
            contracts=life.contracts,
            payout=int(order["payoutAmount"]),
            start=start,
            end=start + (last - first),
            way=life.plan["fate"],
        )
        if not life.plan["fate"]:
            return
        draw = random.Random(life.plan["seed"])  # noqa: S311
        for at, doing in ALL_FATES[life.plan["fate"]](self.hands, life.cover, draw):
            heapq.heappush(self.happenings, (at, next(self._numbers), life, doing))

    # Lives

    async def do_open(self, life: int, account: int, inst: str, side: str, **plan: Any) -> None:
        holder = self.town.holders[account]
        what = {"side": side, "contracts": plan["size"], "lever": plan["lever"]}
        try:
            position: Position = self.town.exchange.books.open_position(
                holder.okx.uid, f"{inst}-USDT-SWAP", **what
            )
        except ValueError as error:
            self.record.tell("could not open", life=life, why=str(error))
            return
        known = {"life": life, "account": account, "inst": inst, "side": side, **plan}
        slot = (f"{inst}-USDT-SWAP", "isolated", side)
        self.record.lives[life] = Life(known, holder, position or holder.okx.slots[slot])

    async def do_buy(self, life: int) -> None:
        if (found := self._life(life)) is not None and not found.over:
            async with found.turn:
                await self.town.people.buy(found)

    async def do_pay(self, life: int, way: str, submit: str, seed: int) -> None:
        others = [one for one in self.record.orders() if one.paid_by][-20:]
        if (found := self._life(life)) is not None:
            async with found.turn:
                await self.town.people.pay(found, way, submit, seed, others)

    async def do_submit(self, life: int) -> None:
        if (found := self._life(life)) is not None:
            async with found.turn:
                await self.town.people.submit(found)

    async def do_cancel(self, life: int) -> None:
        """Not before there is an order; but beside its payment."""
        if (found := self._life(life)) is not None:
            async with found.turn:
                pass
            await self.town.people.cancel(found)

    async def do_claim(self, life: int) -> None:
        if (found := self._life(life)) is not None:
            await self.town.people.claim(found)

    async def do_object(self, life: int) -> None:
        if (found := self._life(life)) is not None:
            await self.town.people.object_to(found)

    async def do_close(self, life: int) -> None:
        """Whatever its owner still has in that slot is closed; nothing more happens to it."""
        if (found := self._life(life)) is None:
            return
        found.over = True
        slot = (f"{found.plan['inst']}-USDT-SWAP", "isolated", found.plan["side"])
        if found.holder.okx.slots[slot].contracts:
            self.town.exchange.books.close_position(found.holder.okx.uid, slot[0], pos_side=slot[2])

    # People

    async def do_sign_out(self, account: int) -> None:
        await self.town.people.sign_out(self.town.holders[account])

    async def do_look(self, account: int) -> None:
        await self.town.people.look(self.town.holders[account])

    async def do_key_deleted(self, account: int) -> None:
        holder = self.town.holders[account]
        for key in holder.keys:
            if key.api_key in self.town.exchange.books.keys:
                self.town.exchange.books.delete_key(key.api_key)
        holder.bad = "deleted"

    async def do_key_grown(self, account: int) -> None:
        holder = self.town.holders[account]
        for key in holder.keys:
            if key.api_key in self.town.exchange.books.keys:
                self.town.exchange.books.set_perm(key.api_key, "read_only,trade")
        holder.bad = "may trade"

    async def do_key_revoked(self, account: int) -> None:
        await self.town.people.revoke(self.town.holders[account])

    async def do_key_new(self, account: int) -> None:
        await self.town.people.hand_over_key(self.town.holders[account])

    async def do_stray(self, account: int, amount: int) -> None:
        await self.town.people.stray(self.town.holders[account], amount)

    async def do_wrong_token(self, account: int, amount: int) -> None:
        await self.town.people.stray(self.town.holders[account], amount, self.town.people.fake_usdc)

    async def do_fund(self, coin: str, rate: str) -> None:
        self.town.exchange.books.fund(f"{coin}-USDT-SWAP", rate)

    # Operators

    async def do_operate(self, seed: int, last: bool = False) -> None:
        """One after the other: who comes while others work has nothing to do."""
        if self._operating.locked() and not last:
            return
        async with self._operating:
            await self._operate(seed, last)

    async def _operate(self, seed: int, last: bool) -> None:
        await self._with_owner(
            lambda owner: self.operators.operate(owner, random.Random(seed), last=last)  # noqa: S311
        )

    async def do_by_hand(self, seed: int) -> None:
        async with self._operating:
            await self._with_owner(lambda owner: self.operators.pay_by_hand(owner, random.Random(seed)))  # noqa: S311

    async def do_cancel_due(self, seed: int) -> None:
        async with self._operating:
            await self._with_owner(lambda owner: self.operators.cancel_due(owner, random.Random(seed)))  # noqa: S311

    async def do_withdraw(self, amount: int) -> None:
        await self.operators.withdraw(amount, self.town.chain.wallets[0].address)

    async def _with_owner(self, work: Callable[[asyncpg.Connection], Coroutine[Any, Any, None]]) -> None:
        owner = await self.town.server.owner()
        try:
            await work(owner)
        finally:
            await owner.close()

    # Quiet points

    async def do_work(self) -> None:
        """Every task once, beside the workers: what they do by real time does not keep up with ours."""
        for task in tasks_of(self.town.of):
            try:
                await task.step()
            except UNLUCKY as error:
                self.record.counts[f"struck {type(error).__name__}"] += 1

    async def do_seen(self) -> None:
        """The workers by themselves have seen what is safe now, and settled it; on a busy machine, or where
        something is still broken, it is not waited for much longer."""
        safe = await self.town.chain.block_number("safe")
        owner = await self.town.server.owner()
        try:
            for _ in range(SEEN_TRIES):
                if await owner.fetchval(SETTLED, safe):
                    self.record.counts["seen by the workers"] += 1
                    return
                await asyncio.sleep(0.1)
            self.record.counts["not seen by the workers in time"] += 1
        finally:
            await owner.close()

    async def do_quiet(self) -> None:
        """Nobody does anything, all is well, the chain is final: what has to hold, holds."""
        await self._at_rest()
        await self.judge(self, False)

    async def do_end(self) -> None:
        """And now everything is over."""
        await self._at_rest()
        await self.judge(self, True)

    async def _at_rest(self) -> None:
        await self.nobody_is_busy()
        await self.breaking.do_calm()
        await self.town.up()
        await self.town.blocks.come_back()
        await self.town.blocks.mine(3 * self.town.chain.slots_in_an_epoch, self.town.clock())
        head = await self.town.chain.block_number("finalized")
        owner = await self.town.server.owner()
        try:
            for _ in range(60):
                await self.do_work()
                if await owner.fetchval(RESTS, head):
                    return
                await asyncio.sleep(0.3)
            self.record.complain(f"it does not come to rest: {await owner.fetch(WHY_NOT)}")
        finally:
            await owner.close()


SETTLED = """
    select (select safe_number from chain_cursors) >= $1 and not exists (select from settle_queue)
"""
RESTS = """
    select (select finalized_number from chain_cursors) >= $1
        and not exists (select from settle_queue) and not exists (select from transfer_queue)
"""
WHY_NOT = "select finalized_number, latest_number, doubt, halted from chain_cursors"


def _stack_of(task: "asyncio.Task[None]") -> list[str]:
    """Where it waits, from the outermost to what is awaited last."""
    found: list[str] = []
    awaited: Any = task.get_coro()
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
        if frame is not None:
            found.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}")
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "ag_await", None)
    return found
