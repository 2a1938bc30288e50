"""One JSON-RPC endpoint over HTTP: what it answers, or one typed error that says in what way it failed.

Nothing is retried here: whoever asks knows whether another endpoint may answer instead. Endpoints carry
their access key in the path of their address, so only the host is ever named.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec

from liqpass.chain.reverts import NESTED_MOST, Revert, told

BATCH_CALLS = 50  # in one request; providers refuse batches of some hundred and more
MAX_ANSWER_BYTES = 32 * 2**20
SENTENCE_AT_MOST = 300  # characters that are told of one failure
WIDEST_RANGE = 1000  # blocks in one eth_getLogs; Base asks for less than 2,000
STEPS_BEFORE_WIDER = 100

T = TypeVar("T")

_CHUNK = 2**16
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


class NodeErrorKind(StrEnum):
    """In what way an endpoint failed."""

    DOWN = "DOWN"  # no connection, or it broke
    TIMEOUT = "TIMEOUT"  # no whole answer in time
    BAD_STATUS = "BAD_STATUS"  # an HTTP status other than 200, without a JSON-RPC error in the body
    BAD_ANSWER = "BAD_ANSWER"  # not what JSON-RPC allows: a page, another id, a block without a hash
    TOO_LARGE = "TOO_LARGE"  # the answer is larger than anybody would send in good faith
    RATE_LIMITED = "RATE_LIMITED"  # asked too often
    RANGE_TOO_WIDE = "RANGE_TOO_WIDE"  # eth_getLogs over fewer blocks may succeed
    WRONG_CHAIN = "WRONG_CHAIN"  # it serves another chain than the settings name
    STATE_GONE = "STATE_GONE"  # it does not keep what accounts held at that block: an archive endpoint does
    REFUSED = "REFUSED"  # any other JSON-RPC error; `code` and `data` are the node's


class NodeError(Exception):
    """An endpoint did not answer. It says nothing about the chain: unknown is not failed. `code`, `said`
    (its message, whole) and `data` are those of its JSON-RPC error, where it gave one."""

    def __init__(
        self,
        kind: NodeErrorKind,
        detail: str,
        *,
        code: int | None = None,
        said: str = "",
        data: object = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.code = code
        self.said = said
        self.data = data


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""
    data: Any = None


_LONG_PART = re.compile(r"[^/?&=:@]{6,}")


class _Answer(msgspec.Struct):
    id: int | None = None
    result: Any = msgspec.UNSET
    error: _Error | None = None


_ANSWER = msgspec.json.Decoder(_Answer | list[_Answer])


class Node:
    """One endpoint. `async with Node(url) as node:`, or `close` it.

    `range_width` is how many blocks of logs it was found to give at once: halved by `narrow`, and doubled
    again after a hundred steps that `widen` counts. `crowded` are blocks of which it does not give all
    transfers as logs.
    """

    def __init__(self, url: str, *, timeout_sec: float = 10, max_bytes: int = MAX_ANSWER_BYTES) -> None:
        parts = urlsplit(url)
        user, _, self.name = parts.netloc.rpartition("@")
        self._keys = _LONG_PART.findall(f"{user}/{parts.path}?{parts.query}")
        self.range_width = WIDEST_RANGE
        self.crowded: set[int] = set()
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout_sec)
        self._max_bytes = max_bytes
        self._steps = 0
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the connections back. The node can be used again."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, method: str, params: list[object]) -> object:
        """The result of one call, as JSON. Raises NodeError."""
        return (await self.batch([(method, params)]))[0]

    async def eth_call(self, to: bytes, data: bytes, block: str | dict[str, object] = "latest") -> bytes:
        """What a contract answers to `data`; `block` is a tag, a number or an object of EIP-1898. Raises
        NodeError; `revert_of` says whether the contract refused."""
        asked = {"to": "0x" + to.hex(), "data": "0x" + data.hex()}
        answer = await self.call("eth_call", [asked, block])
        try:
            return bytes.fromhex(str(answer).removeprefix("0x"))
        except ValueError:
            raise self.error(NodeErrorKind.BAD_ANSWER, "answered eth_call with something else") from None

    async def batch(self, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        """The results in the order of the calls, fifty to a request. Raises NodeError if any call fails."""
        results: list[Any] = []
        for start in range(0, len(calls), BATCH_CALLS):
            results += await self._request(calls[start : start + BATCH_CALLS])
        return results

    def error(self, kind: NodeErrorKind, what: str, of: _Error | None = None) -> NodeError:
        """An error whose sentence begins with the endpoint's host. `what` may quote the endpoint, and is kept
        and shown to anybody: nothing else of its address, which may have the key of a plan in it, no control
        characters (PostgreSQL takes no NUL), and not without end. `of`: the JSON-RPC error that it gave."""
        what = self._without_keys(what)
        printable = "".join(char if char.isprintable() else " " for char in what[:SENTENCE_AT_MOST])
        if of is None:
            return NodeError(kind, f"{self.name} {printable}")
        said, data = self._without_keys(of.message), self._without_keys(of.data)
        return NodeError(kind, f"{self.name} {printable}", code=of.code, said=said, data=data)

    def _without_keys(self, said: Any, depth: int = NESTED_MOST) -> Any:
        """What it said, as deep as anybody looks, and without what may be the key of a plan."""
        if isinstance(said, str):
            for key in self._keys:
                said = said.replace(key, "…")
        elif isinstance(said, dict):
            return {name: self._without_keys(part, depth - 1) for name, part in said.items()} if depth else {}
        elif isinstance(said, list):
            return [self._without_keys(part, depth - 1) for part in said] if depth else []
        return said

    def narrow(self) -> bool:
        """Ask for half as many blocks of logs from now on. False when one block was too much already."""
        if self.range_width == 1:
            return False
        self.range_width //= 2
        self._steps = 0
        return True

    def widen(self) -> None:
        """A step went well; after enough of them the limit may have been a passing one."""
        self._steps += 1
        if self._steps >= STEPS_BEFORE_WIDER:
            self.range_width = min(2 * self.range_width, WIDEST_RANGE)
            self._steps = 0

    async def _request(self, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        asked = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(calls)
        ]
        # Not every node knows batches, so a single call goes alone.
        status, body = await self._post(msgspec.json.encode(asked[0] if len(asked) == 1 else asked))
        try:
            answers = _ANSWER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            answers = []
        if not isinstance(answers, list):
            # An object in answer to a batch is an error about all of it.
            if answers.error is not None:
                raise self._refusal(calls, answers.error)
            answers = [answers] if len(asked) == 1 else []
        if status != 200 and not any(a.error for a in answers):
            kind = NodeErrorKind.RATE_LIMITED if status == 429 else NodeErrorKind.BAD_STATUS
            raise self.error(kind, f"answered HTTP {status}")
        return self._matched(calls, answers)

    def _matched(self, calls: Sequence[tuple[str, list[Any]]], answers: list[_Answer]) -> list[Any]:
        """Results by id, whatever order they came in."""
        by_id = {a.id: a for a in answers}
        for answer in answers:
            if answer.error is not None:
                place = answer.id if answer.id is not None and 0 <= answer.id < len(calls) else None
                raise self._refusal(calls if place is None else [calls[place]], answer.error)
        if len(answers) != len(calls) or set(by_id) != set(range(len(calls))):
            raise self.error(NodeErrorKind.BAD_ANSWER, "did not answer in JSON-RPC what was asked")
        results = [by_id[number].result for number in range(len(calls))]
        if msgspec.UNSET in results:
            raise self.error(NodeErrorKind.BAD_ANSWER, "answered without a result")
        return results

    async def _post(self, body: bytes) -> tuple[int, bytes]:
        """HTTP status and body; every way in which that can fail is a NodeError."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            async with self._session.post(
                self._url, data=body, headers=_HEADERS, allow_redirects=False
            ) as answer:
                received = bytearray()
                async for chunk in answer.content.iter_chunked(_CHUNK):
                    received += chunk
                    if len(received) > self._max_bytes:
                        raise self.error(
                            NodeErrorKind.TOO_LARGE, f"answered more than {self._max_bytes:,} bytes"
                        )
                return answer.status, bytes(received)
        except TimeoutError:
            waited = f"gave no answer within {self._timeout.total:g} seconds"
            raise self.error(NodeErrorKind.TIMEOUT, waited) from None
        except (aiohttp.ClientError, OSError) as error:
            # The error's own text may hold the whole address, and with it the access key.
            raise self.error(NodeErrorKind.DOWN, f"cannot be reached ({type(error).__name__})") from None

    def _refusal(self, calls: Sequence[tuple[str, list[Any]]], error: _Error) -> NodeError:
        logs_asked = any(method == "eth_getLogs" for method, _ in calls)
        kind = _kind(error.code, f"{error.message} {error.data or ''}".lower(), logs_asked=logs_asked)
        method = calls[0][0] if len(calls) == 1 else "a batch"
        what = f"refused {method}: {error.message[:200]} ({error.code})"
        return self.error(kind, what, error)


def revert_of(error: NodeError) -> Revert | None:
    """The refusal of a contract, which is an answer; None for any other failure."""
    if error.kind is not NodeErrorKind.REFUSED:
        return None
    return told(error.code, error.said, error.data)


async def first_answer(nodes: Sequence[Node], ask: Callable[[Node], Awaitable[T]]) -> T:
    """Of the first endpoint that gives one. Raises the last one's NodeError."""
    for node in nodes[:-1]:
        try:
            return await ask(node)
        except NodeError:
            continue
    return await ask(nodes[-1])


# The codes do not tell a range that is too wide from a caller who is too quick: in use for the one are
# -32000, -32005, -32600, -32602, -32614 and 35, for the other -32005, -32016, -32029 and 429. So the words
# decide. To take one for the other costs time and nothing else: ranges are narrowed, or asked for again.
_RATE_WORDS = ("rate limit", "request rate", "too many requests", "request count", "quota", "compute units")
_AHEAD_WORDS = ("beyond", "future", "invalid block range", "unknown block", "not found")
_RANGE_WORDS = ("range", "limit", "too many", "too large", "more than", "exceed", "timeout", "timed out")


def _kind(code: int, text: str, *, logs_asked: bool) -> NodeErrorKind:
    if code == 429 or any(words in text for words in _RATE_WORDS):
        return NodeErrorKind.RATE_LIMITED
    if not logs_asked or any(words in text for words in _AHEAD_WORDS):
        return NodeErrorKind.RATE_LIMITED if code == -32005 else NodeErrorKind.REFUSED
    if any(words in text for words in _RANGE_WORDS):
        return NodeErrorKind.RANGE_TOO_WIDE
    return NodeErrorKind.RATE_LIMITED if code == -32005 else NodeErrorKind.REFUSED
