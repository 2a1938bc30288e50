"""In what ways an endpoint fails, and how a JSON-RPC error is told apart."""

from enum import StrEnum


class NodeErrorKind(StrEnum):
    """In what way an endpoint failed."""

    DOWN = "DOWN"  # no connection
    TIMEOUT = "TIMEOUT"  # no whole answer in time
    BAD_STATUS = "BAD_STATUS"  # an HTTP status other than 200, without a JSON-RPC error in the body
    BAD_ANSWER = "BAD_ANSWER"  # not what JSON-RPC allows: a page, another id, a block without a hash
    TOO_LARGE = "TOO_LARGE"  # the answer is larger than anybody would send in good faith
    RATE_LIMITED = "RATE_LIMITED"  # asked too often
    RESTING = "RESTING"  # it said for how long it wants to be left alone, and was not asked
    BROKEN = "BROKEN"  # the connection broke before the whole answer had come
    RANGE_TOO_WIDE = "RANGE_TOO_WIDE"  # eth_getLogs over fewer blocks may succeed
    WRONG_CHAIN = "WRONG_CHAIN"  # it serves another chain than the settings name
    STATE_GONE = "STATE_GONE"  # it does not keep what accounts held at that block: an archive endpoint does
    REFUSED = "REFUSED"  # any other JSON-RPC error; `code` and `data` are the node's


class NodeError(Exception):
    """An endpoint did not answer. It says nothing about the chain: unknown is not failed.

    `code`, `said` (its message, whole), `data`: those of the JSON-RPC error, where it gave one. `place`:
    which call of a batch it is about, 0 where none is named. `rest_sec`: how long it wants to be left alone.
    """

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
        self.place = 0
        self.rest_sec: float | None = None


# The codes do not tell a range that is too wide from a caller who is too quick: in use for the one are
# -32000, -32005, -32600, -32602, -32614 and 35, for the other -32005, -32016, -32029 and 429. So the words
# decide. To take one for the other costs time and nothing else: ranges are narrowed, or asked for again.
_RATE_WORDS = ("rate limit", "request rate", "too many requests", "request count", "quota", "compute units")
_AHEAD_WORDS = ("beyond", "future", "invalid block range", "unknown block", "not found")
_RANGE_WORDS = ("range", "limit", "too many", "too large", "more than", "exceed", "timeout", "timed out")


def kind_of(code: int, text: str, *, logs_asked: bool) -> NodeErrorKind:
    """What a JSON-RPC error is about; `text` is all that it says, in lower case."""
    if code == 429 or any(words in text for words in _RATE_WORDS):
        return NodeErrorKind.RATE_LIMITED
    if not logs_asked or any(words in text for words in _AHEAD_WORDS):
        return NodeErrorKind.RATE_LIMITED if code == -32005 else NodeErrorKind.REFUSED
    if any(words in text for words in _RANGE_WORDS):
        return NodeErrorKind.RANGE_TOO_WIDE
    return NodeErrorKind.RATE_LIMITED if code == -32005 else NodeErrorKind.REFUSED
