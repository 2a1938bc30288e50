"""The sandbox exchange's registers: its instruments, accounts and keys, and the ids that it gives."""

import random
import uuid
from decimal import Decimal
from typing import Any

from liqpass.clock import Clock
from liqpass.sandbox.okx_margin import Account, Instrument, Key, Position

Number = Decimal | str | int

PERMISSIONS = {"read_only", "trade", "withdraw"}


class Registry:
    """Who and what there is. `seed` decides every id and key: the same calls always make the same world."""

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

    def list_instrument(
        self, inst_id: str, *, mark: Number, ct_val: Number = 1, days: int = 730, volatility: Number = "0.03"
    ) -> Instrument:
        """One more swap, named in any writing, as OKX names some; it was listed so many days ago."""
        value, mmr, px = positive(ct_val), Decimal("0.01"), positive(mark)
        tick = min(Decimal("0.0001"), Decimal(1).scaleb(px.adjusted() - 4))
        self.instruments[inst_id] = Instrument(
            inst_id,
            value,
            mmr,
            tick,
            px,
            path=[(self.now_ms(), px)],
            days=int(days),
            volatility=positive(volatility),
        )
        return self.instruments[inst_id]

    def delist_instrument(self, inst_id: str) -> None:
        """Nothing is listed by this name any more. Who holds it goes on holding it."""
        del self.instruments[self._instrument(inst_id).inst_id]

    def set_volatility(self, inst_id: str, daily: Number) -> Instrument:
        """How much its price moves a day, as a share of itself: its candles from before the start are other
        ones from now on, and those since then quiver more or less."""
        instrument = self._instrument(inst_id)
        instrument.volatility = positive(daily)
        return instrument

    def tell_candle(
        self, inst_id: str, start_ms: Number, *, bar: str = "1H", row: list[Any] | None = None
    ) -> None:
        """Show this row, whatever is in it, instead of the candle that began then; None: show none there."""
        self._instrument(inst_id).told[(bar, int(number(start_ms)))] = row

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
        account = Account(uid, main_uid or uid, region, demo, pos_mode, positive(balance))
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

    def _open_slot(
        self, uid: str, inst_id: str, mgn_mode: str, pos_side: str | None
    ) -> tuple[Account, Position]:
        account = self._account(uid)
        found = [
            position
            for (inst, mode, side), position in account.slots.items()
            if (inst, mode) == (inst_id, mgn_mode) and pos_side in (None, side) and position.contracts
        ]
        if len(found) != 1:
            raise ValueError(f"{len(found)} open positions match; one must")
        return account, found[0]


def _perm(perm: str) -> str:
    if not set(perm.split(",")) <= PERMISSIONS:
        raise ValueError(f"perm {perm!r} is not a comma list of {', '.join(sorted(PERMISSIONS))}")
    return perm


def number(value: Number) -> Decimal:
    """A finite number, in any writing; ValueError for everything else."""
    try:
        read = Decimal(value)
    except (ArithmeticError, TypeError):
        read = Decimal("NaN")
    if not read.is_finite():
        raise ValueError(f"{value!r} is not a number")
    return read


def positive(value: Number) -> Decimal:
    """A number above zero, in any writing; ValueError for everything else."""
    try:
        read = number(value)
    except ValueError:
        read = Decimal(0)
    if read <= 0:
        raise ValueError(f"{value!r} is not a positive number")
    return read
