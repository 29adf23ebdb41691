"""One question at a time on a line."""

from yunmeng.kernel.base import Unavailable
from yunmeng.kernel.sense import Answer, Asking, Command, Identify, Lose, Question, Send

SECOND = 1_000_000


def line(*devices: str, **more: float) -> Asking:
    return Asking(
        lambda: [Question(d, f"{d}{n}".encode()) for d in devices for n in (1, 2)], wait_s=2, **more
    )


def sent(effects) -> list[bytes]:
    return [effect.data for effect in effects if isinstance(effect, Send)]


def test_the_next_question_follows_the_answer() -> None:
    asking = line("a", "b")
    assert sent(asking.tick(0)) == [b"a1"]
    assert sent(asking.tick(SECOND)) == [], "the line is taken"
    first = list(asking.answered(SECOND))
    assert first[0] == Identify("a")
    assert sent(first) == [b"a2"]
    assert sent(asking.answered(SECOND)) == [b"b1"]
    assert sent(asking.answered(SECOND)) == [b"b2"]
    assert sent(asking.answered(SECOND)) == []
    assert sent(asking.tick(59 * SECOND)) == []
    assert sent(asking.tick(60 * SECOND)) == [b"a1"], "the next round"


def test_a_silent_device_is_asked_twice_then_left_for_the_next() -> None:
    asking = line("a", "b")
    list(asking.tick(0))
    assert sent(asking.tick(2 * SECOND)) == [b"a1"]
    assert sent(asking.tick(4 * SECOND)) == [b"b1"]


def test_a_device_that_falls_silent_is_lost() -> None:
    asking = line("a")
    list(asking.tick(0))
    list(asking.answered(0))
    list(asking.tick(2 * SECOND))
    assert Lose("a") in list(asking.tick(4 * SECOND))


def test_a_command_goes_first_and_fails_when_nobody_answers() -> None:
    asking = line("a", "b")
    list(asking.tick(0))
    command = Command("7", "b", "read")
    assert sent(asking.order(Question("b", b"order", None, command), 0)) == []
    assert sent(asking.answered(0)) == [b"order"]
    list(asking.tick(2 * SECOND))
    (failed,) = [effect for effect in asking.tick(4 * SECOND) if isinstance(effect, Answer)]
    assert failed.command == "7"
    assert isinstance(failed.error, Unavailable)
    assert failed.error.key == "command.timeout"
