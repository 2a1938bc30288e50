"""A Safe sends a batch as one transaction: what the token would refuse is in none, is named, and comes back
by itself. Asked of the real USDC code, through an endpoint."""

import json
from pathlib import Path
from typing import Any

import pytest

from liqpass.chain.outgoing import outgoing
from liqpass.hexes import checksum
from liqpass.ledger.book import Account, chain_ref
from liqpass.sandbox.world import environment
from liqpass.treasury.disbursements import dues
from liqpass.treasury.holding import Code, refusal
from liqpass.treasury.suspense import key_of
from tests.commands.forked import liqpass
from tests.treasury.conftest import CAPITAL, Desk
from tests.treasury.test_commands import BECAUSE, execute, good

TO = b"\x5b" * 20
OTHER = b"\x5c" * 20


@pytest.fixture
def env(desk: Desk, database_url: str, tmp_path: Path) -> dict[str, str]:
    """The commands ask the endpoint that the desk can spoil."""
    made = environment(desk.chain, {"global": "http://127.0.0.1:1"}, api="http://127.0.0.1:1", skus=tmp_path)
    return {**made, "DATABASE_URL": database_url, "LIQPASS_RPC_URLS": desk.node.url}


@pytest.fixture
async def due(desk: Desk) -> None:
    """5 USDC to one, 7 to another."""
    opening = chain_ref(desk.chain.chain_id)
    await desk.refund(opening, amount=5_000_000, to=TO)
    await desk.refund(opening, amount=7_000_000, to=OTHER)


def paid(file: Path) -> list[str]:
    return [one["contractInputsValues"]["to"] for one in json.loads(file.read_text())["transactions"]]


@pytest.mark.usefixtures("due")
async def test_who_is_blacklisted_is_left_out_named_and_comes_back_by_himself(
    desk: Desk, env: dict[str, str], tmp_path: Path
) -> None:
    await desk.chain.blacklist(TO)
    listed = await good("suspense", "list", env=env)
    assert f"refund of 5.00 USDC to {checksum(TO)}" in listed
    assert listed.count("held back: this address is on the blacklist of USDC") == 1
    out = await good("suspense", "batch", "--out", str(tmp_path / "a.json"), env=env)
    assert paid(tmp_path / "a.json") == [checksum(OTHER)]
    assert "Held back, since USDC would refuse it, and with it the whole file: 1 payout, 5.00 USDC." in out
    assert f"5.00 USDC to {checksum(TO)}, refund, payout " in out
    await execute(desk, (tmp_path / "a.json").read_text())
    await desk.confirm()
    assert await desk.balance(Account.REFUNDS_DUE) == 5_000_000
    await desk.chain.unblacklist(TO)
    assert "held back" not in await good("suspense", "list", env=env)
    await good("suspense", "batch", "--out", str(tmp_path / "b.json"), env=env)
    assert paid(tmp_path / "b.json") == [checksum(TO)]
    await execute(desk, (tmp_path / "b.json").read_text())
    await desk.confirm()
    assert await desk.books() == {"TREASURY": CAPITAL - 12_000_000, "SUSPENSE": CAPITAL - 12_000_000}


@pytest.mark.usefixtures("due")
async def test_a_file_that_was_written_before_is_said_to_fail_and_written_again_without(
    desk: Desk, env: dict[str, str], tmp_path: Path
) -> None:
    await good("suspense", "batch", "--out", str(tmp_path / "a.json"), env=env)
    await desk.chain.blacklist(OTHER)
    out = await good("suspense", "batch", "--out", str(tmp_path / "b.json"), env=env)
    assert "In an earlier file, which fails as a whole (GS013) because of it" in out
    assert f"7.00 USDC to {checksum(OTHER)}, refund, payout " in out
    assert not (tmp_path / "b.json").exists()
    await good("suspense", "batch", "--again", "--out", str(tmp_path / "b.json"), env=env)
    assert paid(tmp_path / "b.json") == [checksum(TO)]


async def test_a_refund_to_whom_the_token_refuses_is_due_and_said_to_be_held(
    desk: Desk, env: dict[str, str]
) -> None:
    sender = desk.chain.wallets[3]
    item = key_of(await desk.send(12_340_000, sender))
    await desk.finalize()
    await desk.chain.blacklist(sender.address)
    out = await good("suspense", "refund", item, *BECAUSE, env=env)
    assert "Held back: this address is on the blacklist of USDC." in out
    assert "Next: nothing, or liqpass suspense cancel " in out
    assert await desk.balance(Account.REFUNDS_DUE) == 12_340_000


async def test_a_withdrawal_to_the_token_refused_is_said_to_be_held(desk: Desk, env: dict[str, str]) -> None:
    await desk.deposit(CAPITAL)
    await desk.chain.blacklist(TO)
    out = await good("pool", "withdraw", "5", "--to", checksum(TO), *BECAUSE, env=env)
    assert "Held back: this address is on the blacklist of USDC." in out


@pytest.mark.usefixtures("due")
@pytest.mark.parametrize(
    ("stop", "said"),
    [
        ("pause", "USDC is paused by its issuer"),
        ("blacklist", "the treasury is on the blacklist of USDC"),
    ],
)
async def test_where_nothing_of_the_treasury_moves_no_batch_is_written(
    desk: Desk, env: dict[str, str], tmp_path: Path, stop: str, said: str
) -> None:
    if stop == "pause":
        await desk.chain.pause_usdc()
    else:
        await desk.chain.blacklist(desk.chain.treasury)
    assert (await good("suspense", "list", env=env)).count(f"held back: {said}") == 2
    out = await good("suspense", "batch", "--out", str(tmp_path / "a.json"), env=env)
    assert out.startswith("Nothing new is to be paid out: no file was written.")
    assert out.count(f": {said}\n") == 2
    assert not (tmp_path / "a.json").exists()


@pytest.mark.usefixtures("due")
async def test_what_the_treasury_has_not_got_is_held_and_what_it_has_is_paid(
    desk: Desk, env: dict[str, str], tmp_path: Path
) -> None:
    await desk.pay_out(desk.chain.wallets[1].address, CAPITAL - 11_000_000)
    await desk.watch()
    out = await good("suspense", "batch", "--out", str(tmp_path / "a.json"), env=env)
    assert paid(tmp_path / "a.json") == [checksum(TO)]
    assert "the treasury holds 11.00 USDC, and what is due before it comes first" in out


def spoil(desk: Desk, how: str) -> None:
    def rewrite(method: str, _params: list[Any], result: Any) -> Any:
        return "0x" if method == "eth_call" else result

    if how == "no code":  # as a node of another chain, or before the token was there
        desk.node.rewrite = rewrite
    else:
        setattr(desk.node, how, True)


@pytest.mark.usefixtures("due")
@pytest.mark.parametrize("how", ["unavailable", "html", "rate_limited", "no code"])
async def test_where_no_endpoint_says_nothing_is_written(
    desk: Desk, env: dict[str, str], tmp_path: Path, how: str
) -> None:
    spoil(desk, how)
    opening = chain_ref(desk.chain.chain_id)
    for typed in (
        ("suspense", "batch", "--out", str(tmp_path / "a.json")),
        ("suspense", "refund", key_of(opening), "--to", checksum(TO), *BECAUSE),
        ("pool", "withdraw", "1", "--to", checksum(TO), *BECAUSE),
    ):
        done = await liqpass(*typed, env=env)
        assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
        assert "No endpoint says whether USDC can be paid out to them" in done.err
        assert "Nothing was written; try again soon." in done.err
    assert not (tmp_path / "a.json").exists()
    found = await desk.db.run(lambda conn: dues(conn, desk.settings))
    assert [one.batched_at for one in found] == [None, None]
    listed = await good("suspense", "list", env=env)
    assert listed.count("held back: no endpoint says whether USDC would take it") == 2


@pytest.mark.usefixtures("due")
async def test_the_next_endpoint_says_what_the_first_does_not(
    desk: Desk, env: dict[str, str], tmp_path: Path
) -> None:
    desk.node.unavailable = True
    await desk.chain.blacklist(TO)
    env = {**env, "LIQPASS_RPC_URLS": f"{desk.node.url},{desk.chain.url}"}
    await good("suspense", "batch", "--out", str(tmp_path / "a.json"), env=env)
    assert paid(tmp_path / "a.json") == [checksum(OTHER)]


@pytest.mark.parametrize("at_once", [None, 7, 1])
async def test_a_few_of_many_are_found_whatever_their_place_and_however_many_are_asked_at_once(
    desk: Desk, at_once: int | None
) -> None:
    desk.node.max_batch = at_once
    many = [bytes([1, number]) * 10 for number in range(40)]
    refused = {many[0], many[17], many[18], many[39], bytes(20), desk.chain.usdc}
    for one in (many[0], many[17], many[18], many[39]):
        await desk.chain.blacklist(one)
    said = await outgoing(desk.nodes, desk.settings, dict.fromkeys([*many, bytes(20), desk.chain.usdc], 5))
    assert (set(said.refused), said.standstill, said.held) == (refused, None, CAPITAL)


@pytest.mark.parametrize("of", ["a recipient", "the treasury", "pause"])
async def test_why_is_known_where_a_node_tells_no_reason(desk: Desk, of: str) -> None:
    desk.node.retell = lambda answer: {
        **answer,
        "error": {"code": -32000, "message": "execution reverted"},
    }
    if of == "pause":
        await desk.chain.pause_usdc()
    else:
        await desk.chain.blacklist(TO if of == "a recipient" else desk.chain.treasury)
    said = await outgoing(desk.nodes, desk.settings, {TO: 5, OTHER: 5, bytes(20): 5})
    codes = {one: why.code for one in (TO, OTHER, bytes(20)) if (why := refusal(one, said))}
    assert (
        codes
        == {
            "a recipient": {TO: Code.RECIPIENT_BLACKLISTED, bytes(20): Code.WOULD_FAIL},
            "the treasury": dict.fromkeys((TO, OTHER, bytes(20)), Code.TREASURY_BLACKLISTED),
            "pause": dict.fromkeys((TO, OTHER, bytes(20)), Code.USDC_PAUSED),
        }[of]
    )
