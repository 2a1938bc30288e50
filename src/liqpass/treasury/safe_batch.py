"""The file that the Transaction Builder of Safe{Wallet} imports: many transfers for the owners to sign. Pure.

Format and checksum as that app reads them: safe-global/safe-wallet-monorepo, apps/tx-builder, `BatchFile` and
lib/checksum.ts. It is JSON with a checksum over everything but the checksum itself and the batch's name.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from liqpass.hexes import checksum, to_hex
from liqpass.keccak import keccak

TX_BUILDER_VERSION = "1.18.0"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TRANSFER = {
    "inputs": [
        {"internalType": "address", "name": "to", "type": "address"},
        {"internalType": "uint256", "name": "value", "type": "uint256"},
    ],
    "name": "transfer",
    "payable": False,
}

Batch = dict[str, Any]


def batch_of(
    chain_id: int,
    safe: bytes,
    usdc: bytes,
    payouts: Sequence[tuple[bytes, int]],
    *,
    now: datetime,
    name: str,
    description: str,
) -> Batch:
    """Transfers of micro-USDC from a Safe, as (recipient, amount), with their checksum.

    As method and values, not as calldata: so the owners see in the app whom they pay how much.
    """
    batch: Batch = {
        "version": "1.0",
        "chainId": str(chain_id),
        "createdAt": (now - EPOCH) // timedelta(milliseconds=1),
        "meta": {
            "name": name,
            "description": description,
            "txBuilderVersion": TX_BUILDER_VERSION,
            "createdFromSafeAddress": checksum(safe),
            "createdFromOwnerAddress": "",
        },
        "transactions": [_transfer(usdc, to, amount) for to, amount in payouts],
    }
    return {**batch, "meta": {**batch["meta"], "checksum": batch_checksum(batch)}}


def _transfer(usdc: bytes, to: bytes, amount: int) -> dict[str, object]:
    """The app takes numbers only as text: a larger one than JavaScript's would lose digits."""
    return {
        "to": checksum(usdc),
        "value": "0",
        "data": None,
        "contractMethod": TRANSFER,
        "contractInputsValues": {"to": checksum(to), "value": str(amount)},
    }


def batch_checksum(batch: Mapping[str, Any]) -> str:
    """What `meta.checksum` of this batch has to be; the app warns when it is another."""
    meta = {key: value for key, value in batch["meta"].items() if key != "checksum"}
    return to_hex(keccak(_canonical({**batch, "meta": {**meta, "name": None}}).encode()))


def _canonical(value: object) -> str:
    """The app's own notation, in which the order of keys does not count: an object is its sorted keys as a
    list, then its values in that order, each with a comma."""
    if isinstance(value, list):
        return "[" + ",".join(_canonical(one) for one in value) + "]"
    if isinstance(value, dict):
        keys = sorted(value)
        return "{" + _json(keys) + "".join(_canonical(value[key]) + "," for key in keys) + "}"
    return _json(value)


def _json(value: object) -> str:
    """As JavaScript's JSON.stringify writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
