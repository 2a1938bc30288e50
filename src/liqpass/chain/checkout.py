"""The wire of PremiumCheckout and USDC: quotes signed, payment calls written, logs read. Pure, no web3.

Every layout here is fixed (32-byte words), so it is written and read by offset: 300 times quicker than a
general ABI decoder, and nothing is accepted that does not have exactly this shape.
Amounts are micro-USDC, deadlines are unix seconds of block time.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NoReturn

from msgspec import Struct

from liqpass.keccak import keccak
from liqpass.secp256k1 import public_key, sign

DOMAIN_NAME = "LiqPass Premium Checkout"
DOMAIN_VERSION = "1"
DOMAIN_TYPEHASH = keccak(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
QUOTE_TYPEHASH = keccak(b"Quote(bytes32 purchaseOrderId,uint256 amount,uint256 deadline)")

APPROVE = keccak(b"approve(address,uint256)")[:4]
PAY_PREMIUM = keccak(b"payPremium(bytes32,uint256,uint256,bytes)")[:4]
PREMIUM_PAID_TOPIC = keccak(b"PremiumPaid(bytes32,address,uint256)")
TRANSFER_TOPIC = keccak(b"Transfer(address,address,uint256)")

_NO_ADDRESS = bytes(12)
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")


class BadLogError(ValueError):
    """A log that is not what was asked for: the node's whole answer is not to be trusted."""


class Call(Struct, frozen=True):
    """One call of EIP-5792's `wallet_sendCalls`. `value` is in wei."""

    to: bytes
    data: bytes
    value: int


# Hundreds of thousands of these live at once while the watcher catches up. They hold nothing that could lead
# back to them, so the garbage collector need not walk over them (a tenth of the watcher's time).


class LogPlace(Struct, frozen=True, gc=False):
    """Where a log stands in the chain."""

    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int


class PremiumPaid(Struct, frozen=True, gc=False):
    """The checkout took `amount` for this order and passed it to the treasury."""

    place: LogPlace
    purchase_order_id: bytes
    payer: bytes
    amount: int


class UsdcTransfer(Struct, frozen=True, gc=False):
    """USDC moved. An `amount` of zero is possible: anybody may send nothing to anybody."""

    place: LogPlace
    sender: bytes
    recipient: bytes
    amount: int


def word(value: int | bytes) -> bytes:
    """32 bytes: a number, or an address or hash set to the right."""
    return value.to_bytes(32, "big") if isinstance(value, int) else value.rjust(32, b"\0")


def address_of(key: bytes) -> bytes:
    """The 20-byte address of a 32-byte private key. Raises ValueError when it is none."""
    return keccak(public_key(key))[-20:]


@lru_cache(maxsize=16)  # a deployment has one or two
def domain_separator(chain_id: int, contract: bytes, name: str, version: str) -> bytes:
    """EIP-712's domain hash, for the four-field domain that both the checkout and USDC use."""
    return keccak(
        DOMAIN_TYPEHASH + keccak(name.encode()) + keccak(version.encode()) + word(chain_id) + word(contract)
    )


def quote_digest(chain_id: int, checkout: bytes, order_id: bytes, amount: int, deadline: int) -> bytes:
    """What is signed of a quote: good for this chain, this checkout, this order, amount and deadline only."""
    if len(checkout) != 20 or len(order_id) != 32:
        raise ValueError("A checkout has 20 bytes and an order id 32.")
    quote = keccak(QUOTE_TYPEHASH + order_id + word(amount) + word(deadline))
    return keccak(b"\x19\x01" + domain_separator(chain_id, checkout, DOMAIN_NAME, DOMAIN_VERSION) + quote)


def sign_quote(
    key: bytes, *, chain_id: int, checkout: bytes, order_id: bytes, amount: int, deadline: int
) -> bytes:
    """The quote's signature: 65 bytes r, s, v, with s in the lower half and v 27 or 28.

    The same quote gives the same signature (RFC 6979), so it need not be stored.
    """
    digest = quote_digest(chain_id, checkout, order_id, amount, deadline)
    signature, recovery_id = sign(key, digest)
    return signature + bytes([27 + recovery_id])


def payment_calls(
    usdc: bytes, *, checkout: bytes, order_id: bytes, amount: int, deadline: int, signature: bytes
) -> list[Call]:
    """The two calls that pay a quote: approve exactly the amount, then pay."""
    padded = signature + bytes(-len(signature) % 32)
    pay = PAY_PREMIUM + order_id + word(amount) + word(deadline) + word(128) + word(len(signature)) + padded
    return [
        Call(to=usdc, data=APPROVE + word(checkout) + word(amount), value=0),
        Call(to=checkout, data=pay, value=0),
    ]


def decode_premium_paid(log: object, checkout: bytes) -> PremiumPaid:
    """A raw `eth_getLogs` entry of the checkout. Raises BadLogError when it is anything else."""
    topics, amount, place = _event(log, checkout, PREMIUM_PAID_TOPIC)
    return PremiumPaid(place=place, purchase_order_id=topics[0], payer=_as_address(topics[1]), amount=amount)


def decode_transfer(log: object, usdc: bytes) -> UsdcTransfer:
    """A raw `eth_getLogs` entry of USDC. Raises BadLogError when it is anything else."""
    topics, amount, place = _event(log, usdc, TRANSFER_TOPIC)
    return UsdcTransfer(
        place=place, sender=_as_address(topics[0]), recipient=_as_address(topics[1]), amount=amount
    )


def _event(log: object, contract: bytes, topic: bytes) -> tuple[list[bytes], int, LogPlace]:
    """Both events have this shape: two indexed words after the topic, one word of data."""
    if not isinstance(log, dict | Mapping):  # a dict is seen at once, any other mapping by asking around
        _refuse("it is not an object")
    if log.get("removed") not in (None, False):
        _refuse("it is marked as removed")
    if _raw(log, "address", 20) != contract:
        _refuse("another contract wrote it")
    topics = log.get("topics")
    if not isinstance(topics, list) or len(topics) != 3:
        _refuse("it does not have three topics")
    words = [_bytes(text, "topic", 32) for text in topics]
    if words[0] != topic:
        _refuse("it is another event")
    place = LogPlace(
        block_number=_quantity(log, "blockNumber"),
        block_hash=_raw(log, "blockHash", 32),
        tx_hash=_raw(log, "transactionHash", 32),
        log_index=_quantity(log, "logIndex"),
    )
    return words[1:], int.from_bytes(_raw(log, "data", 32), "big"), place


def _as_address(topic: bytes) -> bytes:
    if topic[:12] != _NO_ADDRESS:
        _refuse("a topic is not an address")
    return topic[12:]


def _raw(log: Mapping[str, object], field: str, size: int) -> bytes:
    return _bytes(log.get(field), field, size)


def _bytes(text: object, field: str, size: int) -> bytes:
    # fromhex skips white space, so the length of the text is held as well as its digits
    if not isinstance(text, str) or len(text) != 2 + 2 * size or not text.startswith("0x"):
        _refuse(f"{field} is not {size} bytes")
    try:
        raw = bytes.fromhex(text[2:])
    except ValueError:
        _refuse(f"{field} is not hexadecimal")
    if len(raw) != size:
        _refuse(f"{field} is not {size} bytes")
    return raw


def _quantity(log: Mapping[str, object], field: str) -> int:
    text = log.get(field)
    if not isinstance(text, str) or not _QUANTITY.fullmatch(text):
        _refuse(f"{field} is not a quantity")
    return int(text, 16)


def _refuse(why: str) -> NoReturn:
    raise BadLogError(f"A log was refused: {why}.")
