"""The text that is signed, and who signed it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqpass.problems import Problem
from liqpass.sandbox.anvil import wallet
from liqpass.signin import siwe
from tests.signin.visitors import compact, signature_of

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
SITE = siwe.Site("liqpass.example", "https://liqpass.example", 8453)
ALICE, BOB = wallet("alice"), wallet("bob")
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

MESSAGE = siwe.Message(
    site=SITE,
    address=bytes.fromhex("5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"),
    nonce="32891756deadbeef",
    issued_at=NOW,
    expires_at=NOW + timedelta(minutes=5),
    statement="I accept.",
)
TEXT = """\
liqpass.example wants you to sign in with your Ethereum account:
0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed

I accept.

URI: https://liqpass.example
Version: 1
Chain ID: 8453
Nonce: 32891756deadbeef
Issued At: 2026-07-01T12:00:00Z
Expiration Time: 2026-07-01T12:05:00Z"""

seconds = st.integers(0, 2**32).map(lambda second: datetime.fromtimestamp(second, UTC))
messages = st.builds(
    siwe.Message,
    site=st.builds(
        siwe.Site,
        st.from_regex(r"[a-z0-9.:-]{1,60}", fullmatch=True),
        st.from_regex(r"https?://[a-z0-9.:/-]{1,60}", fullmatch=True),
        st.integers(1, 2**50),
    ),
    address=st.binary(min_size=20, max_size=20),
    nonce=st.from_regex(r"[0-9a-zA-Z]{8,64}", fullmatch=True),
    issued_at=seconds,
    expires_at=seconds,
    statement=st.from_regex(r"[ -~]{1,200}", fullmatch=True),
)


def test_the_text_is_eip_4361_to_the_letter() -> None:
    assert siwe.text_of(MESSAGE) == TEXT
    assert siwe.parse(TEXT) == MESSAGE


@given(messages)
def test_what_is_written_is_read_back(message: siwe.Message) -> None:
    assert siwe.parse(siwe.text_of(message)) == message


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT + "\n",
        " " + TEXT,
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("0x5aAeb6", "0x5aaeb6"),  # the checksum is wrong
        TEXT.replace("Version: 1", "Version: 2"),
        TEXT.replace("Chain ID: 8453", "Chain ID: 08453"),
        TEXT.replace("Nonce: 32891756deadbeef", "Nonce: short"),
        TEXT.replace("2026-07-01T12:00:00Z", "2026-13-01T12:00:00Z"),
        TEXT.replace("2026-07-01T12:00:00Z", "2026-07-01T12:00:00+00:00"),
        TEXT.replace("Chain ID: 8453", "Chain ID: ٨٤٥٣"),
        TEXT + "\nResources:\n- https://elsewhere.example",
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(Problem) as caught:
        siwe.parse(text)
    assert caught.value.code == "INVALID_FIELD"


@pytest.mark.parametrize(
    ("site", "after_sec", "word"),
    [
        (SITE, 0, None),
        (SITE, 299, None),
        (SITE, 300, "expired"),
        (SITE, -1, "not valid yet"),
        (siwe.Site("evil.example", SITE.uri, 8453), 0, "domain"),
        (siwe.Site(SITE.domain, "https://liqpass.example/other", 8453), 0, "site"),
        (siwe.Site(SITE.domain, SITE.uri, 84532), 0, "chain"),
    ],
)
def test_a_message_is_good_for_its_site_its_chain_and_its_five_minutes(
    site: siwe.Site, after_sec: int, word: str | None
) -> None:
    why_not = siwe.refusal(MESSAGE, site, NOW + timedelta(seconds=after_sec))
    assert (why_not is None) if word is None else (why_not is not None and word in why_not)


@given(st.text(max_size=300))
def test_the_signer_of_any_text_is_found(text: str) -> None:
    signature = bytes.fromhex(signature_of(text, ALICE)[2:])
    assert siwe.signer_of(siwe.digest(text), signature) == ALICE.address
    assert siwe.signer_of(siwe.digest(text + "."), signature) != ALICE.address


def test_v_may_also_be_0_or_1_as_some_wallets_send_it() -> None:
    signature = bytes.fromhex(signature_of(TEXT, ALICE)[2:])
    assert siwe.signer_of(siwe.digest(TEXT), signature[:64] + bytes([signature[64] - 27])) == ALICE.address


def test_the_other_s_of_a_signature_is_refused() -> None:
    signature = bytes.fromhex(signature_of(TEXT, ALICE)[2:])
    other_s = CURVE_ORDER - int.from_bytes(signature[32:64], "big")
    malleated = signature[:32] + other_s.to_bytes(32, "big") + bytes([27 + 28 - signature[64]])
    assert siwe.signer_of(siwe.digest(TEXT), malleated) is None


def test_a_compact_signature_has_the_same_signer_and_its_s_is_low() -> None:
    seen = set()
    for number in range(20):
        text = f"{TEXT}{number}"
        whole = signature_of(text, ALICE)
        seen.add(whole[-2:])
        assert siwe.signer_of(siwe.digest(text), bytes.fromhex(compact(whole)[2:])) == ALICE.address
    assert seen == {"1b", "1c"}
    r = bytes.fromhex(signature_of(TEXT, ALICE)[2:66])
    lowest_high, highest_low = CURVE_ORDER // 2 + 1, CURVE_ORDER // 2
    assert siwe.signer_of(siwe.digest(TEXT), r + highest_low.to_bytes(32, "big")) is not None
    assert siwe.signer_of(siwe.digest(TEXT), r + lowest_high.to_bytes(32, "big")) is None


@given(st.binary(max_size=70))
def test_bytes_that_are_no_signature_have_no_signer(raw: bytes) -> None:
    assert siwe.signer_of(siwe.digest(TEXT), raw) not in (ALICE.address, BOB.address)


@pytest.mark.parametrize("v", [2, 26, 29, 54, 255])
def test_another_v_is_refused(v: int) -> None:
    signature = bytes.fromhex(signature_of(TEXT, ALICE)[2:])
    assert siwe.signer_of(siwe.digest(TEXT), signature[:64] + bytes([v])) is None


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (CURVE_ORDER, 1), (5, 1)])
def test_impossible_numbers_have_no_signer(r: int, s: int) -> None:
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27])
    assert siwe.signer_of(siwe.digest(TEXT), raw) is None
