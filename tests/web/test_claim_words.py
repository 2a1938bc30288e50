"""Every code of claims has words in every language, and a claim's way is told as it stands."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import get_args

import pytest

from liqpass.claims.case import Missing, Outcome, Reason
from liqpass.claims.states import LEGAL_MOVES, Actor, ClaimStatus, Opener
from liqpass.watching.seeing import KEPT_FIELDS
from liqpass.web import claim_words
from liqpass.web.claim_sight import Stage, Step, steps_of
from liqpass.web.texts import languages

S = ClaimStatus
BEGAN = datetime(2026, 12, 1, tzinfo=UTC)
CHANGES = {*KEPT_FIELDS, "gone", "other", "back", "alive_after_end"}
WORDS: Mapping[str, tuple[Mapping[str, str], Iterable[str]]] = {
    "what changed": (claim_words.SAID_OF_CHANGE, CHANGES),
    "who moved it": (claim_words.SAID_OF_CLAIM_ACTOR, get_args(Actor)),
    "ClaimStatus": (claim_words.SAID_OF_CLAIM, ClaimStatus),
    "Outcome": (claim_words.SAID_OF_OUTCOME, Outcome),
    "Reason": (claim_words.SAID_OF_REASON, Reason),
    "Missing": (claim_words.SAID_OF_MISSING, Missing),
    "Opener": (claim_words.SAID_OF_OPENER, Opener),
    "Opener, for operators": (claim_words.OPENED_BY, Opener),
}


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("of", WORDS)
def test_every_code_has_words_of_its_own(of: str, language: str) -> None:
    said, codes = WORDS[of]
    assert set(said) == set(codes)
    words = [languages()[language].translations.gettext(said[code]) for code in codes]
    assert len(set(words)) == len(words)
    assert [word for word in words if not word or (language != "en" and word.isascii())] == []


def test_every_state_has_a_mark() -> None:
    assert set(claim_words.MARK_OF_CLAIM) == set(ClaimStatus)


def way(*statuses: ClaimStatus) -> list[Step]:
    """What is told of a claim that moved this way, a minute a move."""
    assert set(pairwise(statuses)) <= LEGAL_MOVES
    return steps_of([(status, BEGAN + timedelta(minutes=n)) for n, status in enumerate(statuses)])


TO_PAID = (S.OPEN, S.GATHERING, S.PAYABLE, S.APPROVED, S.BATCHED, S.PAID)


@pytest.mark.parametrize(
    ("statuses", "states"),
    [
        (TO_PAID[:1], "done now todo todo todo todo"),
        (TO_PAID[:2], "done now todo todo todo todo"),
        (TO_PAID[:3], "done done done now todo todo"),
        (TO_PAID[:4], "done done done done now todo"),
        (TO_PAID[:5], "done done done done done now"),
        (TO_PAID, "done done done done done done"),
        ((*TO_PAID, S.GATHERING), "done now todo todo todo todo"),
        ((S.OPEN, S.GATHERING, S.NOT_COVERED), "done done no"),
        ((S.OPEN, S.GATHERING, S.IN_REVIEW), "done done done now todo todo"),
        ((S.OPEN, S.GATHERING, S.NOT_COVERED, S.IN_REVIEW), "done done done now todo todo"),
        ((S.OPEN, S.GATHERING, S.PAYABLE, S.REFUSED), "done done done no"),
    ],
)
def test_a_claims_way_shows_what_is_done_and_where_it_ended(
    statuses: tuple[ClaimStatus, ...], states: str
) -> None:
    assert [step.state for step in way(*statuses)] == states.split()


def test_what_is_done_says_when() -> None:
    at = {step.stage: step.at for step in way(*TO_PAID)}
    assert at == {
        Stage.NOTICED: BEGAN,
        Stage.EVIDENCE: BEGAN + timedelta(minutes=2),
        Stage.VERDICT: BEGAN + timedelta(minutes=2),
        Stage.APPROVED: BEGAN + timedelta(minutes=3),
        Stage.BATCHED: BEGAN + timedelta(minutes=4),
        Stage.PAID: BEGAN + timedelta(minutes=5),
    }


def test_what_is_to_be_done_again_says_no_time() -> None:
    assert [step.at for step in way(*TO_PAID, S.GATHERING)] == [BEGAN, *[None] * 5]
