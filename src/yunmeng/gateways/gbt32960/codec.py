"""Packets of GB/T 32960.3: ``##`` of 2016, ``$$`` of 2025, sized, with an exclusive or at the end (6.2)."""

from struct import Struct

import msgspec

from yunmeng.kernel.sense import bad_checksum, bad_frame, xor8

PROTOCOL = "GB/T 32960"
V2016, V2025 = b"##", b"$$"
COMMAND = 0xFE
"""The answer flag of what is no answer."""
PLAIN = 1
"""The encryption flag of data that is not encrypted."""

_HEAD = Struct(">2sBB17sBH")
_NOISE = 4096


class Packet(msgspec.Struct, frozen=True, gc=False):
    """One packet; ``edition`` is its start mark, ``vin`` the 17 bytes that name vehicle or platform."""

    edition: bytes
    command: int
    answer: int
    vin: bytes
    data: bytes = b""
    encryption: int = PLAIN

    @property
    def is_2025(self) -> bool:
        """Whether it follows the edition of 2025."""
        return self.edition == V2025

    @property
    def device(self) -> str:
        """The name without the zeros that fill it up."""
        return self.vin.rstrip(b"\0 ").decode("ascii", "replace")


class Gbt32960Codec:
    """Bytes ⇄ packets."""

    def cut(self, buffer: bytearray) -> list[bytes]:
        """Cuts by the size in the header; where that cannot be right, by the next start mark."""
        frames: list[bytes] = []
        place = 0
        while (begin := _mark(buffer, place)) >= 0:
            frames += _pieces(buffer[place:begin])
            place = begin
            if len(buffer) - begin < 24:
                break
            size = _size(buffer, begin)
            if size > len(buffer) - begin:
                break
            end = begin + size
            if size == 2 or xor8(bytes(buffer[begin + 2 : end])):
                # the size may be what is wrong: whatever begins inside of it gets its chance
                inner = _mark(buffer, begin + 1, end)
                end = end if size > 2 and inner < 0 else inner if inner >= 0 else begin + 2
            frames.append(bytes(buffer[begin:end]))
            place = end
        del buffer[:place]
        if _mark(buffer, 0) < 0:
            while len(buffer) > _NOISE:
                frames.append(bytes(buffer[:_NOISE]))
                del buffer[:_NOISE]
        return frames

    def decode(self, frame: bytes) -> Packet:
        """Reads one packet.

        Raises:
            BadInput: ``frame.bad`` or ``frame.checksum``.
        """
        if len(frame) < 25 or frame[:2] not in (V2016, V2025):
            raise bad_frame(PROTOCOL, f"{len(frame)} bytes without a packet")
        edition, command, answer, vin, encryption, size = _HEAD.unpack_from(frame)
        if len(frame) != 25 + size:
            raise bad_frame(PROTOCOL, f"{len(frame) - 25} bytes of data, {size} in the header")
        if xor8(frame[2:]):
            raise bad_checksum(PROTOCOL, frame[-1], xor8(frame[2:-1]))
        return Packet(edition, command, answer, vin, frame[24:-1], encryption)

    def encode(self, message: Packet) -> bytes:
        """Writes one packet."""
        edition, command, answer = message.edition, message.command, message.answer
        raw = _HEAD.pack(edition, command, answer, message.vin, message.encryption, len(message.data))
        raw += message.data
        return raw + bytes((xor8(raw[2:]),))


def _mark(buffer: bytearray, start: int, end: int | None = None) -> int:
    """The place of the next start mark, -1 without one."""
    stop = len(buffer) if end is None else end
    old, new = buffer.find(V2016, start, stop), buffer.find(V2025, start, stop)
    return max(old, new) if min(old, new) < 0 else min(old, new)


def _size(buffer: bytearray, begin: int) -> int:
    """The size of the packet that begins here; only its mark where the header cannot be one."""
    _, command, answer, _, encryption, size = _HEAD.unpack_from(buffer, begin)
    is_header = (
        command and (1 <= answer <= 7 or answer == COMMAND) and (encryption <= 5 or encryption >= 0xFE)
    )
    return 25 + size if is_header else 2


def _pieces(noise: bytearray) -> list[bytes]:
    return [bytes(noise[start : start + _NOISE]) for start in range(0, len(noise), _NOISE)]
