"""What a node's error says about a payment: a contract's refusal is an answer, everything else is unknown."""

from collections.abc import AsyncIterator

import pytest

from liqpass.chain.checkout import Call
from liqpass.chain.failures import NodeError, NodeErrorKind
from liqpass.chain.payer import tried
from liqpass.chain.reverts import TOO_LITTLE_ALLOWED, UNEXPLAINED, Revert, told
from liqpass.chain.rpc import Node, revert_of
from liqpass.sandbox.anvil import encode_call
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.rpc_proxy import RpcProxy
from tests.chain.ways_of_reverting import WITH_DATA, WITH_NOTHING, WITH_WORDS, Way

TOO_FAR = "0x" + encode_call("QuoteExpired(uint256)", 5).hex()
NOT_ALLOWED = Revert(words=TOO_LITTLE_ALLOWED)
EXPIRED = Revert(name="QuoteExpired")
FAR = 2**40


@pytest.fixture
async def proxy(chain: SandboxChain) -> AsyncIterator[RpcProxy]:
    async with RpcProxy(chain.url) as endpoint:
        yield endpoint


@pytest.fixture
async def node(proxy: RpcProxy) -> AsyncIterator[Node]:
    async with Node(proxy.url) as opened:
        yield opened


async def why(chain: SandboxChain, *nodes: Node, deadline: int) -> Revert | None:
    """Somebody pays who has approved nothing."""
    pay = chain.quote_calls(b"\7" * 32, 3_000_000, deadline)[1]
    return await tried(nodes, chain.wallets[0].address, pay)


@pytest.mark.parametrize("way", WITH_DATA.values(), ids=WITH_DATA)
async def test_data_are_found_wherever_a_node_puts_them(
    chain: SandboxChain, proxy: RpcProxy, node: Node, way: Way
) -> None:
    proxy.retell = way
    assert await why(chain, node, deadline=5) == EXPIRED
    assert await why(chain, node, deadline=FAR) == NOT_ALLOWED


@pytest.mark.parametrize("way", WITH_WORDS.values(), ids=WITH_WORDS)
async def test_words_without_data_are_read(
    chain: SandboxChain, proxy: RpcProxy, node: Node, way: Way
) -> None:
    proxy.retell = way
    assert await why(chain, node, deadline=FAR) == NOT_ALLOWED


@pytest.mark.parametrize("way", WITH_NOTHING.values(), ids=WITH_NOTHING)
async def test_a_node_that_names_no_reason_is_not_given_one(
    chain: SandboxChain, proxy: RpcProxy, node: Node, way: Way
) -> None:
    proxy.retell = way
    assert await why(chain, node, deadline=FAR) == UNEXPLAINED
    assert await why(chain, node, deadline=5) == UNEXPLAINED


@pytest.mark.parametrize(
    ("code", "message", "data", "revert"),
    [
        (3, "execution reverted: no, thanks", None, Revert(words="no, thanks")),
        (-32603, "reverted with reason string 'no, thanks'", None, Revert(words="no, thanks")),
        (-32603, "reverted with custom error 'QuoteExpired(5)'", None, EXPIRED),
        (3, "execution reverted", "0xdeadbeef", Revert(words="0xdeadbeef")),
        (3, "execution reverted: custom error 0xdeadbeef: \x05", None, Revert(words="0xdeadbeef")),
        (3, "execution reverted", "0x08c379a0" + "ff" * 96, UNEXPLAINED),
        (3, "execution reverted", "0x4e487b71" + "11".rjust(64, "0"), Revert(words="Panic(0x11)")),
        # hashes and addresses are no errors of a contract
        (3, "execution reverted", {"tx": f"0x{'ab' * 32}", "from": f"0x{'cd' * 20}"}, UNEXPLAINED),
        (3, "execution reverted", {"a": {"b": {"c": {"d": {"e": {"f": TOO_FAR}}}}}}, UNEXPLAINED),
        (3, f"execution reverted: {'x' * 5_000}", None, Revert(words="x" * 200)),
        (3, "execution reverted: a\0b\u202ec", None, Revert(words="a b c")),
        (-32000, "header not found", None, None),
        (-32602, "invalid argument", TOO_FAR, None),
        (-32015, "VM execution error.", "Out of gas", None),
        (-32603, "Internal error", {"message": "Internal error"}, None),  # Hardhat 3.1.9 of any revert
    ],
)  # fmt: skip
def test_a_revert_is_known_however_a_node_tells_it(
    code: int, message: str, data: object, revert: Revert | None
) -> None:
    assert told(code, message, data) == revert


@pytest.mark.parametrize("kind", [kind for kind in NodeErrorKind if kind is not NodeErrorKind.REFUSED])
def test_a_node_that_failed_has_refused_nothing(kind: NodeErrorKind) -> None:
    error = NodeError(kind, "it", code=3, said="execution reverted", data=TOO_FAR)
    assert revert_of(error) is None


async def test_a_host_that_is_called_so_has_not_reverted_anything() -> None:
    async with Node("http://revert.example") as node:
        assert revert_of(node.error(NodeErrorKind.REFUSED, "refused eth_call: header not found")) is None


async def test_another_endpoint_is_asked_for_a_reason_and_what_it_shows_counts(
    chain: SandboxChain, proxy: RpcProxy, node: Node
) -> None:
    proxy.retell = WITH_NOTHING["empty data"]
    async with RpcProxy(chain.url) as second, Node(second.url) as other:
        assert await why(chain, node, other, deadline=FAR) == NOT_ALLOWED
        assert await why(chain, other, node, deadline=FAR) == NOT_ALLOWED
        second.retell = proxy.retell
        assert await why(chain, node, other, deadline=FAR) == UNEXPLAINED
        second.unavailable = True
        assert await why(chain, node, other, deadline=FAR) == UNEXPLAINED


async def test_the_key_in_an_endpoints_address_is_in_no_reason(chain: SandboxChain, proxy: RpcProxy) -> None:
    key = "0123456789abcdef"
    for message, data in ((f"execution reverted: plan {key}", None), ("", {"a": [f"reverted: plan {key}"]})):
        told_so = {"error": {"code": 3, "message": message, "data": data}}
        proxy.retell = lambda answer, error=told_so: {**answer, **error}
        async with Node(f"{proxy.url}/?key={key}") as keyed:
            assert await why(chain, keyed, deadline=FAR) == Revert(words="plan …")


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
