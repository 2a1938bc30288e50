"""How quotes look from outside: as orders do (views.py)."""

from datetime import datetime, timedelta

import msgspec

from liqpass.hexes import to_hex
from liqpass.money import usd
from liqpass.orders.on_sale.sql import LiveBinding
from liqpass.orders.quotes import Quote, QuotedPosition
from liqpass.orders.states import OrderStatus
from liqpass.positions.refusals import Refusal, Values, WhyNot
from liqpass.pricing.premium import MadeOf, Price, made_of


class OrderOfPosition(msgspec.Struct, frozen=True, rename="camel"):
    """The order that a position has; the cover's times once it is paid."""

    purchase_order_id: str
    status: OrderStatus
    sku: str
    pay_before: datetime
    coverage_start_at: datetime | None
    coverage_end_at: datetime | None


class MadeOfView(msgspec.Struct, frozen=True, rename="camel"):
    """What a premium is made of, in micro-USDC that add up to it: payout × chance, the load on that, the fee,
    and what is missing to the smallest premium."""

    risk_amount: str
    load_amount: str
    fee_amount: str
    least_amount: str


class QuoteView(msgspec.Struct, frozen=True, rename="camel"):
    """A product for a position. Amounts are null and a reason is given where it cannot be bought; the cover's
    times are as if it were paid now. `chance_ppm`: how probable the payout is, in millionths."""

    sku: str
    title: str
    duration_sec: int
    coverage_delay_sec: int
    premium_amount: str | None
    premium_usd: str | None
    payout_amount: str | None
    payout_usd: str | None
    chance_ppm: int | None
    made_of: MadeOfView | None
    coverage_start_at: datetime
    coverage_end_at: datetime
    reason: str | None
    reason_code: WhyNot | None
    reason_values: Values


class QuotedPositionView(msgspec.Struct, frozen=True, rename="camel"):
    """An open position with its binding and order, if there are, and a quote of each product."""

    inst_id: str
    mgn_mode: str
    pos_side: str
    bind_id: str | None
    order: OrderOfPosition | None
    quotes: list[QuoteView]


class QuoteList(msgspec.Struct, frozen=True, rename="camel"):
    """Quotes for all open positions of an account, and when these were read."""

    read_at: datetime
    positions: list[QuotedPositionView]


def quoted_position_view(of: QuotedPosition, now: datetime) -> QuotedPositionView:
    """One position with its quotes."""
    return QuotedPositionView(
        inst_id=of.position.inst_id,
        mgn_mode=of.position.mgn_mode,
        pos_side=of.position.pos_side,
        bind_id=str(of.binding.id) if of.binding else None,
        order=_order(of.binding) if of.binding else None,
        quotes=[_quote(quote, now) for quote in of.quotes],
    )


def _quote(quote: Quote, now: datetime) -> QuoteView:
    sku = quote.sku
    cost = quote.offer if isinstance(quote.offer, Price) else None
    refusal = quote.offer if isinstance(quote.offer, Refusal) else None
    start = now + timedelta(seconds=sku.delay_sec)
    return QuoteView(
        sku=sku.id,
        title=sku.title,
        duration_sec=sku.duration_sec,
        coverage_delay_sec=sku.delay_sec,
        premium_amount=str(cost.premium) if cost else None,
        premium_usd=usd(cost.premium) if cost else None,
        payout_amount=str(cost.payout) if cost else None,
        payout_usd=usd(cost.payout) if cost else None,
        chance_ppm=cost.chance_ppm if cost else None,
        made_of=_made_of(made_of(sku, cost)) if cost else None,
        coverage_start_at=start,
        coverage_end_at=start + timedelta(seconds=sku.duration_sec),
        reason=refusal.words if refusal else None,
        reason_code=refusal.code if refusal else None,
        reason_values=refusal.values if refusal else {},
    )


def _made_of(of: MadeOf) -> MadeOfView:
    return MadeOfView(
        risk_amount=str(of.risk), load_amount=str(of.load), fee_amount=str(of.fee), least_amount=str(of.least)
    )


def _order(binding: LiveBinding) -> OrderOfPosition | None:
    if binding.purchase_order_id is None or binding.status is None or binding.pay_before is None:
        return None
    return OrderOfPosition(
        purchase_order_id=to_hex(binding.purchase_order_id),
        status=binding.status,
        sku=binding.sku,
        pay_before=binding.pay_before,
        coverage_start_at=binding.coverage_start_at,
        coverage_end_at=binding.coverage_end_at,
    )
