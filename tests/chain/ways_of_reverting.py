"""How nodes were seen to answer an eth_call that reverts: each way takes anvil's answer, which is geth's."""

import re
from collections.abc import Callable
from typing import Any

Answer = dict[str, Any]
Way = Callable[[Answer], Answer]
A_HASH = "0x" + "1f" * 32


def error_of(answer: Answer) -> tuple[str, str]:
    """The words of the token, "" where a contract has none; and the data."""
    words = str(answer["error"]["message"]).removeprefix("execution reverted").removeprefix(": ")
    return ("" if words.startswith("custom error") else words), answer["error"]["data"]


def way(code: int, message: str, data: object = None) -> Way:
    """`{words}` and `{raw}` (the data) are put into every text of `message` and `data`."""

    def told(answer: Answer) -> Answer:
        words, raw = error_of(answer)

        def filled(part: Any) -> Any:
            if isinstance(part, dict):
                return {name: filled(value) for name, value in part.items()}
            if isinstance(part, list):
                return [filled(value) for value in part]
            said = part.format(words=words, raw=raw) if isinstance(part, str) else part
            return re.sub(r"[: ]+$", "", said) if isinstance(said, str) else said

        error = {"code": code, "message": filled(message)}
        return {**answer, "error": error if data is None else error | {"data": filled(data)}}

    return told


def as_a_result(answer: Answer) -> Answer:
    """geth before 1.9.15, and Zilliqa 2 in 2024: a refusal is a result."""
    return {"jsonrpc": "2.0", "id": answer["id"], "result": answer["error"]["data"]}


keyed_by_hash = {
    A_HASH: {"error": "revert", "program_counter": 92, "return": "{raw}", "reason": "{words}"},
    "stack": "RuntimeError: VM Exception while processing transaction: revert\n    at Function.fromResults",
    "name": "RuntimeError",
}
nothing_by_hash = {
    A_HASH: {"error": "revert", "return": "0x"},
    "stack": "RuntimeError: revert\n    at fromResults",
}
one_deeper = {
    "message": "Error: VM Exception while processing transaction",
    "txHash": A_HASH,
    "data": "{raw}",
}
two_deeper = {"originalError": {"code": 3, "data": "{raw}", "message": "execution reverted"}}
VM = "VM Exception while processing transaction: "
LOTUS = "message execution failed: exit 33, revert reason: "

# The contract's data are in it, wherever. In brackets: where it is told of.
WITH_DATA: dict[str, Way] = {
    "geth, reth, anvil": lambda answer: answer,
    "another code (besu 5705, viem 4092)": way(-32000, "Execution reverted", "{raw}"),
    "after a word (nethermind 6024)": way(-32015, "VM execution error.", "Reverted {raw}"),
    "no word of a revert but the code": way(-32015, "VM execution error.", "{raw}"),
    "in both (nethermind 11112)": way(3, "execution reverted: {raw}", "{raw}"),
    "data.data (hardhat 8310)": way(3, "execution reverted", one_deeper),
    "data.data, another code": way(-32603, "Error: VM Exception: reverted", one_deeper),
    "two levels deeper": way(-32603, "Internal JSON-RPC error.", two_deeper),
    "keyed by the hash (ethcontract-rs 92)": way(-32000, f"{VM}revert", keyed_by_hash),
    "in the message (lotus 10295)": way(1, LOTUS + "{raw}, vm error: message failed"),
    "as a result (go-ethereum 19027)": as_a_result,
}

# What a contract says in words is in it, and nothing else.
WITH_WORDS: dict[str, Way] = {
    "geth's words": way(-32000, "execution reverted: {words}"),
    "ganache's words (ethcontract-rs 92)": way(-32000, VM + "revert {words}"),
    "quoted": way(-32603, f"Error: {VM}reverted with reason string '{{words}}'"),
    "in data (tx2uml 13)": way(-32015, "VM execution error.", "revert: {words}"),
    "in brackets (lotus 10295)": way(1, LOTUS + "Error({words}), vm error: message failed"),
}

# That it reverted, and nothing else.
WITH_NOTHING: dict[str, Way] = {
    "no data": way(-32000, "execution reverted"),
    "no data with geth's code": way(3, "execution reverted"),
    "empty data": way(3, "execution reverted", "0x"),
    "a word (nethermind 2098)": way(-32015, "VM execution error.", "revert"),
    "a word before nothing (nethermind 5740)": way(-32015, "VM execution error.", "Reverted 0x"),
    "a word twice (nethermind 11176)": way(3, "execution reverted: revert", "0x"),
    "a name for it (hiero-json-rpc-relay 4862)": way(
        3, "[Request ID: 8035f2dc] execution reverted: CONTRACT_REVERT_EXECUTED", "0x"
    ),
    "a name of the instruction (java-tron, rskj)": way(-32000, "REVERT opcode executed"),
    "so in words": way(-32603, "Error: Transaction reverted without a reason string", {"data": "0x"}),
    "none (lotus 11642)": way(1, LOTUS + "none, vm error: contract reverted (33)"),
    "nothing by the hash (ethcontract-rs 92)": way(-32000, f"{VM}revert", nothing_by_hash),
}
