"""The invariants of the books: none is broken by what happens, each is broken by a hand in the database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import pytest

from liqpass.reconcile.closing import close
from liqpass.reconcile.invariants import broken, statement
from liqpass.reconcile.rules import INVARIANTS
from liqpass.sandbox.chain import USDC
from tests.claims.claimed import approve, payable
from tests.conftest import in_database
from tests.flows.newcomers import new_wallet, newcomer, shared_world
from tests.reconcile.hands import open_breaks, run_once
from tests.world import TestWorld

OPEN = "status in ('DRAFT', 'PAID_PENDING_CONFIRM', 'ACTIVE')"
FINAL_PAYMENT = "ctid = (select ctid from premium_payments where stage = 'FINAL' order by tx_hash limit 1)"
FINAL_IN = """ctid = (select ctid from usdc_transfers where stage = 'FINAL' and recipient is null
    order by tx_hash limit 1)"""
AN_ORDER = "ctid = (select ctid from purchase_orders where status = '{}' limit 1)"
NOWHERE = "'\\x" + "77" * 32 + "'"
LEG = "insert into ledger_transfers (kind, ref, leg, debit, credit, amount, at) values "
OUT = """insert into usdc_transfers (chain_id, tx_hash, log_index, block_number, block_hash, block_time,
    sender, amount, stage, changed_at, recipient) select chain_id, tx_hash, 99, block_number, block_hash,
    block_time, sender, 5, 'FINAL', changed_at, sender from usdc_transfers where """

# what a hand does to the database → the invariant that names it (others may, too)
HANDS: list[tuple[str, str]] = [
    ("given_is_written_down", "update pool_deposits set amount = amount + 1"),
    ("given_is_written_down", "delete from pool_deposits"),
    ("given_is_written_down", f"{LEG} ('REFUND', {NOWHERE}, 1, 'SUSPENSE', 'REFUNDS_DUE', 5, now())"),
    ("debits_equal_credits", "update ledger_accounts set balance = balance + 1 where id = 'TREASURY'"),
    ("balances_are_sums", "update ledger_accounts set balance = balance + 1 where id = 'CLAIMS_PAYABLE'"),
    ("balances_are_sums", "delete from ledger_transfers where kind = 'PREMIUM'"),
    ("balances_are_sums", "delete from ledger_accounts where id = 'POOL_FREE'"),
    (
        "transfers_are_legal",
        f"{LEG} ('CAPITAL', {NOWHERE}, 1, 'UNEARNED_PREMIUM', 'POOL_FREE', 5, now())",
    ),
    ("legs_without_gaps", "delete from ledger_transfers where leg = 1 and kind = 'HELD'"),
    ("legs_without_gaps", "update ledger_transfers set leg = 3 where leg = 2"),
    ("nothing_below_zero", f"{LEG} ('RECEIVED', {NOWHERE}, 1, 'SUSPENSE', 'TREASURY', 5, now())"),
    ("earned_within_premium", "update ledger_transfers set amount = amount + 1 where kind = 'EARNED'"),
    (
        "earned_within_premium",
        f"{LEG} ('EARNED', {NOWHERE}, 1, 'UNEARNED_PREMIUM', 'EARNED_PREMIUM', 5, now())",
    ),
    ("earned_within_premium", "delete from ledger_transfers where kind = 'EARNED'"),
    ("active_is_paid", "delete from ledger_transfers where kind = 'PREMIUM'"),
    (
        "suspense_given_once",
        f"{LEG} ('REFUND', {NOWHERE}, 1, 'SUSPENSE', 'REFUNDS_DUE', 5, now())",
    ),
    ("suspense_given_once", "update ledger_transfers set amount = amount + 1 where kind = 'CAPITAL'"),
    ("held_is_payout", f"update purchase_orders set payout_amount = payout_amount + 1 where {OPEN}"),
    ("held_is_payout", f"{LEG} ('HELD', {NOWHERE}, 1, 'POOL_FREE', 'POOL_LOCKED', 5, now())"),
    ("held_is_payout", "delete from ledger_transfers where kind = 'HELD' and leg = 2"),
    (
        "status_is_last_event",
        f"""update purchase_orders set status = 'ACTIVE', pay_tx_hash = {NOWHERE}, payer = user_id,
            submitted_at = created_at, paid_at = created_at,
            coverage_start_at = created_at + make_interval(secs => coverage_delay_sec),
            coverage_end_at = created_at + make_interval(secs => coverage_delay_sec + duration_sec)
            where {AN_ORDER.format("DRAFT")}""",
    ),
    ("status_is_last_event", "delete from order_events where seq = 3"),
    ("status_is_last_event", "update purchase_orders set event_seq = event_seq + 1 where status = 'EXPIRED'"),
    ("events_follow_each_other", "delete from order_events where seq = 2"),
    (
        "events_follow_each_other",
        "update order_events set from_status = 'ACTIVE', to_status = 'EXPIRED' where seq = 2",
    ),
    ("orders_have_refs", "delete from order_refs"),
    ("orders_have_refs", "update order_refs set order_id = gen_random_uuid()"),
    (
        "orders_have_refs",
        f"insert into order_refs select {NOWHERE}, user_id, order_id from order_refs limit 1",
    ),
    ("payments_are_settled", f"update premium_payments set stage = 'SAFE' where {FINAL_PAYMENT}"),
    ("payments_are_settled", "delete from payment_settlements"),
    ("transfers_are_booked", f"update usdc_transfers set amount = amount + 1 where {FINAL_IN}"),
    (
        "transfers_are_booked",
        f"""{LEG[:-8]} select 'RECEIVED', tx_hash || int4send(log_index), 9, 'TREASURY', 'SUSPENSE', amount,
            now() from usdc_transfers where {FINAL_IN}""",
    ),
    ("outflows_are_booked", OUT + FINAL_IN),
    (
        "outflows_are_booked",
        f"""{OUT} {FINAL_IN};
            {LEG[:-8]} select 'REFUND_PAID', tx_hash || int4send(99), 1, 'REFUNDS_DUE', 'TREASURY', 5, now()
                from usdc_transfers where log_index = 99;
            insert into disbursements
                (id, chain_id, purpose, ref, recipient, amount, reason, asked_by, asked_at)
                select gen_random_uuid(), 1, 'REFUND', {NOWHERE}, substr({NOWHERE}::bytea, 1, 20), 5, 'why',
                    'who', now();
            insert into disbursements_made select t.chain_id, tx_hash, 99, id, now()
                from usdc_transfers t, disbursements where log_index = 99""",
    ),
    (
        "settling_goes_on",
        f"""insert into settle_queue select chain_id, tx_hash, log_index from premium_payments
            where {FINAL_PAYMENT}""",
    ),
    ("settling_goes_on", f"insert into settle_queue values (1, {NOWHERE}, 0)"),
    (
        "booking_goes_on",
        f"insert into transfer_queue select chain_id, tx_hash from usdc_transfers where {FINAL_IN}",
    ),
    ("one_cover_per_position", "delete from insured_positions"),
    ("one_cover_per_position", "update insured_positions set inst_id = 'ETH-USDT-SWAP'"),
    ("one_cover_per_position", "update insured_positions set binding_id = gen_random_uuid()"),
    ("bindings_follow_orders", "update insured_bindings set status = 'DRAFT', coverage_start_at = null,"
     " coverage_end_at = null where status = 'ACTIVE'"),
    ("bindings_follow_orders", "update insured_bindings set order_id = null"),
    (
        "bindings_follow_orders",
        "update insured_bindings set coverage_end_at = coverage_end_at + interval '1 day'",
    ),
    (
        "disbursements_are_due",
        f"""insert into disbursements
            (id, chain_id, purpose, ref, recipient, amount, reason, asked_by, asked_at)
            select gen_random_uuid(), 1, 'WITHDRAWAL', {NOWHERE}, user_id, 5, 'why', 'who', now()
            from purchase_orders limit 1""",
    ),
    (
        "disbursements_are_due",
        f"{LEG} ('REFUND', {NOWHERE}, 1, 'SUSPENSE', 'REFUNDS_DUE', 5, now());"
        "update ledger_accounts set balance = 5 where id = 'REFUNDS_DUE'",
    ),
    ("claim_is_what_was_approved", "update claims set approved_amount = approved_amount + 1"),
    (
        "claim_is_what_was_approved",
        f"{LEG} ('CLAIM', {NOWHERE}, 1, 'POOL_LOCKED', 'CLAIMS_PAYABLE', 5, now())",
    ),
    ("claim_within_held", "delete from ledger_transfers where kind = 'HELD'"),
    (
        "claim_within_held",
        "update ledger_transfers set amount = amount + 1000000000 where kind in ('HELD', 'CLAIM')",
    ),
    (
        "claim_is_not_overpaid",
        f"""{OUT} {FINAL_IN};
            update disbursements set amount = amount + 1 where purpose = 'CLAIM';
            insert into disbursements_made select t.chain_id, tx_hash, 99, id, now()
                from usdc_transfers t, disbursements d where log_index = 99 and purpose = 'CLAIM'""",
    ),
    ("claim_is_approved_by_somebody", "delete from claim_approvals"),
    ("claim_says_its_verdict", "update claims set verdict_seq = 1"),
    ("claim_says_its_verdict", f"update claims set bundle_sha256 = {NOWHERE}"),
    ("claim_is_where_its_events_led", "delete from claim_events where seq = 2"),
    ("claim_is_where_its_events_led", "update claim_events set from_status = 'PAID' where seq = 3"),
    ("claim_is_where_its_events_led", "update claims set status = 'BATCHED'"),
    ("disbursements_are_due", "update disbursements set amount = amount + 1 where purpose = 'CLAIM'"),
    ("given_is_written_down", "update disbursements set amount = amount + 1 where purpose = 'CLAIM'"),
    ("held_is_payout", "update watched_covers set settled_at = now(), settled_by = 'ENDED'"),
    ("covers_are_watched", "delete from watched_covers"),
    ("covers_are_watched", "update watched_covers set ends_at = ends_at + interval '1 second'"),
    ("exposures_are_sums", "update exposures set open_sum = open_sum + 1 where scope = 'WALLET'"),
    ("exposures_are_sums", "delete from exposures where scope = 'DIRECTION'"),
    ("exposures_are_sums", "delete from order_risks"),
    ("exposures_are_sums", "update order_risks set direction = 'short'"),
    ("claims_weigh_what_they_take", "update order_risks set claimed = claimed + 1"),
    ("claims_weigh_what_they_take", "update order_risks set claimed_at = null, claimed = null"),
    ("claims_weigh_what_they_take", "update order_risks set claimed_at = now(), claimed = 0"),
    ("closed_by_somebody", "delete from reconciliation_closings"),
    ("closed_by_somebody", "update reconciliation_closings set closed_by = 'Eve'"),
    ("closed_by_somebody", "update reconciliation_breaks set found = found + 1 where accepted"),
]  # fmt: skip


@dataclass(frozen=True)
class Town:
    """A world in which much has happened, and its database as the superuser reaches it."""

    world: TestWorld
    conn: asyncpg.Connection

    async def names(self) -> set[str]:
        """The invariants that are broken an hour from now."""
        found = await broken(self.conn, self.world.clock() + timedelta(hours=1))
        assert all(finding.subject and finding.said for finding in found), found
        return {finding.name for finding in found}


@pytest.fixture(scope="module")
async def lived_in(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    """Orders in every state, payments in every stage, money that no order explains."""
    async with shared_world(server_url, template, tmp_path_factory.mktemp("town")) as world:
        await _live(world)
        name = await world.db.pool.fetchval("select current_database()")
        conn = await asyncpg.connect(in_database(server_url, name))
        yield Town(world, conn)
        await conn.close()


async def _live(world: TestWorld) -> None:
    chain = world.chain
    async with newcomer(world) as ann, newcomer(world) as ben, newcomer(world) as cid:
        over = await ann.order()
        await ann.trader.pay(chain, over)
        await world.confirm()
        await world.pass_time(hours=25)
        await chain.transfer(await new_wallet(world), chain.treasury, 7 * USDC)
        given_up = await ben.order()
        await ben.trader.call(
            "POST", "/api/insurance/cancel", {"purchaseOrderId": given_up["purchaseOrderId"]}
        )
        covered = await ben.order()
        await ben.trader.pay(chain, covered)
        await world.confirm()
        await chain.finalize()
        await world.work(2)
        await cid.order()
        async with newcomer(world) as dan, newcomer(world) as eva:
            seen = await dan.order()
            await dan.trader.pay(chain, seen)
            await eva.bind()
            await world.work(2)
            for who, order, status in ((ann, over, "EXPIRED"), (ben, covered, "ACTIVE")):
                assert await who.status(order) == status
            await run_once(world)
            (stray,) = await open_breaks(world)
            await world.db.run(lambda conn: close(conn, world.clock(), stray["id"], by="Ada", reason="known"))
            assert await dan.status(seen) == "PAID_PENDING_CONFIRM"
        claim = await payable(world, covered, 2 * USDC)
        await approve(world, claim, 2 * USDC)


async def test_the_application_may_ask_all_and_an_empty_database_breaks_none(lived_in: Town) -> None:
    async with lived_in.world.db.transaction() as conn:
        for invariant in INVARIANTS:
            columns = (await conn.prepare(statement(invariant))).get_attributes()
            assert [c.type.name for c in columns] == ["text", "text", "int8"], invariant.name


async def test_what_happens_by_itself_breaks_none(lived_in: Town) -> None:
    async with lived_in.world.db.transaction() as conn:
        assert await broken(conn, lived_in.world.clock()) == []


@pytest.mark.parametrize(("name", "hand"), HANDS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(HANDS)])
async def test_a_hand_in_the_database_is_named(lived_in: Town, name: str, hand: str) -> None:
    transaction = lived_in.conn.transaction()
    await transaction.start()
    try:
        await lived_in.conn.execute(f"set local session_replication_role = replica; {hand}")
        assert name in await lived_in.names()
    finally:
        await transaction.rollback()


def test_every_invariant_can_be_broken() -> None:
    assert {name for name, _ in HANDS} == {invariant.name for invariant in INVARIANTS}
    assert len({invariant.name for invariant in INVARIANTS}) == len(INVARIANTS)
