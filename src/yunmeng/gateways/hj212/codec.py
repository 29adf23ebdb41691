"""Lines of HJ 212: two hashes, four digits of length, the data segment, checksum, CR LF (clause 6.3.1)."""

import re
from collections.abc import Callable

from msgspec.structs import replace

from yunmeng.gateways.hj212.checksum import crc16_hj212
from yunmeng.gateways.hj212.cipher import decrypt, is_encrypted
from yunmeng.gateways.hj212.messages import Packet
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import bad_checksum, bad_frame

_LONGEST = 6 + 9999 + 6
_START = re.compile(rb"##|#\Z")
_LINE = re.compile(rb"\r\n(?=##)")
_NEXT = re.compile(rb"\r\n|(?=##)")
_HEX = re.compile(r"[0-9A-Fa-f]{4}\Z")
_OF_2025 = re.compile(rb"(?:\A|;)Flag=(?:[89]|1[01]);")
_MN = re.compile(rb"(?:\A|;)MN=([^;]*);")

Keys = Callable[[str], bytes | None]
"""Finds the key of a device by its MN."""


class Hj212Codec:
    """Reads and writes lines; text that is no UTF-8 is read as GB 18030 (which holds GBK).

    ``dialect=bare`` is of devices that leave out CR LF; ``keys`` deciphers lines of the edition of 2025.
    """

    def __init__(self, dialect: str = "", keys: Keys | None = None) -> None:
        if dialect not in ("", "bare"):
            raise BadInput("sense.option", name="hj212", option="dialect", value=dialect)
        self._bare = dialect == "bare"
        self._keys = keys

    def cut(self, buffer: bytearray) -> list[bytes]:
        """Takes lines off the buffer by their length, or up to CR LF where the length is wrong."""
        lines: list[bytes] = []
        at, size = 0, len(buffer)
        while at < size:
            length = self._length(buffer, at, size)
            if not length:
                break
            lines.append(bytes(buffer[at : at + length]))
            at += length
        del buffer[:at]
        return lines

    def decode(self, frame: bytes) -> Packet:
        """Reads one line. Raises ``BadInput("frame.bad")`` or ``BadInput("frame.checksum")``."""
        end = b"\r\n" if frame.endswith(b"\r\n") else b"\n" if frame.endswith(b"\n") else b""
        last = len(frame) - len(end) - 4
        if last < 6 or frame[:2] != b"##" or not frame[2:6].isdigit():
            raise bad_frame("hj212", "no ## with a length of four digits")
        data, digits = frame[6:last], frame[last : last + 4].decode("latin-1")
        if not _HEX.match(digits):
            raise bad_frame("hj212", "the checksum is no hex number")
        expected, found = crc16_hj212(data), int(digits, 16)
        plain = data if found == expected else self._decipher(data, found, expected)
        text = _text(plain)
        counted = int(frame[2:6])
        if counted not in (len(data), len(text), len(plain)):
            raise bad_frame("hj212", f"the length says {counted}, not {len(data)}")
        lower = digits != digits.upper()
        if lower and digits != digits.lower():
            raise bad_frame("hj212", "the checksum mixes small and capital letters")
        packet = _read(data, text, lower, end, -1 if counted == len(data) else counted)
        return packet if plain is data else replace(packet, plain=plain)

    def encode(self, message: Packet) -> bytes:
        """Writes one line."""
        counted = len(message.data) if message.counted < 0 else message.counted
        checksum = crc16_hj212(message.plain or message.data)
        digits = b"%04x" % checksum if message.lower else b"%04X" % checksum
        return b"##%04d" % counted + message.data + digits + message.end

    def _decipher(self, data: bytes, found: int, expected: int) -> bytes:
        """The checksum is of the plain line (A.2), so only with the right key does it come out."""
        head = data.partition(b"CP=&&")[0]
        named = _MN.search(head)
        if named is None or not _OF_2025.search(head):
            raise bad_checksum("hj212", found, expected)
        mn = named[1].decode("latin-1")
        key = self._keys(mn) if self._keys is not None else None
        if key is None:
            if is_encrypted(data):
                raise bad_frame("hj212", f"encrypted, and there is no key of {mn}")
            raise bad_checksum("hj212", found, expected)
        plain = decrypt(data, key)
        if crc16_hj212(plain) != found:
            raise bad_checksum("hj212", found, expected)
        return plain

    def _length(self, data: bytearray, at: int, size: int) -> int:
        """Returns how much from ``at`` on belongs together, 0 when that can't be told yet."""
        if not data.startswith(b"##", at):
            found = _START.search(data, at)
            start = size if found is None else found.start()
            return start - at
        digits = data[at + 2 : at + 6]
        if not digits.isdigit() and (digits or size - at > 2):
            return self._line(data, at, size, 2)
        if len(digits) < 4:
            return 0
        end = at + 10 + int(digits)
        if size >= end + 2 and data[end] == 13 and data[end + 1] == 10:
            return end + 2 - at
        return self._odd(data, at, end, size)

    def _odd(self, data: bytearray, at: int, end: int, size: int) -> int:
        """A line that is not whole yet, ends without CR LF, or has a wrong length."""
        if found := _LINE.search(data, at + 6, min(size, end + 4)):
            return found.end() - at
        after = bytes(data[end : end + 2])
        if size < end or (size == end and not self._bare) or (size == end + 1 and after in (b"\r", b"#")):
            return 0
        if _HEX.match(data[end - 4 : end].decode("latin-1")):
            if after[:1] == b"\n":
                return end + 1 - at
            if self._bare or after == b"##":
                return end - at
        return self._line(data, at, size, 6)

    def _line(self, data: bytearray, at: int, size: int, skip: int) -> int:
        """Up to the next line's begin or the end of this one."""
        if found := _NEXT.search(data, at + skip):
            return found.end() - at
        return size - at if size - at >= _LONGEST else 0


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("gb18030", "replace")


def _read(data: bytes, text: str, lower: bool, end: bytes, counted: int) -> Packet:
    head, mark, cp = text.partition("CP=&&")
    if not mark or not cp.endswith("&&"):
        raise bad_frame("hj212", "no CP=&&…&&")
    try:
        fields = dict([pair.split("=", 1) for pair in head.split(";") if pair])
        return Packet(
            data,
            fields.get("QN", ""),
            fields.get("ST", ""),
            fields["CN"],
            fields.get("PW", ""),
            fields["MN"],
            int(fields.get("Flag", "0")),
            int(fields.get("PNUM", "0")),
            int(fields.get("PNO", "0")),
            cp[:-2],
            lower,
            end,
            counted,
        )
    except (KeyError, ValueError) as cause:
        raise bad_frame("hj212", f"no CN or MN, or no number: {cause}") from cause
