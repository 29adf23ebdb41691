"""What was said before is known, as long as it is among the last."""

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


def test_the_oldest_is_forgotten_first() -> None:
    said = Repeats(most=2)
    for key in "abc":
        said.say(key)
        said.kept(key)
    assert [said.say(key) for key in "cba"] == [Said.KEPT, Said.KEPT, Said.NEW]
    said.kept("gone")
    assert said.say("gone") is Said.NEW, "what is not remembered is not kept"
