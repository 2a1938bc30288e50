"""Money in suspense goes back: to whom, how much, when it may, and how it is taken back."""

import asyncpg
import pytest

from liqpass.hexes import checksum, to_hex
from liqpass.ledger.book import Account, chain_ref
from liqpass.problems import Problem
from liqpass.sandbox.anvil import encode_call
from liqpass.treasury.disbursements import BATCH_MOST, dues, words
from liqpass.treasury.suspense import key_of, next_steps, ref_of, said
from tests.treasury.conftest import CAPITAL, Desk, ref_of_log

TO = b"\x5b" * 20


async def refused(desk: Desk, ref: bytes, *, amount: int | None = None, to: bytes | None = None) -> str:
    with pytest.raises(Problem) as problem:
        await desk.refund(ref, amount=amount, to=to)
    return problem.value.detail


@pytest.fixture
async def item(desk: Desk) -> bytes:
    """70 micro-USDC of the fourth trader, final in suspense."""
    ref = await desk.send(70, desk.chain.wallets[3])
    await desk.finalize()
    return ref


async def test_all_of_it_goes_back_to_its_sender(desk: Desk, item: bytes) -> None:
    asked = await desk.refund(item)
    assert (asked.recipient, asked.amount, asked.left) == (desk.chain.wallets[3].address, 70, 0)
    assert await desk.books() == {"TREASURY": CAPITAL + 70, "SUSPENSE": CAPITAL, "REFUNDS_DUE": 70}
    assert await desk.in_suspense() == []


async def test_a_part_of_it_can_go_elsewhere_and_the_rest_later(desk: Desk, item: bytes) -> None:
    assert (await desk.refund(item, amount=30, to=TO)).left == 40
    assert [one.remaining for one in await desk.in_suspense()] == [40]
    assert await refused(desk, item, amount=41) == f"Of {key_of(item)} only 0.00004 USDC are in suspense."
    assert (await desk.refund(item)).left == 0
    found = await desk.db.run(lambda conn: dues(conn, desk.settings))
    assert [(one.recipient, one.amount) for one in found] == [(TO, 30), (desk.chain.wallets[3].address, 40)]


async def test_a_premium_for_no_order_goes_back_to_its_payer(desk: Desk) -> None:
    ref = await desk.pay_unknown_order(7, 300, desk.chain.wallets[2])
    await desk.finalize()
    assert (await desk.refund(ref)).recipient == desk.chain.wallets[2].address


async def test_what_a_reorg_could_still_take_away_is_not_given_back(desk: Desk) -> None:
    ref = await desk.send(70)
    await desk.confirm()
    (item,) = await desk.in_suspense()
    assert next_steps(item, desk.settings) == ["wait until its block is final"]
    assert "is not final" in await refused(desk, ref)
    await desk.finalize()
    assert (await desk.refund(ref)).amount == 70


async def test_nothing_is_given_back_twice(desk: Desk, item: bytes) -> None:
    await desk.refund(item)
    assert await refused(desk, item) == f"Nothing of {key_of(item)} is in suspense."


async def test_what_never_came_in_is_not_given_back(desk: Desk) -> None:
    assert await refused(desk, bytes(36)) == f"Nothing came into the treasury under {key_of(bytes(36))}."


async def test_what_went_out_is_not_given_back(desk: Desk) -> None:
    tx_hash = await desk.pay_out(TO, 5)
    await desk.finalize()
    assert "Nothing came into the treasury" in await refused(desk, tx_hash + bytes(4))


async def test_the_opening_balance_has_no_sender(desk: Desk) -> None:
    opening = chain_ref(desk.chain.chain_id)
    assert await refused(desk, opening) == "opening has no sender: name with --to where it shall go."
    assert (await desk.refund(opening, amount=5, to=TO)).left == CAPITAL - 5


async def test_what_came_out_of_the_checkout_is_not_sent_into_it_again(desk: Desk) -> None:
    chain = desk.chain
    await chain.transfer(chain.wallets[0], chain.checkout, 9)
    rescue = encode_call("rescue(address)", chain.usdc)
    receipt = await chain.transact(chain.owner, chain.checkout, rescue)
    await desk.finalize()
    (item,) = await desk.in_suspense()
    assert said(item, desk.settings) == "rescued from the checkout, where somebody had sent it"
    ref = next(ref_of_log(log) for log in receipt["logs"] if log["address"] == to_hex(chain.usdc))
    assert "name with --to where it shall go" in await refused(desk, ref)
    assert (await desk.refund(ref, to=TO)).amount == 9


async def test_what_was_made_out_of_nothing_is_not_sent_to_nobody(desk: Desk) -> None:
    await desk.chain.mint(desk.chain.treasury, 9)
    await desk.finalize()
    (item,) = await desk.in_suspense()
    assert "name with --to where it shall go" in await refused(desk, item.ref)


async def test_nothing_is_sent_where_it_would_be_lost(desk: Desk, item: bytes) -> None:
    chain = desk.chain
    for lost in (bytes(20), chain.treasury, chain.checkout, chain.usdc):
        assert await refused(desk, item, to=lost) == (
            f"--to {checksum(lost)} is the treasury itself, a contract of the product, or nobody: "
            "money sent there would be lost."
        )
    assert await desk.balance(Account.REFUNDS_DUE) == 0


async def test_a_refund_that_was_not_paid_can_be_taken_back_once(desk: Desk, item: bytes) -> None:
    asked = await desk.refund(item, amount=30)
    kept = await desk.refund(item, amount=10)
    await desk.cancel(str(asked.id))
    assert await desk.books() == {
        "TREASURY": CAPITAL + 70,
        "SUSPENSE": CAPITAL + 60,
        "REFUNDS_DUE": 10,
    }
    with pytest.raises(Problem, match="was cancelled already"):
        await desk.cancel(str(asked.id))
    assert [due.id for due in await desk.db.run(lambda conn: dues(conn, desk.settings))] == [kept.id]


async def test_a_refund_whose_transfer_is_on_chain_cannot_be_taken_back(desk: Desk, item: bytes) -> None:
    asked = await desk.refund(item)
    tx_hash = await desk.pay_out(asked.recipient, 70)
    await desk.watch()
    for _ in range(2):
        with pytest.raises(Problem, match=f"was paid by {to_hex(tx_hash)}"):
            await desk.cancel(str(asked.id))
        await desk.confirm()


async def test_a_withdrawal_that_was_not_paid_can_be_taken_back(desk: Desk) -> None:
    await desk.deposit(CAPITAL)
    asked = await desk.withdraw(100, TO)
    await desk.cancel(str(asked.id))
    assert await desk.books() == {"TREASURY": CAPITAL, "POOL_FREE": CAPITAL}


@pytest.mark.parametrize("text", ["0197", "", "01a2059c-3b3f-7b34-a8ca-eeb0c0ae65e3"])
async def test_what_is_no_disbursement_cannot_be_taken_back(desk: Desk, text: str) -> None:
    with pytest.raises(Problem, match="There is no disbursement"):
        await desk.cancel(text)


async def test_what_stands_in_a_batch_is_left_out_of_the_next_unless_asked_for(
    desk: Desk, item: bytes
) -> None:
    asked = await desk.refund(item, amount=30)
    first = await desk.batch()
    later = await desk.refund(item, amount=10)
    second = await desk.batch()
    again = await desk.batch(again=True)
    assert [[due.id for due in one.included] for one in (first, second, again)] == [
        [asked.id],
        [later.id],
        [asked.id, later.id],
    ]
    assert [[due.id for due in one.batched] for one in (first, second, again)] == [[], [asked.id], []]


@pytest.mark.parametrize(
    "hand",
    [
        "set session_replication_role = replica; update disbursements set amount = amount + 1",
        "insert into disbursements select (jsonb_populate_record(d, jsonb_build_object('id', "
        "gen_random_uuid()))).* from disbursements d",
    ],
)
async def test_what_the_ledger_does_not_say_is_due_goes_into_no_batch(
    desk: Desk, item: bytes, hand: str
) -> None:
    await desk.refund(item, amount=30)
    assert len((await desk.batch()).included) == 1
    await desk.owner(hand)
    with pytest.raises(Problem) as refused:
        await desk.batch(again=True)
    assert "is not what the ledger says is due" in refused.value.detail


@pytest.mark.parametrize(
    "change",
    [
        f"update disbursements set recipient = '\\x{TO.hex()}'",
        "update disbursements set amount = amount + 1",
        "delete from disbursements",
    ],
)
async def test_what_was_asked_for_stays_as_it_was_asked_for(desk: Desk, item: bytes, change: str) -> None:
    asked = await desk.refund(item)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await desk.db.pool.execute(change)
    with pytest.raises(asyncpg.RestrictViolationError, match="stays as it was asked for"):
        await desk.owner(change)
    (due,) = await desk.db.run(lambda conn: dues(conn, desk.settings))
    assert (due.recipient, due.amount) == (asked.recipient, 70)


async def test_what_is_seen_on_its_way_goes_into_no_batch(desk: Desk, item: bytes) -> None:
    asked = await desk.refund(item)
    await desk.pay_out(asked.recipient, 70)
    await desk.watch()
    made = await desk.batch(again=True)
    assert (made.included, [due.id for due in made.on_their_way]) == ([], [asked.id])
    await desk.confirm()
    assert await desk.batch(again=True) == type(made)([], [], [], [], [], {}, {})


async def test_a_batch_holds_what_a_safe_can_send_at_once_and_the_next_the_rest(desk: Desk) -> None:
    opening = chain_ref(desk.chain.chain_id)
    for _ in range(BATCH_MOST + 1):
        await desk.refund(opening, amount=5, to=TO)
    first, second = await desk.batch(), await desk.batch()
    assert (len(first.included), len(first.later)) == (BATCH_MOST, 1)
    assert [due.id for due in second.included] == [due.id for due in first.later]


async def test_items_are_named_by_their_log(desk: Desk, item: bytes) -> None:
    name = key_of(item)
    assert ref_of(name, desk.settings, "ITEM") == item
    assert ref_of("0X" + name[2:].upper(), desk.settings, "ITEM") == item
    assert ref_of("Opening", desk.settings, "ITEM") == chain_ref(desk.chain.chain_id)


@pytest.mark.parametrize(
    "text", ["", "0x12:3", f"0x{'a' * 64}", f"0x{'a' * 64}:-1", f"0x{'a' * 64}:2147483648"]
)
async def test_what_names_no_log_is_refused(desk: Desk, text: str) -> None:
    with pytest.raises(Problem, match="ITEM is a transaction and the index of a log in it"):
        ref_of(text, desk.settings, "ITEM")


def test_a_name_and_a_reason_are_words() -> None:
    assert words("  Ada \n Lovelace ", "--by") == "Ada Lovelace"
    for text in ("", " \n", "x" * 201):
        with pytest.raises(Problem, match="--by is 1 to 200 characters"):
            words(text, "--by")
