"""The sandbox exchange's books: accounts and keys, and what trading and liquidation do to them."""

import random
import uuid
from datetime import timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from liqpass.clock import Clock
from liqpass.sandbox.okx_margin import FEE_RATE, Account, Instrument, Key, Position
from liqpass.sandbox.okx_rows import Trade, bill_row, fill_row, order_row

Number = Decimal | str | int

POS_ID_LIVES_DAYS = 30
PERMISSIONS = {"read_only", "trade", "withdraw"}


class Books:
    """Everything the sandbox exchange knows. Its methods are what its control API offers; they raise
    ValueError with words for whoever asked for the impossible.

    `seed` decides every id and key, so that the same calls always make the same world.
    """

    def __init__(self, clock: Clock, seed: int) -> None:
        self._clock = clock
        self.seed = seed
        self.reset()

    def reset(self) -> None:
        """Nothing but the instruments, as at the start."""
        self._random = random.Random(self.seed)  # noqa: S311
        self._last_id = 2_000_000_000_000_000_000
        self.accounts: dict[str, Account] = {}
        self.keys: dict[str, Key] = {}
        now_ms = self.now_ms()
        self.instruments = {
            name: Instrument(name, *map(Decimal, (ct_val, mmr, tick, mark)), path=[(now_ms, Decimal(mark))])
            for name, ct_val, mmr, tick, mark in (
                ("BTC-USDT-SWAP", "0.01", "0.004", "0.1", "60000"),
                ("ETH-USDT-SWAP", "0.1", "0.004", "0.01", "3000"),
                ("SOL-USDT-SWAP", "1", "0.005", "0.01", "150"),
                ("DOGE-USDT-SWAP", "1000", "0.005", "0.00001", "0.2"),
            )
        }

    def now_ms(self) -> int:
        """The exchange's time. The control API can skew what it tells of it, not this."""
        return int(self._clock().timestamp() * 1000)

    def list_instrument(self, inst_id: str, *, mark: Number, ct_val: Number = 1) -> Instrument:
        """One more swap, named in any writing, as OKX names some."""
        value, mmr, tick, px = _positive(ct_val), Decimal("0.01"), Decimal("0.0001"), _positive(mark)
        listed = Instrument(inst_id, value, mmr, tick, px, path=[(self.now_ms(), px)])
        self.instruments[inst_id] = listed
        return listed

    def add_account(
        self,
        *,
        region: str = "global",
        demo: bool = False,
        pos_mode: str = "long_short_mode",
        balance: Number = "10000",
        main_uid: str | None = None,
    ) -> Account:
        """A new OKX user; with `main_uid`, a sub-account of that one."""
        if pos_mode not in ("long_short_mode", "net_mode"):
            raise ValueError(f"pos_mode {pos_mode!r} is not long_short_mode or net_mode")
        uid = str(self._random.randrange(10**17, 10**18))
        account = Account(uid, main_uid or uid, region, demo, pos_mode, _positive(balance))
        self.accounts[uid] = account
        return account

    def add_key(self, uid: str, *, perm: str = "read_only", label: str = "", ip: str = "") -> Key:
        """A new key. `perm` and `ip` are comma lists as OKX shows them."""
        self._account(uid)
        drawn = uuid.UUID(int=self._random.getrandbits(128), version=4)
        secret, passphrase = (
            f"{self._random.getrandbits(128):032X}",
            f"Pass!{self._random.getrandbits(40):010x}",
        )
        key = Key(uid, str(drawn), secret, passphrase, _perm(perm), label, ip)
        self.keys[key.api_key] = key
        return key

    def set_perm(self, api_key: str, perm: str) -> Key:
        """Let a key's rights grow or shrink, as its owner can at OKX."""
        key = self._key(api_key)
        key.perm = _perm(perm)
        return key

    def delete_key(self, api_key: str) -> None:
        """From now on the key is unknown."""
        del self.keys[self._key(api_key).api_key]

    def open_position(
        self,
        uid: str,
        inst_id: str,
        *,
        side: str = "long",
        contracts: Number,
        lever: Number,
        avg_px: Number | None = None,
        mgn_mode: str = "isolated",
    ) -> Position:
        """Open at `avg_px` (the mark price), or add to the position that this slot holds already."""
        account, instrument = self._account(uid), self._instrument(inst_id)
        if side not in ("long", "short") or mgn_mode not in ("isolated", "cross"):
            raise ValueError("side is long or short, mgn_mode is isolated or cross")
        size, leverage, sign = _positive(contracts), _positive(lever), 1 if side == "long" else -1
        px = _positive(avg_px) if avg_px is not None else instrument.mark
        slot = (inst_id, mgn_mode, "net" if account.pos_mode == "net_mode" else side)
        position = account.slots.get(slot)
        if position is None or not position.contracts:
            position = self._new_episode(account, instrument, slot, sign, leverage)
        if position.sign != sign:
            raise ValueError("this slot holds the other side: close it first")
        held, value = position.contracts, position.notional(position.avg_px)
        added = size * instrument.ct_val * px
        position.contracts = held + size
        position.avg_px = (value + added) / (position.contracts * instrument.ct_val)
        position.max_contracts = max(position.max_contracts, position.contracts)
        position.fee -= added * FEE_RATE
        margin = added / leverage if mgn_mode == "isolated" else Decimal(0)
        position.margin += margin
        self._book(account, position, size, px, opens=True, pnl=Decimal(0), to_balance=-margin)
        return position

    def close_position(
        self,
        uid: str,
        inst_id: str,
        *,
        mgn_mode: str = "isolated",
        pos_side: str | None = None,
        contracts: Number | None = None,
        px: Number | None = None,
    ) -> Position:
        """Its owner closes it at `px` (the mark price), wholly or `contracts` of it."""
        account, position = self._open(uid, inst_id, mgn_mode, pos_side)
        size = position.contracts if contracts is None else _positive(contracts)
        price = position.instrument.mark if px is None else _positive(px)
        self._reduce(account, position, size, price, "2" if size >= position.contracts else "1")
        return position

    def liquidate(
        self,
        uid: str,
        inst_id: str,
        *,
        mgn_mode: str = "isolated",
        pos_side: str | None = None,
        px: Number | None = None,
    ) -> Position:
        """Liquidate it wholly at `px` (its liquidation price, else the mark price)."""
        account, position = self._open(uid, inst_id, mgn_mode, pos_side)
        price = self._trigger(account, position, px)
        self._touch(position.instrument, price)
        self._reduce(account, position, position.contracts, price, "3")
        return position

    def liquidate_partly(
        self,
        uid: str,
        inst_id: str,
        *,
        contracts: Number,
        mgn_mode: str = "isolated",
        pos_side: str | None = None,
        px: Number | None = None,
    ) -> Position:
        """Liquidate `contracts` of it; the rest stays open."""
        account, position = self._open(uid, inst_id, mgn_mode, pos_side)
        size = _positive(contracts)
        if size >= position.contracts:
            raise ValueError("a partial liquidation leaves something open")
        price = self._trigger(account, position, px)
        self._touch(position.instrument, price)
        self._reduce(account, position, size, price, "4")
        return position

    def move_mark(self, inst_id: str, px: Number) -> list[Position]:
        """Move the mark price; what it crosses on its way is liquidated, at its liquidation price."""
        instrument = self._instrument(inst_id)
        instrument.mark = _positive(px)
        self._touch(instrument)
        crossed = []
        for account in self.accounts.values():
            for position in [p for p in account.slots.values() if p.contracts and p.instrument is instrument]:
                trigger = account.liq_px(position)
                if trigger is not None and position.sign * (instrument.mark - trigger) <= 0:
                    price = self._trigger(account, position, None)
                    self._reduce(account, position, position.contracts, price, "3")
                    crossed.append(position)
        return crossed

    def next_id(self) -> str:
        """Ids grow, as OKX's do: pages of orders and bills are cut by them."""
        self._last_id += self._random.randrange(1, 10**9)
        return str(self._last_id)

    def _account(self, uid: str) -> Account:
        if uid not in self.accounts:
            raise ValueError(f"no account {uid!r}")
        return self.accounts[uid]

    def _instrument(self, inst_id: str) -> Instrument:
        if inst_id not in self.instruments:
            raise ValueError(f"no instrument {inst_id!r}")
        return self.instruments[inst_id]

    def _key(self, api_key: str) -> Key:
        if api_key not in self.keys:
            raise ValueError("no such key")
        return self.keys[api_key]

    def _open(self, uid: str, inst_id: str, mgn_mode: str, pos_side: str | None) -> tuple[Account, Position]:
        account = self._account(uid)
        found = [
            position
            for (inst, mode, side), position in account.slots.items()
            if (inst, mode) == (inst_id, mgn_mode) and pos_side in (None, side) and position.contracts
        ]
        if len(found) != 1:
            raise ValueError(f"{len(found)} open positions match; one must")
        return account, found[0]

    def _new_episode(
        self, account: Account, instrument: Instrument, slot: tuple[str, str, str], sign: int, lever: Decimal
    ) -> Position:
        """A slot keeps its posId when it re-opens within 30 days of its last full close."""
        now_ms, before = self.now_ms(), account.slots.get(slot)
        alive_ms = timedelta(days=POS_ID_LIVES_DAYS) // timedelta(milliseconds=1)
        kept = before is not None and now_ms - before.u_time_ms <= alive_ms
        pos_id = before.pos_id if before is not None and kept else self.next_id()
        if before is not None:
            now_ms = max(now_ms, before.u_time_ms + 1)
        position = Position(instrument, slot[1], slot[2], pos_id, sign, lever, now_ms, now_ms)
        account.slots[slot] = position
        return position

    def _trigger(self, account: Account, position: Position, px: Number | None) -> Decimal:
        if px is not None:
            return _positive(px)
        exact = account.liq_px(position)
        if exact is None:
            return position.instrument.mark
        ticks = exact / position.instrument.tick
        rounding = ROUND_FLOOR if position.sign > 0 else ROUND_CEILING
        return ticks.to_integral_value(rounding) * position.instrument.tick

    def _touch(self, instrument: Instrument, *on_its_way: Decimal) -> None:
        """The mark price is what it is now, and went there by these prices: its candles show all of them."""
        now_ms = max(self.now_ms(), instrument.path[-1][0])
        instrument.path += [(now_ms, px) for px in (*on_its_way, instrument.mark)]

    def _reduce(
        self, account: Account, position: Position, size: Decimal, px: Decimal, close_type: str
    ) -> None:
        if size > position.contracts:
            raise ValueError("the position is smaller than that")
        coins = size * position.instrument.ct_val
        pnl = position.sign * coins * (px - position.avg_px)
        # What maintenance margin is left of the closed part goes to the insurance fund.
        penalty = (
            -coins * px * position.instrument.mmr_of(position.contracts) if close_type in "34" else Decimal(0)
        )
        released = position.margin * size / position.contracts
        closed_value = position.close_avg_px * position.closed_contracts + px * size
        position.closed_contracts += size
        position.close_avg_px = closed_value / position.closed_contracts
        position.contracts -= size
        position.margin -= released
        position.pnl += pnl
        position.fee -= coins * px * FEE_RATE
        position.liq_penalty += penalty
        position.close_type = close_type
        position.trigger_px = px if close_type in "34" else None
        if not any(episode is position for episode in account.episodes):
            account.episodes.append(position)
        self._book(account, position, size, px, opens=False, pnl=pnl, to_balance=released + pnl + penalty)

    def _book(
        self,
        account: Account,
        position: Position,
        size: Decimal,
        px: Decimal,
        *,
        opens: bool,
        pnl: Decimal,
        to_balance: Decimal,
    ) -> None:
        """Write the order, the bill and the fill of one trade, and move the balance."""
        forced = not opens and position.close_type in "34"
        position.trade_id = "0" if forced else str(int(self.next_id()) % 10**10)
        position.u_time_ms = max(self.now_ms(), position.u_time_ms)
        fee = -size * position.instrument.ct_val * px * FEE_RATE
        change = max(to_balance + fee, -account.balance)
        account.balance += change
        trade = Trade(position, self.next_id(), size, px, fee, pnl, opens=opens)
        account.orders.append(order_row(trade))
        bill_id = self.next_id()
        account.bills.append(bill_row(trade, bill_id, change, account.balance))
        account.fills.append(fill_row(trade, bill_id))


def _perm(perm: str) -> str:
    if not set(perm.split(",")) <= PERMISSIONS:
        raise ValueError(f"perm {perm!r} is not a comma list of {', '.join(sorted(PERMISSIONS))}")
    return perm


def _positive(value: Number) -> Decimal:
    try:
        number = Decimal(value)
    except (ArithmeticError, TypeError):
        number = Decimal(0)
    if not number.is_finite() or number <= 0:
        raise ValueError(f"{value!r} is not a positive number")
    return number
