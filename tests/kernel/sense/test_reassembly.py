"""Parts become a whole in any order, and never more than the bounds allow."""

from hypothesis import given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.kernel.sense import Reassembly

S = 1_000_000


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_any_order_gives_the_whole_once_the_last_is_there(parts: list[bytes], random) -> None:
    order = list(range(1, len(parts) + 1))
    random.shuffle(order)
    joining = Reassembly()
    for place, number in enumerate(order, start=1):
        assert joining.missing("k") == (tuple(sorted(order[place - 1 :])) if place > 1 else ())
        whole = joining.add("k", number, len(parts), parts[number - 1], 0)
        assert (whole is None) == (place < len(parts))
    assert whole == b"".join(parts)
    assert joining.missing("k") == ()


def test_a_part_that_comes_twice_counts_once_and_the_later_wins() -> None:
    joining = Reassembly()
    assert joining.add("k", 1, 2, b"old", 0) is None
    assert joining.add("k", 1, 2, b"new", 0) is None
    assert joining.add("k", 2, 2, b"!", 0) == b"new!"


def test_numbers_outside_the_total_are_refused() -> None:
    joining = Reassembly()
    for number, total in ((0, 2), (3, 2), (1, 0)):
        with refused("frame.part"):
            joining.add("k", number, total, b"", 0)


def test_another_total_begins_anew() -> None:
    joining = Reassembly()
    joining.add("k", 1, 3, b"a", 0)
    assert joining.add("k", 1, 2, b"b", 0) is None
    assert joining.add("k", 2, 2, b"c", 0) == b"bc"


def test_all_open_messages_together_stay_within_the_bounds() -> None:
    joining = Reassembly(most_bytes=100, most_messages=3)
    for key in "abcd":
        joining.add(key, 1, 2, b"x" * 20, 0)
    assert joining.missing("a") == (), "the first that began is given up"
    assert joining.missing("b") == (2,)
    joining.add("d", 2, 3, b"", 0)
    joining.add("d", 1, 3, b"y" * 90, 0)
    assert joining.missing("b") == joining.missing("c") == ()
    with refused("frame.part"):
        joining.add("d", 3, 3, b"z" * 11, 0)
    assert joining.missing("d") == ()
    assert joining.add("e", 1, 1, b"w" * 100, 0) == b"w" * 100, "what was given up takes no room"


def test_what_takes_too_long_is_told_and_forgotten() -> None:
    joining = Reassembly(patience_s=300)
    joining.add("k", 1, 3, b"a", 0)
    joining.add("k", 2, 3, b"b", 20 * S)
    assert joining.stalled(25 * S, 10) == []
    assert joining.stalled(31 * S, 10) == ["k"]
    assert joining.expire(300 * S) == []
    assert joining.expire(301 * S) == ["k"]
    assert joining.missing("k") == ()


def test_what_is_given_up_is_handed_back_in_order() -> None:
    joining = Reassembly[str]()
    joining.add("k", 3, 3, b"c", 0)
    joining.add("k", 1, 3, b"a", 0)
    assert joining.forget("k") == b"ac"
    assert joining.forget("k") == b""
    assert joining.missing("k") == ()
