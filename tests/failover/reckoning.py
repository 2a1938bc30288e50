"""What has to be true in the end, whatever happened to the servers."""

import asyncio
from collections import Counter

from liqpass.chain.checkout import PREMIUM_PAID_TOPIC
from liqpass.clock import system_clock
from liqpass.connecting import connect_as_owner
from liqpass.hexes import to_hex
from liqpass.reconcile.invariants import broken
from liqpass.sandbox.trader import Trader
from tests.failover.cluster import until
from tests.failover.town import Sold, Town

# What people were told is there, and is not
IDS = "select id from unnest($1::text[]) told (id) where not exists (select from %s)"
ORDERED = "purchase_orders where '0x' || encode(purchase_order_id, 'hex') = told.id"
LOST = {
    "key": IDS % "api_accounts t where t.id = told.id::uuid",
    "binding": IDS % "insured_bindings t where t.id = told.id::uuid",
    "order": IDS % ORDERED,
    "submitted": IDS % f"{ORDERED} and pay_tx_hash is not null",
    "claim": IDS % "claims t where t.id = told.id::uuid",
    "approved": IDS % "claims t where t.id = told.id::uuid and approved_amount > 0",
}
TWICE = """
    select kind::text, ref from ledger_transfers where kind in ('PREMIUM', 'HELD', 'CLAIM', 'CLAIM_PAID')
    group by kind, ref, leg having count(*) > 1
    union all select 'ACTIVE', order_id::text::bytea from order_events where to_status = 'ACTIVE'
    group by order_id having count(*) > 1
"""
STANDS = """
    select t.ref, sum(case when k.forward then t.amount else -t.amount end)::bigint as stands
    from ledger_transfers t join ledger_kinds k using (kind, debit, credit)
    where t.kind = $1 group by t.ref
"""


async def nothing_is_lost_and_nothing_twice(town: Town) -> None:
    """Of all that anybody was told, of the payments on the chain, and of the claims, which are paid now."""
    assert set(town.told) == set(LOST), "everybody was told something"
    await asyncio.gather(*(town.becomes(sold, "ACTIVE") for sold in town.sold))
    await _claims_are_paid(town)
    for kind, query in LOST.items():
        assert await town.rows(query, town.told[kind]) == [], kind
        assert len(set(town.told[kind])) == len(town.told[kind]), f"two people were told the same {kind}"
    assert await town.rows(TWICE) == []
    await _the_books_are_those_of_the_chain(town)
    for sold in town.sold:
        listed = await sold.trader.call("GET", "/api/insurance/orders")
        assert [order["purchaseOrderId"] for order in listed["orders"]] == [sold.id]
    (reconciled, said), (checked, rules) = await asyncio.gather(
        town.typed("reconcile"), town.typed("check", "--books")
    )
    assert (reconciled, checked) == (0, 0), said + rules
    conn = await connect_as_owner(town.env["DATABASE_URL"], name="test")
    try:
        assert await broken(conn, system_clock()) == []
    finally:
        await conn.close()


async def _the_books_are_those_of_the_chain(town: Town) -> None:
    """Each event of the checkout is one payment and one posting; each claim's payout is one, too."""
    asked = {"topics": [to_hex(PREMIUM_PAID_TOPIC)], "fromBlock": "0x0", "toBlock": "latest"}
    logs = await town.chain.rpc("eth_getLogs", [asked])
    on_chain = Counter((log["topics"][1], log["transactionHash"]) for log in logs)
    assert set(on_chain.values()) == {1} and len(on_chain) == len(town.sold)
    stored = await town.rows(
        "select '0x' || encode(purchase_order_id, 'hex') as id, '0x' || encode(tx_hash, 'hex') as tx "
        "from premium_payments where stage <> 'DROPPED'"
    )
    assert Counter((row["id"], row["tx"]) for row in stored) == on_chain
    premiums = {row["ref"].hex(): row["stands"] for row in await town.rows(STANDS, "PREMIUM")}
    assert premiums == {sold.id[2:]: int(sold.order["premiumAmount"]) for sold in town.sold}


async def _claims_are_paid(town: Town) -> None:
    """In one batch, by the treasury's own key; each owner has what was promised, once."""
    claimed = [sold for sold in town.sold if sold.claim]
    before = [await town.chain.usdc_balance(sold.trader.wallet.address) for sold in claimed]
    operator = await town.stack.enter_async_context(Trader(town.api, town.chain.owner))
    await town.again(operator.sign_in)
    # whoever got no answer asks again, also for what may stand in the batch that nobody has seen
    made = await town.again(lambda: operator.call("POST", "/api/admin/treasury/batch", {"again": True}))
    for one in made["file"]["transactions"]:
        values = one["contractInputsValues"]
        to, amount = bytes.fromhex(values["to"][2:]), int(values["value"])
        await town.chain.transfer(town.chain.treasury_wallet, to, amount)
    await until(lambda: _all_paid(town, claimed), town.cluster, "every claim is paid")
    for sold, had in zip(claimed, before, strict=True):
        got = await town.chain.usdc_balance(sold.trader.wallet.address) - had
        assert 0 < got <= int(sold.order["payoutAmount"])


async def _all_paid(town: Town, claimed: list[Sold]) -> bool:
    rows = await town.rows("select status::text from claims")
    return [row["status"] for row in rows] == ["PAID"] * len(claimed)
