"""The programs that hold a journal against its assertions, run as their users run them."""

import csv
import os
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from liqpass.exports import beancount, hledger
from liqpass.exports.rows import Extra
from liqpass.ledger.book import DEBIT_SIDE, Account

MICRO = Decimal(10) ** 6
ENV = {**os.environ, "LC_ALL": "C.UTF-8"}  # without it hledger reads ASCII only


class Checked(NamedTuple):
    """Whether the program accepts the file, and what it says."""

    accepted: bool
    said: str


def checked(form: str, path: Path) -> Checked:
    """`hledger check --strict` and more, or `bean-check`."""
    if form == "hledger":
        command = ["hledger", "-f", str(path), "check", "--strict", "payees", "uniqueleafnames"]
    else:
        command = [str(Path(sys.executable).with_name("bean-check")), "--no-cache", str(path)]
    done = subprocess.run(command, env=ENV, capture_output=True, encoding="utf-8", check=False)
    return Checked(done.returncode == 0, done.stdout + done.stderr)


def totals_in_hledger(path: Path) -> dict[str, int]:
    """What hledger makes of every account, in micro-USDC, debits positive; what is in transit is the
    treasury's."""
    command = ["hledger", "-f", str(path), "bal", "-O", "csv", "--no-total", "--empty"]
    told = subprocess.run(command, env=ENV, capture_output=True, encoding="utf-8", check=True).stdout
    names = {name: account for account, name in hledger.NAMES.items()}
    names[hledger.TREASURY] = Account.TREASURY
    totals = dict.fromkeys([*Account, Extra.OPENING_BALANCES], 0)
    for row in csv.DictReader(told.splitlines()):
        account = names[row["account"]]
        account = Account.TREASURY if account is Extra.IN_TRANSIT else account
        totals[account] += int(Decimal(row["balance"].removesuffix(" USDC")) * MICRO)
    return {str(account): total for account, total in totals.items()}


def agrees_with_beancount(path: Path, wanted: dict[str, int]) -> Checked:
    """Whether beancount comes to these totals: asserted in a file that includes the journal."""
    lines = [f'include "{path.name}"']
    for account, total in wanted.items():
        name = beancount.TREASURY if account == Account.TREASURY else beancount.NAMES[_known(account)]
        lines.append(f"{date(2999, 1, 1)} balance {name} {Decimal(total) / MICRO:.6f} ~ 0 USDC")
    around = path.with_name("around.beancount")
    around.write_text("\n".join([*lines, ""]))
    return checked("beancount", around)


def debits_positive(balances: dict[Account, int]) -> dict[str, int]:
    """The ledger's balances as journals sign them; nothing is left over from what was brought forward."""
    signed = {str(a): b if a in DEBIT_SIDE else -b for a, b in balances.items()}
    return {**signed, str(Extra.OPENING_BALANCES): 0}


def _known(account: str) -> Account | Extra:
    return Extra(account) if account in list(Extra) else Account(account)
