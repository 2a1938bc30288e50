"""Any case in, one spelling out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqpass.hexes import address, bytes32, checksum, to_hex
from liqpass.problems import Problem

# The vectors of EIP-55: all capitals, all lower case, and four of mixed case.
EIP_55 = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
MIXED = EIP_55[4:]


@pytest.mark.parametrize("written", EIP_55)
def test_an_address_goes_out_in_the_case_of_eip_55(written: str) -> None:
    assert checksum(bytes.fromhex(written[2:])) == written


@pytest.mark.parametrize("written", EIP_55)
def test_an_address_comes_in_with_its_checksum_in_lower_case_or_in_capitals(written: str) -> None:
    raw = bytes.fromhex(written[2:])
    capitals = written[2:].upper()
    for text in (written, written.lower(), f"0x{capitals}", f"0X{capitals}"):
        assert address(text, "payer") == raw


@pytest.mark.parametrize("written", MIXED)
def test_a_mixed_case_address_with_one_letter_in_the_wrong_case_is_refused(written: str) -> None:
    place = next(i for i, c in enumerate(written) if i > 1 and c.isalpha())
    wrong = written[:place] + written[place].swapcase() + written[place + 1 :]
    with pytest.raises(Problem, match="payer has a wrong EIP-55 checksum") as refused:
        address(wrong, "payer")
    assert (refused.value.code, refused.value.extra) == ("INVALID_FIELD", {"field": "payer"})


@given(st.binary(min_size=20, max_size=20))
def test_an_address_that_goes_out_comes_in_again(raw: bytes) -> None:
    assert address(checksum(raw), "payer") == raw


@given(st.binary(min_size=32, max_size=32), st.randoms(use_true_random=False))
def test_a_hash_comes_in_in_any_case_and_goes_out_in_lower_case(raw: bytes, random: object) -> None:
    written = "".join(c.upper() if hash((i, str(random))) % 2 else c for i, c in enumerate(raw.hex()))
    assert bytes32(f"0x{written}", "payTxHash") == raw
    assert to_hex(raw) == f"0x{raw.hex()}"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "0x",
        "ab",
        "{}",
        "0x{}0",
        "0x{short}",
        "0x{} ",
        " 0x{}",
        "0x{}\n",
        "0x{short}g",
        "0x{short}é",
        "1x{}",
    ],
)
@pytest.mark.parametrize(("read", "digits"), [(bytes32, 64), (address, 40)])
def test_what_is_not_0x_and_so_many_digits_is_refused_by_name(read: object, digits: int, wrong: str) -> None:
    assert callable(read)
    text = wrong.format("1" * digits, short="1" * (digits - 1))
    with pytest.raises(Problem, match=f"sent is 0x and {digits} hexadecimal digits") as refused:
        read(text, "sent")
    assert (refused.value.status, refused.value.extra) == (400, {"field": "sent"})
