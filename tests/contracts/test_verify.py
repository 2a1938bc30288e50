"""`contract verify` and the start: every difference between settings and chain has a row that names it."""

from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from liqpass.chain.rpc import Node
from liqpass.chain.verify import USDBC, Row, deployed_code, sale_obstacles, verify, verify_usdc
from liqpass.hexes import to_hex
from liqpass.sandbox.chain import SandboxChain
from liqpass.sandbox.rpc_proxy import RpcProxy
from tests.chain.ways_of_reverting import WITH_NOTHING, Way
from tests.contracts.actors import as_owner

STRANGER = bytes.fromhex("5e" * 20)


def wrong(rows: list[Row]) -> list[str]:
    return [row.name for row in rows if not row.ok]


async def test_the_sandboxs_checkout_is_the_one_of_its_terms(chain: SandboxChain) -> None:
    rows = await verify(chain.rpc, chain.checkout, chain.terms(), chain.owner.address)
    assert wrong(rows) == []
    assert [row.name for row in rows] == [
        "chain id",
        "USDC",
        "USDC decimals()",
        "USDC DOMAIN_SEPARATOR()",
        "checkout code",
        "checkout token()",
        "checkout treasury()",
        "checkout signer()",
        "checkout owner()",
        "checkout eip712Domain()",
    ]


async def test_an_owner_that_nobody_named_is_shown(chain: SandboxChain) -> None:
    rows = await verify(chain.rpc, chain.checkout, chain.terms())
    assert wrong(rows) == []
    assert to_hex(chain.owner.address) in {row.detail.lower() for row in rows}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (
            {"chain_id": 84532},
            [
                "chain id",
                "USDC DOMAIN_SEPARATOR()",
                "checkout _cachedChainId in its code",
                "checkout _cachedDomainSeparator in its code",
            ],
        ),
        ({"treasury": STRANGER}, ["checkout treasury in its code"]),
        ({"signer": STRANGER}, ["checkout signer()"]),
    ],
)
async def test_another_setting_is_named(
    chain: SandboxChain, change: dict[str, object], names: list[str]
) -> None:
    terms = replace(chain.terms(), **change)
    assert wrong(await verify(chain.rpc, chain.checkout, terms, chain.owner.address)) == names


async def test_another_usdc_is_named(chain: SandboxChain) -> None:
    terms = replace(chain.terms(), usdc=await chain.deploy_usdc())
    assert wrong(await verify(chain.rpc, chain.checkout, terms)) == ["checkout token in its code"]


async def test_another_owner_is_named(chain: SandboxChain) -> None:
    assert wrong(await verify(chain.rpc, chain.checkout, chain.terms(), STRANGER)) == ["checkout owner()"]


async def test_a_signer_that_was_changed_on_the_chain_is_named(chain: SandboxChain) -> None:
    await as_owner(chain, "setSigner(address)", STRANGER)
    assert wrong(await verify(chain.rpc, chain.checkout, chain.terms())) == ["checkout signer()"]


async def test_an_address_without_a_contract_is_named(chain: SandboxChain) -> None:
    rows = await verify(chain.rpc, STRANGER, chain.terms())
    assert wrong(rows) == ["checkout code"]
    assert "there is no contract" in rows[-1].detail
    rows = await verify_usdc(chain.rpc, replace(chain.terms(), usdc=STRANGER))
    assert wrong(rows) == ["USDC"]


async def test_code_that_differs_in_one_byte_is_not_the_committed_one(chain: SandboxChain) -> None:
    code = bytearray(deployed_code(chain.checkout, chain.terms()))
    code[100] ^= 1
    await chain.rpc("anvil_setCode", [to_hex(chain.checkout), to_hex(bytes(code))])
    assert wrong(await verify(chain.rpc, chain.checkout, chain.terms())) == ["checkout code"]


async def test_code_that_goes_on_after_the_committed_one_is_another(chain: SandboxChain) -> None:
    code = deployed_code(chain.checkout, chain.terms()) + b"\0"
    await chain.rpc("anvil_setCode", [to_hex(chain.checkout), to_hex(code)])
    assert wrong(await verify(chain.rpc, chain.checkout, chain.terms())) == ["checkout code"]


async def test_one_of_several_places_of_an_immutable_that_differs_is_found(chain: SandboxChain) -> None:
    """Only the place that pays could be forged, so that the getter still shows the right treasury."""
    code = deployed_code(chain.checkout, chain.terms())
    place = code.rindex(chain.treasury)
    forged = code[:place] + STRANGER + code[place + 20 :]
    await chain.rpc("anvil_setCode", [to_hex(chain.checkout), to_hex(forged)])
    assert wrong(await verify(chain.rpc, chain.checkout, chain.terms())) == ["checkout treasury in its code"]


async def test_a_token_without_version_is_named(chain: SandboxChain) -> None:
    rows = await verify_usdc(chain.rpc, replace(chain.terms(), usdc=chain.checkout))
    assert wrong(rows) == ["USDC"]
    assert "no name()" in rows[0].detail


async def test_the_old_bridged_token_is_called_by_its_name(chain: SandboxChain) -> None:
    rows = await verify_usdc(chain.rpc, replace(chain.terms(), usdc=USDBC))
    assert "USDbC" in rows[0].detail


@pytest.mark.parametrize("way", WITH_NOTHING.values(), ids=WITH_NOTHING)
async def test_a_contract_without_a_function_is_no_outage_however_a_node_tells_it(
    chain: SandboxChain, way: Way
) -> None:
    async with RpcProxy(chain.url) as endpoint, Node(endpoint.url) as node:
        endpoint.retell = way
        rows = await verify_usdc(node.call, replace(chain.terms(), usdc=chain.checkout))
    assert [(row.ok, row.detail.partition(" ")[2]) for row in rows] == [
        (False, "has no name() or no version()")
    ]


async def test_an_outage_is_not_a_difference(chain: SandboxChain) -> None:
    async with RpcProxy(chain.url) as endpoint, aiohttp.ClientSession() as http:

        async def rpc(method: str, params: list[object]) -> Any:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            async with http.post(endpoint.url, json=body, raise_for_status=True) as response:
                return (await response.json())["result"]

        assert wrong(await verify(rpc, chain.checkout, chain.terms())) == []
        endpoint.unavailable = True
        with pytest.raises(aiohttp.ClientResponseError):
            await verify(rpc, chain.checkout, chain.terms())
        with pytest.raises(aiohttp.ClientResponseError):
            await sale_obstacles(rpc, chain.checkout, chain.usdc, chain.treasury)


async def test_nothing_stands_in_the_way_of_a_sale(chain: SandboxChain) -> None:
    assert await sale_obstacles(chain.rpc, chain.checkout, chain.usdc, chain.treasury) == []


async def test_each_obstacle_is_a_sentence(chain: SandboxChain) -> None:
    await as_owner(chain, "pause()")
    await chain.blacklist(chain.treasury)
    await chain.pause_usdc()
    assert await sale_obstacles(chain.rpc, chain.checkout, chain.usdc, chain.treasury) == [
        "The checkout is paused.",
        "USDC itself is paused by its issuer.",
        "The treasury is on the blacklist of USDC.",
    ]
