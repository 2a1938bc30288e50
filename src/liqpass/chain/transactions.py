"""What became of one transaction, by the word of every configured endpoint."""

import asyncio
from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from liqpass.chain.checkout import BadLogError, PremiumPaid, decode_premium_paid
from liqpass.chain.failures import NodeError, NodeErrorKind
from liqpass.chain.rpc import Node
from liqpass.hexes import to_hex
from liqpass.settings import ChainSettings


class TransactionStage(StrEnum):
    """Where a transaction stands."""

    UNKNOWN = "UNKNOWN"  # an endpoint failed, is late, or contradicts another: nothing follows from it
    NOT_FOUND = "NOT_FOUND"  # no endpoint knows it, and none is late
    PENDING = "PENDING"  # waits for a block, or is in one above the safe head
    REVERTED = "REVERTED"  # failed, in a block at or below the safe head
    INCLUDED = "INCLUDED"  # succeeded, in a block at or below the safe head


class TransactionState(Struct, frozen=True):
    """`payments` are the checkout's events in an INCLUDED transaction, whichever orders they name: while one
    names the order in question, the watcher will store it. `detail` says why it is UNKNOWN."""

    stage: TransactionStage
    payments: tuple[PremiumPaid, ...] = ()
    detail: str | None = None


async def transaction_state(
    nodes: Sequence[Node], chain: ChainSettings, tx_hash: bytes, *, safe_number: int, latest_number: int
) -> TransactionState:
    """Ask every endpoint for the transaction and its receipt. The heights are those of `chain_cursors`: up to
    `safe_number` the endpoints agreed, and whoever does not reach `latest_number` is late.

    Never raises NodeError: an endpoint that fails makes the state UNKNOWN.
    """
    try:
        states = await asyncio.gather(
            *(_state(node, chain, tx_hash, safe_number, latest_number) for node in nodes)
        )
    except NodeError as error:
        return TransactionState(TransactionStage.UNKNOWN, detail=error.detail)
    if all(state == states[0] for state in states):
        return states[0]
    alive = (TransactionStage.PENDING, TransactionStage.NOT_FOUND)
    if all(state.stage in alive for state in states):
        # It has reached one pool and not yet the others, or one node is a block ahead.
        return TransactionState(TransactionStage.PENDING)
    return TransactionState(TransactionStage.UNKNOWN, detail="the endpoints do not agree on the transaction")


async def _state(
    node: Node, chain: ChainSettings, tx_hash: bytes, safe_number: int, latest_number: int
) -> TransactionState:
    wanted: list[object] = [to_hex(tx_hash)]
    chain_id, height, transaction, receipt = await node.batch(
        [
            ("eth_chainId", []),
            ("eth_blockNumber", []),
            ("eth_getTransactionByHash", wanted),
            ("eth_getTransactionReceipt", wanted),
        ]
    )
    if chain_id != hex(chain.chain_id):
        raise node.error(NodeErrorKind.WRONG_CHAIN, f"serves chain {chain_id}, not {hex(chain.chain_id)}")
    if _number(node, height) < latest_number:
        return TransactionState(TransactionStage.UNKNOWN, detail=f"{node.name} is late")
    if receipt is None:
        found = TransactionStage.NOT_FOUND if transaction is None else TransactionStage.PENDING
        return TransactionState(found)
    if not isinstance(receipt, Mapping):
        raise node.error(NodeErrorKind.BAD_ANSWER, "answered with something that is no receipt")
    if _number(node, receipt.get("blockNumber")) > safe_number:
        return TransactionState(TransactionStage.PENDING)
    if _number(node, receipt.get("status")) == 0:
        return TransactionState(TransactionStage.REVERTED)
    return TransactionState(TransactionStage.INCLUDED, payments=_payments(receipt.get("logs"), chain))


def _payments(logs: object, chain: ChainSettings) -> tuple[PremiumPaid, ...]:
    """The checkout's payments among all that the transaction logged."""
    found = []
    for log in logs if isinstance(logs, list) else []:
        try:
            found.append(decode_premium_paid(log, chain.checkout))
        except BadLogError:
            continue  # of another contract, or another event
    return tuple(found)


def _number(node: Node, text: object) -> int:
    try:
        return int(str(text), 16)
    except ValueError:
        raise node.error(NodeErrorKind.BAD_ANSWER, f"answered {text!r} for a number") from None
