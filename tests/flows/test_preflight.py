"""POST …/orders/{id}/preflight: what would stop a payment is said before the wallet asks."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from liqpass.chain.reverts import ERRORS
from liqpass.hexes import checksum, to_hex
from liqpass.money import usd
from liqpass.sandbox.anvil import Wallet, encode_call, wallet
from liqpass.sandbox.chain import USDC
from liqpass.sandbox.trader import calls_of
from tests.chain.ways_of_reverting import WITH_DATA, WITH_NOTHING, WITH_WORDS, Way
from tests.contracts.actors import ABI, as_owner
from tests.flows.newcomers import Newcomer, new_wallet, newcomer
from tests.world import TestWorld

Order = dict[str, Any]
EVERY_WAY = WITH_DATA | {f"words: {name}": way for name, way in WITH_WORDS.items()}
EVERY_WAY |= {f"nothing: {name}": way for name, way in WITH_NOTHING.items()}


@pytest.fixture
async def trader(town: TestWorld) -> AsyncIterator[Newcomer]:
    """Somebody who has not asked yet."""
    async with newcomer(town) as somebody:
        yield somebody


@pytest.fixture
async def order(trader: Newcomer) -> Order:
    """The trader's draft."""
    return await trader.order()


@pytest.fixture
async def payer(town: TestWorld) -> Wallet:
    """With ether and USDC, and nothing approved."""
    return await new_wallet(town)


@pytest.fixture
async def calm(town: TestWorld) -> AsyncIterator[None]:
    """What a test does to the chain, and to how its endpoint speaks, is undone."""
    snapshot = await town.chain.snapshot()
    yield
    town.node.retell = None
    await town.chain.revert(snapshot)


async def ask(who: Newcomer, order: Order, payer: Wallet) -> dict[str, Any]:
    path = f"/api/insurance/orders/{order['purchaseOrderId']}/preflight"
    answer: dict[str, Any] = await who.trader.call("POST", path, {"payer": to_hex(payer.address)})
    return answer


async def codes(who: Newcomer, order: Order, payer: Wallet, *, blocking: bool = True) -> list[str]:
    found = (await ask(who, order, payer))["obstacles"]
    return [one["code"] for one in found if one["blocking"] is blocking]


async def approve(world: TestWorld, order: Order, payer: Wallet) -> None:
    call = calls_of(order)[0]
    await world.chain.transact(payer, call.to, call.data)


async def test_nothing_stops_who_has_usdc_and_ether(
    town: TestWorld, trader: Newcomer, order: Order, payer: Wallet, calm: None
) -> None:
    said = await ask(trader, order, payer)
    assert said == {
        "obstacles": [],
        "balanceAmount": str(10_000 * USDC),
        "allowanceAmount": "0",
        "needsApproval": True,
        "permit": True,
    }
    await approve(town, order, payer)
    said = await ask(trader, order, payer)
    assert (said["allowanceAmount"], said["needsApproval"]) == (order["premiumAmount"], False)
    assert said["obstacles"] == []


@pytest.mark.parametrize("approved", [True, False])
async def test_a_balance_too_low_says_how_much_is_missing(
    town: TestWorld, trader: Newcomer, order: Order, payer: Wallet, calm: None, approved: bool
) -> None:
    if approved:
        await approve(town, order, payer)
    premium = int(order["premiumAmount"])
    await town.chain.transfer(payer, town.chain.wallets[0].address, 10_000 * USDC - premium + 1)
    (said,) = (await ask(trader, order, payer))["obstacles"]
    assert (said["code"], said["blocking"]) == ("BALANCE_TOO_LOW", True)
    assert said["values"] == {
        "haveUsd": usd(premium - 1),
        "needUsd": usd(premium),
        "missingUsd": "0.000001",
    }
    assert usd(premium - 1) in said["detail"]


@pytest.mark.parametrize("way", EVERY_WAY.values(), ids=EVERY_WAY)
async def test_who_has_not_approved_yet_can_pay_however_a_node_says_that_it_reverts(
    town: TestWorld, trader: Newcomer, order: Order, payer: Wallet, calm: None, way: Way
) -> None:
    town.node.retell = way
    said = await ask(trader, order, payer)
    assert (said["obstacles"], said["needsApproval"], said["permit"]) == ([], True, True)
    await approve(town, order, payer)
    said = await ask(trader, order, payer)
    assert (said["obstacles"], said["needsApproval"]) == ([], False)


@pytest.mark.parametrize("way", WITH_DATA.values(), ids=WITH_DATA)
async def test_a_refusal_of_our_contract_has_its_code_wherever_a_node_puts_the_data(
    town: TestWorld, trader: Newcomer, order: Order, payer: Wallet, calm: None, way: Way
) -> None:
    await as_owner(town.chain, "setSigner(address)", wallet("another signer").address)
    town.node.retell = way
    assert await codes(trader, order, payer) == ["QUOTE_NOT_ACCEPTED"]


async def test_a_refusal_without_a_reason_is_said_once_it_cannot_be_the_allowance(
    town: TestWorld, trader: Newcomer, order: Order, payer: Wallet, calm: None
) -> None:
    await approve(town, order, payer)
    await as_owner(town.chain, "setSigner(address)", wallet("another signer").address)
    town.node.retell = WITH_NOTHING["empty data"]
    (said,) = (await ask(trader, order, payer))["obstacles"]
    assert (said["code"], said["blocking"]) == ("WOULD_FAIL", True)
    assert said["values"] == {"words": "the contract gives no reason"}


@pytest.mark.parametrize("approved", [True, False])
async def test_whom_usdc_refuses_is_told_apart(
    town: TestWorld, trader: Newcomer, order: Order, payer: Wallet, calm: None, approved: bool
) -> None:
    chain = town.chain
    if approved:
        await approve(town, order, payer)
    for who, expected in (
        (payer.address, ["PAYER_BLACKLISTED"]),
        (chain.treasury, ["TREASURY_BLACKLISTED"]),
        (chain.checkout, ["WOULD_FAIL"]),
    ):
        await chain.blacklist(who)
        assert await codes(trader, order, payer) == expected
        await chain.unblacklist(who)
    assert await codes(trader, order, payer) == []


async def test_what_stands_still_is_said_all_at_once(
    town: TestWorld, trader: Newcomer, order: Order, payer: Wallet, calm: None
) -> None:
    await town.chain.pause_usdc()
    assert await codes(trader, order, payer) == ["USDC_PAUSED"]
    await as_owner(town.chain, "pause()")
    assert await codes(trader, order, payer) == ["CHECKOUT_PAUSED", "USDC_PAUSED"]


async def test_the_contracts_own_refusals_have_their_codes(
    town: TestWorld, trader: Newcomer, order: Order, payer: Wallet, calm: None
) -> None:
    chain = town.chain
    await as_owner(chain, "setSigner(address)", wallet("another signer").address)
    assert await codes(trader, order, payer) == ["QUOTE_NOT_ACCEPTED"]
    await as_owner(chain, "setSigner(address)", chain.signer.address)
    for call in calls_of(order):
        await chain.transact(chain.wallets[1], call.to, call.data)
    assert await codes(trader, order, payer) == ["ALREADY_PAID"]
    await chain.warp(3600)
    assert await codes(trader, order, payer) == ["QUOTE_EXPIRED"]


async def test_a_quote_is_over_by_our_clock_before_a_block_shows_it(town: TestWorld) -> None:
    async with newcomer(town) as somebody:
        late = await somebody.order()
        town.clock.advance(minutes=15)
        assert await codes(somebody, late, town.chain.wallets[2]) == []
        town.clock.advance(seconds=1)
        assert await codes(somebody, late, town.chain.wallets[2]) == ["QUOTE_EXPIRED"]


async def test_any_other_refusal_is_said_in_the_tokens_words(
    town: TestWorld, trader: Newcomer, order: Order, payer: Wallet, calm: None
) -> None:
    words = "Blacklistable: account is blacklisted"
    await town.chain.blacklist(town.chain.checkout)
    (said,) = (await ask(trader, order, payer))["obstacles"]
    assert said["values"] == {"words": words}
    assert said["detail"] == f"The payment would fail: {words}."


async def test_without_ether_it_can_be_tried_and_somebody_else_may_bear_the_fee(
    town: TestWorld, trader: Newcomer, order: Order, calm: None
) -> None:
    poor = wallet("has no ether")
    await town.chain.mint(poor.address, 10_000 * USDC)
    assert await codes(trader, order, poor, blocking=False) == ["NO_ETH"]
    assert await codes(trader, order, poor) == []


async def test_a_contract_signs_no_permit(
    town: TestWorld, trader: Newcomer, order: Order, payer: Wallet, calm: None
) -> None:
    assert (await ask(trader, order, payer))["permit"] is True
    await town.chain.rpc("anvil_setCode", [to_hex(payer.address), "0x60006000fd"])
    assert (await ask(trader, order, payer))["permit"] is False


async def test_a_node_that_does_not_answer_is_no_obstacle(
    town: TestWorld, trader: Newcomer, order: Order, payer: Wallet, calm: None
) -> None:
    path = f"/api/insurance/orders/{order['purchaseOrderId']}/preflight"
    body = {"payer": to_hex(payer.address)}
    for knob in ("unavailable", "html", "rate_limited"):
        setattr(town.node, knob, True)
        try:
            assert await trader.refusal("POST", path, body) == (503, "NODE_UNAVAILABLE"), knob
        finally:
            setattr(town.node, knob, False)


async def test_what_is_no_own_draft_is_not_tried(
    town: TestWorld, trader: Newcomer, order: Order, payer: Wallet, calm: None
) -> None:
    body = {"payer": checksum(payer.address)}
    own = f"/api/insurance/orders/{order['purchaseOrderId']}/preflight"
    async with newcomer(town) as somebody:
        assert await somebody.refusal("POST", own, body) == (404, "ORDER_NOT_FOUND")
        other = await somebody.order()
        await somebody.trader.call(
            "POST", "/api/insurance/cancel", {"purchaseOrderId": other["purchaseOrderId"]}
        )
        cancelled = f"/api/insurance/orders/{other['purchaseOrderId']}/preflight"
        assert await somebody.refusal("POST", cancelled, body) == (409, "ORDER_NOT_PAYABLE")
    for bad in ("", "0x12", to_hex(payer.address)[:-1] + "g", "0x5B" + "5b" * 19):
        refused = await trader.refusal("POST", own, {"payer": bad})
        assert refused == (400, "INVALID_FIELD"), bad
    assert await trader.refusal("POST", own, {}) == (400, "MISSING_FIELDS")


async def test_nobody_asks_the_nodes_without_end(town: TestWorld, payer: Wallet) -> None:
    async with newcomer(town) as somebody:
        order = await somebody.order()
        path = f"/api/insurance/orders/{order['purchaseOrderId']}/preflight"
        body = {"payer": to_hex(payer.address)}
        for _ in range(30):
            await somebody.trader.call("POST", path, body)
        assert await somebody.refusal("POST", path, body) == (429, "TOO_MANY_REQUESTS")
        town.clock.advance(seconds=2)
        await somebody.trader.call("POST", path, body)


def test_every_error_of_the_contract_is_known_by_its_name() -> None:
    errors = [
        f"{one['name']}({','.join(i['type'] for i in one['inputs'])})"
        for one in ABI
        if one["type"] == "error"
    ]
    assert sorted(errors) == sorted(ERRORS)
    assert encode_call("EnforcedPause()").hex() == "d93c0665"
