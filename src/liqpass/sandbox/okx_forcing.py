"""What the sandbox exchange does to positions: it liquidates and deleverages them, and claws back."""

from decimal import Decimal

from liqpass.sandbox.okx_margin import Account, Instrument, Position
from liqpass.sandbox.okx_registry import Number, positive
from liqpass.sandbox.okx_trade_rows import Effect, clawback_bill_row
from liqpass.sandbox.okx_trading import Closing, Trading


class Forcing(Trading):
    """Liquidation, ADL, clawback, and the mark price that leads to them."""

    def liquidate(
        self,
        uid: str,
        inst_id: str,
        *,
        mgn_mode: str = "isolated",
        pos_side: str | None = None,
        px: Number | None = None,
        fills: int = 1,
    ) -> Position:
        """Liquidate it wholly at the mark price `px` (its liquidation price, else the mark price), by one
        order of so many `fills`.

        An isolated position loses its margin, never more, and a cross one no more than the balance: where
        `px` is past its liquidation price, it is triggered by `px` and closed at its liquidation price.
        """
        account, position = self._open_slot(uid, inst_id, mgn_mode, pos_side)
        self._liquidate(account, position, position.contracts, self._trigger(account, position, px), fills)
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
        fills: int = 1,
    ) -> Position:
        """Liquidate `contracts` of it; the rest stays open."""
        account, position = self._open_slot(uid, inst_id, mgn_mode, pos_side)
        size = positive(contracts)
        if size >= position.contracts:
            raise ValueError("a partial liquidation leaves something open")
        self._liquidate(account, position, size, self._trigger(account, position, px), fills)
        return position

    def deleverage(
        self,
        uid: str,
        inst_id: str,
        *,
        contracts: Number | None = None,
        mgn_mode: str = "isolated",
        pos_side: str | None = None,
        px: Number | None = None,
    ) -> Position:
        """ADL: the exchange closes it at `px` (the mark price), wholly or `contracts` of it, without penalty:
        another's liquidation found nobody else."""
        account, position = self._open_slot(uid, inst_id, mgn_mode, pos_side)
        size = position.contracts if contracts is None else positive(contracts)
        price = position.instrument.mark if px is None else positive(px)
        wholly = size >= position.contracts
        how, trigger = ("6", None) if wholly else ("5", position.instrument.mark)
        self._close(account, position, Closing(size, price, how, trigger))
        return position

    def claw_back(
        self,
        uid: str,
        inst_id: str,
        *,
        amount: Number,
        mgn_mode: str = "isolated",
        pos_side: str | None = None,
    ) -> Position:
        """Take `amount` USDT from the balance of somebody who holds this position, and write the bill: its
        subtype 108 stands next to those of liquidations, and is none."""
        account, position = self._open_slot(uid, inst_id, mgn_mode, pos_side)
        position.changed(self.now_ms())
        effect = Effect(-positive(amount), Decimal(0), position.margin)
        account.bills.append(clawback_bill_row(position, self._booked(account, effect)))
        return position

    def move_mark(self, inst_id: str, px: Number) -> list[Position]:
        """Move the mark price; what it crosses on its way is liquidated, at its liquidation price."""
        instrument = self._instrument(inst_id)
        instrument.mark = positive(px)
        self._touch(instrument)
        crossed = []
        for account, position in self._holders(instrument):
            if self._is_past(account, position):
                trigger = self._trigger(account, position, None)
                closing = Closing(position.contracts, trigger, "3", trigger)
                self._close(account, position, closing)
                crossed.append(position)
        return crossed

    def _holders(self, instrument: Instrument) -> list[tuple[Account, Position]]:
        """All open positions of an instrument."""
        return [
            (account, position)
            for account in self.accounts.values()
            for position in account.slots.values()
            if position.contracts and position.instrument is instrument
        ]

    def _is_past(self, account: Account, position: Position, mark: Decimal | None = None) -> bool:
        """Whether the mark price is at or past its liquidation price."""
        exact = account.liq_px(position)
        px = position.instrument.mark if mark is None else mark
        return exact is not None and position.sign * (px - exact) <= 0

    def _liquidate(
        self, account: Account, position: Position, size: Decimal, trigger: Decimal, fills: int = 1
    ) -> None:
        """By the mark price `trigger`, whether the mark price of now is there or not."""
        at = trigger
        if self._is_past(account, position, trigger):
            at = self._trigger(account, position, None)
        how = "3" if size == position.contracts else "4"
        self._touch(position.instrument, trigger)
        self._close(account, position, Closing(size, at, how, trigger, int(fills)))

    def _trigger(self, account: Account, position: Position, px: Number | None) -> Decimal:
        if px is not None:
            return positive(px)
        exact = account.liq_px(position)
        return position.instrument.mark if exact is None else self._rounded(position, exact)

    def _touch(self, instrument: Instrument, *on_its_way: Decimal) -> None:
        """The mark price is what it is now, and went there by these prices: its candles show all of them."""
        now_ms = max(self.now_ms(), instrument.path[-1][0])
        instrument.path += [(now_ms, px) for px in (*on_its_way, instrument.mark)]
