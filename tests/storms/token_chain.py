"""The chain of paper with a token that can be asked whom it would pay."""

from dataclasses import dataclass, field
from typing import Any

from liqpass.chain.balances import BALANCE_OF
from liqpass.chain.checkout import word
from liqpass.hexes import to_hex
from tests.properties.paper_chain import PaperChain


@dataclass
class TokenChain(PaperChain):
    """`asked` counts whom the token was asked about."""

    asked: int = field(default=0)

    def answer(self, method: str, params: list[Any]) -> Any:
        if method != "eth_call" or isinstance(params[1], dict):
            return super().answer(method, params)
        if params[0]["data"].startswith(to_hex(BALANCE_OF)):
            return to_hex(word(self.balance_at(len(self.blocks) - 1)))
        self.asked += 1
        return to_hex(word(1))  # the transfer would pass
