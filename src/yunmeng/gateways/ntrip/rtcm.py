"""Frames of RTCM 10403 (version 3): preamble, length, message, CRC-24Q (clause 4)."""

from yunmeng.kernel.sense import bad_checksum, bad_frame

PROTOCOL = "rtcm3"
PREAMBLE = 0xD3
LONGEST = 1023
_AROUND = 6
_NOISE = 4096
_POLYNOMIAL = 0x1864CFB


def _crc_table() -> tuple[int, ...]:
    table: list[int] = []
    for octet in range(256):
        crc = octet << 16
        for _ in range(8):
            crc = crc << 1 ^ _POLYNOMIAL if crc & 0x800000 else crc << 1
        table.append(crc)
    return tuple(table)


_TABLE = _crc_table()


def crc24q(data: bytes) -> int:
    """Returns the checksum of Qualcomm that RTCM uses."""
    crc = 0
    for octet in data:
        crc = (crc << 8 & 0xFFFFFF) ^ _TABLE[crc >> 16 ^ octet]
    return crc


class RtcmCodec:
    """Bytes ⇄ messages; what a message holds is read by :mod:`yunmeng.gateways.ntrip.messages`."""

    def cut(self, buffer: bytearray) -> list[bytes]:
        """Cuts by the length; where the checksum is wrong and no frame follows, by the next preamble."""
        frames: list[bytes] = []
        place = 0
        while place < len(buffer):
            if not _begins(buffer, place):
                end = _next(buffer, place + 1)
            elif len(buffer) - place < 3 or len(buffer) - place < (size := _size(buffer, place)):
                break
            else:
                end = place + size
                if crc24q(bytes(buffer[place:end])) and end < len(buffer) and not _begins(buffer, end):
                    end = _next(buffer, place + 1)
            frames.append(bytes(buffer[place:end]))
            place = end
        del buffer[:place]
        return frames

    def decode(self, frame: bytes) -> bytes:
        """Returns the message of a frame.

        Raises:
            BadInput: ``frame.bad`` or ``frame.checksum``.
        """
        if len(frame) < _AROUND or not _begins(frame, 0) or _size(frame, 0) != len(frame):
            raise bad_frame(PROTOCOL, f"{len(frame)} bytes that are no frame")
        found, expected = int.from_bytes(frame[-3:], "big"), crc24q(frame[:-3])
        if found != expected:
            raise bad_checksum(PROTOCOL, found, expected)
        return frame[3:-3]

    def encode(self, message: bytes) -> bytes:
        """Writes one frame. Raises ``BadInput("frame.bad")`` for a message of over 1023 bytes."""
        if len(message) > LONGEST:
            raise bad_frame(PROTOCOL, f"{len(message)} bytes")
        frame = bytes((PREAMBLE,)) + len(message).to_bytes(2, "big") + message
        return frame + crc24q(frame).to_bytes(3, "big")


def _begins(buffer: bytes | bytearray, place: int) -> bool:
    """Tells whether a frame may begin here: a preamble, and the six bits of reserve are 0."""
    return buffer[place] == PREAMBLE and (place + 1 >= len(buffer) or buffer[place + 1] < 4)


def _size(buffer: bytes | bytearray, place: int) -> int:
    return int.from_bytes(buffer[place + 1 : place + 3], "big") + _AROUND


def _next(buffer: bytearray, place: int) -> int:
    end = min(len(buffer), place + _NOISE)
    while (found := buffer.find(PREAMBLE, place, end)) >= 0:
        if _begins(buffer, found):
            return found
        place = found + 1
    return end
