"""Who does what in the tests of the contract: a quote of the house, a payer, and the reason of a refusal."""

import json
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import count
from typing import Any

from eth_abi.abi import decode
from eth_account import Account
from eth_hash.auto import keccak

from liqpass.chain.checkout import payment_calls, sign_quote
from liqpass.chain.failures import NodeError
from liqpass.sandbox.anvil import RevertedError, Wallet, encode_call
from liqpass.sandbox.chain import SandboxChain

ABI: list[dict[str, Any]] = json.loads((files("liqpass.chain") / "premium_checkout.json").read_text())["abi"]
PREMIUM = 3_000_000
PERMIT_FUNCTION = "payPremiumWithPermit(bytes32,uint256,uint256,bytes,uint256,uint8,bytes32,bytes32)"

_serial = count(1)
_errors = {
    keccak(f"{one['name']}({','.join(i['type'] for i in one['inputs'])})".encode())[:4]: one["name"]
    for one in ABI
    if one["type"] == "error"
}


@dataclass(frozen=True)
class Quote:
    """A quote and its signature; `data()` is the call that pays it."""

    order_id: bytes
    amount: int
    deadline: int
    signature: bytes = b""

    def signed(self, chain: SandboxChain, **other: Any) -> "Quote":
        """The same, signed for this chain's checkout by the house, or with other keys, chains, checkouts."""
        with_what: dict[str, Any] = {
            "key": chain.signer.key,
            "chain_id": chain.chain_id,
            "checkout": chain.checkout,
            **other,
        }
        with_what |= {"order_id": self.order_id, "amount": self.amount, "deadline": self.deadline}
        return replace(self, signature=sign_quote(**with_what))

    def data(self) -> bytes:
        """Calldata of payPremium."""
        return payment_calls(
            bytes(20),
            checkout=bytes(20),
            order_id=self.order_id,
            amount=self.amount,
            deadline=self.deadline,
            signature=self.signature,
        )[1].data


async def new_quote(chain: SandboxChain, amount: int = PREMIUM) -> Quote:
    """A quote for an order that was never seen, good for 15 minutes."""
    _, _, now = await chain.block()
    return Quote(keccak(next(_serial).to_bytes(8, "big")), amount, now + 900).signed(chain)


async def approve(chain: SandboxChain, payer: Wallet, amount: int = 10**12) -> None:
    """Let the checkout take the payer's USDC."""
    await chain.transact(payer, chain.usdc, encode_call("approve(address,uint256)", chain.checkout, amount))


async def pay(chain: SandboxChain, payer: Wallet, quote: Quote) -> dict[str, Any]:
    """Pay a quote whose amount was approved; the receipt."""
    return await chain.transact(payer, chain.checkout, quote.data())


async def as_owner(chain: SandboxChain, function: str, *values: object) -> dict[str, Any]:
    """Something that only the owner of the checkout may do."""
    return await chain.transact(chain.owner, chain.checkout, encode_call(function, *values))


async def is_paid(chain: SandboxChain, order_id: bytes) -> bool:
    """What the checkout says of an order."""
    return any(await chain.call(chain.checkout, "paid(bytes32)", order_id))


async def refusal(chain: SandboxChain, sender: Wallet, data: bytes, to: bytes = b"") -> str:
    """Sends a call that must fail, and gives its reason: a custom error's name, or the text of the revert.

    Not one micro-USDC may have moved.
    """
    to = to or chain.checkout
    holders = (sender.address, chain.treasury, chain.checkout)
    before = [await chain.usdc_balance(one) for one in holders]
    reason = await simulated_refusal(chain, sender, data, to)
    try:
        await chain.transact(sender, to, data)
    except RevertedError:
        assert [await chain.usdc_balance(one) for one in holders] == before
        return reason
    raise AssertionError("The call was accepted.")


async def simulated_refusal(chain: SandboxChain, sender: Wallet, data: bytes, to: bytes) -> str:
    """The reason with which `eth_call` refuses; empty when it does not. No `to`: a deployment."""
    call = {"from": "0x" + sender.address.hex(), "data": "0x" + data.hex()}
    try:
        await chain.rpc("eth_call", [{**call, "to": "0x" + to.hex()} if to else call, "latest"])
    except NodeError as error:
        raw = bytes.fromhex(str(error.data)[2:])
        if raw[:4] == keccak(b"Error(string)")[:4]:
            return str(decode(["string"], raw[4:])[0])
        return str(_errors[raw[:4]])
    return ""


async def permit(
    chain: SandboxChain, payer: Wallet, amount: int, deadline: int, *, usdc_name: str = "USD Coin"
) -> tuple[int, bytes, bytes]:
    """The payer's EIP-2612 permit for the checkout, signed as a wallet signs it: v, r, s."""
    nonce = int.from_bytes(await chain.call(chain.usdc, "nonces(address)", payer.address), "big")
    fields = ("owner", "spender", "value", "nonce", "deadline")
    types = ("address", "address", "uint256", "uint256", "uint256")
    values = ("0x" + payer.address.hex(), "0x" + chain.checkout.hex(), amount, nonce, deadline)
    signed = Account.sign_typed_data(
        payer.key,
        {
            "name": usdc_name,
            "version": "2",
            "chainId": chain.chain_id,
            "verifyingContract": "0x" + chain.usdc.hex(),
        },
        {"Permit": [{"name": name, "type": kind} for name, kind in zip(fields, types, strict=True)]},
        dict(zip(fields, values, strict=True)),
    )
    return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


def permit_data(quote: Quote, deadline: int, v: int, r: bytes, s: bytes) -> bytes:
    """Calldata of payPremiumWithPermit."""
    return encode_call(
        PERMIT_FUNCTION, quote.order_id, quote.amount, quote.deadline, quote.signature, deadline, v, r, s
    )
