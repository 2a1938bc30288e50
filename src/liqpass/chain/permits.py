"""USDC's permit (EIP-2612), an approval that is signed: approving and paying is one transaction. Pure."""

from typing import Any

from msgspec import Struct

from liqpass.chain.checkout import PAY_PREMIUM, Call, domain_separator, word
from liqpass.hexes import checksum
from liqpass.keccak import keccak

PAY_PREMIUM_WITH_PERMIT = keccak(
    b"payPremiumWithPermit(bytes32,uint256,uint256,bytes,uint256,uint8,bytes32,bytes32)"
)[:4]

_DOMAIN = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)
_PERMIT = (
    ("owner", "address"),
    ("spender", "address"),
    ("value", "uint256"),
    ("nonce", "uint256"),
    ("deadline", "uint256"),
)
PERMIT_TYPEHASH = keccak(b"Permit(" + ",".join(f"{kind} {name}" for name, kind in _PERMIT).encode() + b")")


class TokenDomain(Struct, frozen=True):
    """In whose name the token's permits are signed."""

    chain_id: int
    token: bytes
    name: str
    version: str

    @property
    def separator(self) -> bytes:
        """What the token's DOMAIN_SEPARATOR() has to be."""
        return domain_separator(self.chain_id, self.token, self.name, self.version)


class Permit(Struct, frozen=True):
    """`spender` may take `value` micro-USDC of `owner`, until `deadline` (unix seconds of block time)."""

    domain: TokenDomain
    owner: bytes
    spender: bytes
    value: int
    nonce: int
    deadline: int


def digest(permit: Permit) -> bytes:
    """What the owner's key signs."""
    said = PERMIT_TYPEHASH + b"".join(
        word(part) for part in (permit.owner, permit.spender, permit.value, permit.nonce, permit.deadline)
    )
    return keccak(b"\x19\x01" + permit.domain.separator + keccak(said))


def typed_data(permit: Permit) -> dict[str, Any]:
    """The same as a wallet's eth_signTypedData_v4 takes it. Numbers as text: JavaScript's are too small."""
    domain = permit.domain
    return {
        "types": {"EIP712Domain": _fields(_DOMAIN), "Permit": _fields(_PERMIT)},
        "primaryType": "Permit",
        "domain": {
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": checksum(domain.token),
        },
        "message": {
            "owner": checksum(permit.owner),
            "spender": checksum(permit.spender),
            "value": str(permit.value),
            "nonce": str(permit.nonce),
            "deadline": str(permit.deadline),
        },
    }


def _fields(named: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in named]


def with_permit(pay: Call, permit: Permit, signature: bytes) -> Call:
    """`pay`, a call of payPremium, as payPremiumWithPermit. The signature is r, s, v (27, 28, 0 or 1)."""
    order_amount_deadline, quote = pay.data[4:100], pay.data[132:]
    if pay.data[:4] != PAY_PREMIUM or len(signature) != 65:
        raise ValueError("A call of payPremium, and a signature of 65 bytes.")
    v = 27 + signature[64] % 27
    rest = word(8 * 32) + word(permit.deadline) + word(v) + signature[:64]
    return Call(to=pay.to, data=PAY_PREMIUM_WITH_PERMIT + order_amount_deadline + rest + quote, value=0)
