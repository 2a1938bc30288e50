"""A bundle: all that a verdict was made from, and the verdict, in one canonical JSON document (RFC 8785).

Who holds it can compute the verdict again, with neither database nor network. Keys are ASCII, numbers are
integers below 2^53, all else is text: of such values msgspec's sorted JSON is the canonical one.
"""

from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from liqpass.claims.case import Answer, Case, CoveredOrder, Priced, Verdict, Watched
from liqpass.claims.policy import Policy, policy_of
from liqpass.claims.reading import body_of
from liqpass.claims.verdict import decide

if TYPE_CHECKING:
    from liqpass.claims.sql import CaseOrder, EvidenceRow, WatchedRow

VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Replay(msgspec.Struct, frozen=True):
    """A verdict computed again. `same`: it equals the one that the bundle holds, word for word."""

    case: Case
    stored: Verdict
    computed: Verdict
    same: bool


class _PricedFrom(msgspec.Struct):
    position: str
    position_sha256: str
    read_at: str


class _Version(msgspec.Struct):
    version: int


class _Bundle(msgspec.Struct):
    version: Annotated[int, Meta(ge=VERSION, le=VERSION)]
    case: Case
    verdict: Verdict


def case_of(
    order: "CaseOrder", watched: "Iterable[WatchedRow]", evidence: "Iterable[EvidenceRow]", policy: Policy
) -> Case:
    """The case as it stands in the database."""
    priced = msgspec.json.decode(order.priced_from, type=_PricedFrom)
    return Case(
        order=CoveredOrder(
            purchase_order_id="0x" + order.purchase_order_id.hex(),
            payout=order.payout_amount,
            coverage_start_us=_microseconds(order.coverage_start_at),
            coverage_end_us=_microseconds(order.coverage_end_at),
        ),
        priced=Priced(
            exchange_uid=order.exchange_uid,
            inst_id=order.inst_id,
            mgn_mode=order.mgn_mode,
            pos_side=order.pos_side,
            pos_id=order.pos_id,
            c_time_ms=order.pos_created_ms,
            row=priced.position,
            row_sha256=priced.position_sha256,
            read_at=priced.read_at,
        ),
        watched=[_change(row) for row in watched],
        evidence=[_answer(row) for row in evidence],
        policy=policy,
    )


def document(case: Case, verdict: Verdict) -> bytes:
    """The bundle."""
    return msgspec.json.encode(_Bundle(VERSION, case, verdict), order="sorted")


def sha256_of(document: bytes) -> bytes:
    """What stands on the claim, in its event and on the receipt: 32 bytes."""
    return sha256(document).digest()


def replayed(document: bytes) -> Replay:
    """The verdict of a bundle, computed again.

    Raises ValueError, in words for whoever has the file: it is no bundle, something in it is not what was
    hashed, or its rules are none that this version of LiqPass knows.
    """
    bundle = _read(document)
    case = bundle.case
    _hold_policy(case.policy)
    _hold_hashes(case)
    computed = decide(case)
    return Replay(case, bundle.verdict, computed, computed == bundle.verdict)


def _read(document: bytes) -> _Bundle:
    try:
        version = msgspec.json.decode(document, type=_Version).version
        if version != VERSION:
            raise ValueError(f"this bundle is of version {version}: update LiqPass")
        bundle = msgspec.json.decode(document, type=_Bundle)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"this is no bundle of a claim: {error}") from None
    if msgspec.json.encode(bundle, order="sorted") != document:
        raise ValueError(
            "this bundle is not as LiqPass wrote it, so its hash is another one: "
            "take the file as it was written, not as a program has formatted it"
        )
    return bundle


def _hold_policy(policy: Policy) -> None:
    try:
        known = policy_of(policy.version)
    except LookupError as unknown:
        raise ValueError(str(unknown.args[0])) from None
    if known != policy:
        raise ValueError(f"the rules in this bundle are not those of the version {policy.version!r}")


def _hold_hashes(case: Case) -> None:
    """Raises ValueError naming the first text that is not the one that was hashed."""
    texts = [("the priced position", case.priced.row.encode(), case.priced.row_sha256)]
    texts += [(f"the watched row {one.seq}", one.row.encode(), one.row_sha256) for one in case.watched]
    for answer in case.evidence:
        name = f"answer {answer.seq} ({answer.endpoint})"
        try:
            texts.append((name, body_of(answer), answer.sha256))
        except ValueError:
            raise ValueError(f"{name} is not base64, as it says") from None
    for name, text, said in texts:
        if sha256(text).hexdigest() != said:
            raise ValueError(f"{name} is not what was hashed: its SHA-256 is not {said[:64]!r}")


def _change(row: "WatchedRow") -> Watched:
    return Watched(
        seq=row.seq,
        read_at_ms=_milliseconds(row.read_at),
        clock_offset_ms=row.clock_offset_ms,
        what=list(row.what),
        row=row.row,
        row_sha256=row.row_sha256.hex(),
    )


def _answer(row: "EvidenceRow") -> Answer:
    body, encoding = _text_of(row.body)
    return Answer(
        seq=row.seq,
        exchange_uid=row.exchange_uid,
        endpoint=row.endpoint,
        request=row.request,
        http_status=row.http_status,
        asked_at_ms=_milliseconds(row.asked_at),
        clock_offset_ms=row.clock_offset_ms,
        body=body,
        encoding=encoding,
        sha256=row.body_sha256.hex(),
    )


def _text_of(body: bytes) -> tuple[str, Literal["utf-8", "base64"]]:
    try:
        return body.decode(), "utf-8"
    except UnicodeDecodeError:
        return b64encode(body).decode(), "base64"


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
