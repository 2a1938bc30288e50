"""The sandbox exchange's positions and their margin arithmetic: linear swaps, settled in USDT.

It is that of OKX's isolated mode, checked against real rows: mgnRatio = (margin + upl) / (mmr + notional ×
fee rate), and liqPx is the mark price where it is 1.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

FEE_RATE = Decimal("0.0005")


@dataclass
class Instrument:
    """A linear swap settled in USDT. `mark` is the only price it has."""

    inst_id: str
    ct_val: Decimal
    mmr_rate: Decimal
    tick: Decimal
    mark: Decimal


@dataclass
class Key:
    """One API key of an account. `ip` holds the addresses and networks it is bound to, joined by comma."""

    uid: str
    api_key: str
    secret: str
    passphrase: str
    perm: str
    label: str
    ip: str


@dataclass
class Position:
    """One episode of a slot, from its opening until it is wholly closed. `sign`: 1 long, -1 short."""

    instrument: Instrument
    mgn_mode: str
    pos_side: str
    pos_id: str
    sign: int
    lever: Decimal
    c_time_ms: int
    u_time_ms: int
    contracts: Decimal = Decimal(0)
    avg_px: Decimal = Decimal(0)
    margin: Decimal = Decimal(0)
    max_contracts: Decimal = Decimal(0)
    closed_contracts: Decimal = Decimal(0)
    close_avg_px: Decimal = Decimal(0)
    pnl: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    liq_penalty: Decimal = Decimal(0)
    close_type: str = ""
    trigger_px: Decimal | None = None
    trade_id: str = ""

    def notional(self, px: Decimal) -> Decimal:
        """Value of the open contracts at a price, in USDT."""
        return self.contracts * self.instrument.ct_val * px

    def upl(self) -> Decimal:
        """Unrealised gain at the mark price."""
        return self.sign * (self.notional(self.instrument.mark) - self.notional(self.avg_px))

    def mmr(self) -> Decimal:
        """Maintenance margin at the mark price."""
        return self.notional(self.instrument.mark) * self.instrument.mmr_rate

    def liq_px(self, collateral: Decimal) -> Decimal | None:
        """The mark price where collateral + upl = mmr + fee; None where no positive price does that."""
        coins = self.contracts * self.instrument.ct_val
        burden = 1 - self.sign * (self.instrument.mmr_rate + FEE_RATE)
        px = (coins * self.avg_px - self.sign * collateral) / (coins * burden) if coins else Decimal(0)
        return px if px > 0 else None


@dataclass
class Account:
    """One OKX user. `balance` is the USDT outside isolated margins."""

    uid: str
    main_uid: str
    region: str
    demo: bool
    pos_mode: str
    balance: Decimal
    slots: dict[tuple[str, str, str], Position] = field(default_factory=dict)
    episodes: list[Position] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    bills: list[dict[str, Any]] = field(default_factory=list)

    def cross(self) -> list[Position]:
        """The open cross positions, which share the balance."""
        return [slot for slot in self.slots.values() if slot.mgn_mode == "cross" and slot.contracts]

    def liq_px(self, position: Position) -> Decimal | None:
        """Cross positions are backed by the whole balance, isolated ones by their margin."""
        return position.liq_px(self.balance if position.mgn_mode == "cross" else position.margin)

    def mgn_ratio(self, position: Position) -> Decimal:
        """How many times the requirement is covered; cross positions share balance and requirement."""
        isolated = position.mgn_mode == "isolated"
        group = [position] if isolated else self.cross()
        equity = (position.margin if isolated else self.balance) + sum(each.upl() for each in group)
        return equity / sum(each.mmr() + each.notional(each.instrument.mark) * FEE_RATE for each in group)
