"""The bad endpoint is bad in exactly the way it was told to be."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from liqpass.hexes import to_hex
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.rpc_proxy import Request, RpcProxy


@pytest_asyncio.fixture
async def endpoint(chain: SandboxChain) -> AsyncIterator[RpcProxy]:
    async with RpcProxy(chain.url) as proxy:
        yield proxy


async def post(endpoint: RpcProxy, body: object) -> Any:
    async with aiohttp.ClientSession() as http, http.post(endpoint.url, json=body) as response:
        return await response.json()


def asking(method: str, *params: object, number: int = 1) -> Request:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


async def ask(endpoint: RpcProxy, method: str, *params: object) -> Any:
    """The result of one call, or its error's code."""
    answer = await post(endpoint, asking(method, *params))
    return answer["result"] if "result" in answer else answer["error"]["code"]


def transfers(chain: SandboxChain, first: int = 0, last: str = "latest") -> dict[str, str]:
    return {"address": to_hex(chain.usdc), "fromBlock": hex(first), "toBlock": last}


async def test_a_batch_is_answered_in_its_order_with_its_ids(chain: SandboxChain, endpoint: RpcProxy) -> None:
    batch = [
        asking("eth_chainId", number=7),
        asking("eth_nonsense", number=3),
        asking("eth_blockNumber", number=5),
    ]
    answers = await post(endpoint, batch)
    assert [one["id"] for one in answers] == [7, 3, 5]
    assert answers[0]["result"] == hex(8453)
    assert "error" in answers[1]
    assert int(answers[2]["result"], 16) == await chain.block_number()
    assert endpoint.seen == ["eth_chainId", "eth_nonsense", "eth_blockNumber"]


async def test_a_lagging_endpoint_is_late_in_everything(chain: SandboxChain, endpoint: RpcProxy) -> None:
    receipt = await chain.transfer(chain.wallets[0], chain.treasury, 5)
    await chain.mine(2)
    endpoint.lag = 3
    head = await chain.block_number()
    assert int(await ask(endpoint, "eth_blockNumber"), 16) == head - 3
    for tag in ("latest", "safe", "finalized"):
        late = await ask(endpoint, "eth_getBlockByNumber", tag, False)
        assert int(late["number"], 16) == await chain.block_number(tag) - 3
    mined = int(receipt["blockNumber"], 16)
    assert await ask(endpoint, "eth_getLogs", transfers(chain, mined)) == []
    assert await ask(endpoint, "eth_getTransactionReceipt", receipt["transactionHash"]) is None
    assert await ask(endpoint, "eth_getBlockByNumber", hex(mined), False) is None
    assert await ask(endpoint, "eth_getBlockByHash", receipt["blockHash"], False) is None
    endpoint.lag = 2
    assert len(await ask(endpoint, "eth_getLogs", transfers(chain, mined))) == 1


async def test_an_endpoint_can_find_no_logs_where_there_are_some(
    chain: SandboxChain, endpoint: RpcProxy
) -> None:
    assert len(await ask(endpoint, "eth_getLogs", transfers(chain))) >= len(chain.wallets)
    endpoint.empty_logs = True
    assert await ask(endpoint, "eth_getLogs", transfers(chain)) == []


async def test_a_rate_limited_endpoint_refuses_every_call_of_a_batch(endpoint: RpcProxy) -> None:
    endpoint.rate_limited = True
    answers = await post(endpoint, [asking("eth_chainId"), asking("eth_blockNumber", number=2)])
    assert [one["error"]["code"] for one in answers] == [-32005, -32005]


async def test_a_range_that_is_too_wide_is_refused_and_a_narrow_one_is_not(
    chain: SandboxChain, endpoint: RpcProxy
) -> None:
    endpoint.max_range = 5
    head = await chain.block_number()
    assert await ask(endpoint, "eth_getLogs", transfers(chain, head - 5)) == -32614
    assert isinstance(await ask(endpoint, "eth_getLogs", transfers(chain, head - 4)), list)


async def test_too_many_results_are_refused(chain: SandboxChain, endpoint: RpcProxy) -> None:
    endpoint.max_logs = 2
    assert await ask(endpoint, "eth_getLogs", transfers(chain)) == -32005


async def test_an_endpoint_can_have_lost_the_state_of_old_blocks(
    chain: SandboxChain, endpoint: RpcProxy
) -> None:
    _, block_hash, _ = await chain.block()
    balance = {"to": to_hex(chain.usdc), "data": "0x18160ddd"}  # totalSupply()
    at_that_block = {"blockHash": to_hex(block_hash), "requireCanonical": True}
    assert int(await ask(endpoint, "eth_call", balance, at_that_block), 16) > 0
    endpoint.no_old_state = True
    assert await ask(endpoint, "eth_call", balance, at_that_block) == -32000
    assert int(await ask(endpoint, "eth_call", balance, "latest"), 16) > 0


async def test_an_endpoint_that_is_gone_refuses_connections_and_comes_back(endpoint: RpcProxy) -> None:
    await endpoint.refuse()
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(endpoint, "eth_chainId")
    await endpoint.listen()
    assert await ask(endpoint, "eth_chainId") == hex(8453)


async def test_an_endpoint_can_answer_503_or_a_page(endpoint: RpcProxy) -> None:
    async with aiohttp.ClientSession() as http:
        endpoint.html = True
        async with http.post(endpoint.url, json=asking("eth_chainId")) as response:
            assert (response.status, response.content_type) == (200, "text/html")
        endpoint.unavailable = True
        async with http.post(endpoint.url, json=asking("eth_chainId")) as response:
            assert response.status == 503


async def test_a_reorg_can_happen_while_an_endpoint_is_asked(chain: SandboxChain, endpoint: RpcProxy) -> None:
    await chain.mine(2)
    _, old_hash, _ = await chain.block()

    async def shake(requests: list[Request]) -> None:
        await chain.reorg(1)

    endpoint.before = shake
    assert (await ask(endpoint, "eth_getBlockByNumber", "latest", False))["hash"] != to_hex(old_hash)


async def test_an_endpoint_can_lie(chain: SandboxChain, endpoint: RpcProxy) -> None:
    endpoint.rewrite = lambda method, params, result: hex(1) if method == "eth_chainId" else result
    assert await ask(endpoint, "eth_chainId") == hex(1)
    assert int(await ask(endpoint, "eth_blockNumber"), 16) == await chain.block_number()
