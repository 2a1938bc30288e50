"""Any sequence of what people can do to a checkout, beside a small model that says what must come out."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from liqpass.chain.checkout import PREMIUM_PAID_TOPIC, decode_premium_paid
from liqpass.hexes import to_hex
from liqpass.sandbox.anvil import RevertedError, Wallet, wallet
from liqpass.sandbox.chain import SandboxChain
from tests.contracts.actors import Quote, approve, as_owner, is_paid, new_quote

SIGNERS = [wallet("quote signer"), wallet("second quote signer")]
PAYERS = [wallet(f"trader {n}") for n in (1, 2, 3)]
POOR = PAYERS[2]


class World:
    """One chain for all runs, driven from synchronous rules."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.chain = SandboxChain(wallets=len(PAYERS))
        self.do(self.chain.__aenter__())
        for payer in PAYERS:
            self.do(approve(self.chain, payer))
        everything = self.do(self.chain.usdc_balance(POOR.address))
        self.do(self.chain.transfer(POOR, SIGNERS[0].address, everything - 5))

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        self.do(self.chain.__aexit__(None, None, None))
        self.loop.close()


class CheckoutMachine(RuleBasedStateMachine):
    """The model: who is signer, is it paused, what is paid, what lies where it should not."""

    quotes = Bundle("quotes")
    world: World

    def __init__(self) -> None:
        super().__init__()
        self.chain, self.do = self.world.chain, self.world.do
        self.snapshot = self.do(self.chain.snapshot())
        self.first_block = self.do(self.chain.block_number())
        self.money = {one.address: self.do(self.chain.usdc_balance(one.address)) for one in PAYERS}
        self.signer, self.paused, self.usdc_paused = SIGNERS[0], False, False
        self.paid: list[tuple[bytes, bytes, int]] = []
        self.stray = self.rescued = 0
        self.blacklisted: set[bytes] = set()

    def teardown(self) -> None:
        self.do(self.chain.revert(self.snapshot))

    @rule(target=quotes, amount=st.integers(0, 9), signer=st.sampled_from(SIGNERS))
    def quote(self, amount: int, signer: Wallet) -> tuple[Quote, Wallet]:
        fresh = self.do(new_quote(self.chain, amount))
        return fresh.signed(self.chain, key=signer.key), signer

    @rule(target=quotes, quote=quotes, more=st.integers(1, 9))
    def change_the_amount_of_a_quote(self, quote: tuple[Quote, Wallet], more: int) -> tuple[Quote, Wallet]:
        return replace(quote[0], amount=quote[0].amount + more), wallet("nobody")

    @rule(quote=quotes, payer=st.sampled_from(PAYERS))
    def pay(self, quote: tuple[Quote, Wallet], payer: Wallet) -> None:
        wanted, signer = quote
        allowed = (
            not self.paused
            and not self.usdc_paused
            and wanted.amount > 0
            and signer == self.signer
            and wanted.order_id not in {order_id for order_id, _, _ in self.paid}
            and self.do(self.chain.block())[2] <= wanted.deadline
            and payer.address not in self.blacklisted
            and self.money[payer.address] >= wanted.amount
        )
        try:
            self.do(self.chain.transact(payer, self.chain.checkout, wanted.data()))
        except RevertedError:
            assert not allowed
            return
        assert allowed
        self.money[payer.address] -= wanted.amount
        self.paid.append((wanted.order_id, payer.address, wanted.amount))

    @rule()
    def pause_or_unpause(self) -> None:
        self.do(as_owner(self.chain, "unpause()" if self.paused else "pause()"))
        self.paused = not self.paused

    @rule()
    def circle_pauses_or_unpauses(self) -> None:
        self.do(self.chain.unpause_usdc() if self.usdc_paused else self.chain.pause_usdc())
        self.usdc_paused = not self.usdc_paused

    @rule(payer=st.sampled_from(PAYERS))
    def circle_blacklists_or_forgives(self, payer: Wallet) -> None:
        forgive = payer.address in self.blacklisted
        self.do((self.chain.unblacklist if forgive else self.chain.blacklist)(payer.address))
        self.blacklisted ^= {payer.address}

    @rule(signer=st.sampled_from(SIGNERS))
    def change_the_signer(self, signer: Wallet) -> None:
        self.do(as_owner(self.chain, "setSigner(address)", signer.address))
        self.signer = signer

    @rule(amount=st.integers(0, 9))
    def money_goes_astray(self, amount: int) -> None:
        try:
            self.do(self.chain.transfer(PAYERS[0], self.chain.checkout, amount))
        except RevertedError:
            assert self.usdc_paused or PAYERS[0].address in self.blacklisted
            return
        self.money[PAYERS[0].address] -= amount
        self.stray += amount

    @rule()
    def rescue(self) -> None:
        try:
            self.do(as_owner(self.chain, "rescue(address)", self.chain.usdc))
        except RevertedError:
            assert self.usdc_paused
            return
        self.stray, self.rescued = 0, self.rescued + self.stray

    @rule(seconds=st.sampled_from([60, 901]))
    def time_passes(self, seconds: int) -> None:
        self.do(self.chain.warp(seconds))

    @invariant()
    def all_money_is_where_the_model_says(self) -> None:
        premiums = sum(amount for _, _, amount in self.paid)
        assert self.do(self.chain.usdc_balance(self.chain.treasury)) == premiums + self.rescued
        assert self.do(self.chain.usdc_balance(self.chain.checkout)) == self.stray
        for address, amount in self.money.items():
            assert self.do(self.chain.usdc_balance(address)) == amount

    @invariant()
    def the_events_are_the_payments(self) -> None:
        wanted = {
            "address": to_hex(self.chain.checkout),
            "topics": [to_hex(PREMIUM_PAID_TOPIC)],
            "fromBlock": hex(self.first_block),
        }
        logs = self.do(self.chain.rpc("eth_getLogs", [wanted]))
        events = [decode_premium_paid(log, self.chain.checkout) for log in logs]
        assert [(one.purchase_order_id, one.payer, one.amount) for one in events] == self.paid
        assert all(self.do(is_paid(self.chain, order_id)) for order_id, _, _ in self.paid)


def test_whatever_people_do_each_order_is_paid_once_and_all_money_is_accounted_for() -> None:
    world = World()
    try:
        machine = type("Machine", (CheckoutMachine,), {"world": world})
        bounded = settings(
            max_examples=15,
            stateful_step_count=20,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        )
        run_state_machine_as_test(machine, settings=bounded)
    finally:
        world.close()
