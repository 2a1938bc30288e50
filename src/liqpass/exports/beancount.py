"""The books as a file of beancount: `bean-check FILE`."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from liqpass.exports.rows import (
    ABOUT_CHAIN,
    ABOUT_KEPT,
    ABOUT_TRANSIT,
    Closing,
    Extra,
    Head,
    Row,
    one_line,
    tags,
    usdc,
    words,
)
from liqpass.hexes import checksum, to_hex
from liqpass.ledger.book import Account

TREASURY = "Assets:Treasury"  # with what is in transit
NAMES: Mapping[Account | Extra, str] = MappingProxyType(
    {
        Account.TREASURY: f"{TREASURY}:OnChain",
        Extra.IN_TRANSIT: f"{TREASURY}:InTransit",
        Account.OUTFLOW_UNEXPLAINED: "Assets:OutflowUnexplained",
        Account.UNEARNED_PREMIUM: "Liabilities:UnearnedPremium",
        Account.EARNED_PREMIUM: "Income:EarnedPremium",
        Account.SUSPENSE: "Liabilities:Suspense",
        Account.REFUNDS_DUE: "Liabilities:RefundsDue",
        Account.WITHDRAWALS_DUE: "Liabilities:WithdrawalsDue",
        Account.CLAIMS_PAYABLE: "Liabilities:ClaimsPayable",
        Account.POOL_FREE: "Equity:Pool:Free",
        Account.POOL_LOCKED: "Equity:Pool:Locked",
        Extra.OPENING_BALANCES: "Equity:OpeningBalances",
    }
)
BEFORE_ALL = "1970-01-01"
# Without it half of the last digit's unit each way is forgiven twice: a whole micro-USDC.
EXACTLY = "~ 0"


def head(of: Head) -> str:
    """Whose books these are, and every account that is used below."""
    accounts = sorted({TREASURY, *NAMES.values()})
    return "\n".join(
        [
            f'option "title" "LiqPass, chain {of.chain_id}, treasury {checksum(of.treasury)}"',
            'option "operating_currency" "USDC"',
            f"; {of.span}",
            "",
            f"{BEFORE_ALL} commodity USDC",
            *(f"{BEFORE_ALL} open {name} USDC" for name in accounts),
            "",
            "",
        ]
    )


def transaction(row: Row) -> str:
    """One row, with all that is known of it as metadata."""
    return "\n".join(
        [
            f"{row.at:%Y-%m-%d} * {_quoted(words(row))}",
            *(f"  {name}: {_value(value)}" for name, value in tags(row).items()),
            f"  {NAMES[row.debit]:<28}  {usdc(row.amount):>20} USDC",
            f"  {NAMES[row.credit]:<28}  {usdc(-row.amount):>20} USDC",
            "",
            "",
        ]
    )


def closing(of: Closing) -> str:
    """The assertions. Beancount holds them at the beginning of a day: that after the last."""
    day = of.day + timedelta(days=1)
    lines = []
    if of.balances:
        lines.append(f"; {ABOUT_KEPT}")
        for account, balance in of.balances.items():
            name = TREASURY if account is Account.TREASURY else NAMES[account]
            lines.append(f"{day} balance {name:<28}  {usdc(balance)} {EXACTLY} USDC")
        lines.append("")
    if of.on_chain is None:
        return "\n".join([*lines, f"; Not held against the chain: {of.why_not}", ""])
    if of.in_transit:
        lines += [f"; {ABOUT_TRANSIT}", *(transaction(row).removesuffix("\n") for row in of.in_transit)]
    lines += [
        f"; {ABOUT_CHAIN}",
        f"{day} balance {NAMES[Account.TREASURY]:<28}  {usdc(of.on_chain.balance)} {EXACTLY} USDC",
        f"  block: {of.on_chain.block_number}",
        f"  hash: {_quoted(to_hex(of.on_chain.block_hash))}",
    ]
    return "\n".join([*lines, ""])


def _value(value: str | int) -> str:
    return str(value) if isinstance(value, int) else _quoted(value)


def _quoted(text: str) -> str:
    return '"' + one_line(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
