"""Secrets sealed to their place."""

import base64
import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from liqpass.settings import SettingError
from liqpass.vault.cipher import (
    CipherError,
    DoesNotOpenError,
    KeyRing,
    MalformedError,
    UnknownKeyError,
)
from liqpass.vault.keys import generate_key

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
TEXT_KEY, OTHER_TEXT_KEY = (base64.b64encode(key).decode() for key in (KEY, OTHER_KEY))
PLACE = ("api_accounts", "0x" + "ab" * 20, "0190-id", "secret_enc")
RING = KeyRing({"k1": KEY})

contexts = st.lists(st.text(max_size=8), max_size=5)


def sealed_of_old(key: bytes, plaintext: str) -> str:
    """The layout of the first version: base64 of nonce 12, tag 16, ciphertext; no associated data."""
    nonce = os.urandom(12)
    sealed = AESGCM(key).encrypt(nonce, plaintext.encode(), None)
    return base64.b64encode(nonce + sealed[-16:] + sealed[:-16]).decode()


@given(st.text(), contexts)
def test_what_is_sealed_for_a_place_opens_there(plaintext: str, context: list[str]) -> None:
    assert RING.open(RING.seal(plaintext, context), context) == plaintext


@given(contexts, contexts)
def test_it_opens_nowhere_else(here: list[str], there: list[str]) -> None:
    sealed = RING.seal("secret", here)
    if here != there:
        with pytest.raises(DoesNotOpenError):
            RING.open(sealed, there)


def test_moving_a_letter_between_the_parts_of_a_place_makes_another_place() -> None:
    with pytest.raises(DoesNotOpenError):
        RING.open(RING.seal("secret", ("a", "bc")), ("ab", "c"))


@pytest.mark.parametrize("part", range(len(PLACE)))
def test_each_part_of_the_place_counts(part: int) -> None:
    elsewhere = [word + "x" if i == part else word for i, word in enumerate(PLACE)]
    with pytest.raises(DoesNotOpenError):
        RING.open(RING.seal("secret", PLACE), elsewhere)


def test_the_same_text_is_sealed_differently_each_time() -> None:
    assert len({RING.seal("secret", PLACE) for _ in range(100)}) == 100


def test_the_text_form_names_its_version_and_key() -> None:
    assert RING.seal("secret", PLACE).startswith("v1.k1.")


@given(st.data())
def test_no_changed_bit_goes_unnoticed(data: st.DataObject) -> None:
    prefix, encoded = RING.seal("secret", PLACE).rsplit(".", 1)
    body = bytearray(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    bit = data.draw(st.integers(0, len(body) * 8 - 1))
    body[bit // 8] ^= 1 << bit % 8
    changed = f"{prefix}.{base64.urlsafe_b64encode(body).decode().rstrip('=')}"
    with pytest.raises(DoesNotOpenError):
        RING.open(changed, PLACE)


def test_the_key_id_is_bound_too() -> None:
    twins = KeyRing({"k1": KEY, "k2": KEY})
    with pytest.raises(DoesNotOpenError):
        twins.open(twins.seal("secret", PLACE).replace("v1.k1.", "v1.k2."), PLACE)


@given(st.text(max_size=100))
def test_any_other_text_is_refused_with_a_typed_error(text: str) -> None:
    with pytest.raises(CipherError):
        RING.open(text, PLACE)


@pytest.mark.parametrize("text", ["", "v1.k1.", "v1.k1.AAAA", "v2.k1.AAAA", "AAAA", "v1.k1.!!!!", "ü"])
def test_what_has_no_layout_is_malformed(text: str) -> None:
    with pytest.raises(MalformedError):
        RING.open(text, PLACE)


def test_a_key_that_is_not_in_the_ring_is_named() -> None:
    sealed = KeyRing({"k7": OTHER_KEY}).seal("secret", PLACE)
    with pytest.raises(UnknownKeyError, match="k7"):
        RING.open(sealed, PLACE)


def test_the_first_key_of_a_ring_seals_and_all_open() -> None:
    old, new = KeyRing.from_env(TEXT_KEY), KeyRing.from_env(f"k2:{OTHER_TEXT_KEY},k1:{TEXT_KEY}")
    sealed = old.seal("secret", PLACE)
    assert new.open(sealed, PLACE) == "secret"
    assert new.needs_rewrap(sealed)
    sealed_anew = new.seal("secret", PLACE)
    assert sealed_anew.startswith("v1.k2.")
    assert not new.needs_rewrap(sealed_anew)
    with pytest.raises(UnknownKeyError):
        old.open(sealed_anew, PLACE)


@given(st.text())
def test_the_old_layout_still_opens_with_any_key_of_the_ring(plaintext: str) -> None:
    ring = KeyRing({"k2": OTHER_KEY, "k1": KEY})
    sealed = sealed_of_old(KEY, plaintext)
    assert ring.open(sealed, PLACE) == plaintext
    assert ring.needs_rewrap(sealed)


def test_the_old_layout_does_not_open_with_another_key() -> None:
    with pytest.raises(DoesNotOpenError):
        RING.open(sealed_of_old(OTHER_KEY, "secret"), PLACE)


@pytest.mark.parametrize(
    "text",
    [
        TEXT_KEY,
        f"  {TEXT_KEY}\n",
        TEXT_KEY.rstrip("="),
        base64.urlsafe_b64encode(bytes([0xFB, 0xFF] * 16)).decode(),
        base64.b64encode(bytes([0xFB, 0xFF] * 16)).decode(),
        f"k2:{OTHER_TEXT_KEY}, k1:{TEXT_KEY}",
    ],
)
def test_a_key_may_be_written_in_either_base64_alone_or_in_a_ring(text: str) -> None:
    ring = KeyRing.from_env(text)
    assert ring.open(ring.seal("secret", PLACE), PLACE) == "secret"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "not base64!",
        base64.b64encode(bytes(31)).decode(),
        base64.b64encode(bytes(33)).decode(),
        "ab" * 32,
        f"k1:{TEXT_KEY},k1:{OTHER_TEXT_KEY}",
        f"{TEXT_KEY},{OTHER_TEXT_KEY}",
        f"k1:{TEXT_KEY},",
        f":{TEXT_KEY}",
        f"a b:{TEXT_KEY}",
        f"k2:k1:{TEXT_KEY}",
    ],
)
def test_a_setting_that_is_no_key_is_refused_in_one_line_that_says_how_to_make_one(text: str) -> None:
    with pytest.raises(SettingError) as caught:
        KeyRing.from_env(text)
    told = str(caught.value)
    assert told.startswith("API_KEYS_ENC_KEY: ")
    assert "liqpass keys generate" in told
    assert "\n" not in told
    assert TEXT_KEY not in told


def test_a_generated_key_is_a_line_for_the_environment() -> None:
    name, _, value = generate_key().partition("=")
    assert name == "API_KEYS_ENC_KEY"
    assert KeyRing.from_env(value).open(KeyRing.from_env(value).seal("x", PLACE), PLACE) == "x"
    assert generate_key() != generate_key()


def test_nothing_that_is_printed_shows_a_key_or_a_secret() -> None:
    sealed = RING.seal("the secret", PLACE)
    shown = [repr(RING), str(RING)]
    for text, place in ((sealed, ("elsewhere",)), (sealed[:-9], PLACE), ("v1.k9.AAAA", PLACE)):
        with pytest.raises(CipherError) as caught:
            RING.open(text, place)
        shown += [str(caught.value), repr(caught.value)]
    for text in shown:
        assert "the secret" not in text
        assert sealed[6:] not in text
        assert KEY.hex() not in text
        assert TEXT_KEY not in text
