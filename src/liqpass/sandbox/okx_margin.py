"""The sandbox exchange's positions and their margin arithmetic: linear swaps, settled in USDT.

It is that of OKX's isolated mode, checked against real rows: mgnRatio = (margin + upl) / (mmr + notional ×
fee rate), and liqPx is the mark price where it is 1.
"""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, NamedTuple

FEE_RATE = Decimal("0.0005")  # that of takers, which all trades here are
MAKER_FEE_RATE = Decimal("0.0002")
_PLACES = Decimal("1e-16")
# Contracts, how many times the first tier's maintenance rate, highest leverage.
_TIERS = ((10_000, "1", 100), (50_000, "1.25", 75), (200_000, "1.5", 50))


def to_places(amount: Decimal) -> Decimal:
    """An amount as it is booked: with the 16 places after the point that rows show."""
    return amount.quantize(_PLACES)


class Tier(NamedTuple):
    """Positions of up to `max_contracts`, and above the tier before."""

    max_contracts: Decimal
    mmr_rate: Decimal
    max_lever: int


@dataclass
class Instrument:
    """A linear swap settled in USDT. `mark` is the only price it has, `mmr_rate` that of the first tier.

    It has candles of so many `days` before its first price, which moved by `volatility` a day; `told` is what
    is shown instead of a candle, by its bar and start in ms: another row, or none.

    `path` is how the mark price came to be what it is, `funding` the rates that were settled, each with its
    time in ms, oldest first.
    """

    inst_id: str
    ct_val: Decimal
    mmr_rate: Decimal
    tick: Decimal
    mark: Decimal
    path: list[tuple[int, Decimal]] = field(default_factory=list, kw_only=True)
    funding: list[tuple[int, Decimal]] = field(default_factory=list, kw_only=True)
    days: int = field(default=730, kw_only=True)
    volatility: Decimal = field(default=Decimal("0.03"), kw_only=True)
    told: dict[tuple[str, int], list[Any] | None] = field(default_factory=dict, kw_only=True)

    @property
    def family(self) -> str:
        """The coin and its quote: BTC-USDT."""
        return self.inst_id.removesuffix("-SWAP")

    @property
    def base(self) -> str:
        """The coin: BTC."""
        return self.inst_id.split("-")[0]

    def tiers(self) -> list["Tier"]:
        """How large a position may be at which leverage, the smallest first."""
        return [Tier(Decimal(size), self.mmr_rate * Decimal(times), lever) for size, times, lever in _TIERS]

    def mmr_of(self, contracts: Decimal) -> Decimal:
        """The rate for a whole position of this size: that of its tier."""
        fitting = (tier.mmr_rate for tier in self.tiers() if contracts <= tier.max_contracts)
        return next(fitting, self.tiers()[-1].mmr_rate)


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
    """One episode of a slot, from its opening until it is wholly closed. `sign`: 1 long, -1 short.

    `past` is what it was after each change, oldest first: an endpoint that lags shows one of these.
    """

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
    funding_fee: Decimal = Decimal(0)
    close_type: str = ""
    trigger_px: Decimal | None = None
    trade_id: str = ""
    past: list["Position"] = field(default_factory=list, compare=False, repr=False)

    def changed(self, now_ms: int) -> None:
        """It is what it is since now; its time never goes back."""
        self.u_time_ms = max(now_ms, self.u_time_ms)
        self.past.append(replace(self, past=[]))

    @property
    def slot(self) -> tuple[str, str, str]:
        """Which of an account's slots it has: instrument, margin mode, side."""
        return self.instrument.inst_id, self.mgn_mode, self.pos_side

    def realized(self) -> Decimal:
        """All that this episode won or lost so far, but for what is open."""
        return self.pnl + self.fee + self.funding_fee + self.liq_penalty

    def notional(self, px: Decimal) -> Decimal:
        """Value of the open contracts at a price, in USDT."""
        return self.contracts * self.instrument.ct_val * px

    def upl(self) -> Decimal:
        """Unrealised gain at the mark price."""
        return self.sign * (self.notional(self.instrument.mark) - self.notional(self.avg_px))

    def mmr(self) -> Decimal:
        """Maintenance margin at the mark price."""
        return self.notional(self.instrument.mark) * self.instrument.mmr_of(self.contracts)

    def liq_px(self, collateral: Decimal) -> Decimal | None:
        """The mark price where collateral + upl = mmr + fee; None where no positive price does that."""
        coins = self.contracts * self.instrument.ct_val
        burden = 1 - self.sign * (self.instrument.mmr_of(self.contracts) + FEE_RATE)
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
    fills: list[dict[str, Any]] = field(default_factory=list)

    def cross(self) -> list[Position]:
        """The open cross positions, which share the balance."""
        return [slot for slot in self.slots.values() if slot.mgn_mode == "cross" and slot.contracts]

    def liq_px(self, position: Position) -> Decimal | None:
        """Cross positions are backed by the whole balance, isolated ones by their margin."""
        return position.liq_px(self.balance if position.mgn_mode == "cross" else position.margin)

    def mgn_ratio(self, position: Position) -> Decimal:
        """How many times the requirement is covered; cross positions share balance and requirement."""
        isolated = position.mgn_mode == "isolated"
        others = [] if isolated else [each for each in self.cross() if each.slot != position.slot]
        group = [position, *others]
        equity = (position.margin if isolated else self.balance) + sum(each.upl() for each in group)
        return equity / sum(each.mmr() + each.notional(each.instrument.mark) * FEE_RATE for each in group)
