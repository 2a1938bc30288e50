"""A running product with two operators and a covered trader, and claims brought to where tests need them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from liqpass.claims import sql as claims
from liqpass.claims.case import Missing, Outcome, Reason, Verdict
from liqpass.claims.states import ClaimStatus
from liqpass.db import Connection, Database
from liqpass.hexes import checksum
from liqpass.sandbox.anvil import wallet
from liqpass.sandbox.chain import USDC
from liqpass.sandbox.trader import Trader
from tests.conftest import in_database
from tests.flows.newcomers import Newcomer, newcomer, refusal_of, shared_world
from tests.world import TestWorld

CLAIMS, ADMIN = "/api/insurance/claims", "/api/admin/claims"
ADA, BOB, STRANGER = wallet("Ada, an operator"), wallet("Bob, an operator"), wallet("a stranger")
SHA256 = b"\x5a" * 32
LIMIT = 50 * USDC

S = ClaimStatus
# How a claim gets there, from OPEN.
WAYS = {
    S.OPEN: (),
    S.GATHERING: (S.GATHERING,),
    S.PAYABLE: (S.GATHERING, S.PAYABLE),
    S.NOT_COVERED: (S.GATHERING, S.NOT_COVERED),
    S.IN_REVIEW: (S.GATHERING, S.IN_REVIEW),
    S.REFUSED: (S.GATHERING, S.IN_REVIEW, S.REFUSED),
}


@dataclass(frozen=True)
class Bureau:
    """The product with its two operators."""

    world: TestWorld
    ada: Trader
    bob: Trader


@dataclass(frozen=True)
class Office:
    """The product with its two operators, and one covered order of `trader`."""

    world: TestWorld
    ada: Trader
    bob: Trader
    newcomer: Newcomer
    order: dict[str, Any]

    @property
    def trader(self) -> Trader:
        return self.newcomer.trader

    @property
    def payout(self) -> int:
        """What the order pays at most."""
        return int(self.order["payoutAmount"])

    async def open(self) -> dict[str, Any]:
        """The trader's button."""
        claim = await self.trader.call("POST", CLAIMS, {"purchaseOrderId": self.order["purchaseOrderId"]})
        assert isinstance(claim, dict)
        return claim

    async def claim_in(self, status: ClaimStatus, *, amount: int = 20 * USDC) -> str:
        """A claim in this state, as evidence would have brought it there."""
        claim_id = str((await self.open())["claimId"])
        # what the exchange would say is for other tests
        await self.world.db.pool.execute("update claims set ask_at = null where id = $1", claim_id)
        await bring(self.world.db, self.world.clock(), claim_id, WAYS[status], amount=amount)
        return claim_id

    async def approve(self, by: Trader, claim_id: str, **said: str) -> dict[str, Any]:
        """What the answer says."""
        body = {"reason": "the bills show it", **said}
        answer = await by.call("POST", f"{ADMIN}/{claim_id}/approve", body)
        assert isinstance(answer, dict)
        return answer

    async def refusal(self, by: Trader, claim_id: str, **said: str) -> tuple[int, str]:
        """Why an approval is refused."""
        body = {"reason": "the bills show it", **said}
        return await refusal_of(by, "POST", f"{ADMIN}/{claim_id}/approve", body)

    async def env(self, server_url: str) -> dict[str, str]:
        """The environment of its commands."""
        name = await self.world.db.pool.fetchval("select current_database()")
        return {**self.world.env, "DATABASE_URL": in_database(server_url, name)}

    async def payouts(self) -> list[tuple[str, int, str]]:
        """All that is or was to be paid for the order: amount, to whom, by whose word."""
        rows = await self.world.db.pool.fetch(
            "select recipient, amount, asked_by from disbursements where ref = $1 order by asked_at",
            bytes.fromhex(self.order["purchaseOrderId"][2:]),
        )
        return [(checksum(row["recipient"]), row["amount"], row["asked_by"]) for row in rows]

    async def claim(self, claim_id: str) -> dict[str, Any]:
        """As its owner is shown it."""
        shown = await self.trader.call("GET", f"{CLAIMS}/{claim_id}")
        assert isinstance(shown, dict)
        return shown


async def bring(
    db: Database, now: datetime, claim_id: str, way: tuple[ClaimStatus, ...], *, amount: int = 20 * USDC
) -> None:
    """Move a claim along, with the verdict that would have done it."""
    for status in way:
        async with db.transaction() as conn:
            await _move(conn, now, UUID(claim_id), status, amount)


async def _move(conn: Connection, now: datetime, claim_id: UUID, status: ClaimStatus, amount: int) -> None:
    claim = await claims.claim_of_any(conn, claim_id)
    assert claim is not None
    verdict = Verdict(outcome=Outcome.NOT_YET_KNOWN, missing=[Missing.HISTORY_ROW])
    if status is S.PAYABLE:
        verdict = Verdict(outcome=Outcome.PAYABLE, amount=amount, trigger_px="55210.1", liquidated_at_ms=1)
    if status is S.NOT_COVERED:
        verdict = Verdict(outcome=Outcome.NOT_COVERED, reason=Reason.CLOSED_BY_OWNER, episode_over=True)
    if status is S.PAYABLE:  # what is payable has an amount before it moves
        await _decide(conn, now, claim, verdict)
    details = '{"reason": "the screenshots are of another account"}' if status is S.REFUSED else "{}"
    moved = await claims.move(
        *(conn, claim.user_id, claim.id, claim.event_seq, claim.status, status, f"TO_{status}"),
        *("OPERATOR" if status is S.REFUSED else "EXCHANGE", None, details, now),
    )
    assert moved is not None
    if status not in {S.PAYABLE, S.REFUSED}:
        await _decide(conn, now, claim, verdict)


async def _decide(conn: Connection, now: datetime, claim: claims.Claim, verdict: Verdict) -> None:
    seq = claim.verdict_seq + 1
    await conn.execute(
        """insert into claim_verdicts (user_id, claim_id, seq, evidence_upto, watched_upto,
               policy_version, verdict, bundle_sha256, at)
           values ($1, $2, $3, 0, 0, '2026-11-29', $4, $5, $6)""",
        *(claim.user_id, claim.id, seq, msgspec.json.encode(verdict).decode(), SHA256, now),
    )
    await conn.execute(
        """update claims set verdict_seq = $3, amount = $4, reason_code = $5, missing = $6,
               trigger_px = $7, liquidated_at = $8, bundle_sha256 = $9 where user_id = $1 and id = $2""",
        *(claim.user_id, claim.id, seq, verdict.amount, verdict.reason, list(verdict.missing)),
        *(verdict.trigger_px, now if verdict.amount else None, SHA256),
    )


@asynccontextmanager
async def bureau(server_url: str, template: str, folder: Path, **env: str) -> AsyncIterator[Bureau]:
    """The product with two operators, and a limit of 50 USDC for one of them; `env` changes settings."""
    admins = f"{checksum(ADA.address)},{checksum(BOB.address)}"
    settings = {"LIQPASS_ADMIN_WALLETS": admins, "LIQPASS_CLAIM_ONE_APPROVES_UP_TO": "50", **env}
    running = shared_world(server_url, template, folder, second_endpoint=False, **settings)
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(running)
        ada = await stack.enter_async_context(Trader(world.api, ADA))
        bob = await stack.enter_async_context(Trader(world.api, BOB))
        await ada.sign_in()
        await bob.sign_in()
        yield Bureau(world, ada, bob)


@asynccontextmanager
async def covered_office(of: Bureau) -> AsyncIterator[Office]:
    """Somebody new comes and is covered."""
    async with newcomer(of.world) as somebody:
        order = await covered(of.world, somebody)
        yield Office(of.world, of.ada, of.bob, somebody, order)


@pytest.fixture(scope="module")
async def shared_bureau(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Bureau]:
    """For all tests of a file."""
    async with bureau(server_url, template, tmp_path_factory.mktemp("bureau")) as open_:
        yield open_


@pytest.fixture
async def office(shared_bureau: Bureau) -> AsyncIterator[Office]:
    """A covered order of somebody new."""
    async with covered_office(shared_bureau) as open_:
        yield open_


@pytest.fixture
async def own_office(server_url: str, template: str, tmp_path: Path) -> AsyncIterator[Office]:
    """One whose time may pass, and which others do not see."""
    async with bureau(server_url, template, tmp_path) as of, covered_office(of) as open_:
        yield open_


async def covered(world: TestWorld, somebody: Newcomer, **slot: str) -> dict[str, Any]:
    """An order of this trader that is ACTIVE."""
    bound = await somebody.bind(**slot)
    order: dict[str, Any] = await somebody.trader.create_order(bound["bindId"])
    await somebody.trader.pay(world.chain, order)
    await world.confirm()
    assert await somebody.status(order) == "ACTIVE"
    return order
