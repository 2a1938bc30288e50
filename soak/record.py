"""What the soak knows by itself: who was told what, what happened at the exchange, what went wrong."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from liqpass.sandbox.anvil import Wallet
from liqpass.sandbox.okx_margin import Account, Key, Position
from liqpass.sandbox.trader import Trader
from soak.schedule import Action, Scale
from tests.storms.truth import Cover

ANSWERED = 2  # from this status class on it is known what came of a call


@dataclass
class Holder:
    """A trader: a wallet, an account at the exchange, its keys. `bad`: why no key reads now."""

    number: int
    wallet: Wallet
    trader: Trader
    okx: Account
    keys: list[Key] = field(default_factory=list)
    account: str = ""
    signed_in: bool = False
    bad: str = ""


@dataclass
class Life:
    """One insured position. `order` is what create-order answered; `paid_by` transactions that may pay it."""

    plan: dict[str, Any]
    holder: Holder
    position: Position
    order: dict[str, Any] | None = None
    contracts: Any = None
    cover: Cover | None = None
    paid_by: list[bytes] = field(default_factory=list)
    cancel_asked: bool = False
    over: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """What its owner does, is done one after the other."""

    @property
    def ref(self) -> bytes:
        assert self.order is not None  # noqa: S101 - only asked where there is one
        return bytes.fromhex(self.order["purchaseOrderId"][2:])


class Promised(msgspec.Struct, frozen=True):
    """What an answer said, and has to be true ever after."""

    what: str
    of: dict[str, Any]


@dataclass
class Record:
    """`complaints` are what must not be; the run has failed when there is one."""

    folder: Path
    lives: dict[int, Life] = field(default_factory=dict)
    promised: list[Promised] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)

    def begin(self, seed: int, scale: Scale) -> None:
        """The first line of the log from which a run is repeated."""
        self._write("schedule.jsonl", {"seed": seed, "scale": msgspec.to_builtins(scale)}, fresh=True)

    def action(self, action: Action) -> None:
        """Written before it is done."""
        self._write("schedule.jsonl", msgspec.to_builtins(action))

    def tell(self, what: str, **of: Any) -> None:
        """What came of something, for who looks for a cause later."""
        self._write("told.jsonl", {"what": what, **of})

    def complain(self, what: str) -> None:
        """Something is wrong."""
        if what not in self.complaints:
            self.complaints.append(what)
            self.tell("COMPLAINT", said=what)

    def promise(self, what: str, **of: Any) -> None:
        """Somebody was told so."""
        self.promised.append(Promised(what, of))

    def orders(self) -> list[Life]:
        """Lives with an order that its trader knows of."""
        return [life for life in self.lives.values() if life.order is not None]

    def _write(self, name: str, line: dict[str, Any], *, fresh: bool = False) -> None:
        with (self.folder / name).open("w" if fresh else "a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")


def read_log(path: Path) -> tuple[int, Scale, list[list[Action]]]:
    """Seed, scale, and the actions of each round of a run that was."""
    first, *lines = path.read_bytes().splitlines()
    head = msgspec.json.decode(first)
    rounds: dict[int, list[Action]] = {}
    for line in lines:
        action = msgspec.json.decode(line, type=Action)
        rounds.setdefault(action.round, []).append(action)
    return head["seed"], msgspec.convert(head["scale"], Scale), list(rounds.values())
