"""MQTT 3.1.1 packets (OASIS, 29 October 2014): fixed header, remaining length, body."""

from yunmeng.gateways.mqtt.messages import CONNECT, PUBLISH, SUBSCRIBE, Packet, Publish
from yunmeng.kernel.sense import bad_frame

LONGEST = 4 << 20
"""No packet longer than this is taken, in bytes; the standard would allow 256 MiB."""

_FORBIDDEN = frozenset("\0+#")


class MqttCodec:
    """Packets of the version that every broker speaks."""

    def cut(self, buffer: bytearray) -> list[bytes]:
        """Takes whole packets off the front; after noise nothing of what came can be a packet (§2.2.3)."""
        frames: list[bytes] = []
        start, have = 0, len(buffer)
        while have - start >= 2:
            length = buffer[start + 1]
            body = start + 2
            if length & 0x80:
                found = _long_length(buffer, start)
                if found is None:
                    break
                length, body = found
            if length > LONGEST or length < 0:
                frames.append(bytes(buffer[start:]))
                buffer.clear()
                return frames
            if have < body + length:
                break
            frames.append(bytes(buffer[start : body + length]))
            start = body + length
        del buffer[:start]
        return frames

    def decode(self, frame: bytes) -> Packet | Publish:
        """Reads one packet. Raises ``BadInput("frame.bad")``."""
        length, body = frame[1] if len(frame) > 1 else -1, 2
        if length & 0x80:
            length, body = _long_length(frame, 0) or (-1, 2)
        if length != len(frame) - body or frame[:body] != head(frame[0], length):
            raise bad_frame("MQTT", "remaining length")
        kind, flags = frame[0] >> 4, frame[0] & 0x0F
        if kind == PUBLISH:
            return _publish(frame, body, flags)
        if not 1 <= kind <= 14 or flags != (2 if kind in (6, SUBSCRIBE, 10) else 0):
            raise bad_frame("MQTT", f"control byte {frame[0]:02X}")
        return Packet(kind, frame[body:])

    def encode(self, message: Packet | Publish) -> bytes:
        """Writes one packet."""
        if isinstance(message, Packet):
            flags = 2 if message.kind in (6, SUBSCRIBE, 10) else 0
            return head(message.kind << 4 | flags, len(message.body)) + message.body
        topic = message.topic.encode()
        id = message.packet.to_bytes(2, "big") if message.qos else b""
        first = PUBLISH << 4 | message.dup << 3 | message.qos << 1 | message.retain
        body = len(topic).to_bytes(2, "big") + topic + id + message.payload
        return head(first, len(body)) + body


def head(first: int, length: int) -> bytes:
    """Returns the fixed header (§2.2)."""
    if length < 0x80:
        return bytes((first, max(length, 0)))
    digits = bytearray((first,))
    while length >= 0x80:
        digits.append(length & 0x7F | 0x80)
        length >>= 7
    digits.append(length)
    return bytes(digits)


def text(value: str | bytes) -> bytes:
    """Returns a string or bytes with their length in front (§1.5.3)."""
    raw = value.encode() if isinstance(value, str) else value
    return len(raw).to_bytes(2, "big") + raw


def connect(
    client: str,
    *,
    user: str = "",
    password: str = "",
    keep_alive: int = 60,
    clean: bool = False,
    will: Publish | None = None,
) -> Packet:
    """Returns CONNECT (§3.1); the will is told by the broker when we are gone without a word."""
    flags = (bool(user) << 7) | (bool(password) << 6) | (clean << 1)
    body = text(client)
    if will is not None:
        flags |= 0x04 | will.qos << 3 | will.retain << 5
        body += text(will.topic) + text(will.payload)
    body += (text(user) if user else b"") + (text(password) if password else b"")
    return Packet(CONNECT, text("MQTT") + bytes((4, flags)) + keep_alive.to_bytes(2, "big") + body)


def subscribe(packet: int, filters: dict[str, int]) -> Packet:
    """Returns SUBSCRIBE to filters with the quality wanted of each (§3.8)."""
    wanted = b"".join(text(name) + bytes((qos,)) for name, qos in filters.items())
    return Packet(SUBSCRIBE, packet.to_bytes(2, "big") + wanted)


def _long_length(data: bytes | bytearray, start: int) -> tuple[int, int] | None:
    """Returns length and start of the body, a length of -1 where none can be, None while bytes lack."""
    length = 0
    for place in range(4):
        if start + 1 + place >= len(data):
            return None
        digit = data[start + 1 + place]
        length |= (digit & 0x7F) << (7 * place)
        if not digit & 0x80:
            return length, start + 2 + place
    return -1, start + 5


def _publish(frame: bytes, body: int, flags: int) -> Publish:
    end = body + 2 + int.from_bytes(frame[body : body + 2], "big")
    qos = flags >> 1 & 3
    after = end + 2 if qos else end
    if after > len(frame) or qos == 3 or (flags & 8 and not qos):
        raise bad_frame("MQTT", "PUBLISH")
    try:
        topic = frame[body + 2 : end].decode()
    except UnicodeDecodeError as cause:
        raise bad_frame("MQTT", "topic: UTF-8") from cause
    packet = int.from_bytes(frame[end:after], "big")
    if not topic or not _FORBIDDEN.isdisjoint(topic) or (qos and not packet):
        raise bad_frame("MQTT", "topic or packet identifier")
    return Publish(topic, frame[after:], qos, packet, bool(flags & 1), bool(flags & 8))
