"""The books as a journal of hledger: `hledger -f FILE check --strict`."""

from collections.abc import Mapping
from types import MappingProxyType

from liqpass.exports.rows import (
    ABOUT_CHAIN,
    ABOUT_KEPT,
    ABOUT_TRANSIT,
    WORDS,
    Closing,
    Extra,
    Head,
    Row,
    tags,
    usdc,
    words,
)
from liqpass.hexes import checksum, to_hex
from liqpass.ledger.book import Account

TREASURY = "assets:treasury"  # with what is in transit
NAMES: Mapping[Account | Extra, str] = MappingProxyType(
    {
        Account.TREASURY: f"{TREASURY}:on chain",
        Extra.IN_TRANSIT: f"{TREASURY}:in transit",
        Account.OUTFLOW_UNEXPLAINED: "assets:outflow unexplained",
        Account.UNEARNED_PREMIUM: "liabilities:unearned premium",
        Account.EARNED_PREMIUM: "income:earned premium",
        Account.SUSPENSE: "liabilities:suspense",
        Account.REFUNDS_DUE: "liabilities:refunds due",
        Account.WITHDRAWALS_DUE: "liabilities:withdrawals due",
        Account.CLAIMS_PAYABLE: "liabilities:claims payable",
        Account.POOL_FREE: "equity:pool:free",
        Account.POOL_LOCKED: "equity:pool:locked",
        Extra.OPENING_BALANCES: "equity:opening balances",
    }
)
TYPES = {"assets": "A", "liabilities": "L", "income": "R", "equity": "E"}
CLOSING = "Closing balances"


def head(of: Head) -> str:
    """Whose books these are, and every name that is used below."""
    accounts = sorted({TREASURY, *NAMES.values()})
    return "\n".join(
        [
            f"; The books of LiqPass: chain {of.chain_id}, treasury {checksum(of.treasury)}",
            f"; {of.span}",
            "",
            "commodity 0.000000 USDC",
            *(f"account {name}  ; type: {TYPES[name.split(':')[0]]}" for name in accounts),
            *(f"payee {name}{ending}" for name in WORDS.values() for ending in ("", ", reversed")),
            f"payee {CLOSING}",
            "",
            "",
        ]
    )


def transaction(row: Row) -> str:
    """One row. Tags stand in comments, each where its value can end at a comma or a line's end."""
    known = tags(row)
    reason = known.pop("reason", None)
    short = ", ".join(f"{name}:{known.pop(name)}" for name in ("seq", "kind", "leg") if name in known)
    comments = [f"{name}:{value}" for name, value in known.items()]
    if reason is not None:
        comments.append(f"reason:{str(reason).replace(',', ';')}")
    return "\n".join(
        [
            f"{row.at:%Y-%m-%d} * {words(row)}  ; {short}",
            *(f"    ; {comment}" for comment in comments),
            f"    {NAMES[row.debit]:<32}  {usdc(row.amount):>20} USDC",
            f"    {NAMES[row.credit]:<32}  {usdc(-row.amount):>20} USDC",
            "",
            "",
        ]
    )


def closing(of: Closing) -> str:
    """The assertions, in the order in which they hold: hledger goes by date, and within a day by line."""
    lines = []
    if of.balances:
        lines += [f"; {ABOUT_KEPT}", f"{of.day} * {CLOSING}"]
        for account, balance in of.balances.items():
            treasury = account is Account.TREASURY
            name, equals = (TREASURY, "=*") if treasury else (NAMES[account], "=")
            lines.append(f"    {name:<32}  0 USDC {equals} {usdc(balance)} USDC")
        lines.append("")
    if of.on_chain is None:
        return "\n".join([*lines, f"; Not held against the chain: {of.why_not}", ""])
    block = f"block:{of.on_chain.block_number}, hash:{to_hex(of.on_chain.block_hash)}"
    if of.in_transit:
        lines += [f"; {ABOUT_TRANSIT}", *(transaction(row).removesuffix("\n") for row in of.in_transit)]
    lines += [
        f"; {ABOUT_CHAIN}",
        f"{of.day} * {CLOSING}  ; {block}",
        f"    {NAMES[Account.TREASURY]:<32}  0 USDC = {usdc(of.on_chain.balance)} USDC",
    ]
    return "\n".join([*lines, ""])
