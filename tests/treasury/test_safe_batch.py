"""The batch file is what the Transaction Builder of Safe{Wallet} takes, and its checksum is that app's."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from liqpass.sandbox.anvil import encode_call
from liqpass.treasury.safe_batch import Batch, batch_checksum, batch_of
from tests.contracts.test_build import TOP, node

NOW = datetime(2026, 5, 3, 12, 0, 0, 123_000, tzinfo=UTC)
SAFE, USDC = bytes.fromhex("7e" * 20), bytes.fromhex("833589fcd6edb6e08f4c7c32d4f71b54bda02913")
ADA, BOB = bytes.fromhex("a0" * 20), bytes.fromhex("0b" * 20)

# Files that the app itself has written, as published in two repositories.
A_TRANSFER = json.loads("""
{"version":"1.0","chainId":"1","createdAt":1750255509666,"meta":{"name":"Transactions Batch","description":"",
"txBuilderVersion":"1.18.0","createdFromSafeAddress":"0x7eC991e1648B7F1d5fa91ae3688C9f36a5CA6C8B",
"createdFromOwnerAddress":"",
"checksum":"0xf1966baf2cdc7c68774e5be291e81549cc7438efbceccaad0003bb12f8d30baf"},"transactions":[
{"to":"0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48","value":"0","data":null,"contractMethod":{"inputs":[
{"name":"to","type":"address","internalType":"address"},{"name":"value","type":"uint256","internalType":"uint256"}],
"name":"transfer","payable":false},"contractInputsValues":{"to":"0x116Da30d890533516f2683731F9Bd167807448b8",
"value":"1000000"}}]}
""")
A_CALL = json.loads(
    """
{"version":"1.0","chainId":"1","createdAt":1713949623894,"meta":{"name":"Transactions Batch","description":"",
"txBuilderVersion":"1.16.5","createdFromSafeAddress":"0xcdd57D11476c22d265722F68390b036f3DA48c21",
"createdFromOwnerAddress":"",
"checksum":"0x37b66d67757452f835ebc6540e283e27544d1414409577963593e7e535ce3ad9"},"transactions":[
{"to":"0x9f26d4C958fD811A1F59B01B86Be7dFFc9d20761","value":"0","data":null,"contractMethod":{"inputs":[
{"internalType":"address","name":"target","type":"address"},
{"internalType":"uint256","name":"value","type":"uint256"},{"internalType":"bytes","name":"data","type":"bytes"},
{"internalType":"bytes32","name":"predecessor","type":"bytes32"},
{"internalType":"bytes32","name":"salt","type":"bytes32"},
{"internalType":"uint256","name":"delay","type":"uint256"}],"name":"schedule","payable":false},
"contractInputsValues":{"target":"0x9FFDF407cDe9a93c47611799DA23924Af3EF764F","value":"0",
"data":"0x3beb551700000000000000000000000061ff310ac15a517a846da08ac9f9abf2a0f9a2bf\
00000000000000000000000000000000000000000000000000000000000007d0\
0000000000000000000000000000000000000000000000000000000000001388",
"predecessor":"0x0","salt":"0x0","delay":"259200"}}]}
""".replace("\\\n", "")
)


def ours(*payouts: tuple[bytes, int], name: str = "LiqPass", description: str = "two refunds") -> Batch:
    return batch_of(8453, SAFE, USDC, payouts, now=NOW, name=name, description=description)


def by_the_app(*batches: Batch) -> list[dict[str, Any]]:
    """What an implementation of its own, in the app's language, finds of these files."""
    script = Path(__file__).with_name("safe_checksum.mjs")
    done = subprocess.run(
        [node(), script, TOP / "contracts"],
        input=json.dumps(batches),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_files_that_the_app_has_written_carry_the_checksum_that_we_compute() -> None:
    for published in (A_TRANSFER, A_CALL):
        assert batch_checksum(published) == published["meta"]["checksum"]


def test_our_file_has_the_shape_of_the_published_one() -> None:
    batch = ours((ADA, 1_000_000))
    assert batch.keys() == A_TRANSFER.keys()
    assert batch["meta"].keys() == A_TRANSFER["meta"].keys()
    (mine,), (theirs,) = batch["transactions"], A_TRANSFER["transactions"]
    assert {**mine, "to": "", "contractInputsValues": {}} == {**theirs, "to": "", "contractInputsValues": {}}
    assert mine["contractInputsValues"].keys() == theirs["contractInputsValues"].keys()
    assert [type(value) for value in batch.values()] == [type(value) for value in A_TRANSFER.values()]


def test_our_file_names_chain_safe_token_recipients_and_amounts() -> None:
    batch = ours((ADA, 12_345_678), (BOB, 2**62))
    assert (batch["version"], batch["chainId"], batch["createdAt"]) == ("1.0", "8453", 1_777_809_600_123)
    assert batch["meta"]["createdFromSafeAddress"] == to_checksum_address(SAFE)
    assert {one["to"] for one in batch["transactions"]} == {"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"}
    values = [one["contractInputsValues"] for one in batch["transactions"]]
    assert [(bytes.fromhex(v["to"][2:]), int(v["value"])) for v in values] == [
        (ADA, 12_345_678),
        (BOB, 2**62),
    ]


def test_the_app_takes_our_files() -> None:
    batches = [ours((ADA, 1)), ours((ADA, 2**62), (BOB, 5)), ours(description='“q” \\ "x" \n ü 🙂', name="é")]
    for found in by_the_app(*batches, A_TRANSFER, A_CALL):
        assert found["checksum"] == found["said"]
        assert found["encoded"]


@given(st.text(), st.lists(st.tuples(st.binary(min_size=20, max_size=20), st.integers(1, 2**63 - 1))))
def test_the_name_can_be_changed_in_the_app_and_nothing_else(
    name: str, payouts: list[tuple[bytes, int]]
) -> None:
    batch = ours(*payouts)
    said = batch["meta"]["checksum"]
    assert batch_checksum({**batch, "meta": {**batch["meta"], "name": name}}) == said
    more = [*batch["transactions"], *ours((ADA, 7))["transactions"]]
    assert batch_checksum({**batch, "transactions": more}) != said
    assert batch_checksum({**batch, "chainId": "1"}) != said


def test_the_method_and_values_are_the_call_that_usdc_understands() -> None:
    (one,) = ours((ADA, 12_345_678))["transactions"]
    inputs = [given["type"] for given in one["contractMethod"]["inputs"]]
    function = f"{one['contractMethod']['name']}({','.join(inputs)})"
    data = encode_call(function, ADA, 12_345_678)
    assert data.hex() == "a9059cbb" + ADA.hex().rjust(64, "0") + hex(12_345_678)[2:].rjust(64, "0")
