"""What travels in MQTT packets."""

import msgspec

CONNECT, CONNACK, PUBLISH, PUBACK = 1, 2, 3, 4
SUBSCRIBE, SUBACK = 8, 9
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14


class Packet(msgspec.Struct, frozen=True, gc=False):
    """Any packet but PUBLISH; ``kind`` as in table 2.1, ``body`` all behind the fixed header."""

    kind: int
    body: bytes = b""


class Publish(msgspec.Struct, frozen=True, gc=False):
    """An application message; ``packet`` is its identifier, 0 at QoS 0 (§3.3).

    ``properties`` are those of MQTT 5, as they came (§3.3.2.3 there).
    """

    topic: str
    payload: bytes
    qos: int = 0
    packet: int = 0
    retain: bool = False
    dup: bool = False
    properties: bytes = b""
