"""A program for the environment .venv/ccxt: it makes calls of ccxt's own okx class.

Input is a list of {"host", "key", "calls": [[name, argument, …], …]}, each for an object of its own; `key` is
null for somebody without one. Output is what the calls gave, a list for each object; of a call that failed,
{"error": the class, "words"}. The host is all that is changed.
"""

import json
import sys
from typing import Any

import ccxt


def main() -> None:
    json.dump([answers(**asked) for asked in json.load(sys.stdin)], sys.stdout)


def answers(host: str, key: dict[str, str] | None, calls: list[list[Any]]) -> list[Any]:
    signing = {"apiKey": key["apiKey"], "secret": key["secret"], "password": key["passphrase"]} if key else {}
    exchange = ccxt.okx({**signing, "urls": {"api": {"rest": host}}})
    return [called(exchange, name, arguments) for name, *arguments in calls]


def called(exchange: Any, name: str, arguments: list[Any]) -> Any:
    try:
        return getattr(exchange, name)(*arguments)
    except ccxt.BaseError as error:
        return {"error": type(error).__name__, "words": str(error)}


main()
