"""The session without a socket: whatever comes, it decides and never fails."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.field import station
from tests.gateways.iec104.test_codec import asdus

from yunmeng.gateways.iec104.apci import Function, Iec104Codec, Numbered, Unnumbered
from yunmeng.gateways.iec104.asdu import Asdu, Cause, Item, Shape, write_asdu
from yunmeng.gateways.iec104.session import Iec104Session
from yunmeng.kernel.base import now_us
from yunmeng.kernel.sense import Close, Observe, Refuse

CODEC, SHAPE = Iec104Codec(), Shape()
STARTED = CODEC.encode(Unnumbered(Function.STARTDT_CON))


def started(**options: str) -> Iec104Session:
    session = Iec104Session(station("iec104", device="s", **options))
    list(session.opened(0))
    list(session.received(STARTED, 0))
    return session


@given(st.lists(st.binary(max_size=600), max_size=5))
def test_random_bytes_never_break_a_session(parts: list[bytes]) -> None:
    session = started()
    for at, part in enumerate(parts):
        effects = list(session.received(part, at))
        assert all(isinstance(each, Refuse | Close) for each in effects) or part.startswith(b"\x68")
        list(session.tick(at))


@given(st.lists(asdus(), min_size=1, max_size=8))
def test_every_asdu_is_kept_or_set_aside_or_heard_and_then_acknowledged(many: list[Asdu]) -> None:
    session = started(interrogate="0", w="1", k="32767")
    for number, asdu in enumerate(many):
        frame = CODEC.encode(Numbered(number, 0, write_asdu(asdu, SHAPE)))
        effects = list(session.received(frame, number))
        assert not any(isinstance(each, Close) for each in effects)
        told = [each.told for each in effects if isinstance(each, Observe | Refuse)]
        assert told in ([], [number])
        said = [each for each in effects if not isinstance(each, Observe | Refuse)]
        said += [each for name in told for each in session.kept(name, number)]
        acknowledged = [CODEC.decode(each.data).receive for each in said if hasattr(each, "data")]
        assert acknowledged[-1:] == [number + 1]


def test_an_interrogation_that_is_refused_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    session = started()
    refused = Asdu(100, Cause.ACTIVATION_CON, 1, (Item(0, b"\x14"),), negative=True)
    with caplog.at_level(logging.WARNING):
        list(session.received(CODEC.encode(Numbered(0, 1, write_asdu(refused, SHAPE))), now_us()))
    assert "type 100 refused with cause 7" in caplog.text


def test_recorded_frames_are_heard_without_their_numbers() -> None:
    session = Iec104Session(station("iec104", replayed=True, device="s"))
    asdu = write_asdu(Asdu(1, Cause.SPONTANEOUS, 1, (Item(1, b"\1"),)), SHAPE)
    data = STARTED + CODEC.encode(Numbered(77, 3, asdu)) + CODEC.encode(Numbered(12, 9, asdu))
    effects = list(session.received(data, 0))
    assert len([each for each in effects if isinstance(each, Observe)]) == 2
    assert len(effects) == 2
