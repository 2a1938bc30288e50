"""Wallets of a browser: they announce themselves as extensions do (EIP-6963), and sign and send on the
sandbox chain as real ones do on theirs. A test tells them what their owner, or their maker, makes them do."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data

from liqpass.chain.failures import NodeError
from liqpass.hexes import checksum, to_hex
from liqpass.sandbox.anvil import Wallet
from liqpass.sandbox.chain import SandboxChain

MAINNET = 1
DECLINED = 4001
UNAUTHORIZED = 4100
UNKNOWN_CHAIN = 4902
NO_SUCH_METHOD = -32601
BAD_PARAMETERS = -32602
ATOMIC_NEEDED = 5760
UNKNOWN_CALLS = 5730
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E"
    "%3Ccircle cx='4' cy='4' r='4' fill='{}'/%3E%3C/svg%3E"
)
OF_THE_NODE = ("eth_getTransactionReceipt", "eth_getTransactionByHash", "eth_call", "eth_getBalance",
               "eth_estimateGas", "eth_blockNumber", "eth_getCode", "eth_getBlockByNumber")  # fmt: skip
BATCHING = ("wallet_getCapabilities", "wallet_sendCalls", "wallet_getCallsStatus")


class WalletError(Exception):
    """What a provider's `request` rejects with."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class BrowserWallet:
    """One wallet with one account. `asked` is every method that it was asked, in order.

    `on`: the chain that it is on. `knows`: the chains that it could switch to. `declines`: methods that its
    owner will decline, each once. `lacks`: methods that it has not. `batches`: "" (no EIP-5792),
    "one by one", or "atomically". `answers_after_sec`: how long its owner thinks.
    """

    chain: SandboxChain
    of: Wallet
    name: str = "Fox Wallet"
    rdns: str = "test.fox"
    colour: str = "orange"
    on: int = 0
    knows: set[int] = field(default_factory=set)
    declines: list[str] = field(default_factory=list)
    lacks: set[str] = field(default_factory=set)
    batches: str = ""
    answers_after_sec: float = 0.0
    connected: bool = False
    asked: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.on = self.on or self.chain.chain_id
        self.knows |= {self.on, MAINNET, self.chain.chain_id}
        self._batches: dict[str, list[bytes]] = {}
        self._events: list[tuple[str, object]] = []

    @property
    def address(self) -> str:
        """EIP-55."""
        return checksum(self.of.address)

    @property
    def info(self) -> dict[str, str]:
        """What it announces."""
        return {"uuid": f"uuid of {self.rdns}", "name": self.name, "rdns": self.rdns,
                "icon": ICON.format(self.colour)}  # fmt: skip

    async def request(self, method: str, params: Any) -> dict[str, object]:
        """EIP-1193's `request`: result or error, and the events that go with it."""
        self.asked.append(method)
        answer: dict[str, object] = {}
        try:
            answer["result"] = await self._answer(method, params)
        except WalletError as error:
            answer["error"] = {"code": error.code, "message": str(error)}
        except NodeError as error:
            answer["error"] = {"code": error.code, "message": str(error), "data": error.data}
        answer["events"], self._events = self._events, []
        return answer

    async def _answer(self, method: str, params: Any) -> object:
        missing = method in self.lacks or (method in BATCHING and not self.batches)
        if missing or (method not in METHODS and method not in OF_THE_NODE):
            raise WalletError(NO_SUCH_METHOD, f'The method "{method}" does not exist / is not available.')
        if method in OF_THE_NODE:
            return await self.chain.rpc(method, params)
        await asyncio.sleep(self.answers_after_sec)
        if method in self.declines:
            self.declines.remove(method)
            raise WalletError(DECLINED, "User rejected the request.")
        return await METHODS[method](self, params)

    async def request_accounts(self, _params: Any) -> list[str]:
        """The owner lets the page see the account."""
        self.connected = True
        return [self.address.lower()]  # as wallets say it: not every one knows EIP-55

    async def accounts(self, _params: Any) -> list[str]:
        """Nothing is asked of the owner."""
        return [self.address.lower()] if self.connected else []

    async def chain_id(self, _params: Any) -> str:
        """In hexadecimal."""
        return hex(self.on)

    async def switch(self, params: Any) -> None:
        """EIP-3326. Raises WalletError for a chain that it does not know."""
        wanted = int(params[0]["chainId"], 16)
        if wanted not in self.knows:
            raise WalletError(UNKNOWN_CHAIN, f"Unrecognized chain ID {hex(wanted)}. Try adding the chain.")
        if wanted != self.on:
            self.on = wanted
            self._events.append(("chainChanged", hex(wanted)))

    async def add_chain(self, params: Any) -> None:
        """EIP-3085, as strict as MetaMask: and it switches to what was added, as most do."""
        chain = params[0]
        if not chain["rpcUrls"] or not chain["chainName"] or chain["nativeCurrency"]["decimals"] != 18:
            raise WalletError(BAD_PARAMETERS, "Expected rpcUrls, chainName and nativeCurrency.")
        explorers = chain.get("blockExplorerUrls")
        if explorers is not None and not any(url.startswith("https://") for url in explorers):
            raise WalletError(BAD_PARAMETERS, "Expected no blockExplorerUrls, or one with https.")
        self.knows.add(int(chain["chainId"], 16))
        await self.switch([chain])

    async def sign_text(self, params: Any) -> str:
        """personal_sign: [text in hexadecimal, address]."""
        text, signer = params
        self._mine(signer)
        return to_hex(bytes(Account.sign_message(encode_defunct(hexstr=text), self.of.key).signature))

    async def sign_typed_data(self, params: Any) -> str:
        """eth_signTypedData_v4: [address, JSON]. It refuses another chain's, as MetaMask does."""
        signer, data = params
        self._mine(signer)
        document = json.loads(data) if isinstance(data, str) else data
        if int(document["domain"].get("chainId", self.on)) != self.on:
            raise WalletError(BAD_PARAMETERS, "Provided chainId must match the active chainId")
        signable = encode_typed_data(full_message=document)
        return to_hex(bytes(Account.sign_message(signable, self.of.key).signature))

    async def send(self, params: Any) -> str:
        """Sign and send: the hash. It sends what will fail, too, as an owner can insist on."""
        call = params[0]
        self._mine(call["from"])
        if int(call.get("value", "0x0"), 16):
            raise WalletError(BAD_PARAMETERS, "this wallet has no ether to give away")
        self._on_the_chain()
        to, data = bytes.fromhex(call["to"][2:]), bytes.fromhex(call.get("data", "0x")[2:])
        self.sent.append(await self.chain.send(self.of, to, data))
        return to_hex(self.sent[-1])

    async def capabilities(self, params: Any) -> dict[str, object]:
        """EIP-5792, by chain; the account has to be connected."""
        if not self.connected or params[0].lower() != self.address.lower():
            raise WalletError(UNAUTHORIZED, "The account is not connected to this site.")
        status = "supported" if self.batches == "atomically" else "unsupported"
        return {hex(self.chain.chain_id): {"atomic": {"status": status}}}

    async def send_calls(self, params: Any) -> dict[str, object]:
        """EIP-5792, version 2.0.0: under one number, one after the other, in one block if atomically."""
        asked = params[0]
        if (
            asked["version"] != "2.0.0"
            or int(asked["chainId"], 16) != self.on
            or "atomicRequired" not in asked
        ):
            raise WalletError(
                BAD_PARAMETERS, "Expected version 2.0.0, the wallet's chainId and atomicRequired."
            )
        if asked["atomicRequired"] and self.batches != "atomically":
            raise WalletError(ATOMIC_NEEDED, "The wallet cannot do these calls atomically.")
        self._mine(asked["from"])
        number = f"0x{len(self._batches) + 1:064x}"
        hashes: list[bytes] = []
        for call in asked["calls"]:
            await self.send([{**call, "from": asked["from"]}])
            hashes.append(self.sent[-1])
        self._batches[number] = hashes
        return {"id": number}

    async def calls_status(self, params: Any) -> dict[str, object]:
        """EIP-5792: 100 under way, 200 done, 500 failed."""
        if params[0] not in self._batches:
            raise WalletError(UNKNOWN_CALLS, "Unknown bundle id.")
        found = [await self.chain.receipt(one) for one in self._batches[params[0]]]
        receipts = [one for one in found if one is not None]
        failed = any(int(one["status"], 16) == 0 for one in receipts)
        done = len(receipts) == len(found)
        kept = ("logs", "status", "blockHash", "blockNumber", "gasUsed", "transactionHash")
        return {
            "version": "2.0.0",
            "id": params[0],
            "chainId": hex(self.on),
            "status": 500 if failed else 200 if done else 100,
            "atomic": self.batches == "atomically",
            "receipts": [{name: one[name] for name in kept} for one in receipts],
        }

    def _mine(self, address: str) -> None:
        if not self.connected or address.lower() != self.address.lower():
            raise WalletError(UNAUTHORIZED, "The requested account has not been authorized by the user.")

    def _on_the_chain(self) -> None:
        if self.on != self.chain.chain_id:
            raise WalletError(BAD_PARAMETERS, f"sent on chain {self.on}, where the money is not")


METHODS: dict[str, Callable[[BrowserWallet, Any], Awaitable[object]]] = {
    "eth_requestAccounts": BrowserWallet.request_accounts,
    "eth_accounts": BrowserWallet.accounts,
    "eth_chainId": BrowserWallet.chain_id,
    "wallet_switchEthereumChain": BrowserWallet.switch,
    "wallet_addEthereumChain": BrowserWallet.add_chain,
    "personal_sign": BrowserWallet.sign_text,
    "eth_signTypedData_v4": BrowserWallet.sign_typed_data,
    "eth_sendTransaction": BrowserWallet.send,
    "wallet_getCapabilities": BrowserWallet.capabilities,
    "wallet_sendCalls": BrowserWallet.send_calls,
    "wallet_getCallsStatus": BrowserWallet.calls_status,
}


def announcing(wallets: list[BrowserWallet]) -> str:
    """A script that announces them in a page, where `window.askWallet(uuid, method, params)` has to lead to
    their `request`."""
    script = (resources.files("liqpass.sandbox") / "browser_wallet.js").read_text(encoding="utf-8")
    return script.replace("ANNOUNCED", json.dumps([wallet.info for wallet in wallets]))
