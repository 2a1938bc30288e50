"""What the chain says of somebody who is about to pay, before the wallet asks: read, or tried in an eth_call.

Whatever is asked is asked of the endpoints one after another until one answers; when none does, the last
one's NodeError is raised: unknown, which is neither yes nor no.
"""

from collections.abc import Sequence

from msgspec import Struct

from liqpass.chain.checkout import Call, word
from liqpass.chain.failures import NodeError, NodeErrorKind
from liqpass.chain.permits import TokenDomain
from liqpass.chain.reverts import UNEXPLAINED, Revert, abi_text, decoded
from liqpass.chain.rpc import Node, first_answer, revert_of
from liqpass.hexes import to_hex
from liqpass.keccak import keccak
from liqpass.settings import ChainSettings

DELEGATION = bytes.fromhex("ef0100")  # EIP-7702: before the address of the code that an ordinary account runs

Asked = tuple[str, list[object]]


class Standing(Struct, frozen=True):
    """A payer, the token and the checkout at the chain's head. Micro-USDC; ether in wei."""

    balance: int
    allowance: int
    ether: int
    code: bytes
    """The payer's own: a contract, a delegation, or nothing."""
    usdc_paused: bool
    checkout_paused: bool
    blacklisted: frozenset[bytes]
    """Whom USDC refuses, of payer, treasury and checkout."""

    @property
    def is_contract(self) -> bool:
        """It has no key that signs: one that merely delegates (EIP-7702) has."""
        return bool(self.code) and not self.code.startswith(DELEGATION)


class PermitTerms(Struct, frozen=True):
    """What a permit of this owner has to name. None of it is a setting: it is read from the token."""

    domain: TokenDomain
    nonce: int


async def standing(nodes: Sequence[Node], chain: ChainSettings, checkout: bytes, payer: bytes) -> Standing:
    """Read it in one request. Raises NodeError."""
    suspects = (payer, chain.treasury, checkout)
    calls: list[Asked] = [
        _view(chain.usdc, "balanceOf(address)", payer),
        _view(chain.usdc, "allowance(address,address)", payer, checkout),
        ("eth_getBalance", [to_hex(payer), "latest"]),
        ("eth_getCode", [to_hex(payer), "latest"]),
        _view(chain.usdc, "paused()"),
        _view(checkout, "paused()"),
        *(_view(chain.usdc, "isBlacklisted(address)", one) for one in suspects),
    ]
    answers = await first_answer(nodes, lambda node: _read(node, calls))
    balance, allowance, ether = (int.from_bytes(answer, "big") for answer in answers[:3])
    return Standing(
        balance=balance,
        allowance=allowance,
        ether=ether,
        code=answers[3],
        usdc_paused=any(answers[4]),
        checkout_paused=any(answers[5]),
        blacklisted=frozenset(one for one, said in zip(suspects, answers[6:], strict=True) if any(said)),
    )


async def permit_terms(nodes: Sequence[Node], chain: ChainSettings, owner: bytes) -> PermitTerms | None:
    """None when the token has no permits, or its domain is another than its name and version make: a permit
    would be signed in vain. Raises NodeError."""
    calls = [
        *(_view(chain.usdc, function) for function in ("name()", "version()", "DOMAIN_SEPARATOR()")),
        _view(chain.usdc, "nonces(address)", owner),
    ]
    try:
        name, version, separator, nonce = await first_answer(nodes, lambda node: _read(node, calls))
    except NodeError as error:
        if revert_of(error) is None:
            raise
        return None
    domain = TokenDomain(chain.chain_id, chain.usdc, abi_text(name) or "", abi_text(version) or "")
    if separator != domain.separator or len(nonce) != 32:
        return None
    return PermitTerms(domain, int.from_bytes(nonce, "big"))


async def tried(nodes: Sequence[Node], payer: bytes, call: Call) -> Revert | None:
    """Let a node execute the payer's call on the chain's head, and forget it: why it fails, or None. A payer
    without ether may try too. The call is one that returns nothing when it succeeds.

    Some nodes say of a refusal only that it is one: then the next is asked, and UNEXPLAINED is what no node
    explains. Raises NodeError when no node says anything.
    """
    transaction = {"from": to_hex(payer), "to": to_hex(call.to), "data": to_hex(call.data)}
    unexplained, failure = None, None
    for node in nodes:
        try:
            revert = await _try(node, transaction)
        except NodeError as error:
            failure = error
            continue
        if revert != UNEXPLAINED:
            return revert
        unexplained = revert
    if unexplained is None and failure is not None:
        raise failure
    return unexplained


async def _try(node: Node, transaction: dict[str, str]) -> Revert | None:
    try:
        (answer,) = await _read(node, [("eth_call", [transaction, "latest"])])
    except NodeError as error:
        revert = revert_of(error)
        if revert is None:
            raise
        return revert
    # geth before 1.9.15, and some to this day, give a refusal's data as if it were the result
    return decoded(answer) if answer else None


def _view(to: bytes, function: str, *addresses: bytes) -> Asked:
    data = keccak(function.encode())[:4] + b"".join(word(address) for address in addresses)
    return "eth_call", [{"to": to_hex(to), "data": to_hex(data)}, "latest"]


async def _read(node: Node, calls: list[Asked]) -> list[bytes]:
    answers = await node.batch(calls)
    try:
        return [_bytes(answer) for answer in answers]
    except ValueError:
        raise node.error(NodeErrorKind.BAD_ANSWER, "answered with something that is no hexadecimal") from None


def _bytes(answer: object) -> bytes:
    """Data, or a quantity, which may have an odd number of digits."""
    if not isinstance(answer, str) or not answer.startswith("0x"):
        raise ValueError
    return bytes.fromhex(answer[2:] if len(answer) % 2 == 0 else "0" + answer[2:])
