"""`liqpass claims` as an operator types it, and a verdict computed again by who has only the file."""

import csv
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from io import StringIO
from pathlib import Path

import pytest

from liqpass.claims.states import ClaimStatus
from liqpass.hexes import checksum
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.chain import USDC
from tests.claims.claimed import step
from tests.commands import cli
from tests.commands.cli import Done
from tests.commands.forked import liqpass
from tests.review.conftest import LIMIT, Bureau, Office, bureau, covered_office

S = ClaimStatus
ADA, BOB = ("--by", "Ada"), ("--by", "Bob")
BECAUSE = ("--reason", "the bills of 3 May")
OTHER = checksum(wallet("another wallet of the trader").address)


@pytest.fixture(scope="module")
async def open_bureau(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Bureau]:
    async with bureau(server_url, template, tmp_path_factory.mktemp("bureau")) as of:
        yield of


@pytest.fixture
async def office(open_bureau: Bureau) -> AsyncIterator[Office]:
    """A covered order of somebody new."""
    async with covered_office(open_bureau) as open_:
        yield open_


@pytest.fixture
async def env(office: Office, server_url: str) -> dict[str, str]:
    return await office.env(server_url)


async def good(*arguments: str, env: dict[str, str]) -> str:
    done = await liqpass("claims", *arguments, env=env)
    assert done.status == 0, done
    return done.out


async def refused(*arguments: str, env: dict[str, str]) -> str:
    """The one line that says why not."""
    done = await liqpass("claims", *arguments, env=env)
    assert (done.status, done.out) == (1, ""), done
    assert done.err.count("\n") == 1, done
    return done.err


async def gathered(office: Office) -> str:
    """A claim about which the exchange was asked once: its position is open."""
    claim_id = str((await office.open())["claimId"])
    await step(office.world, "gather evidence")
    return claim_id


async def test_a_claim_is_opened_for_an_order_and_opening_again_finds_it(
    office: Office, env: dict[str, str]
) -> None:
    order_id = office.order["purchaseOrderId"]
    out = await good("open", order_id, *ADA, env=env)
    (claim,) = (await office.trader.call("GET", "/api/insurance/claims"))["claims"]
    assert f"The claim of this order is {claim['claimId']}." in out
    assert (claim["openedBy"], claim["history"][0]["actor"]) == ("OPERATOR", "OPERATOR")
    assert claim["claimId"] in await good("open", order_id.upper().replace("0X", "0x"), *BOB, env=env)
    assert "by Ada" in await good("show", claim["claimId"], env=env)
    assert "ORDER is 0x and 64 hexadecimal digits" in await refused("open", "0x12", *ADA, env=env)
    assert "There is no such order." in await refused("open", f"0x{'12' * 32}", *ADA, env=env)


async def test_the_list_shows_what_is_to_be_done_and_gives_it_to_programs(
    office: Office, env: dict[str, str]
) -> None:
    claim_id = await office.claim_in(S.PAYABLE, amount=20 * USDC)
    listed = await good("list", "--waiting", env=env)
    assert f"{claim_id}\n    PAYABLE, 20.00 of at most " in listed
    for line in (f"to do  liqpass claims approve {claim_id}", f"or     liqpass claims refuse {claim_id}"):
        assert f"\n    {line} --by NAME --reason TEXT\n" in listed
    (row,) = [
        one
        for one in json.loads(await good("list", "--format", "json", env=env))
        if one["claimId"] == claim_id
    ]
    assert (row["amount"], row["owner"]) == (str(20 * USDC), checksum(office.trader.wallet.address))
    sheet = csv.DictReader(StringIO(await good("list", "--format", "csv", env=env)))
    assert {one["claimId"]: one["status"] for one in sheet}[claim_id] == "PAYABLE"
    await good("refuse", claim_id, *ADA, *BECAUSE, env=env)
    assert claim_id not in await good("list", env=env)
    assert claim_id in await good("list", "--all", env=env)


async def test_of_a_claim_that_is_not_covered_nothing_is_owed(office: Office, env: dict[str, str]) -> None:
    await office.claim_in(S.NOT_COVERED)
    shown = await good("show", office.order["purchaseOrderId"], env=env)
    assert "NOT_COVERED, 0.00 of at most" in shown and "The position was closed by its owner" in shown


async def test_one_claim_is_shown_by_its_id_or_its_order(office: Office, env: dict[str, str]) -> None:
    claim_id = await gathered(office)
    shown = await good("show", claim_id, env=env)
    assert shown == await good("show", office.order["purchaseOrderId"], env=env)
    assert "GATHERING" in shown and "HTTP 200 /api/v5/" in shown
    for unknown in ("0197", f"0x{'12' * 32}", "none"):
        assert "There is no such claim." in await refused("show", unknown, env=env)


async def test_a_payout_is_approved_by_name_up_to_the_limit(office: Office, env: dict[str, str]) -> None:
    claim_id = await office.claim_in(S.PAYABLE, amount=LIMIT)
    out = await good("approve", claim_id, *ADA, *BECAUSE, env=env)
    assert out.startswith(f"Approved: 50.00 USDC to {checksum(office.trader.wallet.address)}.")
    assert "Next: liqpass suspense batch --out FILE" in out
    assert (await office.claim(claim_id))["status"] == "APPROVED"
    assert "is APPROVED: nobody has to decide" in await refused("approve", claim_id, *BOB, *BECAUSE, env=env)


async def test_above_the_limit_two_names_are_needed_and_one_name_is_one_however_it_is_written(
    office: Office, env: dict[str, str]
) -> None:
    claim_id = await office.claim_in(S.PAYABLE, amount=LIMIT + 1)
    out = await good("approve", claim_id, *ADA, *BECAUSE, env=env)
    assert "is approved by Ada: another operator has to approve the same amount and recipient" in out
    for name in ("Ada", "ada", " ADA ", "\uff21\uff44\uff41", "A\u200bda", "Ada\u2060"):
        out = await good("approve", claim_id, "--by", name, *BECAUSE, env=env)
        assert out.startswith("You had approved the same before.")
    assert (await office.claim(claim_id))["status"] == "PAYABLE"
    assert "Somebody else has to approve" in await good("show", claim_id, env=env)
    assert (await good("approve", claim_id, *BOB, *BECAUSE, env=env)).startswith("Approved: 50.000001 USDC")


async def test_amount_and_address_are_read_as_people_write_them(office: Office, env: dict[str, str]) -> None:
    claim_id = await office.claim_in(S.IN_REVIEW)
    line = await refused("approve", claim_id, *ADA, *BECAUSE, env=env)
    assert "amount is needed" in line
    for wrong in (("--amount", "12,50"), ("--to", "0x12")):
        assert wrong[0] in await refused("approve", claim_id, *ADA, *BECAUSE, *wrong, env=env)
    out = await good("approve", claim_id, *ADA, *BECAUSE, "--amount", "12.5", "--to", OTHER.lower(), env=env)
    assert out.startswith(f"Approved: 12.50 USDC to {OTHER}.")
    assert await office.payouts() == [(OTHER, 12_500_000, "Ada")]


async def test_an_address_that_the_token_refuses_is_said_to_be_held(
    office: Office, env: dict[str, str]
) -> None:
    claim_id = await office.claim_in(S.PAYABLE)
    await office.world.chain.blacklist(office.trader.wallet.address)
    out = await good("approve", claim_id, *ADA, *BECAUSE, env=env)
    assert "Held back: this address is on the blacklist of USDC." in out


async def test_the_owner_of_a_claim_does_not_approve_it_under_the_name_of_their_wallet(
    office: Office, env: dict[str, str]
) -> None:
    claim_id = await office.claim_in(S.PAYABLE)
    owner = checksum(office.trader.wallet.address)
    for name in (owner, owner.lower()):
        line = await refused("approve", claim_id, "--by", name, *BECAUSE, env=env)
        assert "Nobody approves a payout to themselves" in line


async def test_names_and_reasons_have_a_length(office: Office, env: dict[str, str]) -> None:
    claim_id = await office.claim_in(S.PAYABLE)
    for name, reason in (("", "why"), ("x" * 81, "why"), ("Ada", " "), ("Ada", "x" * 501)):
        said = ("--by", name, "--reason", reason)
        for command in ("approve", "refuse"):
            assert "characters" in await refused(command, claim_id, *said, env=env)
    assert (await office.claim(claim_id))["status"] == "PAYABLE"


# The bundle -----------------------------------------------------------------------------------------------


async def replayed(*arguments: str) -> Done:
    """Where there is neither database nor setting."""
    return await liqpass("claims", "replay", *arguments, env={})


async def test_whoever_has_the_bundle_computes_the_same_verdict_without_anything_else(
    office: Office, env: dict[str, str], tmp_path: Path
) -> None:
    claim_id, file = await gathered(office), tmp_path / "claim.json"
    await good("bundle", claim_id, "--out", str(file), env=env)
    shown = (await office.claim(claim_id))["bundleSha256"]
    assert shown == f"0x{sha256(file.read_bytes()).hexdigest()}"
    assert (await good("bundle", claim_id, env=env)).encode() == file.read_bytes()
    done = await replayed(str(file))
    assert (done.status, done.err) == (0, "")
    assert "NOT_YET_KNOWN: it is not shown either way." in done.out
    assert shown in done.out and "\nThe bundle says the same." in done.out
    assert "is there already" in await refused("bundle", claim_id, "--out", str(file), env=env)


async def test_a_bundle_that_claims_another_verdict_is_told_apart(
    office: Office, env: dict[str, str], tmp_path: Path
) -> None:
    claim_id, file = await gathered(office), tmp_path / "claim.json"
    content = await good("bundle", claim_id, env=env)
    bundle = json.loads(content)
    bundle["verdict"] |= {"outcome": "PAYABLE", "amount": 100 * USDC}
    file.write_text(json.dumps(bundle, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    done = await replayed(str(file))
    assert (done.status, done.err) == (1, "")
    said, _, other = done.out.partition("The bundle says something else:\n")
    assert "NOT_YET_KNOWN" in said and "PAYABLE: 100.00 USDC are owed for this order." in other


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[1]", b"\xff\xfe", b"{" * 10_000, b'{"version":2}', b'{"version":1,"case":{}}'],
    ids=repr,
)
async def test_what_is_no_bundle_is_said_in_one_line(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "claim.json"
    file.write_bytes(content)
    done = await replayed(str(file))
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1), done
    assert str(file) in done.err


async def test_evidence_that_was_changed_is_no_bundle_any_more(
    office: Office, env: dict[str, str], tmp_path: Path
) -> None:
    claim_id, file = await gathered(office), tmp_path / "claim.json"
    content = (await good("bundle", claim_id, env=env)).encode()
    file.write_bytes(content.replace(b"liqPx", b"liqPX", 1))
    done = await replayed(str(file))
    assert (done.status, done.out) == (2, ""), done


async def test_a_file_that_is_not_there_or_a_folder_is_no_bundle(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        done = await replayed(str(path))
        assert (done.status, done.out) == (2, "")
        assert "cannot be read" in done.err


async def test_a_bundle_comes_through_a_pipe_as_well(office: Office, env: dict[str, str]) -> None:
    content = await good("bundle", await gathered(office), env=env)
    done = await cli.liqpass("claims", "replay", "-", env={}, typed=content)
    assert (done.status, done.err) == (0, ""), done
    done = await cli.liqpass("claims", "replay", "-", env={}, typed="{}")
    assert (done.status, done.err.split(":")[:2]) == (2, ["liqpass", " stdin"]), done
