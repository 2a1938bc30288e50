"""The five steps over plain HTTP, in the order in which a trader's program makes them."""

from tests.world import SKU, TestWorld


async def test_the_five_steps_from_a_position_to_cover(world: TestWorld) -> None:
    async with world.trader() as trader:
        await trader.sign_in()
        account = await trader.add_key(world.key())

        # 1. positions are listed
        listed = await trader.call("GET", "/api/okx/positions", apiAccountId=account)
        position = next(p for p in listed["positions"] if p["insurable"])
        assert position["instId"] == "BTC-USDT-SWAP"
        assert position["liqPx"] != ""

        # 2. binding returns bindId
        slot = {name: position[name] for name in ("instId", "mgnMode", "posSide")}
        bound = await trader.call(
            "POST", "/api/insurance/bind-position", {"apiAccountId": account, "sku": SKU, **slot}
        )
        assert bound["status"] == "DRAFT"

        # 3. create-order returns purchaseOrderId and premiumAmount
        order = await trader.call("POST", "/api/insurance/create-order", {"bindId": bound["bindId"]})
        order_id, premium = order["purchaseOrderId"], int(order["premiumAmount"])
        assert len(order_id) == 66
        assert premium > 0

        # 4. approve + payPremium go on chain
        before = await world.chain.usdc_balance(world.chain.treasury)
        tx_hash = await trader.pay(world.chain, order)
        assert await world.chain.usdc_balance(world.chain.treasury) == before + premium

        # 5. submit-payment stores the hash and repeats harmlessly
        paid = {"purchaseOrderId": order_id, "payTxHash": "0x" + tx_hash.hex()}
        first = await trader.call("POST", "/api/insurance/submit-payment", paid)
        assert first == {"ok": True, "status": "PAID_PENDING_CONFIRM"}
        assert await trader.call("POST", "/api/insurance/submit-payment", paid) == first

        # and the order becomes cover
        await world.confirm()
        shown = await trader.order(order_id)
        assert shown["status"] == "ACTIVE"
        assert shown["payTxHash"] == "0x" + tx_hash.hex()
        assert [e["toStatus"] for e in shown["history"]] == ["DRAFT", "PAID_PENDING_CONFIRM", "ACTIVE"]
