"""What was said before is known, as long as it is among the last."""

from hypothesis import given
from hypothesis import strategies as st

from yunmeng.kernel.sense import Repeats
from yunmeng.kernel.sense.repeats import Said


def test_a_key_is_new_then_under_way_then_kept() -> None:
    said = Repeats()
    assert [said.say("k"), said.say("k")] == [Said.NEW, Said.UNDER_WAY]
    said.kept("k")
    assert said.say("k") is Said.KEPT


def test_what_was_lost_is_new_again() -> None:
    said = Repeats()
    said.say("k")
    said.lost("k")
    assert said.say("k") is Said.NEW


@given(st.lists(st.integers(0, 30), max_size=200))
def test_at_least_the_last_ones_are_known_and_never_more_than_twice_as_many(keys: list[int]) -> None:
    said, last = Repeats(most=5), list[int]()
    for key in keys:
        known = said.say(key)
        if key in last[-5:]:
            assert known is Said.KEPT
        if known is Said.NEW:
            last.append(key)
            said.kept(key)
    assert sum(said.say(key) is Said.KEPT for key in set(last)) <= 10


def test_what_is_not_remembered_is_not_kept() -> None:
    said = Repeats()
    said.kept("gone")
    assert said.say("gone") is Said.NEW
