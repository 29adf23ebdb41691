"""Frames of SL 651: both codings, single and in packets, with dialects of provinces (clauses 6.2 to 6.5)."""

import re
import struct
from typing import Literal

from yunmeng.gateways.sl651.messages import ENDS, SOH, STX, SYN, Frame
from yunmeng.gateways.sl651.values import time_bytes
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import bad_checksum, bad_frame, crc16_modbus

_UP, _DOWN = struct.Struct(">xxB5sHBHB"), struct.Struct(">xx5sBHBHB")
_CONFIRMATION = struct.Struct(">2s5sBHBHBH6sB")
_HEX_HEAD, _ASCII_HEAD = 14, 24
_MOST_TAIL = 64
_START = re.compile(rb"\x7e\x7e|\x01[0-9A-Fa-f]{2}|(?:\x7e|\x01[0-9A-Fa-f]?)\Z")
_HEAD_WORDS = re.compile(rb"\x01(?:[0-9A-F]{22}|[0-9a-f]{22})[\x02\x16]")
_PACKET_WORDS = re.compile(rb"[0-9A-F]{6}")


class Sl651Codec:
    """Reads and writes frames of both directions.

    ``dialect`` names what provinces do otherwise, with commas between: ``tail-N`` appends N bytes after the
    checksum, ``crc-little`` writes the checksum's low byte first.
    """

    def __init__(self, dialect: str = "") -> None:
        self._tail = 0
        self._order: Literal["big", "little"] = "big"
        for word in filter(None, dialect.split(",")):
            if word.startswith("tail-") and word[5:].isdecimal() and int(word[5:]) <= _MOST_TAIL:
                self._tail = int(word[5:])
            elif word == "crc-little":
                self._order = "little"
            else:
                raise BadInput("sense.option", name="sl651", option="dialect", value=dialect)

    def cut(self, buffer: bytearray) -> list[bytes]:
        """Takes frames off the buffer, by their length; what stands between them comes out as it is."""
        frames: list[bytes] = []
        at, size = 0, len(buffer)
        while at < size:
            length = self._length(buffer, at, size)
            if length < 0:
                found = _START.search(buffer, at + 1)
                length = (found.start() if found else size) - at
            elif length == 0 or at + length > size:
                break
            frames.append(bytes(buffer[at : at + length]))
            at += length
        del buffer[:at]
        return frames

    def decode(self, frame: bytes) -> Frame:
        """Reads one frame. Raises ``BadInput("frame.bad")`` or ``BadInput("frame.checksum")``."""
        if not frame or self._length(frame, 0, len(frame)) != len(frame):
            raise bad_frame("sl651", "no frame")
        return self._read_ascii(frame) if frame[0] == SOH else self._read_hex(frame)

    def encode(self, message: Frame) -> bytes:
        """Writes one frame."""
        data = _write_ascii(message) if message.ascii else _write_hex(message)
        checksum = crc16_modbus(data).to_bytes(2, self._order)
        if message.ascii:
            text = checksum.hex() if message.lower else checksum.hex().upper()
            checksum = text.encode()
        return data + checksum + message.tail.ljust(self._tail, b"\x00")

    def confirm(self, message: Frame, serial: int, at: int, end: int) -> bytes:
        """Writes the confirmation of a single HEX/BCD frame (table 21), the usual answer."""
        station, sent_at = bytes.fromhex(message.station), time_bytes(at)
        head = (station, message.centre, message.password, message.function)
        data = _CONFIRMATION.pack(b"\x7e\x7e", *head, 0x8008, STX, serial, sent_at, end)
        tail = b"\x00" * self._tail
        return data + crc16_modbus(data).to_bytes(2, self._order) + tail

    def _length(self, data: bytes | bytearray, at: int, size: int) -> int:
        """Returns how long the frame at ``at`` is, 0 when that can't be told yet, -1 when there is none."""
        first, there = data[at], size - at
        if first == 0x7E:
            if there < _HEX_HEAD:
                return 0 if there == 1 or data[at + 1] == 0x7E else -1
            mark = data[at + 11]
            if data[at + 1] != 0x7E or mark & 0x70 or data[at + 13] not in (STX, SYN):
                return -1
            length = _HEX_HEAD + ((mark & 0x0F) << 8 | data[at + 12]) + 1
            check = 2
        elif first == SOH:
            if there < _ASCII_HEAD:
                return 0 if _START.match(data, at) else -1
            if not _HEAD_WORDS.match(data, at) or data[at + 19] not in b"08":
                return -1
            length = _ASCII_HEAD + int(data[at + 20 : at + 23], 16) + 1
            check = 4
        else:
            return -1
        if length <= there and data[at + length - 1] not in ENDS:
            return -1
        return length + check + self._tail

    def _read_hex(self, frame: bytes) -> Frame:
        size = len(frame) - 2 - self._tail
        self._check(frame[:size], int.from_bytes(frame[size : size + 2], self._order))
        down = frame[11] > 0x7F
        if down:
            station, centre, password, function, _, start = _DOWN.unpack_from(frame)
        else:
            centre, station, password, function, _, start = _UP.unpack_from(frame)
        body, total, number, tail = frame[_HEX_HEAD : size - 1], 0, 0, frame[size + 2 :]
        if start == SYN:
            total, number, body = *_packet(body[:3].hex(), 6), body[3:]
        return Frame(
            station.hex().upper(),
            function,
            body,
            centre,
            password,
            down,
            frame[size - 1],
            total,
            number,
            tail=tail,
        )

    def _read_ascii(self, frame: bytes) -> Frame:
        size = len(frame) - 4 - self._tail
        text = frame[size : size + 4]
        try:
            found = int.from_bytes(bytes.fromhex(text.decode("ascii")), self._order)
        except ValueError as cause:
            raise bad_frame("sl651", "the checksum is no hex number") from cause
        self._check(frame[:size], found)
        head = frame[1:19].decode()
        lower = head != head.upper() or text != text.upper()
        if lower and (head != head.lower() or text != text.lower()):
            raise bad_frame("sl651", "small and capital letters are mixed")
        down = frame[19] == 0x38
        station, centre = (head[:10], head[10:12]) if down else (head[2:12], head[:2])
        body, total, number = frame[_ASCII_HEAD : size - 1], 0, 0
        if frame[_ASCII_HEAD - 1] == SYN:
            if not _PACKET_WORDS.match(body):
                raise bad_frame("sl651", "the packet has no number")
            total, number, body = *_packet(body[:6].decode(), 6), body[6:]
        return Frame(
            station.upper(),
            int(head[16:18], 16),
            body,
            int(centre, 16),
            int(head[12:16], 16),
            down,
            frame[size - 1],
            total,
            number,
            ascii=True,
            lower=lower,
            tail=frame[size + 4 :],
        )

    def _check(self, data: bytes, found: int) -> None:
        expected = crc16_modbus(data)
        if found != expected:
            raise bad_checksum("sl651", found, expected)


def _packet(text: str, digits: int) -> tuple[int, int]:
    if len(text) != digits:
        raise bad_frame("sl651", "the packet has no number")
    total, number = int(text[:3], 16), int(text[3:], 16)
    if not 1 <= number <= total:
        raise bad_frame("sl651", f"packet {number} of {total}")
    return total, number


def _write_hex(message: Frame) -> bytes:
    packet = (message.total << 12 | message.number).to_bytes(3, "big") if message.total else b""
    length = len(message.body) + len(packet) | message.down << 15
    station, start = bytes.fromhex(message.station), SYN if packet else STX
    if message.down:
        head = _DOWN.pack(station, message.centre, message.password, message.function, length, start)
    else:
        head = _UP.pack(message.centre, station, message.password, message.function, length, start)
    return b"\x7e\x7e" + head[2:] + packet + message.body + bytes((message.end,))


def _write_ascii(message: Frame) -> bytes:
    packet = f"{message.total:03X}{message.number:03X}".encode() if message.total else b""
    centre = f"{message.centre:02X}"
    places = message.station + centre if message.down else centre + message.station
    mark, length = "8" if message.down else "0", len(message.body) + len(packet)
    head = f"{places}{message.password:04X}{message.function:02X}{mark}{length:03X}"
    start = bytes((SYN if packet else STX,))
    letters = head.lower() if message.lower else head
    return b"\x01" + letters.encode() + start + packet + message.body + bytes((message.end,))
