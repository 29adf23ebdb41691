"""APDUs and their control field: numbered data, acknowledgements, control of the link (104, clause 5)."""

from enum import IntEnum

import msgspec

from yunmeng.kernel.sense import bad_frame

PROTOCOL = "iec104"
START = 0x68
MODULO = 32_768
"""Sequence numbers have 15 bits (5.1)."""
LONGEST_ASDU = 249
_SHORTEST, _LONGEST = 4, 253
_NOISE = 4096


class Function(IntEnum):
    """The one function that a U frame bears (figure 8), as its first control octet."""

    STARTDT_ACT = 0x07
    STARTDT_CON = 0x0B
    STOPDT_ACT = 0x13
    STOPDT_CON = 0x23
    TESTFR_ACT = 0x43
    TESTFR_CON = 0x83


class Numbered(msgspec.Struct, frozen=True, gc=False):
    """An I frame: an ASDU with the numbers sent and received."""

    send: int
    receive: int
    asdu: bytes


class Supervisory(msgspec.Struct, frozen=True, gc=False):
    """An S frame: everything before ``receive`` has come."""

    receive: int


class Unnumbered(msgspec.Struct, frozen=True, gc=False):
    """A U frame."""

    function: Function


Apdu = Numbered | Supervisory | Unnumbered

_FUNCTIONS = {bytes((each, 0, 0, 0)): Unnumbered(each) for each in Function}


class Iec104Codec:
    """Bytes ⇄ APDUs."""

    def cut(self, buffer: bytearray) -> list[bytes]:
        """Cuts by the length octet; what cannot begin an APDU comes out up to the next start octet."""
        frames: list[bytes] = []
        place = 0
        while place < len(buffer):
            if buffer[place] != START or (len(buffer) - place > 1 and not _is_length(buffer[place + 1])):
                end = _next_start(buffer, place)
                frames.append(bytes(buffer[place:end]))
            elif len(buffer) - place < 2 or len(buffer) - place < (size := buffer[place + 1] + 2):
                break
            else:
                end = place + size
                frames.append(bytes(buffer[place:end]))
            place = end
        del buffer[:place]
        return frames

    def decode(self, frame: bytes) -> Apdu:
        """Reads one APDU; its ASDU stays as it is, for a bad one has its number all the same.

        Raises:
            BadInput: ``frame.bad``.
        """
        if len(frame) < _SHORTEST + 2 or frame[0] != START or frame[1] != len(frame) - 2:
            raise bad_frame(PROTOCOL, f"{len(frame)} bytes that are no APDU")
        control = frame[2:6]
        if not control[0] & 1 and not control[2] & 1 and len(frame) > _SHORTEST + 2:
            return Numbered(_number(control[0:2]), _number(control[2:4]), frame[6:])
        if len(frame) == _SHORTEST + 2:
            if control[:2] == b"\1\0" and not control[2] & 1:
                return Supervisory(_number(control[2:4]))
            if found := _FUNCTIONS.get(control):
                return found
        raise bad_frame(PROTOCOL, f"control field {control.hex()} of {len(frame) - 6} bytes of ASDU")

    def encode(self, message: Apdu) -> bytes:
        """Writes one APDU."""
        match message:
            case Numbered(send, receive, asdu):
                head = bytes((START, len(asdu) + 4))
                return head + (send << 1).to_bytes(2, "little") + (receive << 1).to_bytes(2, "little") + asdu
            case Supervisory(receive):
                return bytes((START, 4, 1, 0)) + (receive << 1).to_bytes(2, "little")
            case Unnumbered(function):
                return bytes((START, 4, function, 0, 0, 0))


def _number(octets: bytes) -> int:
    return int.from_bytes(octets, "little") >> 1


def _is_length(octet: int) -> bool:
    return _SHORTEST <= octet <= _LONGEST


def _next_start(buffer: bytearray, place: int) -> int:
    found = buffer.find(START, place + 1, place + _NOISE)
    return found if found >= 0 else min(len(buffer), place + _NOISE)
