"""Frames of JT/T 808: delimiters, escapes, checksum, the headers of 2011/2013 and of 2019 (clause 4.4)."""

from struct import Struct, error

import msgspec

from yunmeng.kernel.sense import bad_checksum, bad_frame, xor8

PROTOCOL = "JT/T 808"
NO_VERSION = -1
"""The version of a packet whose header has none: the editions of 2011 and 2013."""
LONGEST_BODY = 1023
_LONGEST = 2 * (17 + LONGEST_BODY)
_END = b"\x7e"
_PARTED, _VERSIONED, _SIZE = 0x2000, 0x4000, 0x03FF
_HEAD_2013, _HEAD_2019 = Struct(">HH6sH"), Struct(">HHB10sH")
_PART = Struct(">HH")
_ANSWER_2013, _ANSWER_2019 = Struct(">HH6sHHHB"), Struct(">HHB10sHHHB")


class Packet(msgspec.Struct, frozen=True, gc=False):
    """One packet; ``phone`` is the terminal's number as it stands in the header, in BCD.

    ``flags`` are the bits of the properties that say nothing of size, parts or version: encryption (10 to 12)
    and bit 15. A message in parts has its ``total`` of them and this one's ``number``, from 1.
    """

    id: int
    phone: bytes
    serial: int
    body: bytes = b""
    version: int = NO_VERSION
    flags: int = 0
    total: int = 0
    number: int = 0

    @property
    def first_serial(self) -> int:
        """The serial number of the first part of the message."""
        return (self.serial - self.number + 1) & 0xFFFF if self.total else self.serial


def device_of(phone: bytes) -> str:
    """Returns the terminal's number without leading zeros, the same in every edition."""
    return phone.hex().lstrip("0") or "0"


class Jt808Codec:
    """Bytes ⇄ packets."""

    def cut(self, buffer: bytearray) -> list[bytes]:
        """Cuts at the delimiters; one may end a packet and begin the next. Noise comes out in pieces."""
        first, *others = bytes(buffer).split(_END)
        frames = list(_pieces(first)) if first and others else []
        if not others:
            return self._overlong(buffer, first)
        rest = others.pop()
        for piece in others:
            if len(piece) > _LONGEST:
                frames += _pieces(piece)
            elif piece:
                frames.append(_END + piece + _END)
        buffer[:] = _END + rest
        return frames + self._overlong(buffer, rest)

    def _overlong(self, buffer: bytearray, rest: bytes) -> list[bytes]:
        """What is longer than a packet can be is noise, and what follows it is no packet's begin."""
        if len(rest) <= _LONGEST:
            return []
        noise = list(_pieces(rest))
        buffer[:] = noise.pop() if len(noise[-1]) < _LONGEST else b""
        return noise

    def decode(self, frame: bytes) -> Packet:
        """Reads one packet.

        Raises:
            BadInput: ``frame.bad`` or ``frame.checksum``.
        """
        raw = frame[1:-1]
        if b"\x7d" in raw:
            raw = _unescaped(raw)
        if len(raw) < 13 or frame[0] != 0x7E or frame[-1] != 0x7E:
            raise bad_frame(PROTOCOL, f"{len(frame)} bytes without a packet")
        if xor8(raw):
            raise bad_checksum(PROTOCOL, raw[-1], xor8(raw[:-1]))
        try:
            if raw[2] & 0x40:
                (id, properties, version, phone, serial), place = _HEAD_2019.unpack_from(raw), 17
            else:
                (id, properties, phone, serial), version, place = _HEAD_2013.unpack_from(raw), NO_VERSION, 12
            total = number = 0
            if properties & _PARTED:
                total, number = _PART.unpack_from(raw, place)
                place += 4
        except error:
            raise bad_frame(PROTOCOL, "header cut off") from None
        body = raw[place:-1]
        if len(body) != properties & _SIZE or place > len(raw) - 1:
            raise bad_frame(PROTOCOL, f"{len(body)} bytes of body, {properties & _SIZE} in the header")
        if properties & _PARTED and not 1 <= number <= total:
            raise bad_frame(PROTOCOL, f"part {number} of {total}")
        return Packet(id, phone, serial, body, version, properties & 0x9C00, total, number)

    def encode(self, message: Packet) -> bytes:
        """Writes one packet; its body is at most 1,023 bytes (:func:`parts_of` cuts longer ones)."""
        properties = message.flags | len(message.body) | (_PARTED if message.total else 0)
        phone, serial = message.phone, message.serial
        if message.version == NO_VERSION:
            raw = _HEAD_2013.pack(message.id, properties, phone, serial)
        else:
            raw = _HEAD_2019.pack(message.id, properties | _VERSIONED, message.version, phone, serial)
        if message.total:
            raw += _PART.pack(message.total, message.number)
        raw += message.body
        return _framed(raw)

    def acknowledgement(self, of: Packet, serial: int, result: int) -> bytes:
        """Writes the 0x8001 that answers a packet (8.1); nearly all that a platform says."""
        if of.version == NO_VERSION:
            return _framed(_ANSWER_2013.pack(0x8001, 5, of.phone, serial, of.serial, of.id, result))
        head = (0x8001, _VERSIONED | 5, of.version, of.phone, serial)
        return _framed(_ANSWER_2019.pack(*head, of.serial, of.id, result))


def parts_of(message: Packet) -> list[Packet]:
    """Cuts a message into packets with consecutive serial numbers; one that fits stays whole (4.4.3)."""
    size = LONGEST_BODY
    pieces = [message.body[start : start + size] for start in range(0, len(message.body), size)]
    if len(pieces) < 2:
        return [message]
    return [
        msgspec.structs.replace(
            message, body=piece, serial=(message.serial + place) & 0xFFFF, total=len(pieces), number=place + 1
        )
        for place, piece in enumerate(pieces)
    ]


def _framed(raw: bytes) -> bytes:
    raw += xor8(raw).to_bytes()
    if b"\x7d" in raw or b"\x7e" in raw:
        raw = raw.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02")
    return b"\x7e%b\x7e" % raw


def _unescaped(raw: bytes) -> bytes:
    if raw.count(b"\x7d") != raw.count(b"\x7d\x01") + raw.count(b"\x7d\x02"):
        raise bad_frame(PROTOCOL, "7D without 01 or 02")
    return raw.replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")


def _pieces(noise: bytes) -> list[bytes]:
    return [noise[start : start + _LONGEST] for start in range(0, len(noise), _LONGEST)]
