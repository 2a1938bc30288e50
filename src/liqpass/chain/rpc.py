"""One JSON-RPC endpoint over HTTP: what it answers, or one typed error that says in what way it failed.

What was refused is asked again here only in smaller parts (`Portion`): whoever asks knows whether another
endpoint may answer instead. Endpoints carry their access key in the path of their address, so only the host
is ever named.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec

from liqpass.chain.failures import NodeError, NodeErrorKind, kind_of
from liqpass.chain.plan_keys import keys_in, without_login
from liqpass.chain.portions import Portion
from liqpass.chain.reverts import NESTED_MOST, Revert, told

BATCH_CALLS = 50  # in one request at most; providers' own limits begin at 3 and are found out
MAX_ANSWER_BYTES = 32 * 2**20
SENTENCE_AT_MOST = 300  # characters that are told of one failure
WIDEST_RANGE = 1000  # blocks in one eth_getLogs; Base asks for less than 2,000
LONGEST_STRIDE = 10_000  # blocks read in one step by who is that far behind; then progress shows
REST_AT_MOST_SEC = 60.0

T = TypeVar("T")

_CHUNK = 2**16
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""
    data: Any = None


class _Answer(msgspec.Struct):
    id: int | str | None = None
    result: Any = msgspec.UNSET
    error: _Error | None = None


_ANSWER = msgspec.json.Decoder(_Answer | list[_Answer])


class Node:
    """One endpoint. `async with Node(url) as node:`, or `close` it.

    `calls`, `blocks` and `stride` are how many calls of a batch, blocks of logs, and blocks in one step of
    catching up it was found to give at once. `crowded` are blocks of which it does not give all transfers as
    logs. `monotonic` tells seconds, from any beginning.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_sec: float = 10,
        max_bytes: int = MAX_ANSWER_BYTES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = urlsplit(url).netloc.rpartition("@")[2]
        self._keys = keys_in(url)
        self.calls, self.blocks = Portion(BATCH_CALLS), Portion(WIDEST_RANGE)
        self.stride = Portion(LONGEST_STRIDE)
        self.crowded: set[int] = set()
        self._url, login = without_login(url)
        self._headers = _HEADERS | login
        self._timeout = aiohttp.ClientTimeout(total=timeout_sec)
        self._max_bytes = max_bytes
        self._monotonic = monotonic
        self._rests_until = 0.0
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
        """The results in the order of the calls, as many to a request as the endpoint takes. Raises NodeError
        if any call fails: `place` says which, where it is about one."""
        results: list[Any] = []
        while len(results) < len(calls):
            done = len(results)
            part = calls[done : done + self.calls.size]
            try:
                results += await self._request(part)
            except NodeError as error:
                refused = part[error.place : error.place + 1]
                error.place += done
                try:
                    await self.calls.less(len(part), error, partial(self._request, refused))
                except NodeError as last:
                    last.place = error.place
                    raise
            else:
                self.calls.gave(len(part))
                if len(part) == self.calls.size:  # whoever only asks has no steps, and is held up by it
                    self.calls.step()
        return results

    def step(self) -> None:
        """A step went well: what was refused once may be given again."""
        for portion in (self.calls, self.blocks, self.stride):
            portion.step()

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
            return self._keys.sub("…", said)
        if isinstance(said, dict):
            parts = said.items() if depth else ()
            return {self._keys.sub("…", name): self._without_keys(part, depth - 1) for name, part in parts}
        if isinstance(said, list):
            return [self._without_keys(part, depth - 1) for part in said] if depth else []
        return said

    async def _request(self, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        asked = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(calls)
        ]
        # Not every node knows batches, so a single call goes alone.
        status, headers, body = await self._post(msgspec.json.encode(asked[0] if len(asked) == 1 else asked))
        rest_sec = _rest(status, headers)
        if rest_sec is not None:
            self._rests_until = self._monotonic() + rest_sec
        try:
            return self._results(calls, status, body)
        except NodeError as error:
            error.rest_sec = rest_sec
            if status == 429:  # of the words that come with it some speak of other limits
                error.kind = NodeErrorKind.RATE_LIMITED
            raise

    def _results(self, calls: Sequence[tuple[str, list[Any]]], status: int, body: bytes) -> list[Any]:
        try:
            answers = _ANSWER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            answers = []
        if not isinstance(answers, list):
            # An object in answer to a batch is an error about all of it.
            if answers.error is not None:
                raise self._refusal(calls, answers.error)
            answers = [answers] if len(calls) == 1 else []
        if status != 200 and not any(a.error for a in answers):
            raise self.error(NodeErrorKind.BAD_STATUS, f"answered HTTP {status}")
        return self._matched(calls, answers)

    def _matched(self, calls: Sequence[tuple[str, list[Any]]], answers: list[_Answer]) -> list[Any]:
        """Results by id, whatever order they came in."""
        by_id = {_number(a.id): a for a in answers}
        for place in range(len(calls)):
            if (answer := by_id.get(place)) is not None and answer.error is not None:
                error = self._refusal(calls[place : place + 1], answer.error)
                error.place = place
                raise error
        for answer in answers:
            if answer.error is not None:
                raise self._refusal(calls, answer.error)
        if len(answers) != len(calls) or set(by_id) != set(range(len(calls))):
            raise self.error(NodeErrorKind.BAD_ANSWER, "did not answer in JSON-RPC what was asked")
        results = [by_id[number].result for number in range(len(calls))]
        if msgspec.UNSET in results:
            raise self.error(NodeErrorKind.BAD_ANSWER, "answered without a result")
        return results

    async def _post(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """HTTP status, headers and body; every way in which that can fail is a NodeError."""
        if (left := self._rests_until - self._monotonic()) > 0:
            raise self.error(NodeErrorKind.RESTING, f"is left alone for {left:.0f} s more, as it asked")
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            async with self._session.post(
                self._url, data=body, headers=self._headers, allow_redirects=False
            ) as answer:
                received = bytearray()
                async for chunk in answer.content.iter_chunked(_CHUNK):
                    received += chunk
                    if len(received) > self._max_bytes:
                        raise self.error(
                            NodeErrorKind.TOO_LARGE, f"answered more than {self._max_bytes:,} bytes"
                        )
                return answer.status, answer.headers, bytes(received)
        except TimeoutError:
            waited = f"gave no answer within {self._timeout.total:g} seconds"
            raise self.error(NodeErrorKind.TIMEOUT, waited) from None
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            # The error's own text may hold the whole address, and with it the access key.
            raise self.error(NodeErrorKind.DOWN, f"cannot be reached ({type(error).__name__})") from None
        except (aiohttp.ClientError, OSError) as error:
            raise self.error(NodeErrorKind.BROKEN, f"broke the connection ({type(error).__name__})") from None

    def _refusal(self, calls: Sequence[tuple[str, list[Any]]], error: _Error) -> NodeError:
        logs_asked = any(method == "eth_getLogs" for method, _ in calls)
        kind = kind_of(error.code, f"{error.message} {error.data or ''}".lower(), logs_asked=logs_asked)
        method = calls[0][0] if len(calls) == 1 else "a batch"
        # cut after its keys are out: of one that is cut in two, a part would be left
        what = f"refused {method}: {self._without_keys(error.message)[:200]} ({error.code})"
        return self.error(kind, what, error)


def revert_of(error: NodeError) -> Revert | None:
    """The refusal of a contract, which is an answer; None for any other failure."""
    if error.kind is not NodeErrorKind.REFUSED:
        return None
    return told(error.code, error.said, error.data)


def _number(answered: int | str | None) -> int | None:
    """The id of a call; some send the number back as text."""
    if isinstance(answered, str):
        return int(answered) if answered.isascii() and answered.isdigit() and len(answered) < 10 else None
    return answered


def _rest(status: int, headers: Mapping[str, str]) -> float | None:
    """For how many seconds `Retry-After` of 429 or 503 asks, a minute at most; a date is read against the
    endpoint's own clock (RFC 9110, 10.2.3). None: it does not say."""
    said = headers.get("Retry-After", "").strip()
    if status not in (429, 503) or not said:
        return None
    if said.isascii() and said.isdigit():
        wanted = float(said[:9])
    else:
        try:
            its_now = parsedate_to_datetime(headers.get("Date", ""))
            wanted = (parsedate_to_datetime(said) - its_now).total_seconds()
        except (TypeError, ValueError):
            return None
    return min(wanted, REST_AT_MOST_SEC) if wanted > 0 else None


async def first_answer(nodes: Sequence[Node], ask: Callable[[Node], Awaitable[T]]) -> T:
    """Of the first endpoint that gives one. Raises the last one's NodeError."""
    for node in nodes[:-1]:
        try:
            return await ask(node)
        except NodeError:
            continue
    return await ask(nodes[-1])
