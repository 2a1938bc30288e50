"""Worked examples of what is covered: cases with the rows that OKX would show, judged by the rules that judge
every claim. No amount, limit or reason of theirs is written down here."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from liqpass.claims.case import Answer, Case, CoveredOrder, Part, Priced, Verdict
from liqpass.claims.policy import Policy
from liqpass.claims.verdict import decide
from liqpass.exchange.fields import canonical_json
from liqpass.money import MICRO
from liqpass.web.words import N_

Row = dict[str, Any]

UID, INST, POS_ID = "100000000000000001", "BTC-USDT-SWAP", "2009134310876151808"
ENTRY, LIQUIDATION, LEVER = Decimal(60_000), Decimal(54_600), 10
CONTRACTS, CONTRACT_VALUE = 20, Decimal("0.01")
PAYOUT = 200 * MICRO
FEE_RATE, PENALTY_RATE = Decimal("0.0005"), Decimal("0.0004")
OPENED = datetime(2026, 12, 1, 8, tzinfo=UTC)
PRICED, START = OPENED + timedelta(minutes=2), OPENED + timedelta(minutes=15)
END = START + timedelta(hours=24)
DURING, AFTER = START + timedelta(hours=9), END + timedelta(hours=1)
DOWN_TO, FUNDED_TO, RAISED_TO = Decimal("54580"), Decimal("54840"), Decimal("57900")
FUNDING = Decimal(-60)


@dataclass(frozen=True)
class Closing:
    """Part of the position closed by one order. `category` as OKX's orders have it."""

    category: str
    contracts: int
    px: Decimal
    at: datetime = DURING

    @property
    def liquidates(self) -> bool:
        """By the exchange, for want of margin."""
        return self.category.endswith("_liquidation")

    @property
    def coins(self) -> Decimal:
        """What was closed, in coins."""
        return self.contracts * CONTRACT_VALUE

    @property
    def pnl(self) -> Decimal:
        """Of what was closed."""
        return (self.px - ENTRY) * self.coins

    @property
    def fee(self) -> Decimal:
        """Below zero: paid."""
        return -self.px * self.coins * FEE_RATE

    @property
    def penalty(self) -> Decimal:
        """Below zero: paid; nothing where its owner closed it."""
        return -self.px * self.coins * PENALTY_RATE if self.liquidates else Decimal()


@dataclass(frozen=True)
class Example:
    """`title` and `story` are texts for the catalogs, `values` what stands in the story."""

    title: str
    story: str
    values: Mapping[str, Decimal]
    verdict: Verdict

    @property
    def part(self) -> Part | None:
        """The liquidation that the verdict speaks of."""
        return next(iter(self.verdict.parts), None)


@cache
def examples(policy: Policy) -> Sequence[Example]:
    """By the rules of this version, in the order in which they are told."""
    return [
        Example(title, story, values, decide(_case(policy, closings, funding)))
        for title, story, values, closings, funding in _STORIES
    ]


_WHOLE, _HALF = Decimal(CONTRACTS), Decimal(CONTRACTS // 2)
_NONE = Decimal()
_STORIES: Sequence[tuple[str, str, Mapping[str, Decimal], list[Closing], Decimal]] = [
    (
        N_("Liquidated in full"),
        N_("The mark price falls to %(trigger)s, and OKX liquidates all %(contracts)s contracts."),
        {"trigger": DOWN_TO, "contracts": _WHOLE},
        [Closing("full_liquidation", CONTRACTS, DOWN_TO)],
        _NONE,
    ),
    (
        N_("Half of it liquidated"),
        N_("At %(trigger)s OKX liquidates %(half)s of %(contracts)s contracts. The trader closes the rest."),
        {"trigger": DOWN_TO, "contracts": _WHOLE, "half": _HALF},
        [
            Closing("partial_liquidation", CONTRACTS // 2, DOWN_TO),
            Closing("normal", CONTRACTS // 2, ENTRY, DURING + timedelta(hours=1)),
        ],
        _NONE,
    ),
    (
        N_("Closed by hand"),
        N_("The price falls to %(price)s, and the trader closes the position before OKX does."),
        {"price": RAISED_TO},
        [Closing("normal", CONTRACTS, RAISED_TO)],
        _NONE,
    ),
    (
        N_("Auto-deleveraged"),
        N_("At %(price)s OKX closes the position by auto-deleveraging (ADL), for another trader’s loss."),
        {"price": DOWN_TO},
        [Closing("adl", CONTRACTS, DOWN_TO)],
        _NONE,
    ),
    (
        N_("Leverage raised after pricing"),
        N_("The trader raises the leverage, and OKX liquidates the position at %(trigger)s already."),
        {"trigger": RAISED_TO},
        [Closing("full_liquidation", CONTRACTS, RAISED_TO)],
        _NONE,
    ),
    (
        N_("Funding paid meanwhile"),
        N_(
            "OKX takes %(funding)s USDT of funding out of the position’s margin, which moves its liquidation "
            "price up. It is liquidated at %(trigger)s."
        ),
        {"trigger": FUNDED_TO, "funding": -FUNDING},
        [Closing("full_liquidation", CONTRACTS, FUNDED_TO)],
        FUNDING,
    ),
    (
        N_("The same without funding"),
        N_("It is liquidated at %(trigger)s as well, because margin was taken out of it."),
        {"trigger": FUNDED_TO},
        [Closing("full_liquidation", CONTRACTS, FUNDED_TO)],
        _NONE,
    ),
    (
        N_("After the end"),
        N_("The mark price falls to %(trigger)s an hour after the cover has ended."),
        {"trigger": DOWN_TO},
        [Closing("full_liquidation", CONTRACTS, DOWN_TO, AFTER)],
        _NONE,
    ),
]


def _case(policy: Policy, closings: Sequence[Closing], funding: Decimal) -> Case:
    row = canonical_json(_position_row())
    return Case(
        order=CoveredOrder(
            purchase_order_id=f"0x{1:064x}",
            payout=PAYOUT,
            coverage_start_us=_ms(START) * 1000,
            coverage_end_us=_ms(END) * 1000,
        ),
        priced=Priced(
            exchange_uid=UID,
            inst_id=INST,
            mgn_mode="isolated",
            pos_side="long",
            pos_id=POS_ID,
            c_time_ms=_ms(OPENED),
            row=row,
            row_sha256=hashlib.sha256(row.encode()).hexdigest(),
            read_at=PRICED.isoformat(),
        ),
        watched=[],
        evidence=_answers(closings, funding),
        policy=policy,
    )


def _answers(closings: Sequence[Closing], funding: Decimal) -> list[Answer]:
    forced = [(n, one) for n, one in enumerate(closings, 1) if one.category != "normal"]
    asked = [
        ("/api/v5/account/positions", "instType=SWAP", []),
        ("/api/v5/account/positions-history", f"posId={POS_ID}", [_history_row(closings, funding)]),
        (
            "/api/v5/trade/orders-history",
            f"instId={INST}&instType=SWAP",
            [_order_row(n, one) for n, one in enumerate(closings, 1)],
        ),
        ("/api/v5/account/bills", "type=5", [_bill_row(n, one) for n, one in forced if one.liquidates]),
        ("/api/v5/account/bills", "type=9", [_bill_row(n, one) for n, one in forced if not one.liquidates]),
        ("/api/v5/public/instruments", f"instId={INST}&instType=SWAP", [_instrument_row()]),
    ]
    last = max(one.at for one in closings) + timedelta(seconds=20)
    return [_answer(seq, path, query, rows, last) for seq, (path, query, rows) in enumerate(asked, 1)]


def _answer(seq: int, path: str, query: str, rows: list[Row], at: datetime) -> Answer:
    body = canonical_json({"code": "0", "data": rows, "msg": ""})
    return Answer(
        seq=seq,
        exchange_uid=UID,
        endpoint=path,
        request=f"{path}?{query}",
        http_status=200,
        asked_at_ms=_ms(at) + seq,
        clock_offset_ms=0,
        body=body,
        encoding="utf-8",
        sha256=hashlib.sha256(body.encode()).hexdigest(),
    )


def _position_row() -> Row:
    return {
        "avgPx": _text(ENTRY), "cTime": str(_ms(OPENED)), "ccy": "USDT", "fundingFee": "0", "instId": INST,
        "instType": "SWAP", "lever": str(LEVER), "liqPenalty": "0", "liqPx": _text(LIQUIDATION),
        "margin": _text(ENTRY * CONTRACTS * CONTRACT_VALUE / LEVER), "markPx": _text(ENTRY),
        "mgnMode": "isolated", "notionalUsd": _text(ENTRY * CONTRACTS * CONTRACT_VALUE),
        "pos": str(CONTRACTS), "posId": POS_ID, "posSide": "long", "uTime": str(_ms(OPENED)),
        "upl": "0", "uplRatio": "0", "bizRefType": "",
    }  # fmt: skip


def _history_row(closings: Sequence[Closing], funding: Decimal) -> Row:
    """What OKX shows of the whole life of the position: of how it was closed, the latest."""
    last = closings[-1]
    shown = {"full_liquidation": "3", "partial_liquidation": "4", "adl": "6"}
    pnl, fee, penalty = (
        sum((getattr(one, name) for one in closings), Decimal()) for name in ("pnl", "fee", "penalty")
    )
    return {
        "cTime": str(_ms(OPENED)), "ccy": "USDT", "closeAvgPx": _text(last.px),
        "closeTotalPos": str(sum(one.contracts for one in closings)), "direction": "long",
        "fee": _text(fee), "fundingFee": _text(funding), "instId": INST, "instType": "SWAP",
        "lever": f"{LEVER}.0", "liqPenalty": _text(penalty), "mgnMode": "isolated", "nonSettleAvgPx": "",
        "openAvgPx": _text(ENTRY), "openMaxPos": str(CONTRACTS), "pnl": _text(pnl), "pnlRatio": "0",
        "posId": POS_ID, "posSide": "long", "realizedPnl": _text(pnl + fee + penalty + funding),
        "settledPnl": "", "triggerPx": _text(last.px) if last.category in shown else "",
        "type": shown.get(last.category, "2"), "uTime": str(_ms(last.at)), "uly": "BTC-USDT",
    }  # fmt: skip


def _order_row(number: int, of: Closing) -> Row:
    return {
        "accFillSz": str(of.contracts), "avgPx": _text(of.px), "cTime": str(_ms(of.at)),
        "category": of.category, "ccy": "", "fee": _text(of.fee), "feeCcy": "USDT", "fillPx": _text(of.px),
        "fillSz": str(of.contracts), "fillTime": str(_ms(of.at)), "instId": INST, "instType": "SWAP",
        "lever": str(LEVER), "ordId": f"90000000000000000{number}", "ordType": "market", "pnl": _text(of.pnl),
        "posSide": "long", "reduceOnly": "true", "side": "sell", "state": "filled", "sz": str(of.contracts),
        "tdMode": "isolated", "tradeId": "0", "uTime": str(_ms(of.at)),
    }  # fmt: skip


def _bill_row(number: int, of: Closing) -> Row:
    sub_types = {"full_liquidation": "104", "partial_liquidation": "100", "adl": "125"}
    return {
        "bal": "0", "balChg": _text(of.pnl + of.fee), "billId": f"91000000000000000{number}", "ccy": "USDT",
        "execType": "T", "fee": _text(of.fee), "fillMarkPx": _text(of.px), "fillTime": str(_ms(of.at)),
        "instId": INST, "instType": "SWAP", "mgnMode": "isolated", "ordId": f"90000000000000000{number}",
        "pnl": _text(of.pnl), "px": _text(of.px), "subType": sub_types[of.category], "sz": str(of.contracts),
        "tradeId": f"-{number}", "ts": str(_ms(of.at)), "type": "5" if of.liquidates else "9",
    }  # fmt: skip


def _instrument_row() -> Row:
    return {
        "ctMult": "1", "ctType": "linear", "ctVal": _text(CONTRACT_VALUE), "ctValCcy": "BTC", "instId": INST,
        "instType": "SWAP", "lotSz": "1", "minSz": "1", "settleCcy": "USDT", "state": "live", "tickSz": "0.1",
        "uly": "BTC-USDT",
    }  # fmt: skip


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _text(number: Decimal) -> str:
    return format(number.normalize(), "f")
