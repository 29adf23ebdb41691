"""Encryption of the edition of 2025 (6.4.2, annex A.2): SM4 in ECB, sixteen bytes at a time, the rest plain.

What stands between ``CP=&&`` and ``&&`` is encrypted after the line is complete, so checksum and length are
those of the plain line. That fits bytes as they come out of the cipher; the standard prints them as
``{0xE4,0x3E,…}``, and there are implementations that send them so. Both are read. Source: the readings of
annex A.2 in public implementations, whose printed key (sixteen times 0x30) and first bytes the tests try.
"""

import re

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from yunmeng.kernel.base import BadInput

_BLOCK = 16
_MARK = b"CP=&&"
_WRITTEN = re.compile(rb"\{((?:0x[0-9A-Fa-f]{2},?)*)\}(.*)\Z", re.DOTALL)


def read_key(text: str) -> bytes:
    """Reads a key: sixteen characters, or 32 hex digits. Raises ``BadInput("sense.option")``."""
    try:
        key = bytes.fromhex(text) if len(text) == 2 * _BLOCK else text.encode("ascii")
    except ValueError:
        key = b""
    if len(key) != _BLOCK:
        raise BadInput("sense.option", name="hj212", option="sm4", value=f"({len(text)})")
    return key


def encrypt(data: bytes, key: bytes, *, written: bool = False) -> bytes:
    """Returns a data segment with its data encrypted; ``written`` as the standard prints it."""
    head, region, tail = _parts(data)
    whole = len(region) // _BLOCK * _BLOCK
    cipher = _cipher(key).encryptor().update(region[:whole])
    if written:
        cipher = b"{%s}" % b",".join(b"0x%02X" % byte for byte in cipher)
    return head + cipher + region[whole:] + tail


def decrypt(data: bytes, key: bytes) -> bytes:
    """Returns a data segment with its data plain; the checksum tells whether that made sense."""
    head, region, tail = _parts(data)
    if found := _WRITTEN.match(region):
        region = bytes(int(each, 16) for each in found[1].split(b",") if each) + found[2]
    whole = len(region) // _BLOCK * _BLOCK
    return head + _cipher(key).decryptor().update(region[:whole]) + region[whole:] + tail


def is_encrypted(data: bytes) -> bool:
    """Tells whether this looks encrypted: written so, or with control characters, which no plain data has."""
    return is_written(data) or any(byte < 32 for byte in _parts(data)[1])


def is_written(data: bytes) -> bool:
    """Tells whether an encrypted segment is written as the standard prints it."""
    return bool(_WRITTEN.match(_parts(data)[1]))


def _cipher(key: bytes) -> Cipher[modes.ECB]:
    return Cipher(SM4(key), modes.ECB())  # noqa: S305 (the standard's own choice)


def _parts(data: bytes) -> tuple[bytes, bytes, bytes]:
    head, mark, region = data.partition(_MARK)
    return (head + mark, region[:-2], region[-2:]) if region.endswith(b"&&") else (data, b"", b"")
