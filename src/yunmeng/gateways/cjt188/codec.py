"""Frames of CJ/T 188-2018 §6: up to four FE, then ``68 T A0…A6 C L DATA CS 16``; no byte is shifted."""

import msgspec

from yunmeng.kernel.sense import bad_checksum, bad_frame, sum8

PROTOCOL = "CJ/T 188"
SHORTEST = 13
WAKE = b"\xfe" * 4


class Frame(msgspec.Struct, frozen=True):
    """One frame; ``kind`` is the meter's type byte, ``address`` fourteen digits as printed on the meter."""

    kind: int
    address: str
    control: int
    data: bytes = b""

    @property
    def function(self) -> int:
        """The function code (bits 0 to 5)."""
        return self.control & 0x3F

    @property
    def from_meter(self) -> bool:
        """Whether the meter sent it (bit 7)."""
        return bool(self.control & 0x80)

    @property
    def failed(self) -> bool:
        """Whether the meter says that something is wrong (bit 6)."""
        return bool(self.control & 0x40)


class MeterCodec:
    """Cuts and reads frames; both directions look alike."""

    def cut(self, buffer: bytearray) -> list[bytes]:
        """Takes frames off the buffer; wake-up bytes vanish, other noise comes out to be refused."""
        frames: list[bytes] = []
        while buffer:
            start = buffer.find(0x68)
            if start:
                end = len(buffer) if start < 0 else start
                junk = bytes(buffer[:end]).strip(b"\xfe")
                del buffer[:end]
                frames += [junk] if junk else []
                continue
            if len(buffer) < 11:
                break
            size = SHORTEST + buffer[10]
            if len(buffer) < size:
                break
            # a 68 that begins no frame must not swallow the true one behind it
            taken = size if buffer[size - 1] == 0x16 else 1
            frames.append(bytes(buffer[:taken]))
            del buffer[:taken]
        return frames

    def decode(self, frame: bytes) -> Frame:
        """Reads one frame. Raises ``BadInput("frame.bad")``, ``BadInput("frame.checksum")``."""
        if len(frame) < SHORTEST or frame[0] != 0x68 or len(frame) != SHORTEST + frame[10]:
            raise bad_frame(PROTOCOL, f"68 … L: {frame[:11].hex()}")
        if frame[-1] != 0x16:
            raise bad_frame(PROTOCOL, f"16H: {frame[-1]:02X}")
        if frame[-2] != (expected := sum8(frame[:-2])):
            raise bad_checksum(PROTOCOL, frame[-2], expected)
        return Frame(frame[1], frame[8:1:-1].hex().upper(), frame[9], frame[11:-2])

    def encode(self, message: Frame) -> bytes:
        """Writes one frame, without wake-up bytes."""
        head = bytes((0x68, message.kind)) + bytes.fromhex(message.address)[::-1]
        body = head + bytes((message.control, len(message.data))) + message.data
        return body + bytes((sum8(body), 0x16))
