"""anvil as a process and a few methods: transactions, blocks, time, reorganisations."""

import asyncio
import contextlib
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import aiohttp
import rlp
from eth_abi.abi import encode
from msgspec import Struct

from liqpass.chain.checkout import address_of
from liqpass.chain.failures import NodeError, NodeErrorKind
from liqpass.hexes import to_hex
from liqpass.keccak import keccak
from liqpass.sandbox.children import end_with_parent
from liqpass.sandbox.npm_parts import anvil_path
from liqpass.secp256k1 import sign

GAS = 1_000_000
DEPLOY_GAS = 8_000_000
TIP, MAX_FEE = 1, 100 * 10**9  # wei for a unit of gas
STATES_ON_DISK = 1000  # 80 MB in a demo, which may run for days
EIP_1559 = b"\x02"  # the type of transactions that name these two


class RevertedError(Exception):
    """The transaction is in a block, and failed."""


class Wallet(Struct, frozen=True):
    """A test account and its private key."""

    address: bytes
    key: bytes


def wallet(role: str) -> Wallet:
    """The sandbox's account of this role: the same on every run."""
    key = keccak(b"liqpass sandbox: " + role.encode())
    return Wallet(address=address_of(key), key=key)


def encode_call(function: str, *values: object) -> bytes:
    """Calldata of a function such as `mint(address,uint256)`; addresses and bytes32 are bytes."""
    types = function[function.index("(") + 1 : -1].split(",")
    arguments = encode(types, values) if types != [""] else b""
    return keccak(function.encode())[:4] + arguments


def signed(key: bytes, fields: list[Any]) -> bytes:
    """A raw transaction of EIP-1559; `fields` are its nine before the signature, the last of them empty.

    By libsecp256k1: eth-account needs 5 ms of Python alone for each.
    """
    signature, y_parity = sign(key, keccak(EIP_1559 + rlp.encode(fields)))
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    return EIP_1559 + bytes(rlp.encode([*fields, y_parity, r, s]))


class Anvil:
    """`async with Anvil(…) as anvil:` one process on a free port of 127.0.0.1, gone at the end.

    `safe` is `slots_in_an_epoch` blocks behind the head and `finalized` twice as many.
    Every transaction mines a block unless `mine_every` or `set_automine` says otherwise.
    `first_block` is the number of the first block, `begins` its time in unix seconds (left away: now);
    `hardfork` is the newest whose rules hold (left away: the newest that anvil knows). `states`: of how many
    blocks anvil keeps the state in memory, a third of a megabyte each (left away: 500 there and 1,000 more on
    disk, and hundreds of reorgs lose it all: findings/anvil-loses-its-state.sh).
    """

    def __init__(
        self,
        *,
        chain_id: int = 8453,
        slots_in_an_epoch: int = 4,
        begins: int | None = None,
        first_block: int = 0,
        hardfork: str = "",
        states: int | None = None,
    ) -> None:
        self.chain_id = chain_id
        self.slots_in_an_epoch = slots_in_an_epoch
        self.begins = begins
        self.first_block = first_block
        self.hardfork = hardfork
        self.states = states
        self.url = ""
        self.deployer = wallet("deployer")
        self._automine = True
        self._reorgs = 0
        self._sending = asyncio.Lock()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            self.url = await self._start(stack)
            self._http = await stack.enter_async_context(aiohttp.ClientSession())
            await self._prepare()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _prepare(self) -> None:
        """What stands on the chain before anybody sees it: nothing here."""

    async def _start(self, stack: contextlib.AsyncExitStack) -> str:
        options = ["--host", "127.0.0.1", "--port", "0", "--accounts", "1", "--color", "never"]
        options += ["--chain-id", str(self.chain_id), "--slots-in-an-epoch", str(self.slots_in_an_epoch)]
        options += [] if self.begins is None else ["--timestamp", str(self.begins)]
        options += ["--number", str(self.first_block)] if self.first_block else []
        options += ["--hardfork", self.hardfork] if self.hardfork else []
        # Left to itself it writes the rest into ~/.foundry, 80 KB a block, and leaves it there.
        options += ["--cache-path", stack.enter_context(TemporaryDirectory(prefix="liqpass-anvil-"))]
        most = ["--prune-history", self.states] if self.states else ["--max-persisted-states", STATES_ON_DISK]
        options += map(str, most)
        process = await asyncio.create_subprocess_exec(
            anvil_path(),
            *options,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=end_with_parent,
        )
        stack.push_async_callback(_stop, process)
        assert process.stdout is not None  # noqa: S101 - it was asked for as a pipe
        said = []
        async for raw in process.stdout:
            line = raw.decode().strip()
            said.append(line)
            if line.startswith("Listening on "):
                drain = asyncio.create_task(_drain(process.stdout))
                stack.callback(drain.cancel)
                return "http://" + line.removeprefix("Listening on ")
        raise RuntimeError("anvil did not start: " + " ".join(said[-5:]))

    async def rpc(self, method: str, params: Sequence[object] = ()) -> Any:
        """One call to anvil itself, past any proxy. Raises NodeError."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        async with self._http.post(self.url, json=body) as response:
            answer = await response.json()
        if error := answer.get("error"):
            code, said = error["code"], error["message"]
            raise NodeError(
                NodeErrorKind.REFUSED, f"{said} ({code})", code=code, said=said, data=error.get("data")
            )
        return answer.get("result")

    async def call(self, to: bytes, function: str, *values: object, sender: bytes = bytes(20)) -> bytes:
        """The raw answer of a view function at the head."""
        data = to_hex(encode_call(function, *values))
        call = {"from": to_hex(sender), "to": to_hex(to), "data": data}
        return bytes.fromhex((await self.rpc("eth_call", [call, "latest"]))[2:])

    async def sign(
        self, account: Wallet, to: bytes | None, data: bytes, *, gas: int = GAS, nonce: int | None = None
    ) -> bytes:
        """A raw transaction, not sent. Without `nonce`: the next one, pending ones counted."""
        if nonce is None:
            nonce = int(await self.rpc("eth_getTransactionCount", [to_hex(account.address), "pending"]), 16)
        return signed(account.key, [self.chain_id, nonce, TIP, MAX_FEE, gas, to or b"", 0, data, []])

    async def send_raw(self, raw: bytes) -> bytes:
        """Hand a raw transaction to the node; its hash. While every transaction mines a block, that block is
        there when this returns."""
        if self._automine:
            receipt = await self.rpc("eth_sendRawTransactionSync", [to_hex(raw)])
            return bytes.fromhex(receipt["transactionHash"][2:])
        return bytes.fromhex((await self.rpc("eth_sendRawTransaction", [to_hex(raw)]))[2:])

    async def send(self, account: Wallet, to: bytes | None, data: bytes, *, gas: int = GAS) -> bytes:
        """Sign and send, whether or not it will succeed; its hash."""
        async with self._sending:
            return await self.send_raw(await self.sign(account, to, data, gas=gas))

    async def receipt(self, tx_hash: bytes) -> dict[str, Any] | None:
        """The receipt, or None while it is in no block."""
        found: dict[str, Any] | None = await self.rpc("eth_getTransactionReceipt", [to_hex(tx_hash)])
        return found

    async def transact(
        self, account: Wallet, to: bytes | None, data: bytes, *, gas: int = GAS
    ) -> dict[str, Any]:
        """Send, and wait for the block: the receipt. Raises RevertedError. Something has to mine."""
        receipt = await self.wait(await self.send(account, to, data, gas=gas))
        if int(receipt["status"], 16) != 1:
            raise RevertedError(receipt["transactionHash"])
        return receipt

    async def wait(self, tx_hash: bytes) -> dict[str, Any]:
        """The receipt, once there is one."""
        while True:
            if (receipt := await self.receipt(tx_hash)) is not None:
                return receipt
            await asyncio.sleep(0.02)

    async def deploy(self, code: bytes) -> bytes:
        """Deploy a contract; its address."""
        receipt = await self.transact(self.deployer, None, code, gas=DEPLOY_GAS)
        return bytes.fromhex(receipt["contractAddress"][2:])

    async def block_number(self, tag: str = "latest") -> int:
        """The height of `latest`, `safe` or `finalized`."""
        return (await self.block(tag))[0]

    async def block(self, tag: str | int = "latest") -> tuple[int, bytes, int]:
        """Number, hash and time (unix seconds) of a block."""
        at = hex(tag) if isinstance(tag, int) else tag
        found = await self.rpc("eth_getBlockByNumber", [at, False])
        return int(found["number"], 16), bytes.fromhex(found["hash"][2:]), int(found["timestamp"], 16)

    async def mine(self, blocks: int = 1) -> None:
        """Mine at once. Blocks mined together carry the same time."""
        await self.rpc("anvil_mine", [hex(blocks)])

    async def finalize(self) -> None:
        """Mine until what is now the head is final."""
        await self.mine(2 * self.slots_in_an_epoch)

    async def mine_every(self, seconds: int) -> None:
        """A block every so many seconds, with or without transactions, until `set_automine`."""
        self._automine = False
        await self.rpc("evm_setIntervalMining", [seconds])

    async def set_automine(self, on: bool) -> None:
        """On: a block for every transaction. Off: transactions wait for `mine`."""
        await self.rpc("evm_setIntervalMining", [0])
        await self.rpc("evm_setAutomine", [on])
        self._automine = on

    async def warp(self, seconds: int) -> None:
        """Let time pass, and mine one block that shows it."""
        await self.rpc("evm_increaseTime", [seconds])
        await self.mine()

    async def reorg(self, depth: int, keep: Sequence[bytes] = ()) -> None:
        """Replace the last `depth` blocks by as many others, in one step. The raw transactions in `keep` are
        in the first new one, in this order; all others are gone for good. Nothing stops it at `finalized`.

        The new blocks carry the time of the block they stand on.
        """
        self._reorgs += 1
        # The same block with another producer has another hash, even when it holds the same transactions.
        await self.rpc("anvil_setCoinbase", [to_hex(wallet(f"producer {self._reorgs}").address)])
        before = await self.rpc("evm_increaseTime", [0])
        await self.rpc("anvil_reorg", [depth, [[to_hex(raw), 0] for raw in keep]])
        # anvil forgets what `warp` added, and time would run back.
        after = await self.rpc("evm_increaseTime", [0])
        await self.rpc("evm_increaseTime", [max(0, before - after)])

    async def drop(self, tx_hash: bytes) -> None:
        """Take a waiting transaction out of the pool."""
        await self.rpc("anvil_dropTransaction", [to_hex(tx_hash)])

    async def snapshot(self) -> str:
        """Remember everything. The same transactions after `revert` make the same blocks: no reorg."""
        return str(await self.rpc("evm_snapshot"))

    async def revert(self, snapshot: str) -> None:
        """Go back to a snapshot, which is then used up."""
        if not await self.rpc("evm_revert", [snapshot]):
            raise RuntimeError(f"anvil has no snapshot {snapshot}.")


async def _drain(stream: asyncio.StreamReader) -> None:
    """anvil writes a line for every call; a full pipe would stop it."""
    while await stream.read(65536):
        pass


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.wait()
