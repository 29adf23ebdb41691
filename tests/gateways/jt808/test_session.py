"""Whatever a terminal says in a whole packet, the platform's side answers or refuses, and never breaks."""

from struct import pack

from hypothesis import given
from hypothesis import strategies as st
from tests.field import station

from yunmeng.gateways.jt808.codec import NO_VERSION, Jt808Codec, Packet
from yunmeng.gateways.jt808.commands import COMMANDS
from yunmeng.gateways.jt808.location import Location, write_location
from yunmeng.gateways.jt808.session import Jt808Session
from yunmeng.kernel.base import instant_us
from yunmeng.kernel.sense import Answer, Command, Observe, Refuse, Send

CODEC = Jt808Codec()
PHONE = bytes.fromhex("013000000007")
AT = instant_us("2026-07-01T12:00:00+08:00")
HERE = write_location(Location(0, 2, 30.59, 114.3, 25, 605, 178, AT))

IDS = [0x0001, 0x0002, 0x0003, 0x0004, 0x0005, 0x0100, 0x0102, 0x0104, 0x0107, 0x0108, 0x0200, 0x0201]
IDS += [0x0301, 0x0302, 0x0500, 0x0700, 0x0702, 0x0704, 0x0800, 0x0801, 0x0805, 0x0900, 0x1003, 0x1005]
IDS += [0x1205, 0x1206, 0x0F0F]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(IDS),
            st.one_of(st.binary(max_size=60), st.binary(max_size=20).map(lambda extra: HERE + extra)),
            st.sampled_from([(0, 0), (1, 1), (3, 1), (3, 2), (3, 3)]),
            st.booleans(),
        ),
        max_size=8,
    ),
    st.sampled_from(sorted(COMMANDS)),
)
def test_any_conversation_is_answered_or_refused(messages: list, name: str) -> None:
    session = Jt808Session(station("jt808"))
    order = Command("c", "13000000007", name, {"every_s": 1, "text": "x", "order": 1, "channel": 1})
    for serial, (id, body, (total, number), is_new) in enumerate(messages):
        phone, version = (bytes(4) + PHONE, 1) if is_new else (PHONE, NO_VERSION)
        frame = CODEC.encode(Packet(id, phone, serial, body, version, 0, total, number))
        for effect in session.received(frame, AT):
            if isinstance(effect, Send):
                assert CODEC.cut(bytearray(effect.data))
            elif isinstance(effect, Refuse):
                assert effect.reason.key in ("frame.bad", "frame.part")
        if name in ("text", "track", "locate", "attributes", "photo", "check-link"):
            list(session.command(order, AT))
        list(session.tick(AT + serial * 60_000_000))


def test_a_part_that_never_comes_is_told() -> None:
    session = Jt808Session(station("jt808"))
    part = Packet(0x0801, PHONE, 5, b"x" * 100, NO_VERSION, 0, 3, 1)
    assert [type(effect).__name__ for effect in session.received(CODEC.encode(part), AT)] == ["Identify"]
    [asked] = session.tick(AT + 6_000_000)
    assert CODEC.decode(asked.data).body == pack(">HBHH", 5, 2, 2, 3)
    found = [effect for effect in session.tick(AT + 301_000_000) if isinstance(effect, Refuse)]
    assert [effect.reason.key for effect in found] == ["frame.bad"]
    assert list(session.tick(AT + 302_000_000)) == []


def test_parts_are_acknowledged_where_that_is_asked_for() -> None:
    session = Jt808Session(station("jt808", acknowledge_parts="1"))
    part = Packet(0x0801, PHONE, 5, b"x" * 100, NO_VERSION, 0, 3, 1)
    _, answer = session.received(CODEC.encode(part), AT)
    assert CODEC.decode(answer.data).body == pack(">HHB", 5, 0x0801, 0)


def test_answers_without_a_serial_number_find_their_command() -> None:
    session = Jt808Session(station("jt808"))
    list(session.received(CODEC.encode(Packet(0x0002, PHONE, 1)), AT))
    attributes = pack(">H5s20s7s10s", 3, b"70111", b"BSJ", b"1", bytes.fromhex("89860000000000000001"))
    attributes += b"\x02V1\x02F2\x03\x01"
    video = pack(">BBBBHBBBB", 19, 1, 0, 1, 160, 1, 98, 4, 4)
    for name, id, body, fact in (
        ("attributes", 0x0107, attributes, ("hardware", "V1")),
        ("video-attributes", 0x1003, video, ("audio_frame", 160)),
    ):
        list(session.command(Command(name, "13000000007", name), AT))
        effects = list(session.received(CODEC.encode(Packet(id, PHONE, 2, body)), AT))
        [answer] = [effect for effect in effects if isinstance(effect, Answer)]
        assert answer.command == name
        assert answer.result[fact[0]] == fact[1]


def test_a_door_is_locked_and_the_place_that_comes_back_is_kept() -> None:
    session = Jt808Session(station("jt808"))
    list(session.received(CODEC.encode(Packet(0x0002, PHONE, 1)), AT))
    [order] = session.command(Command("c", "13000000007", "vehicle", {"lock": True}), AT)
    sent = CODEC.decode(order.data)
    assert (sent.id, sent.body) == (0x8500, b"\x01")
    said = Packet(0x0500, PHONE, 2, pack(">H", sent.serial) + HERE)
    effects = list(session.received(CODEC.encode(said), AT))
    assert [effect.command for effect in effects if isinstance(effect, Answer)] == ["c"]
    assert [len(effect.readings) for effect in effects if isinstance(effect, Observe)] == [1]


def test_the_time_of_the_platform_is_utc() -> None:
    session = Jt808Session(station("jt808"))
    *_, answer = session.received(CODEC.encode(Packet(0x0004, bytes(4) + PHONE, 1, b"", 1)), AT)
    assert (CODEC.decode(answer.data).id, CODEC.decode(answer.data).body.hex()) == (0x8004, "260701040000")
