"""Would a contract wallet accept this signature? One eth_call for ERC-1271 and ERC-6492 (not deployed yet).

The question is asked by creating `contracts/SignatureValidator.sol` inside the call: it works on every chain,
whatever is deployed there, and nothing of it stays.
"""

from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files

import msgspec

from liqpass.hexes import to_hex
from liqpass.problems import Problem

# One `eth_call` at the latest block: a transaction object in, the returned bytes out. What it raises when no
# node gives an answer passes through, because unknown is not refused; the edge makes it NODE_UNAVAILABLE.
EthCall = Callable[[dict[str, str]], Awaitable[bytes]]

WRAPPER_END = bytes.fromhex("6492" * 16)
_NOBODY = bytes(20)
# Deploying a wallet and checking a passkey's signature takes one to two million.
_GAS = 5_000_000


class _Artefact(msgspec.Struct, frozen=True):
    """What is needed of the committed compilation (contracts/build.mjs)."""

    bytecode: str


class Wrapped(msgspec.Struct, frozen=True):
    """A signature, and the call that makes its wallet exist (`factory` is zero when there is none)."""

    signature: bytes
    factory: bytes = _NOBODY
    preparation: bytes = b""


async def accepts(eth_call: EthCall, wallet: bytes, hashed: bytes, signature: bytes) -> bool:
    """Whether the wallet at this address accepts the signature of `hashed` (32 bytes).

    Raises Problem NODE_UNAVAILABLE when the answer is not a clear one, and whatever `eth_call` raises.
    """
    wrapped = unwrap(signature)
    if wrapped is None:
        return False
    answer = await eth_call({"data": to_hex(question(wallet, hashed, wrapped)), "gas": hex(_GAS)})
    if len(answer) != 32 or int.from_bytes(answer, "big") > 1:
        raise Problem("NODE_UNAVAILABLE", "The chain's node gave no usable answer. Try again soon.")
    return answer[31] == 1


def unwrap(signature: bytes) -> Wrapped | None:
    """The parts of an ERC-6492 wrapper, abi.encode(address, bytes, bytes) and 32 fixed bytes; a signature
    that does not end with them is taken as it is. None when the wrapper is torn."""
    if not signature.endswith(WRAPPER_END):
        return Wrapped(signature)
    body = signature[:-32]
    preparation, inner = _bytes_at(body, 32), _bytes_at(body, 64)
    if preparation is None or inner is None or any(body[:12]):
        return None
    return Wrapped(inner, body[12:32], preparation)


def question(wallet: bytes, hashed: bytes, wrapped: Wrapped) -> bytes:
    """The code that asks, with its arguments (wallet, hash, signature, factory, preparation)."""
    signature, preparation = _encoded(wrapped.signature), _encoded(wrapped.preparation)
    head = (
        wallet.rjust(32, b"\0")
        + hashed
        + _word(5 * 32)
        + wrapped.factory.rjust(32, b"\0")
        + _word(5 * 32 + len(signature))
    )
    return _validator() + head + signature + preparation


@cache
def _validator() -> bytes:
    text = (files("liqpass.signin") / "signature_validator.json").read_bytes()
    return bytes.fromhex(msgspec.json.decode(text, type=_Artefact).bytecode[2:])


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _encoded(raw: bytes) -> bytes:
    return _word(len(raw)) + raw + bytes(-len(raw) % 32)


def _bytes_at(body: bytes, place: int) -> bytes | None:
    """The `bytes` argument whose offset stands at `place`; None when it reaches beyond the end."""
    start = int.from_bytes(body[place : place + 32], "big") + 32
    if len(body) < place + 32 or start > len(body):
        return None
    length = int.from_bytes(body[start - 32 : start], "big")
    return body[start : start + length] if start + length <= len(body) else None
