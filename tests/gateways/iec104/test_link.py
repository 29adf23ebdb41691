"""Numbers, acknowledgements, windows and time-outs of the link (104, clause 5)."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.gateways.iec104.apci import (
    MODULO,
    Apdu,
    Function,
    Iec104Codec,
    Numbered,
    Supervisory,
    Unnumbered,
)
from yunmeng.gateways.iec104.link import Limits, Link, read_limits
from yunmeng.kernel.sense import Close, Effect, Send

CODEC = Iec104Codec()
S = 1_000_000
ASDU = bytes.fromhex("64010600010000000014")


def said(effects: Iterable[Effect]) -> list[Apdu | Close]:
    return [CODEC.decode(each.data) if isinstance(each, Send) else each for each in effects]


def started(limits: Limits | None = None) -> Link:
    link = Link(CODEC, limits or Limits())
    assert said(link.ask(Function.STARTDT_ACT, 0)) == [Unnumbered(Function.STARTDT_ACT)]
    assert said(link.heard(Unnumbered(Function.STARTDT_CON), 0)) == []
    assert link.started
    return link


def test_only_what_is_kept_is_acknowledged() -> None:
    link = started(Limits(w=3))
    for number in range(5):
        assert said(link.heard(Numbered(number, 0, ASDU), 0)) == []
    assert said(link.kept(2, 0)) == []
    assert said(link.kept(1, 0)) == [], "0 is still on its way to the disk"
    assert said(link.kept(0, 0)) == [Supervisory(3)]
    assert said(link.kept(3, 0)) == []
    # what is sent acknowledges as well, and no more than is kept
    assert said(link.push(ASDU, 0)) == [Numbered(0, 4, ASDU)]
    assert said(link.tick(11 * S)) == []


def test_few_are_acknowledged_after_t2() -> None:
    link = started()
    assert said(link.heard(Numbered(0, 0, ASDU), 1 * S)) == []
    assert said(link.tick(12 * S)) == [], "it is not kept yet"
    assert said(link.kept(0, 13 * S)) == []
    assert said(link.tick(14 * S)) == []
    assert said(link.tick(23 * S)) == [Supervisory(1), Unnumbered(Function.TESTFR_ACT)]


def test_no_more_than_k_wait_for_their_acknowledgement() -> None:
    link = started(Limits(k=2))
    sent = [message for _ in range(5) for message in said(link.push(ASDU, 0))]
    assert sent == [Numbered(0, 0, ASDU), Numbered(1, 0, ASDU)]
    assert said(link.heard(Supervisory(1), 0)) == [Numbered(2, 0, ASDU)]
    assert said(link.heard(Supervisory(3), 0)) == [Numbered(3, 0, ASDU), Numbered(4, 0, ASDU)]
    assert said(link.heard(Supervisory(5), 0)) == []


def test_what_waits_for_its_turn_can_be_withdrawn() -> None:
    link = started(Limits(k=1))
    assert said(link.push(ASDU, 0)) == [Numbered(0, 0, ASDU)]
    assert said(link.push(b"late", 0)) == []
    link.withdraw(b"late")
    link.withdraw(ASDU)
    assert said(link.heard(Supervisory(1), 0)) == []


def test_nothing_is_sent_while_the_transfer_is_stopped() -> None:
    link = started(Limits(k=1))
    list(link.push(ASDU, 0))
    list(link.push(b"late", 0))
    list(link.ask(Function.STOPDT_ACT, 0))
    assert said(link.heard(Supervisory(1), 0)) == []
    list(link.heard(Unnumbered(Function.STOPDT_CON), 0))
    assert said(link.push(ASDU, 0)) == []


def test_what_is_not_acknowledged_within_t1_ends_the_connection() -> None:
    link = started()
    list(link.push(ASDU, 5 * S))
    assert said(link.tick(19 * S)) == []
    assert said(link.tick(20 * S)) == [Close()]


def test_a_start_that_is_not_confirmed_within_t1_ends_the_connection() -> None:
    link = Link(CODEC, Limits())
    list(link.ask(Function.STARTDT_ACT, 1 * S))
    assert said(link.tick(15 * S)) == []
    assert said(link.tick(16 * S)) == [Close()]


def test_silence_is_tested_and_an_answer_ends_the_test() -> None:
    link = started()
    assert said(link.heard(Supervisory(0), 5 * S)) == []
    assert said(link.tick(24 * S)) == []
    assert said(link.tick(25 * S)) == [Unnumbered(Function.TESTFR_ACT)]
    assert said(link.heard(Unnumbered(Function.TESTFR_CON), 26 * S)) == []
    assert link.started
    assert said(link.tick(45 * S)) == []
    assert said(link.tick(46 * S)) == [Unnumbered(Function.TESTFR_ACT)]
    assert said(link.tick(61 * S)) == [Close()]


def test_a_test_of_the_station_is_answered() -> None:
    link = started()
    assert said(link.heard(Unnumbered(Function.TESTFR_ACT), 0)) == [Unnumbered(Function.TESTFR_CON)]


def test_a_confirmed_stop_stops() -> None:
    link = started()
    link_said = said(link.heard(Numbered(0, 0, ASDU), 0)) + said(link.kept(0, 0)) + said(link.last_word())
    assert link_said == [Supervisory(1)]
    assert said(link.ask(Function.STOPDT_ACT, 0)) == [Unnumbered(Function.STOPDT_ACT)]
    assert link.started, "until it is confirmed"
    list(link.heard(Unnumbered(Function.STOPDT_CON), 0))
    assert not link.started


@pytest.mark.parametrize(
    "message",
    [
        Numbered(1, 0, ASDU),  # one is missing
        Numbered(MODULO - 1, 0, ASDU),
        Numbered(0, 1, ASDU),  # nothing was sent that could be acknowledged
        Supervisory(1),
        Unnumbered(Function.STARTDT_ACT),
        Unnumbered(Function.STOPDT_ACT),
    ],
)
def test_numbers_that_cannot_be_are_refused(message: Apdu) -> None:
    link = started()
    with refused("frame.bad"):
        list(link.heard(message, 0))


def test_an_acknowledgement_does_not_go_back() -> None:
    link = started()
    list(link.push(ASDU, 0))
    list(link.push(ASDU, 0))
    list(link.heard(Supervisory(2), 0))
    with refused("frame.bad"):
        list(link.heard(Supervisory(1), 0))


def carried(one: Link, other: Link, many: int) -> list[bytes]:
    """What arrives of so many ASDUs; each side's frames reach the other in their order."""
    got: list[bytes] = []
    wire = [each for n in range(many) for each in said(one.push(n.to_bytes(3, "big"), 0))]
    while wire or (wire := said(other.last_word())):
        message = wire.pop(0)
        if isinstance(message, Numbered):
            got.append(message.asdu)
            wire += said(other.heard(message, 0)) + said(other.kept(message.send, 0))
        else:
            wire += said(one.heard(message, 0))
    return got


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(1, 20))
def test_two_links_carry_everything_in_order(k: int, w: int) -> None:
    """Both sides number, acknowledge and wait; nothing is lost, doubled or stuck."""
    one, other = started(Limits(k=k, w=w)), Link(CODEC, Limits(k=k, w=w), controlling=False)
    assert said(other.heard(Unnumbered(Function.STARTDT_ACT), 0)) == [Unnumbered(Function.STARTDT_CON)]
    assert carried(one, other, 50) == [n.to_bytes(3, "big") for n in range(50)]


def test_the_number_32767_is_followed_by_0() -> None:
    one, other = started(), Link(CODEC, Limits(), controlling=False)
    many = MODULO + 20
    assert carried(one, other, many) == [n.to_bytes(3, "big") for n in range(many)]


@pytest.mark.parametrize("options", [{"k": "0"}, {"w": "x"}, {"t1": "-1"}, {"t2": "15"}, {"k": "32768"}])
def test_limits_that_are_none_are_refused(options: dict[str, str]) -> None:
    with refused("sense.option"):
        read_limits(options)


def test_limits_are_read() -> None:
    assert read_limits({"k": "5", "w": "3", "t1": "8", "t2": "4", "t3": "9"}) == Limits(
        5, 3, 8 * S, 4 * S, 9 * S
    )
