"""Frames of DL/T 645-2007 §5.2: up to four FE, then ``68 A0…A5 68 C L DATA CS 16``, data shifted by 33H."""

import msgspec

from yunmeng.kernel.sense import bad_checksum, bad_frame, sum8

PROTOCOL = "DL/T 645"
SHORTEST = 12
LONGEST = SHORTEST + 255
WAKE = b"\xfe" * 4
ANYONE = "AAAAAAAAAAAA"
EVERYONE = "999999999999"

_SHIFT = bytes((byte + 0x33) & 0xFF for byte in range(256))
_UNSHIFT = bytes((byte - 0x33) & 0xFF for byte in range(256))


class Frame(msgspec.Struct, frozen=True):
    """One frame; ``address`` is twelve digits as printed on the meter, ``data`` without its shift."""

    address: str
    control: int
    data: bytes = b""

    @property
    def function(self) -> int:
        """The function code (bits 0 to 4)."""
        return self.control & 0x1F

    @property
    def from_meter(self) -> bool:
        """Whether the meter sent it (bit 7)."""
        return bool(self.control & 0x80)

    @property
    def failed(self) -> bool:
        """Whether the meter says that it could not (bit 6)."""
        return bool(self.control & 0x40)

    @property
    def more(self) -> bool:
        """Whether more data follows (bit 5)."""
        return bool(self.control & 0x20)


class MeterCodec:
    """Cuts and reads frames; both directions look alike."""

    def cut(self, buffer: bytearray) -> list[bytes]:
        """Takes frames off the buffer; wake-up bytes vanish, other noise comes out to be refused."""
        frames: list[bytes] = []
        while buffer:
            noise = _noise(buffer)
            if noise:
                junk = bytes(buffer[:noise]).strip(b"\xfe")
                del buffer[:noise]
                frames += [junk] if junk else []
                continue
            if len(buffer) < 10:
                break
            size = SHORTEST + buffer[9]
            if len(buffer) < size:
                break
            frames.append(bytes(buffer[:size]))
            del buffer[:size]
        return frames

    def decode(self, frame: bytes) -> Frame:
        """Reads one frame. Raises ``BadInput("frame.bad")``, ``BadInput("frame.checksum")``."""
        if len(frame) < SHORTEST or frame[0] != 0x68 or frame[7] != 0x68:
            raise bad_frame(PROTOCOL, f"68 … 68: {frame[:10].hex()}")
        if frame[-1] != 0x16 or len(frame) != SHORTEST + frame[9]:
            raise bad_frame(PROTOCOL, f"L/16H: {frame[9]}, {frame[-1]:02X}")
        if frame[-2] != (expected := sum8(frame[:-2])):
            raise bad_checksum(PROTOCOL, frame[-2], expected)
        return Frame(frame[6:0:-1].hex().upper(), frame[8], frame[10:-2].translate(_UNSHIFT))

    def encode(self, message: Frame) -> bytes:
        """Writes one frame, without wake-up bytes."""
        head = b"\x68" + bytes.fromhex(message.address)[::-1] + b"\x68"
        body = head + bytes((message.control, len(message.data))) + message.data.translate(_SHIFT)
        return body + bytes((sum8(body), 0x16))


def _noise(buffer: bytearray) -> int:
    """Returns how many bytes at the front cannot begin a frame."""
    start = buffer.find(0x68)
    if start:
        return len(buffer) if start < 0 else start
    return 1 if len(buffer) > 7 and buffer[7] != 0x68 else 0
