"""A slot of an account at an exchange, as a tape: what happens to it is written down, and shown in the
exchange's own rows. Prices, sizes and times are the test's; profit, fees and averages are reckoned here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec

from liqpass.claims.case import Answer, Case, CoveredOrder, Priced, Watched
from liqpass.claims.policy import CURRENT, Policy

Row = dict[str, Any]

UID = "7001"
POS_ID = "2000000000000000005"
START_MS = 1_764_500_000_000
END_MS = START_MS + 24 * 3_600_000
OPENED_MS = START_MS - 3_600_000
PRICED_MS = START_MS - 60_000
CT_VAL = Decimal("0.1")
FEE_RATE = Decimal("0.0005")
HISTORY = "/api/v5/account/positions-history"
ORDERS = "/api/v5/trade/orders-history"
BILLS = "/api/v5/account/bills"
FILLS = "/api/v5/trade/fills"
POSITIONS = "/api/v5/account/positions"
INSTRUMENTS = "/api/v5/public/instruments"
PLACES = Decimal("1e-12")

_CATEGORY = {"3": "full_liquidation", "4": "partial_liquidation", "5": "adl", "6": "adl"}
# Bill type, and sub-types of a long, a short, a buy and a sell.
_BILLS = {
    "open": ("2", "3", "4", "1", "2"),
    "1": ("2", "5", "6", "1", "2"),
    "2": ("2", "5", "6", "1", "2"),
    "3": ("5", "104", "105", "106", "107"),
    "4": ("5", "100", "101", "102", "103"),
    "5": ("9", "125", "126", "127", "128"),
    "6": ("9", "125", "126", "127", "128"),
}


def text(value: Decimal | int) -> str:
    shown = format(Decimal(value).quantize(PLACES).normalize(), "f")
    return "0" if shown in ("-0", "0") else shown


@dataclass
class Episode:
    """One life of the slot."""

    side: str
    c_time_ms: int
    u_time_ms: int
    pos: Decimal = Decimal(0)
    avg_px: Decimal = Decimal(0)
    most: Decimal = Decimal(0)
    closed: Decimal = Decimal(0)
    pnl: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    funding: Decimal = Decimal(0)
    penalty: Decimal = Decimal(0)
    close_type: str = ""
    trigger_px: str = ""


@dataclass
class Tape:
    """A slot, and all that happened to it. `net`: the account is in net mode."""

    inst_id: str = "ETH-USDT-SWAP"
    mgn_mode: str = "isolated"
    net: bool = False
    liq_px: str = "2700"
    orders: list[Row] = field(default_factory=list)
    bills: list[Row] = field(default_factory=list)
    fills: list[Row] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)
    last_id: int = 3_000_000_000_000_000_000

    @property
    def now(self) -> Episode:
        return self.episodes[-1]

    @property
    def pos_side(self) -> str:
        return "net" if self.net else self.now.side

    def open(self, at_ms: int, contracts: int | str, px: int | str, side: str = "long") -> Row:
        """Open the slot, or add to what stands in it."""
        if not self.episodes or not self.now.pos:
            self.episodes.append(Episode(side, at_ms, at_ms))
        size, price, now = Decimal(contracts), Decimal(px), self.now
        now.avg_px = ((now.avg_px * now.pos + price * size) / (now.pos + size)).quantize(PLACES)
        now.pos += size
        now.most = max(now.most, now.pos)
        return self._trade("open", at_ms, size, price, price, 1)

    def close(
        self,
        at_ms: int,
        px: int | str,
        contracts: int | str | None = None,
        *,
        how: str | None = None,
        trigger: int | str | None = None,
        penalty: int | str = 0,
        fills: int = 1,
    ) -> Row:
        """Close `contracts` of it (all). `how`: the exchange's number for the way; else its owner does it."""
        size = self.now.pos if contracts is None else Decimal(contracts)
        self.now.pos -= size
        self.now.closed += size
        kind = how or ("1" if self.now.pos else "2")
        self.now.close_type = kind
        mark = Decimal(px if trigger is None else trigger)
        self.now.trigger_px = text(mark) if kind in "345" else ""
        self.now.penalty += Decimal(penalty)
        return self._trade(kind, at_ms, size, Decimal(px), mark, fills)

    def liquidate(
        self,
        at_ms: int,
        px: int | str = 2700,
        contracts: int | str | None = None,
        *,
        trigger: int | str | None = None,
        penalty: int | str = "-10.8",
        fills: int = 1,
    ) -> Row:
        """Wholly, or `contracts` of it."""
        part = contracts is not None and Decimal(contracts) < self.now.pos
        return self.close(
            at_ms, px, contracts, how="4" if part else "3", trigger=trigger, penalty=penalty, fills=fills
        )

    def deleverage(self, at_ms: int, px: int | str, contracts: int | str | None = None) -> Row:
        """The exchange closes it against somebody else's loss."""
        part = contracts is not None and Decimal(contracts) < self.now.pos
        return self.close(at_ms, px, contracts, how="5" if part else "6")

    def fund(self, at_ms: int, amount: int | str) -> None:
        """Funding: paid where it is below zero."""
        self.now.funding += Decimal(amount)
        self.now.u_time_ms = at_ms

    def position(self) -> Row:
        """The open position, as GET /account/positions shows it."""
        now = self.now
        return {
            "avgPx": text(now.avg_px), "bizRefType": "", "cTime": str(now.c_time_ms), "ccy": "USDT",
            "fee": text(now.fee), "fundingFee": text(now.funding), "instId": self.inst_id,
            "instType": "SWAP", "lever": "10", "liqPenalty": text(now.penalty), "liqPx": self.liq_px,
            "margin": "300", "markPx": "3000", "mgnMode": self.mgn_mode, "notionalUsd": "3000",
            "pnl": text(now.pnl), "pos": text(-now.pos if self.net and now.side == "short" else now.pos),
            "posId": POS_ID, "posSide": self.pos_side, "uTime": str(now.u_time_ms), "upl": "0",
        }  # fmt: skip

    def history(self, which: int = -1) -> Row:
        """An episode of which something was closed, as GET /account/positions-history shows it."""
        one = self.episodes[which]
        return {
            "cTime": str(one.c_time_ms), "ccy": "USDT", "closeAvgPx": "", "closeTotalPos": text(one.closed),
            "direction": one.side, "fee": text(one.fee), "fundingFee": text(one.funding),
            "instId": self.inst_id, "instType": "SWAP", "lever": "10.0", "liqPenalty": text(one.penalty),
            "mgnMode": self.mgn_mode, "openAvgPx": text(one.avg_px), "openMaxPos": text(one.most),
            "pnl": text(one.pnl), "posId": POS_ID, "posSide": "net" if self.net else one.side,
            "realizedPnl": "", "triggerPx": one.trigger_px, "type": one.close_type,
            "uTime": str(one.u_time_ms), "uly": "ETH-USDT",
        }  # fmt: skip

    def histories(self) -> list[Row]:
        """All episodes of which something was closed, the newest first."""
        return [self.history(n) for n in reversed(range(len(self.episodes))) if self.episodes[n].close_type]

    def next_id(self) -> str:
        self.last_id += 1_000_003
        return str(self.last_id)

    def _trade(self, kind: str, at_ms: int, size: Decimal, px: Decimal, mark: Decimal, fills: int) -> Row:
        now, opens, ord_id = self.now, kind == "open", self.next_id()
        side = "buy" if (now.side == "long") == opens else "sell"
        sign = 1 if now.side == "long" else -1
        bill_type, long, short, buy, sell = _BILLS[kind]
        words = {"long": long, "short": short} if not self.net else {"long": buy, "short": buy}
        sub_type = (buy if side == "buy" else sell) if self.net else words[now.side]
        each = (size / fills).quantize(Decimal("0.01"))
        sizes = [each] * (fills - 1) + [size - each * (fills - 1)]
        pnl = fee = Decimal(0)
        for n, part in enumerate(sizes):
            part_pnl = Decimal(0) if opens else (sign * part * CT_VAL * (px - now.avg_px)).quantize(PLACES)
            part_fee = (-part * CT_VAL * px * FEE_RATE).quantize(PLACES)
            pnl, fee = pnl + part_pnl, fee + part_fee
            when = str(at_ms - (fills - 1 - n))
            shared = {
                "instId": self.inst_id, "instType": "SWAP", "ordId": ord_id, "billId": self.next_id(),
                "fee": text(part_fee), "fillMarkPx": text(mark), "fillTime": when,
                "subType": sub_type, "ts": str(int(when) + 1),
            }  # fmt: skip
            self.bills.append(
                shared | {"bal": "1000", "balChg": "0", "ccy": "USDT", "mgnMode": self.mgn_mode,
                          "pnl": text(part_pnl), "px": text(px), "sz": text(part), "type": bill_type}
            )  # fmt: skip
            self.fills.append(
                shared | {"fillPnl": text(part_pnl), "fillPx": text(px), "fillSz": text(part),
                          "posSide": self.pos_side, "side": side, "tradeId": "-1", "feeCcy": "USDT"}
            )  # fmt: skip
        now.pnl, now.fee, now.u_time_ms = now.pnl + pnl, now.fee + fee, at_ms
        order = {
            "accFillSz": text(size), "avgPx": text(px), "cTime": str(at_ms - (fills - 1)), "ccy": "USDT",
            "category": _CATEGORY.get(kind, "normal"), "fee": text(fee), "feeCcy": "USDT",
            "fillTime": str(at_ms), "instId": self.inst_id, "instType": "SWAP", "ordId": ord_id,
            "ordType": "market", "pnl": text(pnl), "posSide": self.pos_side, "rebate": "0",
            "rebateCcy": "USDT", "side": side, "state": "filled", "sz": text(size),
            "tdMode": self.mgn_mode, "uTime": str(at_ms),
        }  # fmt: skip
        self.orders.append(order)
        return order


def instrument(inst_id: str = "ETH-USDT-SWAP") -> Row:
    return {
        "ctMult": "1", "ctType": "linear", "ctVal": text(CT_VAL), "ctValCcy": "ETH", "instId": inst_id,
        "instType": "SWAP", "settleCcy": "USDT", "state": "live",
    }  # fmt: skip


def answer(
    endpoint: str,
    rows: Iterable[Any],
    *,
    at_ms: int = END_MS,
    uid: str = UID,
    status: int = 200,
    code: str = "0",
) -> Answer:
    """An answer of the exchange with these rows."""
    body = msgspec.json.encode({"code": code, "data": list(rows), "msg": ""}).decode()
    return Answer(
        seq=1,
        exchange_uid=uid,
        endpoint=endpoint,
        request=f"{endpoint}?instType=SWAP",
        http_status=status,
        asked_at_ms=at_ms,
        clock_offset_ms=0,
        body=body,
        encoding="utf-8",
        sha256=sha256(body.encode()).hexdigest(),
    )


def priced(row: Row) -> Priced:
    """The binding of this position."""
    written = msgspec.json.encode(row, order="sorted").decode()
    return Priced(
        exchange_uid=UID,
        inst_id=row["instId"],
        mgn_mode=row["mgnMode"],
        pos_side=row["posSide"],
        pos_id=row["posId"],
        c_time_ms=int(row["cTime"]),
        row=written,
        row_sha256=sha256(written.encode()).hexdigest(),
        read_at="2025-11-30T10:52:20Z",
    )


def seen(row: Row | None, at_ms: int, *what: str) -> Watched:
    """What a reading of positions showed; None: nothing in the slot."""
    written = "" if row is None else msgspec.json.encode(row, order="sorted").decode()
    return Watched(
        seq=1, read_at_ms=at_ms, clock_offset_ms=0, what=list(what), row=written,
        row_sha256=sha256(written.encode()).hexdigest(),
    )  # fmt: skip


def case(
    position: Row,
    evidence: Sequence[Answer],
    watched: Sequence[Watched] = (),
    *,
    payout: int = 100_000_000,
    start_us: int = START_MS * 1000,
    end_us: int = END_MS * 1000,
    policy: Policy = CURRENT,
) -> Case:
    """A cover of this position, and what the exchange showed."""
    order = CoveredOrder(
        purchase_order_id="0x" + "11" * 32, payout=payout, coverage_start_us=start_us, coverage_end_us=end_us
    )
    return Case(
        order=order,
        priced=priced(position),
        watched=[msgspec.structs.replace(one, seq=n) for n, one in enumerate(watched, 1)],
        evidence=[msgspec.structs.replace(one, seq=n) for n, one in enumerate(evidence, 1)],
        policy=policy,
    )
