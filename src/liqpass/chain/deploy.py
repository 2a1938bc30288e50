"""Deploys the committed checkout: first what it will do and whether it can, then one transaction.

Used by `liqpass contract deploy` with the deployer's key, which is in no setting and is forgotten afterwards.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from eth_account import Account

from liqpass.chain.checkout import address_of
from liqpass.chain.failures import NodeError, NodeErrorKind
from liqpass.chain.verify import Row, Rpc, Terms, creation_code, verify_usdc
from liqpass.hexes import checksum, to_hex
from liqpass.keccak import keccak

WAIT_SEC = 180
FAILURES_MOST = 30  # in a row, of the endpoint that is asked what became of the transaction

# Creates the code that is appended to it, calls the new contract's eip712Domain(), and gives back what that
# gives. It uses no instruction that a chain in use lacks.
_TRIAL = (
    "61{size:04x}6030600039"  # CODECOPY of what follows these 48 bytes
    "61{size:04x}60006000f0"  # CREATE
    "6384b0196e60e01b600052"  # the function's selector
    "6000600060046000845afa"  # STATICCALL
    "3d600060003e3d6000f3"  # RETURNDATACOPY, RETURN
)


class DeployError(Exception):
    """Why there is no checkout, in a sentence for the operator."""


class Prepared(msgspec.Struct, frozen=True):
    """A deployment that can be shown. `transaction` is None when a row says why it cannot be."""

    rows: list[Row]
    terms: Terms
    checkout: bytes
    transaction: dict[str, Any] | None


class Deployment(msgspec.Struct, frozen=True):
    """A checkout that stands. Nothing was paid to it before `start_block`."""

    terms: Terms
    checkout: bytes
    tx_hash: bytes
    start_block: int


async def prepare(rpc: Rpc, key: bytes, terms: Terms, owner: bytes) -> Prepared:
    """Look at the chain and write the transaction; nothing is sent. Outages of `rpc` pass through. Raises
    DeployError for answers that cannot be read."""
    deployer = address_of(key)
    nonce = await _number(rpc, "eth_getTransactionCount", [to_hex(deployer), "pending"])
    checkout = created_by(deployer, nonce)
    rows = await _party_rows(rpc, terms, owner)
    if not all(row.ok for row in rows):
        return Prepared(rows=rows, terms=terms, checkout=checkout, transaction=None)
    code = creation_code(terms, owner)
    rows.append(await _machine_row(rpc, deployer, code))
    if not rows[-1].ok:
        return Prepared(rows=rows, terms=terms, checkout=checkout, transaction=None)
    gas = await _number(rpc, "eth_estimateGas", [{"from": to_hex(deployer), "data": to_hex(code)}])
    tip = await _number(rpc, "eth_maxPriorityFeePerGas", [])
    head: Any = await rpc("eth_getBlockByNumber", ["latest", False])
    base_fee = head.get("baseFeePerGas") if isinstance(head, dict) else None
    transaction: dict[str, Any] = {
        "chainId": terms.chain_id,
        "nonce": nonce,
        "gas": gas * 6 // 5,
        "maxPriorityFeePerGas": tip,
        "maxFeePerGas": 2 * _quantity(base_fee, "a base fee (EIP-1559)") + tip,
        "value": 0,
        "data": code,
    }
    at_most = transaction["gas"] * transaction["maxFeePerGas"]
    balance = await _number(rpc, "eth_getBalance", [to_hex(deployer), "latest"])
    rows.append(
        Row(
            "deployer",
            balance >= at_most,
            f"{checksum(deployer)} pays at most {_ether(at_most)} ETH of its {_ether(balance)}",
        )
    )
    rows.append(Row("checkout", True, f"will stand at {checksum(checkout)}"))
    ready = balance >= at_most
    return Prepared(rows=rows, terms=terms, checkout=checkout, transaction=transaction if ready else None)


async def deploy(
    rpc: Rpc,
    key: bytes,
    prepared: Prepared,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> Deployment:
    """Send what was prepared and wait for its block; `verify` it afterwards. Raises DeployError.

    `tell` hears the transaction and the contract before anything is sent: whatever fails from there on,
    whoever sent it knows what to look for.
    """
    if prepared.transaction is None:
        raise DeployError("The deployment was not ready to be sent.")
    made = Account.sign_transaction(prepared.transaction, key)
    tx_hash, how = to_hex(made.hash), "was sent"
    tell(f"transaction {tx_hash}, checkout {checksum(prepared.checkout)}")
    try:
        await rpc("eth_sendRawTransaction", [to_hex(made.raw_transaction)])
    except NodeError as error:
        if error.kind is NodeErrorKind.REFUSED and not await _is_known(rpc, tx_hash):
            raise DeployError(f"{error}; nothing was sent") from None
        how = f"may have been sent ({error})"
    found = await _block_of(rpc, tx_hash, sleep)
    if isinstance(found, str):
        raise DeployError(
            f"{tx_hash} {how} and is in no block yet, as far as is known{found}: look for it, and for "
            f"{checksum(prepared.checkout)}, which it makes, before you try again."
        )
    succeeded, number = found
    if not succeeded:
        raise DeployError(f"{tx_hash} failed; no checkout stands.")
    return Deployment(
        terms=prepared.terms, checkout=prepared.checkout, tx_hash=bytes(made.hash), start_block=number
    )


async def _is_known(rpc: Rpc, tx_hash: str) -> bool:
    """Whether what was refused was taken all the same: a load balancer sends twice. In doubt it was."""
    try:
        return await rpc("eth_getTransactionByHash", [tx_hash]) is not None
    except NodeError:
        return True


async def _block_of(
    rpc: Rpc, tx_hash: str, sleep: Callable[[float], Awaitable[None]]
) -> tuple[bool, int] | str:
    """Whether it succeeded, and in which block; or why that is not known. An endpoint that fails now and then
    is asked again."""
    failed, last = 0, ""
    for _ in range(WAIT_SEC):
        try:
            receipt: Any = await rpc("eth_getTransactionReceipt", [tx_hash])
            failed = 0
            if receipt is not None:
                return int(receipt["status"], 16) == 1, int(receipt["blockNumber"], 16)
        except (KeyError, TypeError, ValueError):
            last = " (the endpoint answers with something that is no receipt)"
        except NodeError as error:
            failed, last = failed + 1, f" ({error})"
            if failed == FAILURES_MOST:
                break
        await sleep(1)
    return last


def environment(deployment: Deployment) -> dict[str, str]:
    """The settings with which LiqPass works on this checkout. The signer's key is not ours to print."""
    return {
        "LIQPASS_CHAIN_ID": str(deployment.terms.chain_id),
        "LIQPASS_USDC": checksum(deployment.terms.usdc),
        "LIQPASS_CHECKOUT": checksum(deployment.checkout),
        "LIQPASS_TREASURY": checksum(deployment.terms.treasury),
        "LIQPASS_START_BLOCK": str(deployment.start_block),
    }


def created_by(deployer: bytes, nonce: int) -> bytes:
    """The address of the contract that this account's transaction with this nonce creates: the hash of the
    RLP list of both (a number is its shortest bytes; below 128 and not zero it stands for itself)."""
    digits = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    tail = digits if 0 < nonce < 0x80 else bytes([0x80 + len(digits)]) + digits
    body = b"\x94" + deployer + tail
    return keccak(bytes([0xC0 + len(body)]) + body)[-20:]


async def _party_rows(rpc: Rpc, terms: Terms, owner: bytes) -> list[Row]:
    """Who is who. A treasury or an owner without code is allowed, and said."""
    chain_id = await _number(rpc, "eth_chainId", [])
    rows = [
        Row("chain id", chain_id == terms.chain_id, f"the endpoint is on {chain_id}, wanted {terms.chain_id}")
    ]
    rows += await verify_usdc(rpc, terms)
    for role, address in (("treasury", terms.treasury), ("quote signer", terms.signer), ("owner", owner)):
        code = await rpc("eth_getCode", [to_hex(address), "latest"])
        kind = "an ordinary account" if code == "0x" else "a contract"
        rows.append(Row(role, any(address), f"{checksum(address)}, {kind}"))
    return rows


async def _machine_row(rpc: Rpc, deployer: bytes, code: bytes) -> Row:
    """Whether the chain's machine runs the contract: created, called and forgotten in an eth_call. A chain of
    before Cancun would take the deployment, and refuse the first payment."""
    trial = bytes.fromhex(_TRIAL.format(size=len(code))) + code
    ran = await rpc("eth_call", [{"from": to_hex(deployer), "data": to_hex(trial)}, "latest"]) != "0x"
    told = "runs the contract" if ran else "cannot run the contract: it wants the rules of the Cancun fork"
    return Row("machine", ran, f"the chain {told}")


async def _number(rpc: Rpc, method: str, params: list[object]) -> int:
    return _quantity(await rpc(method, params), f"a number to {method}")


def _quantity(answer: object, wanted: str) -> int:
    if not isinstance(answer, str) or not re.fullmatch("0x[0-9a-fA-F]{1,64}", answer):
        raise DeployError(f"The endpoint does not answer {wanted}; nothing was sent.")
    return int(answer, 16)


def _ether(wei: int) -> str:
    """Rounded down to a millionth of an ether, without a float."""
    return f"{wei // 10**18}.{wei % 10**18 // 10**12:06}"
