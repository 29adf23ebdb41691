"""OCPP-J messages as JSON; the transport cuts them, so that one delivery is one message."""

import msgspec

from yunmeng.gateways.ocpp.messages import Message
from yunmeng.kernel.base import BadInput

PROTOCOL = "OCPP"
_DECODER: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_ENCODER = msgspec.json.Encoder()
_MOST = 200
_TYPES = range(2, 7)


class OcppCodec:
    """Bytes ⇄ messages; a message that we wrote decodes and encodes to the same bytes."""

    def cut(self, buffer: bytearray) -> list[bytes]:
        """Takes everything: it is one message."""
        frames = [bytes(buffer)] if buffer else []
        buffer.clear()
        return frames

    def decode(self, frame: bytes) -> Message:
        """Reads one message.

        Raises:
            BadInput: ``frame.bad``; its facts have the ``code`` of the answer and the ``id`` that it answers,
                empty when none could be read.
        """
        try:
            return _DECODER.decode(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as cause:
            raise _unreadable(frame, str(cause)) from None

    def encode(self, message: Message) -> bytes:
        """Writes one message."""
        return _ENCODER.encode(message)


def fault(code: str, reason: str, id: str) -> BadInput:
    """Returns the error of a message that is answered by CALLERROR with this code."""
    return BadInput("frame.bad", protocol=PROTOCOL, reason=reason[:_MOST], code=code, id=id)


def _unreadable(frame: bytes, reason: str) -> BadInput:
    """Finds out what can still be said of a message: only a request is answered, and only by its id."""
    try:
        raw = msgspec.json.decode(frame, type=list[object])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return fault("RpcFrameworkError", reason, "")
    match raw:
        case [int(type_), str(id), *_] if type_ not in _TYPES:
            return fault("MessageTypeNotSupported", f"message type {type_}", id[:36])
        case [2, str(id), str(), dict()] if len(id) > 36:
            return fault("RpcFrameworkError", reason, "")
        case [2, str(id), str(), *_]:
            return fault("FormatViolation", reason, id[:36])
        case [3 | 4 | 5 | 6, *_]:
            return fault("", reason, "")
        case _:
            return fault("RpcFrameworkError", reason, "")
