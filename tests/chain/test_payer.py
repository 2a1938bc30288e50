"""What a node's error says about a payment: a contract's refusal is an answer, everything else is unknown."""

import pytest

from liqpass.chain.checkout import Call
from liqpass.chain.payer import revert_of, tried
from liqpass.chain.reverts import Revert
from liqpass.chain.rpc import Node, NodeError, NodeErrorKind
from liqpass.sandbox.anvil import encode_call
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.rpc_proxy import RpcProxy

TOO_FAR = "0x" + encode_call("QuoteExpired(uint256)", 5).hex()
IN_WORDS = "0x" + encode_call("Error(string)", "no, thanks").hex()
SPOILT = "0x08c379a0" + "ff" * 96
ELSE = "0xdeadbeef"


@pytest.mark.parametrize(
    ("code", "detail", "data", "revert"),
    [
        (3, "execution reverted", TOO_FAR, Revert(name="QuoteExpired")),
        (3, "execution reverted: no, thanks", IN_WORDS, Revert(words="no, thanks")),
        (-32015, "VM execution error.", f"Reverted {IN_WORDS}", Revert(words="no, thanks")),
        (-32000, "execution reverted", None, Revert()),
        (3, "execution reverted", "0x", Revert()),
        (3, "execution reverted", {"message": "?"}, Revert()),
        (3, "execution reverted", ELSE, Revert(words=ELSE)),
        (3, "execution reverted", SPOILT, Revert(words="")),
        (-32000, "header not found", None, None),
        (-32602, "invalid argument", TOO_FAR, None),
    ],
)
def test_a_revert_is_known_however_a_node_tells_it(
    code: int, detail: str, data: object, revert: Revert | None
) -> None:
    assert revert_of(NodeError(NodeErrorKind.REFUSED, detail, code=code, data=data)) == revert


@pytest.mark.parametrize("kind", [kind for kind in NodeErrorKind if kind is not NodeErrorKind.REFUSED])
def test_a_node_that_failed_has_refused_nothing(kind: NodeErrorKind) -> None:
    assert revert_of(NodeError(kind, "execution reverted", code=3, data=TOO_FAR)) is None


async def test_another_endpoint_answers_for_one_that_does_not(chain: SandboxChain) -> None:
    expired = chain.quote_calls(b"\7" * 32, 3_000_000, 5)[1]
    payer = chain.wallets[0].address
    async with (
        RpcProxy(chain.url) as first,
        RpcProxy(chain.url) as second,
        Node(first.url) as one,
        Node(second.url) as other,
    ):
        first.unavailable = True
        assert await tried([one, other], payer, expired) == Revert(name="QuoteExpired")
        second.unavailable, first.unavailable = True, False
        # a refusal of the first is an answer: nobody else is asked
        assert await tried([one, other], payer, expired) == Revert(name="QuoteExpired")
        assert await tried([one, other], payer, Call(payer, b"", 0)) is None
        first.unavailable = True
        with pytest.raises(NodeError):
            await tried([one, other], payer, expired)
