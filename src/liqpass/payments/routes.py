"""POST /api/insurance/submit-payment."""

from typing import Annotated

import msgspec
from litestar import Router, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody
from msgspec import Meta

from liqpass import hexes
from liqpass.clock import Clock
from liqpass.db import Database
from liqpass.orders.states import OrderStatus
from liqpass.payments import submission
from liqpass.signin.sessions import User


class SubmitRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Which transaction pays which order. Hashes are 0x and 64 hex digits, any case."""

    purchase_order_id: Annotated[str, Meta(max_length=80)]
    pay_tx_hash: Annotated[str, Meta(max_length=80)]
    payer: Annotated[str, Meta(max_length=80)] | None = None


class SubmitAnswer(msgspec.Struct, frozen=True):
    """The order's status after it."""

    ok: bool
    status: OrderStatus


@post("/submit-payment", status_code=200, summary="Say which transaction pays an order")
async def submit_payment(
    user: User,
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    data: JSONBody[SubmitRequest],
) -> SubmitAnswer:
    """A hint that makes things quicker: the payment is found without it too. Never waits for a node."""
    order_id = hexes.bytes32(data.purchase_order_id, "purchaseOrderId")
    tx_hash = hexes.bytes32(data.pay_tx_hash, "payTxHash")
    payer = hexes.address(data.payer, "payer") if data.payer is not None else None
    status = await db.run(
        lambda conn: submission.submit(conn, clock(), user, order_id, tx_hash, payer), one_statement=True
    )
    db.wake()
    return SubmitAnswer(ok=True, status=status)


def payments_router(*, clock: Clock) -> Router:
    """For signed-in users; `user` and `db` are provided by the app."""
    return Router(
        path="/api/insurance",
        route_handlers=[submit_payment],
        dependencies={"clock": Provide(lambda: clock, sync_to_thread=False)},
        tags=["payments"],
    )
