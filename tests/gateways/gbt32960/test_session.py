"""Whatever comes in a whole packet, the platform's side answers or refuses, and never breaks."""

from hypothesis import given
from hypothesis import strategies as st
from tests.field import station

from yunmeng.gateways.gbt32960.codec import COMMAND, V2016, V2025, Gbt32960Codec, Packet
from yunmeng.gateways.gbt32960.session import Gbt32960Session
from yunmeng.kernel.sense import Command, Refuse, Send

CODEC = Gbt32960Codec()
VIN = b"LSJE36096MS140495"
TIME = bytes((26, 7, 1, 12, 0, 0))
AT = 1_782_878_400_000_000

packets = st.builds(
    Packet,
    st.sampled_from([V2016, V2025]),
    st.sampled_from([*range(1, 12), 0x80, 0x81, 0x82, 0xC0]),
    st.sampled_from([1, 2, COMMAND]),
    st.sampled_from([VIN, bytes(17), b"\xff" * 17]),
    st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(lambda bodies: TIME + bodies)),
    st.sampled_from([1, 1, 1, 3, 0xFF]),
)


@given(
    st.lists(packets, max_size=8),
    st.sampled_from(["parameters", "restart", "sample", "disconnect"]),
)
def test_any_conversation_is_answered_or_refused(messages: list[Packet], name: str) -> None:
    session = Gbt32960Session(station("gbt32960"))
    is_known = False
    for number, packet in enumerate(messages):
        for effect in session.received(CODEC.encode(packet), AT):
            if isinstance(effect, Send):
                assert CODEC.decode(effect.data).vin == packet.vin
            elif isinstance(effect, Refuse):
                assert effect.reason.key == "frame.bad"
        is_known = is_known or packet.vin == VIN
        if is_known:
            list(session.command(Command("c", VIN.decode(), name), AT))
        list(session.tick(AT + number * 60_000_000))
