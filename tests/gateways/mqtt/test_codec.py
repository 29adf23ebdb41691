"""MQTT packets (OASIS MQTT 3.1.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.gateways.mqtt.codec import LONGEST, MqttCodec, connect, head, subscribe
from yunmeng.gateways.mqtt.messages import PINGREQ, Packet, Publish
from yunmeng.kernel.base import BadInput

CODEC = MqttCodec()
TOPIC = st.text(st.characters(exclude_characters="+#\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
AT_MOST_ONCE = st.builds(Publish, TOPIC, st.binary(max_size=300), retain=st.booleans())
AT_LEAST_ONCE = st.builds(
    Publish, TOPIC, st.binary(max_size=300), st.just(1), st.integers(1, 65_535), st.booleans(), st.booleans()
)
PACKET = st.builds(Packet, st.sampled_from([1, 2, 4, 8, 9, 12, 13, 14]), st.binary(max_size=40))
MESSAGES = st.lists(st.one_of(AT_MOST_ONCE, AT_LEAST_ONCE, PACKET), max_size=5)


@pytest.mark.parametrize(
    ("length", "encoded"),
    # table 2.4: the first and last length of each number of bytes
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (16_383, "ff7f"),
        (16_384, "808001"),
        (2_097_151, "ffff7f"),
        (2_097_152, "80808001"),
        (268_435_455, "ffffff7f"),
    ],
)
def test_remaining_length_is_that_of_the_standard(length: int, encoded: str) -> None:
    assert head(0x30, length).hex() == "30" + encoded


def test_publish_is_that_of_the_standard() -> None:
    # figures 3.10 and 3.11: topic a/b, packet identifier 10
    frame = bytes.fromhex("32 07 00 03 61 2f 62 00 0a")
    assert CODEC.decode(frame) == Publish("a/b", b"", 1, 10)
    assert CODEC.encode(Publish("a/b", b"", 1, 10)) == frame


def test_subscribe_is_that_of_the_standard() -> None:
    # figures 3.22 and 3.23: a/b at QoS 1, c/d at QoS 2
    frame = CODEC.encode(subscribe(10, {"a/b": 1, "c/d": 2}))
    assert frame.hex() == "820e" + "000a" + "0003612f6201" + "0003632f6402"


def test_connect_carries_a_will_and_a_credential() -> None:
    packet = connect("id", user="u", password="p", keep_alive=10, will=Publish("w", b"x", 1, retain=True))
    # figure 3.6: protocol MQTT, level 4, all flags but clean session and reserved
    assert (
        packet.body.hex() == "00044d51545404ec000a" + "00026964" + "000177" + "000178" + "000175" + "000170"
    )


@given(MESSAGES, st.data())
def test_cut_anywhere_the_packets_are_the_same(messages: list[Packet | Publish], data: st.DataObject) -> None:
    stream = b"".join(CODEC.encode(message) for message in messages)
    buffer, frames = bytearray(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        buffer += stream[:size]
        stream = stream[size:]
        frames += CODEC.cut(buffer)
    assert not buffer
    assert [CODEC.decode(frame) for frame in frames] == messages


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_the_same_or_refused(data: bytes) -> None:
    buffer = bytearray(data)
    frames = CODEC.cut(buffer)
    assert b"".join(frames) + buffer == data
    for frame in frames:
        try:
            message = CODEC.decode(frame)
        except BadInput:
            continue
        assert CODEC.encode(message) == frame


@pytest.mark.parametrize(
    "frame",
    [
        "36020001",  # QoS 3 (§3.3.1.2)
        "3003000161" + "00",  # longer than it says
        "3003000123",  # a wildcard in a topic (§3.3.2.1)
        "3205000161" + "0000",  # packet identifier 0 (§2.3.1)
        "300300",
        "f000",  # reserved (table 2.1)
        "c100",  # flags (table 2.2)
        "3083000161",
    ],
)
def test_a_broken_packet_is_refused(frame: str) -> None:
    with pytest.raises(BadInput):
        CODEC.decode(bytes.fromhex(frame))


def test_what_is_too_long_is_not_waited_for() -> None:
    buffer = bytearray(head(0x30, LONGEST + 1) + b"abc")
    (frame,) = CODEC.cut(buffer)
    assert not buffer
    with pytest.raises(BadInput):
        CODEC.decode(frame)
    assert CODEC.encode(Packet(PINGREQ)) == b"\xc0\x00"
