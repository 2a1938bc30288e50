"""A chain of one's own: anvil with lagging `safe` and `finalized`, the real USDC code, and the checkout.

Everything that tests and the demo do to a chain is a method here or in `anvil.py`: mint, mine, reorg, drop,
blacklist, pause, warp. Keys are made from fixed words: a run can be repeated, and they are worth nothing.
"""

import json
from collections.abc import Sequence
from typing import Any

from liqpass.chain.checkout import Call, payment_calls, sign_quote, word
from liqpass.chain.verify import Terms, creation_code
from liqpass.hexes import to_hex
from liqpass.sandbox.anvil import Anvil, Wallet, encode_call, wallet
from liqpass.sandbox.npm_parts import USDC_PACKAGE, node_modules

ETHER = 10**18
USDC = 10**6


class SandboxChain(Anvil):
    """anvil with USDC, a checkout and funded wallets; all of that is final when it is handed out.

    `capital` is what the treasury holds, in micro-USDC, before the block from which on the chain is read.
    """

    def __init__(
        self,
        *,
        chain_id: int = 8453,
        slots_in_an_epoch: int = 4,
        begins: int | None = None,
        first_block: int = 0,
        wallets: int = 8,
        capital: int = 0,
        hardfork: str = "",
        states: int | None = None,
    ) -> None:
        super().__init__(
            chain_id=chain_id,
            slots_in_an_epoch=slots_in_an_epoch,
            begins=begins,
            first_block=first_block,
            hardfork=hardfork,
            states=states,
        )
        self.capital = capital
        self.wallets = [wallet(f"trader {n}") for n in range(1, wallets + 1)]
        self.treasury_wallet = wallet("treasury")
        self.treasury = self.treasury_wallet.address
        self.signer = wallet("quote signer")
        self.owner = wallet("checkout owner")
        self.usdc_master = wallet("circle")
        self.usdc = b""
        self.checkout = b""
        self.start_block = 0

    async def _prepare(self) -> None:
        for account in (*self.wallets, self.treasury_wallet, self.owner, self.deployer, self.usdc_master):
            await self.rpc("anvil_setBalance", [to_hex(account.address), hex(1000 * ETHER)])
        self.usdc = await self.deploy_usdc()
        if self.capital:
            await self.mint(self.treasury, self.capital)
        self.checkout = await self.deploy_checkout(self.owner.address)
        self.start_block = await self.block_number()
        for trader in self.wallets:
            await self.mint(trader.address, 10_000 * USDC)
        await self.finalize()

    def terms(self) -> Terms:
        """What the sandbox's checkout is made for."""
        return Terms(
            chain_id=self.chain_id, usdc=self.usdc, treasury=self.treasury, signer=self.signer.address
        )

    async def deploy_checkout(self, owner: bytes) -> bytes:
        """Another checkout of the same terms; its address."""
        return await self.deploy(creation_code(self.terms(), owner))

    async def pay(self, account: Wallet, calls: Sequence[Call]) -> bytes:
        """Send the calls as a wallet without batching does, one after another; the hash of the last."""
        hashes = [await self.send(account, call.to, call.data) for call in calls]
        return hashes[-1]

    def quote_calls(self, order_id: bytes, amount: int, deadline: int) -> list[Call]:
        """A quote of the sandbox's signer, as the calls that pay it."""
        quote: dict[str, Any] = {
            "checkout": self.checkout,
            "order_id": order_id,
            "amount": amount,
            "deadline": deadline,
        }
        signature = sign_quote(self.signer.key, chain_id=self.chain_id, **quote)
        return payment_calls(self.usdc, **quote, signature=signature)

    async def mint(self, to: bytes, amount: int) -> None:
        """Make micro-USDC out of nothing."""
        await self._as_circle("mint(address,uint256)", to, amount)

    async def transfer(self, account: Wallet, to: bytes, amount: int) -> dict[str, Any]:
        """A plain transfer of USDC, which belongs to no order; its receipt."""
        return await self.transact(account, self.usdc, encode_call("transfer(address,uint256)", to, amount))

    async def usdc_balance(self, address: bytes) -> int:
        """Micro-USDC at the head."""
        return int.from_bytes(await self.call(self.usdc, "balanceOf(address)", address), "big")

    async def blacklist(self, address: bytes) -> None:
        """From now on USDC moves neither from nor to this address."""
        await self._as_circle("blacklist(address)", address)

    async def unblacklist(self, address: bytes) -> None:
        """Undo `blacklist`."""
        await self._as_circle("unBlacklist(address)", address)

    async def pause_usdc(self) -> None:
        """All of USDC stands still."""
        await self._as_circle("pause()")

    async def unpause_usdc(self) -> None:
        """Undo `pause_usdc`."""
        await self._as_circle("unpause()")

    async def _as_circle(self, function: str, *values: object) -> None:
        await self.transact(self.usdc_master, self.usdc, encode_call(function, *values))

    async def deploy_usdc(self) -> bytes:
        """FiatTokenV2_2 behind its proxy, with the steps and the order of Circle's own deployment."""
        library = await self.deploy(_usdc_code("util/SignatureChecker"))
        implementation = await self.deploy(_usdc_code("v2/FiatTokenV2_2", library))
        proxy = await self.deploy(_usdc_code("v1/FiatTokenProxy") + word(implementation))
        master = self.usdc_master.address
        initialize = "initialize(string,string,string,uint8,address,address,address,address)"
        for call in (
            encode_call("changeAdmin(address)", wallet("usdc proxy admin").address),
            encode_call(initialize, "USD Coin", "USDC", "USD", 6, master, master, master, master),
            encode_call("initializeV2(string)", "USD Coin"),
            encode_call("initializeV2_1(address)", wallet("usdc lost and found").address),
            encode_call("initializeV2_2(address[],string)", [], "USDC"),
        ):
            await self.transact(self.deployer, proxy, call)
        unlimited = encode_call("configureMinter(address,uint256)", master, 2**128)
        await self.transact(self.usdc_master, proxy, unlimited)
        return proxy


def _usdc_code(contract: str, library: bytes = b"") -> bytes:
    """The published bytecode of one of Circle's contracts, linked to its library."""
    package = node_modules() / USDC_PACKAGE / "artifacts/hardhat/contracts"
    made = json.loads((package / f"{contract}.sol" / f"{contract.split('/')[1]}.json").read_text("utf-8"))
    code = made["bytecode"][2:]
    for libraries in made["linkReferences"].values():
        for places in libraries.values():
            for place in places:
                start = 2 * place["start"]
                code = code[:start] + library.hex() + code[start + 40 :]
    return bytes.fromhex(code)
