"""The unified code: made, read, and proof against typing errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.information.iot.code import check_character, make_code, read_code
from yunmeng.information.iot.kinds import kinds


def test_the_check_character_is_that_of_iso_7064() -> None:
    # ISO 7064 Annex and the ISNI/GRid examples of MOD 37,36: A12425GABC1234002 has M
    assert check_character("A12425GABC1234002") == "M"


@pytest.mark.parametrize("class_", sorted({kind.class_ for kind in kinds().values()}))
def test_codes_are_unique_and_find_typing_errors(class_: str) -> None:
    codes = [make_code("420106", class_, number) for number in (1, 2, 99, 9_999_999)]
    assert len(set(codes)) == 4
    for code in codes:
        assert read_code(code) == ("420106", class_, int(code[10:17]))
        assert read_code(code.replace("-", "").lower()) == read_code(code)


@given(st.integers(0, 9_999_999), st.integers(8, 14), st.integers(1, 9))
def test_one_wrong_digit_is_found(number: int, place: int, by: int) -> None:
    plain = make_code("420106", "MP", number).replace("-", "")
    wrong = plain[:place] + str((int(plain[place]) + by) % 10) + plain[place + 1 :]
    with refused("iot.code"):
        read_code(wrong)


@pytest.mark.parametrize("text", ["", "420106", "420106-mp-123-K", "420106-MP-0000123", "X" * 10_000])
def test_what_is_no_code_is_refused(text: str) -> None:
    with refused("iot.code"):
        read_code(text)


def test_a_class_or_number_out_of_range_is_refused() -> None:
    with refused("iot.code"):
        make_code("420106", "MP", 10_000_000)
    with refused("iot.code"):
        make_code("420106", "lamp", 1)
    with refused("division.unknown"):
        make_code("999999", "MP", 1)
