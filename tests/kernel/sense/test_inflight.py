"""Commands on their way: sent again, given up, matched to their answers."""

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import Answer, Command, InFlight, Send

OPEN = Command("c1", "D1", "open")
S = 1_000_000


def test_an_answer_finds_its_command_once() -> None:
    orders: InFlight[int] = InFlight()
    assert list(orders.send(7, OPEN, b"open", 0)) == [Send(b"open")]
    assert 7 in orders
    assert len(orders) == 1
    assert list(orders.answered(8, {})) == []
    assert list(orders.answered(7, {"angle": 90})) == [Answer("c1", {"angle": 90})]
    assert list(orders.answered(7, {})) == [], "a late repeat is no error"


def test_a_refusal_reaches_who_asked() -> None:
    orders: InFlight[int] = InFlight()
    list(orders.send(7, OPEN, b"open", 0))
    no = BadInput("command.refused", device="D1", name="open", reason="stuck")
    assert list(orders.failed(7, no)) == [Answer("c1", error=no)]
    assert len(orders) == 0


def test_silence_is_met_with_patience_that_doubles_and_ends() -> None:
    orders: InFlight[int] = InFlight(wait_s=10, attempts=3)
    list(orders.send(7, OPEN, b"open", 0))
    sent: list[int] = []
    ended: list[tuple[int, str]] = []
    for second in range(100):
        for effect in orders.tick(second * S):
            if isinstance(effect, Send):
                sent.append(second)
            elif isinstance(effect, Answer) and effect.error is not None:
                ended.append((second, effect.error.key))
    assert sent == [10, 30]
    assert ended == [(70, "command.timeout")]


def test_a_second_command_under_the_same_key_ends_the_first() -> None:
    orders: InFlight[int] = InFlight()
    list(orders.send(7, OPEN, b"open", 0))
    failed, sent = orders.send(7, Command("c2", "D1", "shut"), b"shut", 0)
    assert isinstance(failed, Answer)
    assert failed.command == "c1"
    assert failed.error is not None
    assert failed.error.key == "command.replaced"
    assert sent == Send(b"shut")
    assert list(orders.answered(7, {})) == [Answer("c2")]
