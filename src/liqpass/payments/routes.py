"""Before and after a wallet pays: what stands in the way, a permit, and which transaction it was. Under
/api/insurance."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Router, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from liqpass import hexes
from liqpass.chain import payer as asking
from liqpass.chain.permits import typed_data
from liqpass.chain.rpc import Node
from liqpass.clock import Clock
from liqpass.db import Database
from liqpass.limits import Limiter, Rate
from liqpass.orders.paying import Bill, bill_of
from liqpass.orders.states import OrderStatus
from liqpass.orders.views import CallView, call_view
from liqpass.payments import permit, preflight, submission
from liqpass.problems import Problem
from liqpass.settings import ChainSettings
from liqpass.signin.sessions import Session, Token, User

# Each asks a node two or three times, and the node's plan pays for it.
ASKED = Rate(30, timedelta(minutes=1))

_SIGNATURE = re.compile(r"0[xX](?:[0-9a-fA-F]{2})*")


class SubmitRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Which transaction pays which order. Hashes are 0x and 64 hex digits, any case."""

    purchase_order_id: Annotated[str, Meta(max_length=80)]
    pay_tx_hash: Annotated[str, Meta(max_length=80)]
    payer: Annotated[str, Meta(max_length=80)] | None = None


class SubmitAnswer(msgspec.Struct, frozen=True):
    """The order's status after it."""

    ok: bool
    status: OrderStatus


Submitting = Callable[[Token, SubmitRequest], Awaitable[SubmitAnswer]]


class PayerRequest(msgspec.Struct, frozen=True):
    """The address that will pay, any case."""

    payer: Annotated[str, Meta(max_length=80)]


class PreflightAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """What the chain says at its head; amounts in micro-USDC. `permit`: an EIP-2612 permit can be signed
    instead of approving."""

    obstacles: list[preflight.Obstacle]
    balance_amount: str
    allowance_amount: str
    needs_approval: bool
    permit: bool


class PermitAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """What the payer signs with eth_signTypedData_v4; `deadline` in unix seconds."""

    typed_data: dict[str, Any]
    deadline: int


class SignedPermit(msgspec.Struct, frozen=True):
    """The permit's signature in hex: r, s, v, in 65 bytes or 64. One that contracts make is no permit's."""

    payer: Annotated[str, Meta(max_length=80)]
    deadline: Annotated[int, Meta(ge=0, lt=2**53)]
    signature: Annotated[str, Meta(max_length=16_386)]


class PermitCalls(msgspec.Struct, frozen=True):
    """What the payer's wallet is to send: approving and paying in one."""

    calls: list[CallView]


@dataclass(frozen=True)
class Till:
    """Where is paid: the chain, who asks it, and how often somebody may have it asked."""

    chain: ChainSettings
    nodes: Sequence[Node]
    asked: Limiter

    async def bill(self, db: Database, now: datetime, user: bytes, purchase_order_id: str) -> Bill:
        """Of the user's own draft, read before any node is asked. Raises Problem."""
        order_id = hexes.bytes32(purchase_order_id, "purchaseOrderId")
        async with db.pool.acquire() as conn:
            bill = await bill_of(conn, user, order_id, self.chain)
        self.asked.take(user, now, "You asked too often about paying. Try again soon.")
        return bill


Paying = NamedDependency[Till]
Now = NamedDependency[datetime]


@post("/submit-payment", status_code=200, summary="Say which transaction pays an order")
async def submit_payment(
    token: Session,
    submitting: NamedDependency[Submitting],
    data: JSONBody[SubmitRequest],
) -> SubmitAnswer:
    """A hint that makes things quicker: the payment is found without it too. Never waits for a node."""
    return await submitting(token, data)


def submitting_with(db: Database, clock: Clock) -> Submitting:
    """What stores hashes: those that come in at the same time together."""
    together = submission.submitting(db)

    async def submit(token: Token, data: SubmitRequest) -> SubmitAnswer:
        order_id = hexes.bytes32(data.purchase_order_id, "purchaseOrderId")
        tx_hash = hexes.bytes32(data.pay_tx_hash, "payTxHash")
        payer = hexes.address(data.payer, "payer") if data.payer is not None else None
        status = await together(submission.hash_of(token.sha256, order_id, tx_hash, payer, clock()))
        db.wake()
        return SubmitAnswer(ok=True, status=status)

    return submit


@post("/orders/{purchase_order_id:str}/preflight", status_code=200, summary="Try a payment before paying")
async def try_payment(
    user: User,
    db: NamedDependency[Database],
    now: Now,
    till: Paying,
    purchase_order_id: FromPath[str],
    data: JSONBody[PayerRequest],
) -> PreflightAnswer:
    """Simulated on the chain's head from the payer's address: nothing is sent, and no ether is needed. When
    no node answers it is unknown, and the order can be paid all the same."""
    payer = hexes.address(data.payer, "payer")
    bill = await till.bill(db, now, user, purchase_order_id)
    found, terms, revert = await asyncio.gather(
        asking.standing(till.nodes, till.chain, bill.checkout, payer),
        asking.permit_terms(till.nodes, till.chain, payer),
        asking.tried(till.nodes, payer, bill.pay),
    )
    return PreflightAnswer(
        obstacles=preflight.obstacles(bill, now, payer, till.chain.treasury, found, revert),
        balance_amount=str(found.balance),
        allowance_amount=str(found.allowance),
        needs_approval=preflight.needs_approval(bill, found, revert),
        permit=terms is not None and permit.refused(found) is None,
    )


@post("/orders/{purchase_order_id:str}/permit", status_code=200, summary="Get a permit to sign")
async def get_permit(
    user: User,
    db: NamedDependency[Database],
    now: Now,
    till: Paying,
    purchase_order_id: FromPath[str],
    data: JSONBody[PayerRequest],
) -> PermitAnswer:
    """It lets the checkout take exactly the premium from the payer until the quote runs out."""
    payer = hexes.address(data.payer, "payer")
    bill = await till.bill(db, now, user, purchase_order_id)
    offered = await permit.offered(till.nodes, till.chain, bill, now, payer)
    return PermitAnswer(typed_data=typed_data(offered), deadline=offered.deadline)


@post("/orders/{purchase_order_id:str}/permit-calls", status_code=200, summary="Pay with a signed permit")
async def get_permit_calls(
    user: User,
    db: NamedDependency[Database],
    now: Now,
    till: Paying,
    purchase_order_id: FromPath[str],
    data: JSONBody[SignedPermit],
) -> PermitCalls:
    """What to send: one call. Somebody who submits the permit first does not block it."""
    payer = hexes.address(data.payer, "payer")
    if not _SIGNATURE.fullmatch(data.signature):
        raise Problem("INVALID_FIELD", "signature is 0x and hexadecimal digits.", field="signature")
    bill = await till.bill(db, now, user, purchase_order_id)
    if data.deadline != permit.deadline_of(bill):
        raise Problem("INVALID_FIELD", "deadline is the one of the permit that was given.", field="deadline")
    offered = await permit.offered(till.nodes, till.chain, bill, now, payer)
    call = await permit.paid_with(till.nodes, bill, offered, bytes.fromhex(data.signature[2:]))
    return PermitCalls(calls=[call_view(call)])


def payments_router(*, submitting: Submitting, chain: ChainSettings, nodes: Sequence[Node]) -> Router:
    """For signed-in users; `user`, `token`, `db` and `now` are provided by the app."""
    till = Till(chain, nodes, Limiter(ASKED))
    return Router(
        path="/api/insurance",
        route_handlers=[submit_payment, try_payment, get_permit, get_permit_calls],
        dependencies={
            "submitting": Provide(lambda: submitting, sync_to_thread=False),
            "till": Provide(lambda: till, sync_to_thread=False),
        },
        tags=["payments"],
    )
