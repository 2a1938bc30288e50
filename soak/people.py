"""Traders: what they do over HTTP and at their wallets, also what nobody should do."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from liqpass.chain.checkout import Call
from liqpass.hexes import checksum, to_hex
from liqpass.sandbox.anvil import encode_call
from liqpass.sandbox.okx_accounts import Books
from liqpass.sandbox.okx_control import key_json
from liqpass.sandbox.trader import Refused, calls_of
from soak.blocks import Blocks
from soak.record import Holder, Life, Record

PATIENCE_SEC = 6.0
TRIES = 5
# Who is not signed in is told so; of what is for operators, that there is nothing.
AWAY = ("NOT_SIGNED_IN", "NOT_FOUND")
NO_ANSWER = (aiohttp.ClientError, OSError, TimeoutError, ValueError)
CLAIMS = "/api/insurance/claims"


class Unanswered(Exception):  # noqa: N818
    """No answer came, or one that says that nothing is known."""


class People:
    """All of them. `apis` are the addresses of the servers."""

    def __init__(self, apis: list[str], blocks: Blocks, books: Books, record: Record) -> None:
        self.apis, self.blocks, self.books, self.record = apis, blocks, books, record
        self.chain = blocks.chain
        self._which = 0
        self.fake_usdc = b""

    async def asked(self, who: Holder, call: Callable[[], Awaitable[Any]]) -> Any:
        """What was answered; again when there was no answer, signed in when that is what is missing.
        Raises Refused, Unanswered."""
        said = "nothing"
        for attempt in range(TRIES):
            self._which += 1
            who.trader.api = self.apis[self._which % len(self.apis)]
            try:
                return await asyncio.wait_for(call(), PATIENCE_SEC)
            except Refused as refused:
                said = refused.code
                self.record.counts[f"refused {refused.code}"] += 1
                if refused.status == 500:
                    self.record.complain(f"the API answered 500: {refused}")
                away = refused.code in AWAY
                if refused.status < 500 and not away:
                    raise
                if away:
                    await self._sign_in(who)
            except NO_ANSWER as error:
                self.record.counts[f"no answer: {type(error).__name__}"] += 1
                said = type(error).__name__
            await asyncio.sleep(0.2 * (attempt + 1))
        raise Unanswered(said)

    async def _sign_in(self, who: Holder) -> None:
        """It may be in vain, too: then the next try is refused."""
        try:
            await asyncio.wait_for(who.trader.sign_in(), PATIENCE_SEC)
        except (Refused, *NO_ANSWER) as error:
            self.record.counts[f"not signed in: {type(error).__name__}"] += 1

    # Buying

    async def buy(self, life: Life) -> None:
        """List, bind, order: the price, and what to send."""
        holder, trader = life.holder, life.holder.trader
        if not holder.account:
            await self.hand_over_key(holder)
        slot = (f"{life.plan['inst']}-USDT-SWAP", "isolated", life.plan["side"])
        found = await self.asked(holder, lambda: trader.positions(holder.account))
        row = next((p for p in found if (p["instId"], p["mgnMode"], p["posSide"]) == slot), None)
        if row is None or life.over:
            self.record.counts["not listed"] += 1
            return
        bound = await self.asked(holder, lambda: trader.bind(holder.account, row, life.plan["sku"]))
        self.record.promise("bound", bind=bound["bindId"])
        contracts = life.position.contracts
        order = await self.asked(holder, lambda: trader.create_order(bound["bindId"]))
        if contracts != life.position.contracts:
            return  # not told of: nobody knows for which size
        life.order, life.contracts = order, contracts
        self.record.counts["orders"] += 1
        told = {name: order[name] for name in ("premiumAmount", "payoutAmount", "payBefore", "sku")}
        self.record.promise("ordered", order=order["purchaseOrderId"], **told)

    async def hand_over_key(self, holder: Holder) -> None:
        """One more key of the account."""
        key = self.books.add_key(holder.okx.uid)
        shown = key_json(self.books, key)
        account = await self.asked(holder, lambda: holder.trader.add_key(shown))
        holder.keys.append(key)
        holder.account, holder.bad = account, ""
        self.record.counts["keys handed over"] += 1
        self.record.promise("account", account=account, uid=holder.okx.uid)

    async def cancel(self, life: Life) -> None:
        """It is not to be paid after all."""
        if life.order is None:
            return
        life.cancel_asked = True
        body = {"purchaseOrderId": life.order["purchaseOrderId"]}
        await self.asked(life.holder, lambda: life.holder.trader.call("POST", "/api/insurance/cancel", body))
        self.record.counts["cancelled"] += 1
        self.record.promise("cancelled", order=life.order["purchaseOrderId"])

    # Paying

    async def pay(self, life: Life, way: str, submit: str, seed: int, others: list[Life]) -> None:
        """Send what was answered, in one of many ways."""
        if life.order is None:
            return
        draw = random.Random(seed)  # noqa: S311
        approve, pay = calls_of(life.order)
        by = life.holder.wallet
        if way == "another wallet":
            by = draw.choice(self.chain.wallets)
        self.record.counts[f"paid: {way}"] += 1
        premium = int(life.order["premiumAmount"])
        if way in ("too little", "plain"):
            await self.stray(life.holder, premium - (way == "too little"))
            return
        if way == "not allowed":
            approve = Call(approve.to, encode_call("approve(address,uint256)", pay.to, premium - 1), 0)
        async with self.blocks.turns[by.address]:
            first = await self.blocks.signed(by, approve.to, approve.data)
            second = await self.blocks.signed(by, pay.to, pay.data, ahead=1)
            if submit == "before":
                await self._submitted(life, second.hash)
            await self.blocks.send(first, second)
            life.paid_by.append(second.hash)
            if way == "twice":
                third = await self.blocks.signed(by, pay.to, pay.data)
                await self.blocks.send(third)
                life.paid_by.append(third.hash)
            if way == "dropped":
                await self.blocks.drop(second.hash)
            if way == "replaced":
                await self.blocks.replace(second.hash)
        if submit == "false":
            await self._submitted(life, draw.randbytes(32))
        if submit == "another's" and others:
            await self._submitted(life, draw.choice(others).paid_by[-1])
        if submit == "twice":
            await self._submitted(life, second.hash)
            await self._submitted(life, second.hash)

    async def submit(self, life: Life) -> None:
        """The hash of what was sent last."""
        if life.order is not None and life.paid_by:
            await self._submitted(life, life.paid_by[0])

    async def _submitted(self, life: Life, tx_hash: bytes) -> None:
        assert life.order is not None  # noqa: S101 - nobody hands in a hash for nothing
        ref = life.order["purchaseOrderId"]
        try:
            await self.asked(life.holder, lambda: life.holder.trader.submit(ref, tx_hash))
        except (Refused, Unanswered) as refused:
            self.record.tell("not submitted", order=ref, tx=to_hex(tx_hash), why=str(refused))
            return
        self.record.counts["hashes submitted"] += 1
        self.record.promise("submitted", order=ref, tx=to_hex(tx_hash))

    async def stray(self, holder: Holder, amount: int, token: bytes = b"") -> None:
        """USDC straight to the treasury, or another token that is called so."""
        data = encode_call("transfer(address,uint256)", self.chain.treasury, amount)
        await self.blocks.call(holder.wallet, token or self.chain.usdc, data)

    # Whatever else

    async def claim(self, life: Life) -> None:
        """The trader's button."""
        if life.order is None:
            return
        body = {"purchaseOrderId": life.order["purchaseOrderId"]}
        claim = await self.asked(life.holder, lambda: life.holder.trader.call("POST", CLAIMS, body))
        self.record.counts["claims asked for"] += 1
        self.record.promise("claimed", claim=claim["claimId"], order=life.order["purchaseOrderId"])

    async def object_to(self, life: Life) -> None:
        """To what was decided, if it was."""
        if life.order is None:
            return
        ref = life.order["purchaseOrderId"]
        order = await self.asked(life.holder, lambda: life.holder.trader.order(ref))
        if order["claim"] is None or order["claim"]["status"] not in ("NOT_COVERED", "REFUSED"):
            return
        path, body = f"{CLAIMS}/{order['claim']['claimId']}/objection", {"text": "it was liquidated"}
        await self.asked(life.holder, lambda: life.holder.trader.call("POST", path, body))
        self.record.counts["objections"] += 1
        self.record.promise("objected", claim=order["claim"]["claimId"])

    async def look(self, holder: Holder) -> None:
        """All pages of one's orders and claims."""
        for path in ("/api/insurance/orders", CLAIMS, "/api/auth/me"):
            await self.asked(holder, lambda path=path: holder.trader.call("GET", path))  # type: ignore[misc]

    async def sign_out(self, holder: Holder) -> None:
        """And nothing is to be seen any more."""
        await self.asked(holder, lambda: holder.trader.call("POST", "/api/auth/logout"))
        self.record.counts["signed out"] += 1

    async def revoke(self, holder: Holder) -> None:
        """The account's key is taken back here."""
        if not holder.account:
            return
        account, holder.account, holder.bad = holder.account, "", "revoked"
        path = f"/api/okx/api-accounts/{account}"
        await self.asked(holder, lambda: holder.trader.call("DELETE", path))
        self.record.counts["keys revoked"] += 1
        self.record.promise("revoked", account=account)

    def told(self, holder: Holder) -> str:
        """For the log."""
        return f"{holder.number} {checksum(holder.wallet.address)}"
