"""MQTT 5 packets (OASIS, 7 March 2019): those of 3.1.1 with properties in them; ours ask for none."""

from yunmeng.gateways.mqtt.codec import MqttCodec, head, text
from yunmeng.gateways.mqtt.messages import CONNECT, SUBSCRIBE, Packet, Publish
from yunmeng.kernel.sense import bad_frame

_SESSION_EXPIRY = 0x11
_KEPT_S = 7 * 86_400
"""How long a broker keeps what comes for us while we are away (§3.1.2.11.2)."""


class Mqtt5Codec(MqttCodec):
    """Packets of MQTT 5."""

    def decode(self, frame: bytes) -> Packet | Publish:
        """Reads one packet. Raises ``BadInput("frame.bad")``."""
        found = super().decode(frame)
        if not isinstance(found, Publish):
            return found
        end = _properties_end(found.payload)
        properties = found.payload[len(_number(_length(found.payload))) : end]
        return Publish(
            found.topic, found.payload[end:], found.qos, found.packet, found.retain, found.dup, properties
        )

    def encode(self, message: Packet | Publish) -> bytes:
        """Writes one packet."""
        if isinstance(message, Packet):
            return super().encode(message)
        payload = _number(len(message.properties)) + message.properties + message.payload
        return super().encode(
            Publish(message.topic, payload, message.qos, message.packet, message.retain, message.dup)
        )


def connect5(
    client: str,
    *,
    user: str = "",
    password: str = "",
    keep_alive: int = 60,
    clean: bool = False,
    will: Publish | None = None,
) -> Packet:
    """Returns CONNECT (§3.1); unless ``clean``, the session outlives the connection by a week."""
    flags = (bool(user) << 7) | (bool(password) << 6) | (clean << 1)
    kept = b"" if clean else bytes((_SESSION_EXPIRY,)) + _KEPT_S.to_bytes(4, "big")
    body = text(client)
    if will is not None:
        flags |= 0x04 | will.qos << 3 | will.retain << 5
        body += b"\0" + text(will.topic) + text(will.payload)
    body += (text(user) if user else b"") + (text(password) if password else b"")
    start = text("MQTT") + bytes((5, flags)) + keep_alive.to_bytes(2, "big")
    return Packet(CONNECT, start + _number(len(kept)) + kept + body)


def subscribe5(packet: int, filters: dict[str, int]) -> Packet:
    """Returns SUBSCRIBE to filters with the quality wanted of each (§3.8)."""
    wanted = b"".join(text(name) + bytes((qos,)) for name, qos in filters.items())
    return Packet(SUBSCRIBE, packet.to_bytes(2, "big") + b"\0" + wanted)


def reasons(body: bytes) -> bytes:
    """Returns the reason codes of a SUBACK, which stand behind its properties (§3.9.3)."""
    return body[2 + _properties_end(body[2:]) :]


def _number(value: int) -> bytes:
    """Writes a variable byte integer (§1.5.5)."""
    return head(0, value)[1:]


def _length(data: bytes) -> int:
    value = 0
    for place, digit in enumerate(data[:4]):
        value |= (digit & 0x7F) << (7 * place)
        if not digit & 0x80:
            return value
    raise bad_frame("MQTT", "property length")


def _properties_end(data: bytes) -> int:
    length = _length(data)
    end = len(_number(length)) + length
    if end > len(data) or data[: end - length] != _number(length):
        raise bad_frame("MQTT", "property length")
    return end
