"""What has to hold: the product's own rules, and the soak's own record beside what stands in the tables."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from liqpass.hexes import to_hex
from liqpass.keccak import keccak
from liqpass.reconcile.checks import order_subject
from liqpass.reconcile.invariants import broken
from liqpass.reconcile.runs import reconcile
from liqpass.sandbox.chain import SandboxChain
from soak.blocks import TRANSFER
from soak.playing import Playing
from soak.promises import broken_promises
from soak.record import Life
from soak.town import moment_of

PREMIUM_PAID = to_hex(keccak(b"PremiumPaid(bytes32,address,uint256)"))
STANDS = """
    select t.kind::text, t.ref, sum(case when k.forward then t.amount else -t.amount end)::bigint as stands
    from ledger_transfers t join ledger_kinds k using (kind, debit, credit) group by t.kind, t.ref
"""
BREAKS = "select type::text, subject, said from reconciliation_breaks where closed_at is null"
ORDERS = """
    select purchase_order_id as ref, status::text, premium_amount, payout_amount, coverage_start_at,
        coverage_end_at, pay_tx_hash, pay_before
    from purchase_orders
"""
CLAIMS = """
    select purchase_order_id as ref, id, status::text, amount, approved_amount, reason_code, missing, trouble
    from claims
"""
BALANCES = "select id::text, balance from ledger_accounts"
IN_KINDS, OUT_KINDS = ("RECEIVED",), ("CLAIM_PAID", "REFUND_PAID", "WITHDRAWAL_PAID", "PAID_OUT")
# A break that tells of work for people is none of the books: strays wait for their refund.
FOR_PEOPLE = {"MONEY_IN_SUSPENSE"}
NOT_YET = {"MONEY_LEFT_UNEXPLAINED", "CLAIM_OVERDUE"}


@dataclass
class OnChain:
    """What the final chain shows, read from the node past every endpoint. By transaction, micro-USDC."""

    came: dict[bytes, list[tuple[bytes, int]]] = field(default_factory=lambda: defaultdict(list))
    left: dict[bytes, list[tuple[bytes, int]]] = field(default_factory=lambda: defaultdict(list))
    paid: dict[bytes, tuple[bytes, datetime, int]] = field(default_factory=dict)
    """By order: transaction, time of its block, amount."""


async def shown(chain: SandboxChain) -> OnChain:
    """Everything since the books began."""
    found, times = OnChain(), dict[str, datetime]()
    final = await chain.block_number("finalized")
    asked = {"fromBlock": hex(chain.start_block + 1), "toBlock": hex(final)}
    treasury = "0x" + chain.treasury.rjust(32, b"\0").hex()
    for log in await chain.rpc(
        "eth_getLogs", [asked | {"address": to_hex(chain.usdc), "topics": [TRANSFER]}]
    ):
        tx, amount = bytes.fromhex(log["transactionHash"][2:]), int(log["data"], 16)
        if log["topics"][2] == treasury:
            found.came[tx].append((bytes.fromhex(log["topics"][1][26:]), amount))
        if log["topics"][1] == treasury:
            found.left[tx].append((bytes.fromhex(log["topics"][2][26:]), amount))
    where = {"address": to_hex(chain.checkout), "topics": [PREMIUM_PAID]}
    for log in await chain.rpc("eth_getLogs", [asked | where]):
        number = log["blockNumber"]
        if number not in times:
            times[number] = moment_of((await chain.block(int(number, 16)))[2])
        tx, amount = bytes.fromhex(log["transactionHash"][2:]), int(log["data"], 16)
        found.paid[bytes.fromhex(log["topics"][1][2:])] = (tx, times[number], amount)
    return found


@dataclass
class Judge:
    """One look."""

    playing: Playing
    owner: asyncpg.Connection
    chain: OnChain
    stands: dict[str, dict[bytes, int]]
    orders: dict[bytes, Any]
    claims: dict[bytes, Any]
    end: bool

    def wrong(self, what: str) -> None:
        """For all to see."""
        self.playing.record.complain(what)

    async def rules(self) -> None:
        """The product's own."""
        of, clock = self.playing.town.of, self.playing.town.clock
        for finding in await broken(self.owner, clock()):
            self.wrong(f"rule {finding.name}: {finding.subject}: {finding.said}")
        await reconcile(of.db, of.nodes, of.settings.chain, clock)
        waits = FOR_PEOPLE if self.end else FOR_PEOPLE | NOT_YET
        for row in await self.owner.fetch(BREAKS):
            if row["type"] not in waits and not self._waits_in_the_pool(row):
                self.wrong(f"break {row['type']}: {row['subject']}: {row['said']}")

    def _waits_in_the_pool(self, row: Any) -> bool:
        """Whether an order is stuck whose payment is in no block: behind a transaction with a lower number,
        which a reorg took away and which comes back later, if at all."""
        paid = map(order_subject, self.chain.paid)
        return row["type"] == "ORDER_STUCK" and row["subject"] not in paid and not self.end

    async def money(self) -> None:
        """Whatever moved on the final chain is in the ledger, once."""
        held = await self.playing.town.chain.usdc_balance(self.playing.town.chain.treasury)
        balances = {row["id"]: row["balance"] for row in await self.owner.fetch(BALANCES)}
        if balances["TREASURY"] != held:
            self.wrong(f"the treasury holds {held}, and the ledger says {balances['TREASURY']}")
        booked: Counter[bytes] = Counter()
        for kind in IN_KINDS:
            for ref, stands in self.stands[kind].items():
                booked[ref[:32]] += stands
        for ref, stands in self.stands["PREMIUM"].items():
            tx = self.chain.paid[ref][0] if ref in self.chain.paid else b"no payment of " + ref
            booked[tx] += stands
        self._same("came", booked, self.chain.came)
        left: Counter[bytes] = Counter()
        for kind in OUT_KINDS:
            for ref, stands in self.stands[kind].items():
                left[ref[:32]] += stands
        self._same("left", left, self.chain.left)

    def _same(self, what: str, booked: Counter[bytes], moved: dict[bytes, list[tuple[bytes, int]]]) -> None:
        for tx in booked.keys() | moved.keys():
            there = sum(amount for _, amount in moved.get(tx, []))
            if booked[tx] != there:
                self.wrong(f"{what} {to_hex(tx)}: {there} on chain, {booked[tx]} in the ledger")

    def covers(self) -> None:
        """Each order is what the chain says of it."""
        for life in self.playing.record.orders():
            row, paid = self.orders.get(life.ref), self.chain.paid.get(life.ref)
            if row is None:
                self.wrong(f"an order that was answered is gone: {to_hex(life.ref)}")
                continue
            if paid is None:
                if row["status"] in ("ACTIVE", "EXPIRED"):
                    self.wrong(f"{row['status']} without a payment: {to_hex(life.ref)}")
                continue
            self._covered(life, row, paid)

    def _covered(self, life: Life, row: Any, paid: tuple[bytes, datetime, int]) -> None:
        (tx, at, amount), blocks = paid, self.playing.town.blocks
        stood_until = blocks.stood_until.get(tx, at)
        if amount != row["premium_amount"]:
            self.wrong(f"paid {amount} for {to_hex(life.ref)}, whose premium is {row['premium_amount']}")
        if row["status"] in ("ACTIVE", "EXPIRED"):
            delay = timedelta(seconds=(life.order or {})["coverageDelaySec"])
            if row["coverage_start_at"] != at + delay or row["pay_tx_hash"] != tx:
                self.wrong(
                    f"{to_hex(life.ref)} was paid at {at} by {to_hex(tx)}, and its row says {dict(row)}"
                )
            if life.cover is not None:
                length = life.cover.end - life.cover.start
                life.cover.start, life.cover.end = at + delay, at + delay + length
        elif row["status"] != "CANCELLED":
            self.wrong(f"{row['status']} although its payment {to_hex(tx)} is final: {to_hex(life.ref)}")
        elif not (life.cancel_asked or tx in blocks.left_the_chain or stood_until > row["pay_before"]):
            self.wrong(f"cancelled, although it was paid in time and never left: {to_hex(life.ref)}")

    def is_covered(self, life: Life) -> bool:
        """Whether its payment covers it."""
        row = self.orders.get(life.ref)
        return life.ref in self.chain.paid and row is not None and row["status"] in ("ACTIVE", "EXPIRED")

    def owed(self, life: Life) -> int:
        """What is truly owed for it."""
        return life.cover.to_be_paid() if life.cover is not None and self.is_covered(life) else 0

    def nothing_is_risked(self) -> None:
        """Behind a cover whose position is open stands its payout, behind another what is owed; and nobody
        has been promised more than that."""
        now = self.playing.town.clock()
        for life in self.playing.record.orders():
            if life.cover is None or not self.is_covered(life):
                continue
            held, owed = self.stands["HELD"].get(life.ref, 0), self.owed(life)
            runs = now < life.cover.end and life.position.contracts > 0 and not life.over
            if held < (life.cover.payout if runs else owed) or held > life.cover.payout:
                self.wrong(f"{held} is held for {life.cover}, {owed} is owed")
            if self.stands["CLAIM"].get(life.ref, 0) > owed:
                self.wrong(f"more than {owed} was approved for {life.cover}: {self.claims.get(life.ref)}")

    def claims_are_right(self) -> None:
        """At the end: each that is payable was paid, to the micro-USDC, and no other."""
        for life in self.playing.record.orders():
            claim, owed = self.claims.get(life.ref), self.owed(life)
            approved = claim["approved_amount"] if claim is not None else 0
            status = claim["status"] if claim is not None else None
            if approved != owed or (status == "PAID") != (owed > 0):
                self.wrong(f"owed {owed} for {life.cover}, and the claim is {claim and dict(claim)}")

    def everybody_has_it(self) -> None:
        """At the end: what each wallet got out of the treasury is what it was owed and what paid no order."""
        due: Counter[bytes] = Counter()
        for life in self.playing.record.orders():
            due[life.holder.wallet.address] += self.owed(life)
        premiums = {
            self.chain.paid[ref][0]: n
            for ref, n in self.stands["PREMIUM"].items()
            if n and ref in self.chain.paid
        }
        for tx, moves in self.chain.came.items():
            for sender, amount in moves:
                due[sender] += amount
            for sender, _ in moves[:1]:
                due[sender] -= premiums.get(tx, 0)
        withdrawn = self.playing.town.chain.wallets[0].address
        got: Counter[bytes] = Counter()
        for moves in self.chain.left.values():
            for recipient, amount in moves:
                got[recipient] += amount
        for who in (due.keys() | got.keys()) - {withdrawn}:
            if due[who] != got[who]:
                self.wrong(f"{to_hex(who)} is due {due[who]} in all and got {got[who]}")


async def judge(playing: Playing, end: bool) -> None:
    """Every look at once."""
    owner = await playing.town.server.owner()
    try:
        chain = await shown(playing.town.chain)
        stands: dict[str, dict[bytes, int]] = defaultdict(dict)
        for row in await owner.fetch(STANDS):
            stands[row["kind"]][bytes(row["ref"])] = row["stands"]
        orders = {bytes(row["ref"]): row for row in await owner.fetch(ORDERS)}
        claims = {bytes(row["ref"]): row for row in await owner.fetch(CLAIMS)}
        look = Judge(playing, owner, chain, stands, orders, claims, end)
        await look.rules()
        await look.money()
        look.covers()
        look.nothing_is_risked()
        for what in await broken_promises(owner, playing.record.promised):
            look.wrong(what)
        if end:
            look.claims_are_right()
            look.everybody_has_it()
        playing.record.counts["looks"] += 1
    finally:
        await owner.close()
