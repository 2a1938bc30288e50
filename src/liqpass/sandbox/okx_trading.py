"""Trading at the sandbox exchange: positions are opened and closed, and every order is in all histories."""

from datetime import timedelta
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import NamedTuple

from liqpass.sandbox.okx_margin import FEE_RATE, Account, Instrument, Position, to_places
from liqpass.sandbox.okx_registry import Number, Registry, positive
from liqpass.sandbox.okx_trade_rows import Booked, Effect, Fill, Trade, bill_row, fill_row, order_row

POS_ID_LIVES_DAYS = 30
_LOT = Decimal("0.01")


class Closing(NamedTuple):
    """How a position is closed, wholly or by `contracts` of it, at `px` in the first of `fills`.

    `close_type` is what positions-history says; liquidations (3, 4) and ADL (5) have a `trigger_px`.
    """

    contracts: Decimal
    px: Decimal
    close_type: str
    trigger_px: Decimal | None = None
    fills: int = 1


class Trading(Registry):
    """What owners of accounts do."""

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
        size, leverage, sign = positive(contracts), positive(lever), 1 if side == "long" else -1
        px = positive(avg_px) if avg_px is not None else instrument.mark
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
        fee = -added * FEE_RATE
        position.fee += fee
        margin = to_places(added / leverage) if mgn_mode == "isolated" else Decimal(0)
        position.margin += margin
        fill = Fill(size, px, fee, Decimal(0), str(int(self.next_id()) % 10**10))
        self._book(account, position, [(fill, Effect(-margin + fee, margin, position.margin))], opens=True)
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
        account, position = self._open_slot(uid, inst_id, mgn_mode, pos_side)
        size = position.contracts if contracts is None else positive(contracts)
        price = position.instrument.mark if px is None else positive(px)
        self._close(account, position, Closing(size, price, "2" if size >= position.contracts else "1"))
        return position

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

    def _close(self, account: Account, position: Position, closing: Closing) -> None:
        """One order, its fills one after the other, each a tick better than the one before."""
        if closing.contracts > position.contracts:
            raise ValueError("the position is smaller than that")
        shares = _shares(closing.contracts, closing.fills)
        rate = position.instrument.mmr_of(position.contracts)
        better = position.sign * position.instrument.tick
        position.close_type, position.trigger_px = closing.close_type, closing.trigger_px
        parts, balance = [], account.balance
        for number, size in enumerate(shares):
            part = self._close_part(position, size, closing.px + number * better, rate, balance)
            parts.append(part)
            balance += part[1].to_balance
        if not any(episode is position for episode in account.episodes):
            account.episodes.append(position)
        self._book(account, position, parts, opens=False)

    def _close_part(
        self, position: Position, size: Decimal, px: Decimal, mmr_rate: Decimal, balance: Decimal
    ) -> tuple[Fill, Effect]:
        """Its fill, and what it does to balance and margin.

        What maintenance margin is left of the closed part goes to the insurance fund: no more than there is.
        The liquidation of an isolated position moves nothing but its margin: of all of it there is nothing
        left, of a part what is left stays with the rest.
        """
        coins, before = size * position.instrument.ct_val, position.margin
        pnl = to_places(position.sign * coins * (px - position.avg_px))
        fee = to_places(-coins * px * FEE_RATE)
        released = to_places(position.margin * size / position.contracts)
        left, how, isolated = released + pnl + fee, position.close_type, position.mgn_mode == "isolated"
        penalty = Decimal(0)
        if how in "34":
            there_is = max(left if isolated else balance + left, Decimal(0))
            penalty = max(to_places(-coins * px * mmr_rate), -there_is)
            penalty = -there_is if isolated and how == "3" else penalty
        closed_value = position.close_avg_px * position.closed_contracts + px * size
        position.closed_contracts += size
        position.close_avg_px = closed_value / position.closed_contracts
        position.contracts -= size
        position.margin -= released
        position.pnl += pnl
        position.fee += fee
        position.liq_penalty += penalty
        to_balance = left + penalty
        if isolated and how in "34":
            position.margin += max(to_balance, Decimal(0)) if position.contracts else Decimal(0)
            to_balance = Decimal(0)
        number = int(self.next_id()) % 10**10
        fill = Fill(size, px, fee, pnl, str(-number if how in "3456" else number))
        return fill, Effect(to_balance, position.margin - before, position.margin)

    def _book(
        self, account: Account, position: Position, parts: list[tuple[Fill, Effect]], *, opens: bool
    ) -> None:
        """Write the order, and for each part the bill and the fill; move the balance."""
        forced = not opens and position.close_type in "3456"
        position.trade_id = "0" if forced else parts[-1][0].trade_id
        position.changed(self.now_ms())
        mark = position.trigger_px if forced and position.trigger_px is not None else position.instrument.mark
        trade = Trade(position, self.next_id(), mark, opens=opens)
        account.orders.append(order_row(trade, [fill for fill, _ in parts]))
        for fill, effect in parts:
            booked = self._booked(account, effect)
            account.bills.append(bill_row(trade, fill, booked))
            account.fills.append(fill_row(trade, fill, booked.bill_id))

    def _booked(self, account: Account, effect: Effect) -> Booked:
        """A bill's effect on the balance, which never goes below zero."""
        change = max(effect.to_balance, -account.balance)
        account.balance += change
        return Booked(self.next_id(), effect._replace(to_balance=change), account.balance)

    def _rounded(self, position: Position, px: Decimal) -> Decimal:
        """The tick at or past a price that is against the position."""
        rounding = ROUND_FLOOR if position.sign > 0 else ROUND_CEILING
        return (px / position.instrument.tick).to_integral_value(rounding) * position.instrument.tick


def _shares(contracts: Decimal, parts: int) -> list[Decimal]:
    """So many parts, as equal as lots allow."""
    share = (contracts / parts).quantize(_LOT, ROUND_DOWN) if parts > 1 else contracts
    if parts < 1 or not share:
        raise ValueError(f"{contracts} contracts cannot be filled in {parts} parts")
    return [*[share] * (parts - 1), contracts - share * (parts - 1)]
