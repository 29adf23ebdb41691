import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.kernel.base import squeezed, unsqueezed


@given(st.binary(max_size=30), st.integers(0, 500))
def test_what_was_squeezed_comes_back(piece: bytes, times: int) -> None:
    data = b"\x90" + piece * times
    assert unsqueezed(squeezed(data)) == data


def test_what_repeats_itself_becomes_short() -> None:
    assert len(squeezed(b'"unitCode":"KWT",' * 1000)) < 100


def test_a_damaged_message_is_refused() -> None:
    message = squeezed(b'"unitCode":"KWT",' * 1000)
    with pytest.raises(zstandard.ZstdError):
        unsqueezed(message[:-5])
