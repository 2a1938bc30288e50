"""Paying with a permit: one signature, one transaction, with the real USDC."""

from typing import Any

import pytest
from eth_account import Account

from liqpass.hexes import checksum, to_hex
from liqpass.sandbox.anvil import RevertedError, Wallet, encode_call
from liqpass.sandbox.trader import calls_of
from tests.chain.ways_of_reverting import WITH_NOTHING
from tests.contracts.actors import PERMIT_FUNCTION
from tests.contracts.delegating import REFUSES, SAYS_YES, delegate, stands
from tests.contracts.test_pay_premium_with_permit import PERMIT
from tests.flows.newcomers import Newcomer, new_wallet
from tests.signin.visitors import compact
from tests.world import TestWorld

Order = dict[str, Any]


def path(order: Order, call: str) -> str:
    return f"/api/insurance/orders/{order['purchaseOrderId']}/{call}"


async def get_permit(who: Newcomer, order: Order, payer: Wallet) -> dict[str, Any]:
    permit: dict[str, Any] = await who.trader.call(
        "POST", path(order, "permit"), {"payer": to_hex(payer.address)}
    )
    return permit


def signed(permit: dict[str, Any], signer: Wallet) -> str:
    """As a wallet answers eth_signTypedData_v4."""
    made = Account.sign_typed_data(signer.key, full_message=permit["typedData"])
    return to_hex(bytes(made.signature))


def body(payer: Wallet, permit: dict[str, Any], signature: str) -> dict[str, Any]:
    return {"payer": checksum(payer.address), "deadline": permit["deadline"], "signature": signature}


async def get_calls(who: Newcomer, order: Order, payer: Wallet) -> dict[str, Any]:
    permit = await get_permit(who, order, payer)
    answer: dict[str, Any] = await who.trader.call(
        "POST", path(order, "permit-calls"), body(payer, permit, signed(permit, payer))
    )
    return answer


async def test_one_signature_and_one_transaction_pay(world: TestWorld, alice: Newcomer) -> None:
    order, payer, chain = await alice.order(), await new_wallet(world), world.chain
    permit = await get_permit(alice, order, payer)
    assert permit["typedData"]["message"] == {
        "owner": checksum(payer.address),
        "spender": order["checkout"],
        "value": order["premiumAmount"],
        "nonce": "0",
        "deadline": str(permit["deadline"]),
    }
    before = await chain.usdc_balance(chain.treasury)
    (call,) = calls_of(await get_calls(alice, order, payer))
    await chain.transact(payer, call.to, call.data)
    assert await chain.usdc_balance(chain.treasury) == before + int(order["premiumAmount"])
    left = await chain.call(chain.usdc, "allowance(address,address)", payer.address, chain.checkout)
    assert not any(left)
    await world.confirm()
    assert await alice.status(order) == "ACTIVE"


async def test_the_call_is_what_an_abi_encoder_writes(world: TestWorld, alice: Newcomer) -> None:
    order, payer = await alice.order(), await new_wallet(world)
    permit = await get_permit(alice, order, payer)
    raw = bytes.fromhex(signed(permit, payer)[2:])
    (call,) = calls_of(await get_calls(alice, order, payer))
    pay = calls_of(order)[1].data
    order_id, amount, deadline, quote = pay[4:36], pay[36:68], pay[68:100], pay[164:229]
    number = int.from_bytes
    assert call.to == world.chain.checkout
    assert call.data == encode_call(
        PERMIT_FUNCTION,
        order_id,
        number(amount, "big"),
        number(deadline, "big"),
        quote,
        permit["deadline"],
        raw[64],
        raw[:32],
        raw[32:64],
    )


async def test_who_submits_the_permit_first_does_not_block_the_payment(
    world: TestWorld, alice: Newcomer
) -> None:
    order, payer, chain = await alice.order(), await new_wallet(world), world.chain
    permit = await get_permit(alice, order, payer)
    raw = bytes.fromhex(signed(permit, payer)[2:])
    (call,) = calls_of(await get_calls(alice, order, payer))
    amount = int(order["premiumAmount"])
    theirs = (payer.address, chain.checkout, amount, permit["deadline"], raw[64], raw[:32], raw[32:64])
    await chain.transact(chain.wallets[1], chain.usdc, encode_call(PERMIT, *theirs))
    await chain.transact(payer, call.to, call.data)
    await world.confirm()
    assert await alice.status(order) == "ACTIVE"


async def test_a_wallet_that_writes_v_as_zero_or_one_is_understood(world: TestWorld, alice: Newcomer) -> None:
    order, payer = await alice.order(), await new_wallet(world)
    permit = await get_permit(alice, order, payer)
    raw = bytes.fromhex(signed(permit, payer)[2:])
    low = to_hex(raw[:64] + bytes([raw[64] - 27]))
    asked = await alice.trader.call("POST", path(order, "permit-calls"), body(payer, permit, low))
    assert asked == await get_calls(alice, order, payer)


async def test_what_the_payer_did_not_sign_is_rejected(world: TestWorld, alice: Newcomer) -> None:
    order, payer = await alice.order(), await new_wallet(world)
    here = path(order, "permit-calls")
    permit = await get_permit(alice, order, payer)
    rejected = (422, "PERMIT_REJECTED")
    by_other = body(payer, permit, signed(permit, alice.trader.wallet))
    assert await alice.refusal("POST", here, by_other) == rejected
    for part, value in (("value", "1"), ("nonce", "1"), ("spender", checksum(payer.address))):
        message = permit["typedData"]["message"] | {part: value}
        other = permit | {"typedData": permit["typedData"] | {"message": message}}
        assert await alice.refusal("POST", here, body(payer, permit, signed(other, payer))) == rejected, part
    assert await alice.refusal("POST", here, body(payer, permit, "0x" + "00" * 65)) == rejected


@pytest.mark.parametrize("length", [0, 1, 64, 66, 700])
async def test_a_signature_that_no_key_makes_is_of_no_use_and_is_not_called_anothers(
    visitor: Newcomer, length: int
) -> None:
    order, payer = await visitor.order(), visitor.trader.wallet
    given = body(payer, await get_permit(visitor, order, payer), "0x" + "ab" * length)
    here = path(order, "permit-calls")
    assert await visitor.refusal("POST", here, given) == (409, "PERMIT_UNAVAILABLE")


async def test_a_compact_signature_pays(world: TestWorld, alice: Newcomer) -> None:
    order, payer = await alice.order(), await new_wallet(world)
    permit = await get_permit(alice, order, payer)
    given = body(payer, permit, compact(signed(permit, payer)))
    (call,) = calls_of(await alice.trader.call("POST", path(order, "permit-calls"), given))
    await world.chain.transact(payer, call.to, call.data)
    await world.confirm()
    assert await alice.status(order) == "ACTIVE"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("signature", "0x" + "ab" * 64 + "a", "INVALID_FIELD"),
        ("signature", "ab" * 66, "INVALID_FIELD"),
        ("signature", "0x" + "zz" * 65, "INVALID_FIELD"),
        ("deadline", 1, "INVALID_FIELD"),
        ("deadline", -1, "INVALID_FIELD"),
        ("deadline", "soon", "INVALID_FIELD"),
        ("payer", "0x12", "INVALID_FIELD"),
        ("payer", None, "INVALID_FIELD"),
    ],
)
async def test_a_malformed_field_is_named(visitor: Newcomer, field: str, value: object, code: str) -> None:
    order = await visitor.order()
    permit = await get_permit(visitor, order, visitor.trader.wallet)
    good = body(visitor.trader.wallet, permit, signed(permit, visitor.trader.wallet))
    url = visitor.trader.api + path(order, "permit-calls")
    async with visitor.trader.http.post(url, json=good | {field: value}) as said:
        document = await said.json(content_type=None)
    assert (document["code"], document["field"]) == (code, field)


async def test_a_contract_has_no_key_to_sign_with(world: TestWorld, alice: Newcomer) -> None:
    order, payer = await alice.order(), await new_wallet(world)
    await world.chain.rpc("anvil_setCode", [to_hex(payer.address), "0x60006000fd"])
    asked = {"payer": to_hex(payer.address)}
    assert await alice.refusal("POST", path(order, "permit"), asked) == (409, "PERMIT_UNAVAILABLE")


@pytest.mark.parametrize("code", [REFUSES, SAYS_YES])
async def test_an_account_that_delegates_is_offered_no_permit_and_approves(
    world: TestWorld, alice: Newcomer, code: str
) -> None:
    order, payer, chain = await alice.order(), await new_wallet(world), world.chain
    await delegate(chain, payer, await stands(chain, b"wallet's code".rjust(20), code))
    asked = {"payer": to_hex(payer.address)}
    said = await alice.trader.call("POST", path(order, "preflight"), asked)
    assert (said["permit"], said["needsApproval"], said["obstacles"]) == (False, True, [])
    assert await alice.refusal("POST", path(order, "permit"), asked) == (409, "PERMIT_UNAVAILABLE")
    for call in calls_of(order):
        await chain.transact(payer, call.to, call.data)
    await world.confirm()
    assert await alice.status(order) == "ACTIVE"


async def test_a_permit_that_was_signed_before_delegating_is_refused_before_it_is_sent(
    world: TestWorld, alice: Newcomer
) -> None:
    order, payer, chain = await alice.order(), await new_wallet(world), world.chain
    permit = await get_permit(alice, order, payer)
    given = body(payer, permit, signed(permit, payer))
    (call,) = calls_of(await alice.trader.call("POST", path(order, "permit-calls"), given))
    await delegate(chain, payer, await stands(chain, b"wallet's code".rjust(20), REFUSES))
    with pytest.raises(RevertedError):
        await chain.transact(payer, call.to, call.data)
    here = path(order, "permit-calls")
    assert await alice.refusal("POST", here, given) == (409, "PERMIT_UNAVAILABLE")


async def test_a_permit_that_a_node_refuses_without_a_reason_is_none(
    world: TestWorld, alice: Newcomer
) -> None:
    order, payer, chain = await alice.order(), await new_wallet(world), world.chain
    permit = await get_permit(alice, order, payer)
    given = body(payer, permit, signed(permit, payer))
    await chain.blacklist(chain.checkout)  # the transfer fails whatever is allowed
    world.node.retell = WITH_NOTHING["no data"]
    here = path(order, "permit-calls")
    assert await alice.refusal("POST", here, given) == (409, "PERMIT_UNAVAILABLE")


async def test_a_token_of_another_domain_takes_no_permit(world: TestWorld, alice: Newcomer) -> None:
    order, payer = await alice.order(), await new_wallet(world)
    domain = await world.chain.call(world.chain.usdc, "DOMAIN_SEPARATOR()")

    def another(method: str, params: list[Any], result: Any) -> Any:
        return "0x" + "ab" * 32 if result == to_hex(domain) else result

    world.node.rewrite = another
    asked = {"payer": to_hex(payer.address)}
    assert await alice.refusal("POST", path(order, "permit"), asked) == (409, "PERMIT_UNAVAILABLE")
    said = await alice.trader.call("POST", path(order, "preflight"), asked)
    assert (said["permit"], said["obstacles"]) == (False, [])


async def test_a_quote_that_ran_out_gets_no_permit(world: TestWorld, alice: Newcomer) -> None:
    order, payer = await alice.order(), await new_wallet(world)
    permit = await get_permit(alice, order, payer)
    world.clock.advance(minutes=16)
    asked = {"payer": to_hex(payer.address)}
    assert await alice.refusal("POST", path(order, "permit"), asked) == (409, "ORDER_NOT_PAYABLE")
    given = body(payer, permit, signed(permit, payer))
    assert await alice.refusal("POST", path(order, "permit-calls"), given) == (409, "ORDER_NOT_PAYABLE")
