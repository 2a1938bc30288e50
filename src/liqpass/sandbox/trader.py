"""A trader's program: it knows the API, its wallet and nothing else. For the story and for tests."""

from types import TracebackType
from typing import Any, Self

import aiohttp

from liqpass.chain.checkout import Call
from liqpass.hexes import checksum
from liqpass.keccak import keccak
from liqpass.sandbox.anvil import Wallet
from liqpass.sandbox.chain import SandboxChain
from liqpass.secp256k1 import sign


class Refused(Exception):  # noqa: N818
    """The API answered a problem document."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status} {body.get('code')}: {body.get('detail')}")
        self.status = status
        self.code = str(body.get("code"))
        self.body = body


class Trader:
    """`async with Trader(api, wallet) as trader:` one browser, with its cookies."""

    def __init__(self, api: str, wallet: Wallet) -> None:
        self.api = api
        self.wallet = wallet
        self.address = checksum(wallet.address)
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # unsafe: cookies of an IP address too, because the sandbox listens at 127.0.0.1
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    @property
    def http(self) -> aiohttp.ClientSession:
        """The browser's HTTP session."""
        if self._http is None:
            raise RuntimeError("use `async with Trader(…)`")
        return self._http

    async def call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """One call; its JSON. Raises Refused."""
        async with self.http.request(method, self.api + path, json=body, params=query) as answer:
            said = await answer.json(content_type=None)
            if answer.status >= 400:
                raise Refused(answer.status, said)
            return said

    async def sign_in(self) -> None:
        """Get a text, sign it, send it back: the cookie jar has the session."""
        asked = await self.call("POST", "/api/auth/nonce", {"address": self.address})
        signature = "0x" + signed(asked["message"].encode(), self.wallet.key).hex()
        await self.call("POST", "/api/auth/verify", {"message": asked["message"], "signature": signature})

    async def add_key(self, key: dict[str, Any]) -> str:
        """Hand over an exchange key; the account's id."""
        body = {
            name: key[name] for name in ("apiKey", "secret", "passphrase", "region", "demo") if name in key
        }
        return str((await self.call("POST", "/api/okx/api-accounts", body))["apiAccountId"])

    async def positions(self, account: str) -> list[dict[str, Any]]:
        """The account's open positions."""
        listed = await self.call("GET", "/api/okx/positions", apiAccountId=account)
        found: list[dict[str, Any]] = listed["positions"]
        return found

    async def bind(self, account: str, position: dict[str, Any], sku: str) -> dict[str, Any]:
        """Tie a position to a product."""
        body = {name: position[name] for name in ("instId", "mgnMode", "posSide")}
        answer: dict[str, Any] = await self.call(
            "POST", "/api/insurance/bind-position", {"apiAccountId": account, "sku": sku, **body}
        )
        return answer

    async def create_order(self, bind_id: str) -> dict[str, Any]:
        """The price, and what to send to pay it."""
        answer: dict[str, Any] = await self.call("POST", "/api/insurance/create-order", {"bindId": bind_id})
        return answer

    async def submit(self, order_id: str, tx_hash: bytes) -> dict[str, Any]:
        """Say which transaction pays."""
        body = {"purchaseOrderId": order_id, "payTxHash": "0x" + tx_hash.hex()}
        answer: dict[str, Any] = await self.call("POST", "/api/insurance/submit-payment", body)
        return answer

    async def order(self, order_id: str) -> dict[str, Any]:
        """The order with its payment and history."""
        answer: dict[str, Any] = await self.call("GET", f"/api/insurance/orders/{order_id}")
        return answer

    async def pay(self, chain: SandboxChain, order: dict[str, Any]) -> bytes:
        """Send the order's calls as they were given; the hash of the last one, which pays."""
        return await chain.pay(self.wallet, calls_of(order))


def signed(text: bytes, key: bytes) -> bytes:
    """As wallets answer `personal_sign`: r, s and 27 or 28."""
    signature, y_parity = sign(key, keccak(b"\x19Ethereum Signed Message:\n%d%s" % (len(text), text)))
    return signature + bytes([27 + y_parity])


def calls_of(order: dict[str, Any]) -> list[Call]:
    """The calls of a create-order answer, as a wallet reads them."""
    return [
        Call(bytes.fromhex(c["to"][2:]), bytes.fromhex(c["data"][2:]), int(c["value"], 16))
        for c in order["calls"]
    ]
