"""The sandbox exchange's books: accounts and keys, and what trading, funding and liquidation do to them."""

from decimal import Decimal

from liqpass.sandbox.okx_forcing import Forcing
from liqpass.sandbox.okx_margin import Account, Position, to_places
from liqpass.sandbox.okx_registry import Number, number, positive
from liqpass.sandbox.okx_trade_rows import Effect, funding_bill_row, margin_bill_row


class Books(Forcing):
    """Everything the sandbox exchange knows. Its methods are what its control API offers; they raise
    ValueError with words for whoever asked for the impossible.

    `seed` decides every id and key, so that the same calls always make the same world.
    """

    def fund(self, inst_id: str, rate: Number) -> list[Position]:
        """Settle funding: longs pay `rate` of their value at the mark price to shorts, or get it below 0.

        As at OKX since 2024, an isolated position pays out of its own margin and receives into it, up to all
        of it, so that its liquidation price moves; a cross one out of the balance. What is past its
        liquidation price then is liquidated by the mark price. Gives all that paid or received.
        """
        instrument, of_value = self._instrument(inst_id), number(rate)
        instrument.funding.append((self.now_ms(), of_value))
        holders = self._holders(instrument)
        for account, position in holders if of_value else ():
            amount = to_places(-position.sign * of_value * position.notional(instrument.mark))
            isolated = position.mgn_mode == "isolated"
            amount = max(amount, -(position.margin if isolated else account.balance))
            of_margin, of_balance = (amount, Decimal(0)) if isolated else (Decimal(0), amount)
            position.funding_fee += amount
            position.margin += of_margin
            position.changed(self.now_ms())
            booked = self._booked(account, Effect(of_balance, of_margin, position.margin))
            account.bills.append(funding_bill_row(position, amount, booked))
        for account, position in holders:
            if self._is_past(account, position):
                self._liquidate(account, position, position.contracts, instrument.mark)
        return [position for _, position in holders]

    def set_leverage(
        self,
        uid: str,
        inst_id: str,
        lever: Number,
        *,
        mgn_mode: str = "isolated",
        pos_side: str | None = None,
    ) -> Position:
        """Its owner sets another leverage: an isolated position's margin moves by the difference of what both
        ask for, so that more leverage brings liquidation nearer."""
        account, position = self._open_slot(uid, inst_id, mgn_mode, pos_side)
        wanted, value = positive(lever), position.notional(position.avg_px)
        change = to_places(value / wanted - value / position.lever) if mgn_mode == "isolated" else Decimal(0)
        if change:
            self._move_margin(account, position, change)
        position.lever = wanted
        position.changed(self.now_ms())
        return position

    def add_margin(self, uid: str, inst_id: str, amount: Number, *, pos_side: str | None = None) -> Position:
        """Move `amount` USDT from the balance into an isolated position."""
        account, position = self._open_slot(uid, inst_id, "isolated", pos_side)
        self._move_margin(account, position, positive(amount))
        return position

    def remove_margin(
        self, uid: str, inst_id: str, amount: Number, *, pos_side: str | None = None
    ) -> Position:
        """Move `amount` USDT from an isolated position into the balance. OKX wants the initial margin to
        stay; here all may go that does not liquidate the position at once."""
        account, position = self._open_slot(uid, inst_id, "isolated", pos_side)
        self._move_margin(account, position, -positive(amount))
        return position

    def _move_margin(self, account: Account, position: Position, change: Decimal) -> None:
        if change > account.balance:
            raise ValueError(f"the balance is {account.balance}, less than {change}")
        position.margin += change
        if position.margin <= 0 or self._is_past(account, position):
            position.margin -= change
            raise ValueError("with so little margin it would be liquidated at once")
        position.changed(self.now_ms())
        booked = self._booked(account, Effect(-change, change, position.margin))
        account.bills.append(margin_bill_row(position, booked))
