"""Requests that come in at the same time are done together, and nobody can tell: each is answered, or
refused, as if all had been done one after the other in some order."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqpass import combining
from liqpass.combining import Combining, Turns, in_place


class NotEnough(Exception):  # noqa: N818
    """The shop has less left."""


@dataclass(frozen=True)
class Wish:
    """Somebody who wants so much of something, of which there is one for each name."""

    name: str
    amount: int
    comes_after: int
    leaves_after: int | None


@dataclass
class Shop:
    """What requests are done to: it has so much left, and sells to each name once."""

    left: int
    takes: int
    breaks: set[int]
    sold: dict[str, int] = field(default_factory=dict)
    statements: list[int] = field(default_factory=list)

    async def alone(self, wish: Wish) -> int:
        return (await self._statement([wish]))[0]

    async def together(self, wishes: Sequence[Wish]) -> list[int | None]:
        assert len({wish.name for wish in wishes}) == len(wishes) > 1
        if len(self.statements) in self.breaks:
            self.statements.append(0)
            raise ConnectionError
        return list(await self._statement(wishes))

    async def _statement(self, wishes: Sequence[Wish]) -> list[int]:
        self.statements.append(len(wishes))
        for _ in range(self.takes):
            await asyncio.sleep(0)
        new = [wish for wish in wishes if wish.name not in self.sold]
        if sum(wish.amount for wish in new) > self.left:
            raise NotEnough
        self.left -= sum(wish.amount for wish in new)
        self.sold.update({wish.name: wish.amount for wish in new})
        return [self.sold[wish.name] for wish in wishes]


def door_of(shop: Shop, turns: Turns | None = None, *, halves: bool = False) -> Combining[Wish, int]:
    """One of the doors by which wishes come to a shop."""
    return Combining(
        turns or Turns(),
        shop.alone,
        shop.together,
        keys=lambda wish: [wish.name],
        of_one=(NotEnough,) if halves else (),
    )


def door_until(held: asyncio.Event, turns: Turns) -> Combining[int, int]:
    """One whose statements wait for that, and answer what they are asked."""

    async def alone(number: int) -> int:
        await held.wait()
        return number

    async def together(several: Sequence[int]) -> list[int | None]:
        return [await alone(one) for one in several]

    return Combining(turns, alone, together)


async def asked(door: Combining[Wish, int], wish: Wish) -> int | str:
    """What somebody is told who comes and leaves when they do."""
    for _ in range(wish.comes_after):
        await asyncio.sleep(0)
    asking = asyncio.ensure_future(door(wish))
    if wish.leaves_after is not None:
        for _ in range(wish.leaves_after):
            await asyncio.sleep(0)
        asking.cancel()
    try:
        return await asking
    except NotEnough:
        return "refused"
    except asyncio.CancelledError:
        return "left"


WISHES = st.builds(
    Wish,
    name=st.sampled_from("abcdefgh"),
    amount=st.integers(1, 5),
    comes_after=st.integers(0, 12),
    leaves_after=st.none() | st.integers(0, 8),
)


@given(
    wishes=st.lists(WISHES, max_size=14),
    left=st.integers(0, 40),
    takes=st.integers(1, 5),
    breaks=st.sets(st.integers(0, 6)),
    halves=st.booleans(),
    kinds=st.integers(1, 3),
)
def test_each_is_answered_as_if_they_had_come_one_after_the_other(
    wishes: list[Wish], left: int, takes: int, breaks: set[int], halves: bool, kinds: int
) -> None:
    shop = Shop(left, takes, breaks)
    turns = Turns()
    doors = [door_of(shop, turns, halves=halves) for _ in range(kinds)]

    async def all_of_them() -> list[int | str]:
        by_their_door = ((doors[ord(wish.name) % kinds], wish) for wish in wishes)
        told = await asyncio.gather(*(asked(door, wish) for door, wish in by_their_door))
        for door in doors:
            await door(Wish("the last", 0, 0, None))  # whatever was begun before is over by then, or is
        for _ in range(10 * takes):  # done again by itself
            await asyncio.sleep(0)
        return told

    told = asyncio.run(all_of_them())
    assert shop.left == left - sum(shop.sold.values()) >= 0
    for wish, answer in zip(wishes, told, strict=True):
        if answer == "left":
            assert wish.leaves_after is not None
        elif answer == "refused":
            assert wish.amount > shop.left
        else:
            assert answer == shop.sold[wish.name]


async def test_who_comes_alone_goes_alone_and_who_comes_meanwhile_goes_together() -> None:
    shop = Shop(left=100, takes=3, breaks=set())
    door = door_of(shop)
    await door(Wish("first", 1, 0, None))
    await asyncio.gather(*(door(Wish(name, 1, 0, None)) for name in "abcdefgh"))
    assert shop.statements == [1, 1, 7]


async def test_who_comes_at_the_very_moment_in_which_one_ends_goes_with_those_who_waited() -> None:
    """Those who come are read from their sockets in the same turn of the loop as the end of a statement."""
    ends, sizes = [asyncio.Event() for _ in range(3)], list[int]()
    ends[2].set()

    async def alone(n: int) -> int:
        return (await together([n]))[0]

    async def together(several: Sequence[int]) -> list[int]:
        sizes.append(len(several))
        await ends[len(sizes) - 1].wait()
        return list(several)

    door = Combining(Turns(), alone, together)

    async def comes(n: int) -> "asyncio.Future[int]":
        coming = asyncio.ensure_future(door(n))
        await asyncio.sleep(0)
        return coming

    waiting = [await comes(n) for n in range(3)]
    ends[0].set()
    await waiting[0]
    waiting.append(await comes(3))
    ends[1].set()
    waiting.append(asyncio.ensure_future(door(4)))
    assert await asyncio.gather(*waiting) == [0, 1, 2, 3, 4]
    assert sizes == [1, 2, 2]


async def test_who_comes_while_another_kind_is_under_way_waits_for_its_end_and_goes_together() -> None:
    shop, other = Shop(left=100, takes=9, breaks=set()), Shop(left=100, takes=3, breaks=set())
    turns = Turns()
    door, other_door = door_of(shop, turns), door_of(other, turns)
    first = asyncio.ensure_future(door(Wish("first", 1, 0, None)))
    await asyncio.sleep(0)
    others = [asyncio.ensure_future(other_door(Wish(name, 1, 0, None))) for name in "abc"]
    for _ in range(5):
        await asyncio.sleep(0)
    assert (first.done(), shop.statements, other.statements) == (False, [1], [])
    await first
    assert (await asyncio.gather(*others), other.statements) == ([1, 1, 1], [3])


async def test_kinds_that_wait_go_on_at_the_end_of_any_and_beside_each_other() -> None:
    slow, quick = Shop(left=100, takes=40, breaks=set()), Shop(left=100, takes=2, breaks=set())
    turns = Turns()
    slow_door, quick_door = door_of(slow, turns), door_of(quick, turns)
    opening = asyncio.ensure_future(quick_door(Wish("opening", 1, 0, None)))
    await asyncio.sleep(0)
    slow_one = asyncio.ensure_future(slow_door(Wish("slow", 1, 0, None)))
    quick_ones = [asyncio.ensure_future(quick_door(Wish(name, 1, 0, None))) for name in "abc"]
    await asyncio.gather(opening, *quick_ones)
    assert (quick.statements, slow.statements, slow_one.done()) == ([1, 3], [1], False)
    assert await slow_one == 1


async def test_a_kind_that_takes_long_keeps_no_other_waiting_for_its_end() -> None:
    shop, turns = Shop(left=100, takes=1, breaks=set()), Turns()
    for_ever = asyncio.ensure_future(door_until(asyncio.Event(), turns)(1))
    await asyncio.sleep(0)
    assert await door_of(shop, turns)(Wish("a", 1, 0, None)) == 1
    for_ever.cancel()
    await asyncio.gather(for_ever, return_exceptions=True)


async def test_a_kind_that_took_too_long_is_waited_for_by_its_own_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(combining, "PATIENCE_SEC", 0)
    held, shop, turns = asyncio.Event(), Shop(left=100, takes=1, breaks=set()), Turns()
    slow, door = door_until(held, turns), door_of(shop, turns)
    those = [asyncio.ensure_future(slow(1))]
    await asyncio.sleep(0.01)  # too long
    for number in (2, 3):
        those.append(asyncio.ensure_future(slow(number)))
        await asyncio.sleep(0)
    assert slow.is_under_way
    monkeypatch.setattr(combining, "PATIENCE_SEC", 3600)
    assert await door(Wish("a", 1, 0, None)) == 1
    held.set()
    assert await asyncio.gather(*those) == [1, 2, 3]


async def test_a_statement_that_is_cancelled_before_it_begins_keeps_nobody_waiting() -> None:
    shop, other, turns = Shop(100, 2, set()), Shop(100, 2, set()), Turns()
    door, other_door = door_of(shop, turns), door_of(other, turns)
    before = asyncio.all_tasks()
    mine = [asyncio.ensure_future(door(Wish(name, 1, 0, None))) for name in "abc"]
    for _ in range(20):
        await asyncio.sleep(0)
        if began := asyncio.all_tasks() - before - set(mine):
            began.pop().cancel()
            break
    told = await asyncio.gather(*mine, return_exceptions=True)
    assert [type(one) for one in told] == [int, asyncio.CancelledError, asyncio.CancelledError]
    assert await other_door(Wish("d", 1, 0, None)) == await door(Wish("e", 1, 0, None)) == 1


async def test_those_who_want_the_same_are_never_in_one_statement() -> None:
    shop = Shop(left=100, takes=3, breaks=set())
    door = door_of(shop)
    told = await asyncio.gather(*(door(Wish("a", n, 0, None)) for n in range(1, 4)))
    assert (told, shop.statements) == ([1, 1, 1], [1, 1, 1])


async def test_one_who_cannot_be_served_spoils_nothing_for_the_others() -> None:
    shop = Shop(left=10, takes=2, breaks=set())
    door = door_of(shop)
    wishes = [Wish("a", 1, 0, None), Wish("b", 2, 0, None), Wish("c", 50, 0, None), Wish("d", 3, 0, None)]
    told = await asyncio.gather(*map(door, wishes), return_exceptions=True)
    assert (told[:2], type(told[2]), told[3]) == ([1, 2], NotEnough, 3)
    assert shop.sold == {"a": 1, "b": 2, "d": 3}


async def test_an_end_of_the_whole_is_told_to_those_who_wait() -> None:
    door = door_until(asyncio.Event(), Turns())
    waiting = [asyncio.ensure_future(door(n)) for n in range(3)]
    await asyncio.sleep(0)
    for one in waiting:
        one.cancel()
    assert [type(end) for end in await asyncio.gather(*waiting, return_exceptions=True)] == (
        [asyncio.CancelledError] * 3
    )


async def test_of_many_the_one_who_is_refused_is_found_by_halves() -> None:
    shop = Shop(left=100, takes=2, breaks=set())
    door = door_of(shop, halves=True)
    names = [f"{n}" for n in range(33)]
    wishes = [Wish(name, 500 if name == "20" else 1, 0, None) for name in names]
    told = await asyncio.gather(*map(door, wishes), return_exceptions=True)
    assert [type(one) for one in told] == [int] * 20 + [NotEnough] + [int] * 12
    # the first alone, then 32; four halvings down to the pair, whose two are done alone
    assert shop.statements[:2] == [1, 32]
    assert sorted(shop.statements[2:]) == [1, 1, 2, 2, 4, 4, 8, 8, 16, 16]


def test_answers_stand_where_their_requests_stood() -> None:
    @dataclass(frozen=True)
    class Found:
        place: int

    assert in_place([Found(3), Found(1)], 4) == [Found(1), None, Found(3), None]
