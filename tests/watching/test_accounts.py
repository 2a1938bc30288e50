"""An account is read with any key that its user gave, whatever becomes of the others, the exchange or us."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

import pytest

from liqpass.claims.sql import lock_claim
from liqpass.db import Connection, open_database
from liqpass.exchange.okx import OkxGateway
from liqpass.exchange.pace import POSITIONS
from liqpass.exchange.records import Reading
from liqpass.watching import sql
from liqpass.watching.noting import Read, note
from liqpass.watching.pace import LATEST, Memory
from liqpass.watching.step import NO_KEY, TAKEN, watch_due
from tests.conftest import in_database
from tests.flows.newcomers import INST, newcomer
from tests.watching.covers import Insured, answer_positions, insure, insured, look
from tests.world import TestWorld

KEYS = "/api/okx/api-accounts"


async def test_a_key_that_was_deleted_at_the_exchange_stops_nothing_that_another_can_show(
    town: TestWorld, alice: Insured
) -> None:
    await alice.another_key()
    town.exchange.books.delete_key(str(alice.who.key["apiKey"]))
    town.exchange.books.liquidate(alice.uid, INST)
    await look(town, seconds=5)
    assert await alice.claims() == [("WATCHER", "POSITION_GONE")]
    assert (await alice.account())["trouble"] is None


async def test_a_key_that_was_revoked_here_stops_nothing_that_another_can_show(
    town: TestWorld, alice: Insured
) -> None:
    await alice.another_key()
    await alice.who.trader.call("DELETE", f"{KEYS}/{alice.who.account}")
    await look(town, seconds=5)
    assert (await alice.cover())["seen_at"] == town.clock()


async def test_without_any_key_nothing_is_known_and_a_new_key_shows_it(
    town: TestWorld, alice: Insured
) -> None:
    await alice.who.trader.call("DELETE", f"{KEYS}/{alice.who.account}")
    town.exchange.books.liquidate(alice.uid, INST)
    await look(town, seconds=5)
    account = await alice.account()
    assert account["trouble"] == NO_KEY
    assert account["due_at"] == town.clock() + LATEST
    assert (await alice.changes(), await alice.claims()) == ([], [])
    await alice.another_key()
    await look(town, minutes=6)
    assert await alice.claims() == [("WATCHER", "POSITION_GONE")]
    assert (await alice.account())["trouble"] is None


async def test_a_key_that_the_exchange_refuses_is_said_in_its_words_and_put_on_hold_by_nobody_here(
    town: TestWorld, alice: Insured
) -> None:
    town.exchange.books.delete_key(str(alice.who.key["apiKey"]))
    await look(town, seconds=5)
    assert "OKX does not know this key" in (await alice.account())["trouble"]
    held = await alice.ask(
        "select held_at from api_accounts a join watched_covers c on a.uid = c.exchange_uid"
        " where purchase_order_id = $1"
    )
    assert [row["held_at"] for row in held] == [None]


async def test_an_hour_without_the_exchange_changes_nothing_and_then_all_is_seen(
    town: TestWorld, alice: Insured
) -> None:
    await look(town, seconds=5)
    seen_at = (await alice.cover())["seen_at"]
    town.exchange.faults.outage(3_600)
    town.exchange.books.liquidate(alice.uid, INST)
    for _ in range(8):
        await look(town, minutes=7)
        assert (await alice.cover())["seen_at"] == seen_at
        account = await alice.account()
        assert account["trouble"] is not None
        assert account["due_at"] - town.clock() <= LATEST
    assert (await alice.changes(), await alice.claims()) == ([], [])
    await look(town, minutes=6)
    assert await alice.claims() == [("WATCHER", "POSITION_GONE")]
    account = await alice.account()
    assert (account["failures"], account["trouble"]) == (0, None)


async def test_a_region_that_does_not_answer_is_left_alone_after_a_few(town: TestWorld) -> None:
    async with AsyncExitStack() as stack:
        some = [await stack.enter_async_context(insured(town)) for _ in range(6)]
        town.clock.advance(minutes=6)
        town.exchange.faults.html()
        memory = Memory()
        await watch_due(town.db, town.of.gateway, town.of.keyring, town.clock, memory=memory, at_once=1)
        failures = [(await one.account())["failures"] for one in some]
        assert sum(failures) <= 3, "the first in a row found out for the others"
        left = [await one.account() for one in some if not (await one.account())["failures"]]
        assert {"OKX (global) does not answer at present."} == {account["trouble"] for account in left}
        town.exchange.faults.heal()
        town.clock.advance(minutes=6)
        await watch_due(town.db, town.of.gateway, town.of.keyring, town.clock, memory=memory, at_once=1)
        assert {(await one.cover())["seen_at"] for one in some} == {town.clock()}


async def test_one_that_cannot_be_read_keeps_no_other_from_its_turn(town: TestWorld) -> None:
    async with AsyncExitStack() as stack:
        some = [await stack.enter_async_context(insured(town)) for _ in range(3)]
        await some[0].write("update watched_covers set seen = 'torn' where purchase_order_id = $1")
        await look(town, minutes=6)
        assert (await some[0].account())["failures"] > 0
        assert {(await one.cover())["seen_at"] for one in some[1:]} == {town.clock()}


async def test_a_slow_account_holds_up_no_other(town: TestWorld) -> None:
    gateway = OkxGateway(town.exchange.hosts, town.clock, timeout_sec=300)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(gateway.close)
        some = [await stack.enter_async_context(insured(town)) for _ in range(5)]
        town.clock.advance(minutes=6)
        town.exchange.faults.lag(200, path=POSITIONS, count=1)
        step = asyncio.create_task(watch_due(town.db, gateway, town.of.keyring, town.clock, at_once=2))
        await until(lambda: seen_now(some), len(some) - 1)
        assert not step.done()
        step.cancel()
        await asyncio.gather(step, return_exceptions=True)


async def test_a_hundred_positions_are_one_reading(town: TestWorld) -> None:
    async with newcomer(town) as who:
        books = town.exchange.books
        first = await insure(town, who)
        for number in range(99):
            name = f"COIN{number}-USDT-SWAP"
            books.list_instrument(name, mark="10")
            books.open_position(who.okx.uid, name, contracts=5, lever=10)
        await town.read_market()
        slot = {"instId": "COIN50-USDT-SWAP", "mgnMode": "isolated", "posSide": "long"}
        await who.trader.positions(who.account)
        town.clock.advance(minutes=1)  # what was read before is too old
        bound = await who.trader.bind(who.account, slot, "LIQPASS_24H")
        order = await who.trader.create_order(bound["bindId"])
        await who.trader.pay(town.chain, order)
        await town.confirm()
        second = Insured(town, who, order)
        books.liquidate(who.okx.uid, "COIN50-USDT-SWAP")
        await look(town, minutes=6)
        assert (await first.changes(), await second.changes()) == ([], [["gone"]])
        assert (await first.cover())["seen_at"] == (await second.cover())["seen_at"] == town.clock()


async def test_a_cover_that_a_reorganised_chain_suspended_is_none_until_it_is_paid_again(
    world: TestWorld,
) -> None:
    async with newcomer(world) as who:
        alice = await insure(world, who)
        await look(world, seconds=5)
        tx_hash = str((await who.trader.order(alice.order["purchaseOrderId"]))["payTxHash"])
        raw = str(await world.chain.rpc("eth_getRawTransactionByHash", [tx_hash]))
        paid_in = int((await world.chain.wait(bytes.fromhex(tx_hash[2:])))["blockNumber"], 16)
        await world.chain.reorg(await world.chain.block_number() - paid_in + 1)
        await world.work(2)
        assert await who.status(alice.order) == "PAID_PENDING_CONFIRM"
        world.exchange.books.liquidate(alice.uid, INST)
        await look(world, minutes=1)
        await look(world, minutes=5)
        assert (await alice.changes(), await alice.claims()) == ([], [])
        assert (await alice.account())["due_at"] is None
        await world.chain.send_raw(bytes.fromhex(raw[2:]))
        await world.confirm()
        assert await who.status(alice.order) == "ACTIVE"
        await look(world, seconds=5)
        assert await alice.claims() == [("WATCHER", "POSITION_GONE")]


# Whoever comes in between ---------------------------------------------------------------------------------


async def test_two_workers_that_read_one_account_at_once_keep_one_change_and_open_one_claim(
    server_url: str, town: TestWorld, alice: Insured
) -> None:
    await look(town, seconds=5)
    town.exchange.books.liquidate(alice.uid, INST)
    town.clock.advance(minutes=6)
    async with town.db.pool.acquire() as conn:
        name = await conn.fetchval("select current_database()")
    other = await open_database(in_database(server_url, name), name="another worker", size=3)
    try:
        due = await town.db.run(lambda conn: sql.take_due(conn, town.clock(), town.clock() + TAKEN, 50))
        (mine,) = [one for one in due if one.exchange_uid == alice.uid]
        read = Read(Reading.of(b'{"code":"0","data":[]}'), town.clock(), timedelta())

        async def noted(number: int) -> None:
            database = (town.db, other)[number % 2]
            await database.run(lambda conn: note(conn, town.clock(), bytes_of(number), mine, read, Memory()))

        await asyncio.gather(*(noted(number) for number in range(8)))
    finally:
        await other.close()
    assert await alice.changes() == [["gone"]]
    assert await alice.claims() == [("WATCHER", "POSITION_GONE")]


async def test_a_claim_that_is_decided_in_the_moment_in_which_its_position_is_read_waits_for_neither(
    town: TestWorld, alice: Insured
) -> None:
    """Deciding locks the claim and then the cover, noting a reading the cover and then the claim."""
    town.exchange.books.liquidate_partly(alice.uid, INST, contracts=1)
    await look(town, minutes=6)
    (claim,) = await alice.ask("select user_id, id from claims where purchase_order_id = $1")
    await alice.write("update claims set ask_at = null where purchase_order_id = $1")
    reading = asyncio.Event()

    async def decide(conn: Connection) -> None:
        await lock_claim(conn, claim["user_id"], claim["id"])
        reading.set()
        for _ in range(100):  # until the reading waits for the claim, or for good
            if await conn.fetchval("select count(*) from pg_locks where not granted"):
                break
            await asyncio.sleep(0.05)
        await conn.execute("update watched_covers set penalty = '-1' where purchase_order_id = $1", alice.id)

    decided = asyncio.create_task(town.db.run(decide))
    await reading.wait()
    town.exchange.books.liquidate_partly(alice.uid, INST, contracts=1)
    await look(town, minutes=6)
    await decided
    assert len(await alice.changes()) == 2
    assert (await alice.cover())["penalty"] == "-1"
    (claim,) = await alice.ask("select ask_at from claims where purchase_order_id = $1")
    assert claim["ask_at"] == town.clock()


async def test_only_one_of_two_workers_takes_an_account(town: TestWorld, alice: Insured) -> None:
    town.clock.advance(minutes=6)

    async def take() -> list[str]:
        found = await town.db.run(lambda conn: sql.take_due(conn, town.clock(), town.clock() + TAKEN, 1_000))
        return [one.exchange_uid for one in found]

    taken = [uid for some in await asyncio.gather(*(take() for _ in range(6))) for uid in some]
    assert taken.count(alice.uid) == 1


async def test_a_reading_that_was_begun_before_the_one_that_is_known_says_nothing(
    town: TestWorld, alice: Insured
) -> None:
    await look(town, minutes=6)
    old = Read(Reading.of(b'{"code":"0","data":[]}'), town.clock() - timedelta(seconds=1), timedelta())
    due = sql.Due((await alice.cover())["user_id"], alice.uid, 0, town.clock())
    await town.db.run(lambda conn: note(conn, town.clock(), bytes_of(0), due, old, Memory()))
    assert (await alice.changes(), await alice.claims()) == ([], [])
    assert (await alice.cover())["seen_at"] == town.clock()


@pytest.mark.parametrize("when", ["asked", "answered"])
async def test_a_worker_that_ends_in_the_middle_leaves_the_account_to_the_next(
    town: TestWorld, alice: Insured, when: str
) -> None:
    town.exchange.books.liquidate(alice.uid, INST)
    town.clock.advance(minutes=6)
    if when == "asked":
        town.exchange.faults.lag(200, path=POSITIONS)
        step = asyncio.create_task(watch_due(town.db, town.of.gateway, town.of.keyring, town.clock))
        await until(lambda: taken(alice), True)
        step.cancel()
        await asyncio.gather(step, return_exceptions=True)
    else:
        await town.db.run(lambda conn: sql.take_due(conn, town.clock(), town.clock() + TAKEN, 1_000))
    assert await alice.claims() == []
    town.exchange.faults.heal()
    await look(town, seconds=61)
    assert await alice.claims() == [("WATCHER", "POSITION_GONE")]


async def test_whoever_wants_an_account_read_while_it_is_being_read_is_not_overruled(
    town: TestWorld, alice: Insured
) -> None:
    town.clock.advance(minutes=6)
    due = await town.db.run(lambda conn: sql.take_due(conn, town.clock(), town.clock() + TAKEN, 1_000))
    (mine,) = [one for one in due if one.exchange_uid == alice.uid]
    async with town.db.pool.acquire() as conn:  # as an order that moves does
        await conn.execute(
            "update watched_accounts set due_at = least(due_at, $2) where exchange_uid = $1",
            alice.uid,
            town.clock(),
        )
        for due_at in (town.clock() + LATEST, None):
            await sql.note_read(conn, mine.user_id, alice.uid, mine.due_at, due_at, town.clock(), None)
            assert (await alice.account())["due_at"] == town.clock()


async def test_what_the_positions_of_an_account_are_is_not_said_of_another_users_cover_of_it(
    town: TestWorld, alice: Insured
) -> None:
    """Two wallets may have given us keys of one account; each is read with its own."""
    async with newcomer(town) as bob:
        await bob.trader.add_key({**alice.who.key})
        await alice.who.trader.call("DELETE", f"{KEYS}/{alice.who.account}")
        await look(town, minutes=6)
        assert (await alice.account())["trouble"] == NO_KEY


async def test_a_row_of_nobody_changes_nothing(town: TestWorld, alice: Insured) -> None:
    """What cannot be a row at all may be any position's."""
    await look(town, seconds=5)
    answer_positions(town, {"instType": "SWAP"})
    await look(town, minutes=6)
    assert (await alice.changes(), await alice.claims()) == ([], [])
    assert (await alice.account())["trouble"] is not None


async def until(ask: Callable[[], Awaitable[object]], wanted: object) -> None:
    """Wait for what somebody else is doing."""
    for _ in range(2_000):
        if await ask() == wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"it never became {wanted}")


async def seen_now(some: list[Insured]) -> int:
    """How many of them were seen at this moment."""
    return sum([(await one.cover())["seen_at"] == one.world.clock() for one in some])


async def taken(insured: Insured) -> bool:
    """Whether somebody is reading the account."""
    due_at: datetime = (await insured.account())["due_at"]
    return due_at > insured.world.clock()


def bytes_of(number: int) -> Callable[[int], bytes]:
    """Randomness of one caller."""
    return lambda count: number.to_bytes(1, "big") * count
