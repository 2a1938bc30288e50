"""What is written and read by offset equals what the general libraries write and read."""

from collections.abc import Callable
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak
from eth_keys.datatypes import Signature
from hypothesis import given
from hypothesis import strategies as st

from liqpass.chain.checkout import (
    PREMIUM_PAID_TOPIC,
    TRANSFER_TOPIC,
    BadLogError,
    Call,
    LogPlace,
    PremiumPaid,
    UsdcTransfer,
    address_of,
    decode_premium_paid,
    decode_transfer,
    payment_calls,
    quote_digest,
    sign_quote,
)

CHECKOUT = bytes.fromhex("c0" * 20)
USDC = bytes.fromhex("dc" * 20)
PAYER = bytes.fromhex("ab" * 20)
TREASURY = bytes.fromhex("7e" * 20)
ORDER = bytes.fromhex("0d" * 32)
PLACE = LogPlace(
    block_number=0x1A2B,
    block_hash=bytes.fromhex("b1" * 32),
    tx_hash=bytes.fromhex("77" * 32),
    log_index=3,
)
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0

uint256 = st.integers(min_value=0, max_value=2**256 - 1)
word32 = st.binary(min_size=32, max_size=32)
word20 = st.binary(min_size=20, max_size=20)
keys = st.integers(min_value=1, max_value=2**255).map(lambda n: n.to_bytes(32, "big"))
quotes = st.fixed_dictionaries(
    {
        "chain_id": st.integers(min_value=1, max_value=2**64),
        "checkout": word20,
        "order_id": word32,
        "amount": uint256,
        "deadline": uint256,
    }
)


def log(contract: bytes, *topics: bytes, data: bytes) -> dict[str, Any]:
    """A log as a node writes it into JSON."""
    return {
        "address": "0x" + contract.hex(),
        "topics": ["0x" + topic.hex() for topic in topics],
        "data": "0x" + data.hex(),
        "blockNumber": hex(PLACE.block_number),
        "blockHash": "0x" + PLACE.block_hash.hex(),
        "transactionHash": "0x" + PLACE.tx_hash.hex(),
        "transactionIndex": "0x0",
        "logIndex": hex(PLACE.log_index),
        "removed": False,
    }


def paid_log() -> dict[str, Any]:
    payer = PAYER.rjust(32, b"\0")
    return log(CHECKOUT, PREMIUM_PAID_TOPIC, ORDER, payer, data=(3_000_000).to_bytes(32, "big"))


def transfer_log() -> dict[str, Any]:
    ends = PAYER.rjust(32, b"\0"), TREASURY.rjust(32, b"\0")
    return log(USDC, TRANSFER_TOPIC, *ends, data=(3_000_000).to_bytes(32, "big"))


@given(keys, quotes)
def test_a_quote_is_hashed_as_eth_account_hashes_it(key: bytes, quote: dict[str, Any]) -> None:
    account = Account.from_key(key)
    message = {key: quote[key] for key in ("amount", "deadline")} | {"purchaseOrderId": quote["order_id"]}
    typed = encode_typed_data(
        domain_data={
            "name": "LiqPass Premium Checkout",
            "version": "1",
            "chainId": quote["chain_id"],
            "verifyingContract": "0x" + quote["checkout"].hex(),
        },
        message_types={
            "Quote": [
                {"name": "purchaseOrderId", "type": "bytes32"},
                {"name": "amount", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ]
        },
        message_data=message,
    )
    assert quote_digest(**quote) == keccak(b"\x19" + typed.version + typed.header + typed.body)
    signature = sign_quote(key, **quote)
    assert Account.recover_message(typed, signature=signature) == account.address
    assert address_of(key) == bytes.fromhex(account.address[2:])


@given(keys, quotes)
def test_a_signature_is_65_bytes_with_a_low_s_and_v_27_or_28(key: bytes, quote: dict[str, Any]) -> None:
    signature = sign_quote(key, **quote)
    assert len(signature) == 65
    assert int.from_bytes(signature[32:64], "big") <= HALF_ORDER
    assert signature[64] in (27, 28)
    recoverable = Signature(signature[:64] + bytes([signature[64] - 27]))
    signer = recoverable.recover_public_key_from_msg_hash(quote_digest(**quote))
    assert signer.to_canonical_address() == address_of(key)


@given(keys, quotes)
def test_the_same_quote_gives_the_same_signature(key: bytes, quote: dict[str, Any]) -> None:
    assert sign_quote(key, **quote) == sign_quote(key, **quote)


@given(quotes, st.sampled_from(["chain_id", "checkout", "order_id", "amount", "deadline"]))
def test_a_quote_with_anything_else_in_it_has_another_digest(quote: dict[str, Any], field: str) -> None:
    old = quote[field]
    new = bytes([old[0] ^ 1]) + old[1:] if isinstance(old, bytes) else old ^ 1
    assert quote_digest(**quote) != quote_digest(**{**quote, field: new})


@pytest.mark.parametrize(("checkout", "order_id"), [(CHECKOUT[1:], ORDER), (CHECKOUT, ORDER[1:]), (b"", b"")])
def test_a_checkout_or_an_order_id_of_the_wrong_length_is_refused(checkout: bytes, order_id: bytes) -> None:
    with pytest.raises(ValueError, match="20 bytes"):
        quote_digest(8453, checkout, order_id, 1, 1)


@pytest.mark.parametrize("key", [bytes(32), b"\xff" * 32, b"", b"\x01", b"\x01" * 31, b"\x01" * 33])
def test_what_is_no_private_key_has_no_address_and_signs_nothing(key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        address_of(key)
    with pytest.raises(ValueError, match="32 bytes"):
        sign_quote(key, chain_id=1, checkout=CHECKOUT, order_id=ORDER, amount=1, deadline=1)


@given(word20, word20, word32, uint256, uint256, st.binary(max_size=200))
def test_payment_calls_are_what_the_general_encoder_writes(
    usdc: bytes, checkout: bytes, order_id: bytes, amount: int, deadline: int, signature: bytes
) -> None:
    approve, pay = payment_calls(
        usdc, checkout=checkout, order_id=order_id, amount=amount, deadline=deadline, signature=signature
    )
    approving = keccak(b"approve(address,uint256)")[:4] + encode(["address", "uint256"], [checkout, amount])
    paying = keccak(b"payPremium(bytes32,uint256,uint256,bytes)")[:4] + encode(
        ["bytes32", "uint256", "uint256", "bytes"], [order_id, amount, deadline, signature]
    )
    assert approve == Call(to=usdc, data=approving, value=0)
    assert pay == Call(to=checkout, data=paying, value=0)


def test_a_premium_paid_log_is_read() -> None:
    assert decode_premium_paid(paid_log(), CHECKOUT) == PremiumPaid(
        place=PLACE, purchase_order_id=ORDER, payer=PAYER, amount=3_000_000
    )


def test_a_usdc_transfer_log_is_read() -> None:
    assert decode_transfer(transfer_log(), USDC) == UsdcTransfer(
        place=PLACE, sender=PAYER, recipient=TREASURY, amount=3_000_000
    )


def test_hexadecimal_in_upper_case_is_the_same_log() -> None:
    shouted = paid_log()
    for field in ("address", "data", "blockHash", "transactionHash", "blockNumber"):
        shouted[field] = "0x" + shouted[field][2:].upper()
    assert decode_premium_paid(shouted, CHECKOUT) == decode_premium_paid(paid_log(), CHECKOUT)


def test_a_log_without_the_removed_field_is_read_and_so_is_one_where_it_is_null() -> None:
    plain = paid_log()
    del plain["removed"]
    assert decode_premium_paid(plain, CHECKOUT).amount == 3_000_000
    assert decode_premium_paid({**plain, "removed": None}, CHECKOUT).amount == 3_000_000


DECODERS: list[tuple[Callable[[object, bytes], object], dict[str, Any], bytes]] = [
    (decode_premium_paid, paid_log(), CHECKOUT),
    (decode_transfer, transfer_log(), USDC),
]
BYTES_FIELDS = ("address", "data", "blockHash", "transactionHash")
NOT_BYTES: list[object] = [None, 7, "", "0x", "00" * 33, "0x" + "0g" * 32, "0x" + " " * 64, "0X" + "00" * 32]
NOT_QUANTITIES: list[object] = [
    None,
    7,
    "",
    "0x",
    "1a",
    "0x-1",
    "0x1_0",
    "0x 1",
    "0xzz",
    "0x" + "f" * 65,
    True,
]


@pytest.mark.parametrize(("decode", "good", "contract"), DECODERS)
@pytest.mark.parametrize("field", BYTES_FIELDS)
@pytest.mark.parametrize("bad", NOT_BYTES)
def test_a_log_with_a_field_that_is_not_those_bytes_is_refused(
    decode: Callable[[object, bytes], object], good: dict[str, Any], contract: bytes, field: str, bad: object
) -> None:
    with pytest.raises(BadLogError):
        decode({**good, field: bad}, contract)


@pytest.mark.parametrize(("decode", "good", "contract"), DECODERS)
@pytest.mark.parametrize("field", ["blockNumber", "logIndex"])
@pytest.mark.parametrize("bad", NOT_QUANTITIES)
def test_a_log_with_a_number_that_is_none_is_refused(
    decode: Callable[[object, bytes], object], good: dict[str, Any], contract: bytes, field: str, bad: object
) -> None:
    with pytest.raises(BadLogError):
        decode({**good, field: bad}, contract)


@pytest.mark.parametrize(("decode", "good", "contract"), DECODERS)
@pytest.mark.parametrize("field", [*BYTES_FIELDS, "blockNumber", "logIndex", "topics"])
def test_a_log_that_lacks_a_field_is_refused(
    decode: Callable[[object, bytes], object], good: dict[str, Any], contract: bytes, field: str
) -> None:
    with pytest.raises(BadLogError):
        decode({name: value for name, value in good.items() if name != field}, contract)


@pytest.mark.parametrize(("decode", "good", "contract"), DECODERS)
@pytest.mark.parametrize("removed", [True, "false", 1])
def test_a_removed_log_is_refused(
    decode: Callable[[object, bytes], object], good: dict[str, Any], contract: bytes, removed: object
) -> None:
    with pytest.raises(BadLogError):
        decode({**good, "removed": removed}, contract)


@pytest.mark.parametrize(("decode", "good", "contract"), DECODERS)
def test_the_same_event_of_another_contract_is_refused(
    decode: Callable[[object, bytes], object], good: dict[str, Any], contract: bytes
) -> None:
    with pytest.raises(BadLogError):
        decode(good, bytes.fromhex("ee" * 20))


@pytest.mark.parametrize(("decode", "good", "contract"), DECODERS)
def test_topics_of_another_shape_are_refused(
    decode: Callable[[object, bytes], object], good: dict[str, Any], contract: bytes
) -> None:
    first, second, third = good["topics"]
    other = "0x" + "11" * 32
    for topics in (
        None,
        "topics",
        [],
        [first, second],
        [first, second, third, third],
        [other, second, third],
    ):
        with pytest.raises(BadLogError):
            decode({**good, "topics": topics}, contract)
    for topics in (
        [first, second, "0x" + "ff" * 32],
        [first, second, None],
        [first, second, "0x" + "00" * 31],
    ):
        with pytest.raises(BadLogError):
            decode({**good, "topics": topics}, contract)


@pytest.mark.parametrize("bad", [None, 1, "log", [], [("address", "0x")]])
def test_what_is_no_object_is_refused(bad: object) -> None:
    for decode, _, contract in DECODERS:
        with pytest.raises(BadLogError):
            decode(bad, contract)


def test_one_event_is_not_read_as_the_other() -> None:
    with pytest.raises(BadLogError):
        decode_transfer(paid_log(), CHECKOUT)
    with pytest.raises(BadLogError):
        decode_premium_paid(transfer_log(), USDC)
