"""Ordinary accounts that run a contract's code (EIP-7702), by a transaction of type 4 as wallets send it; and
code for contract wallets, byte by byte."""

from eth_account import Account

from liqpass.hexes import checksum, to_hex
from liqpass.sandbox.anvil import Anvil, Wallet

# PUSH4 of ERC-1271's yes, to the left end of the word, MSTORE, RETURN
SAYS_YES = "631626ba7e60e01b5f5260205ff3"
# The same to an empty signature of a hash whose place in the storage is 1, as a Safe answers once its owners
# have approved it on the chain: (the signature's length is 0) and SLOAD(hash), times yes.
APPROVED_ON_CHAIN = "604435156004355416631626ba7e60e01b025f5260205ff3"
REFUSES = "5f5ffd"


async def stands(chain: Anvil, at: bytes, code: str) -> bytes:
    """A contract of this code at this address."""
    await chain.rpc("anvil_setCode", [to_hex(at), "0x" + code])
    return at


async def delegate(chain: Anvil, account: Wallet, to: bytes) -> None:
    """From now on the account runs the code that stands at `to`; the chain's deployer pays for it."""
    nonces = [
        int(await chain.rpc("eth_getTransactionCount", [to_hex(one.address), "pending"]), 16)
        for one in (account, chain.deployer)
    ]
    signed = Account.sign_authorization(
        {"chainId": chain.chain_id, "address": checksum(to), "nonce": nonces[0]}, account.key
    )
    transaction = {
        "chainId": chain.chain_id,
        "nonce": nonces[1],
        "maxFeePerGas": 100 * 10**9,
        "maxPriorityFeePerGas": 1,
        "gas": 200_000,
        "to": checksum(chain.deployer.address),
        "value": 0,
        "data": b"",
        "authorizationList": [signed],
    }
    raw = Account.sign_transaction(transaction, chain.deployer.key).raw_transaction
    await chain.wait(await chain.send_raw(bytes(raw)))
    code = await chain.rpc("eth_getCode", [to_hex(account.address), "latest"])
    assert code == "0xef0100" + to.hex(), "the chain knows EIP-7702"
