"""The checksums of field protocols."""

from array import array
from functools import cache
from struct import unpack

import numpy as np


def xor8(data: bytes) -> int:
    """Returns the exclusive or of all bytes (JT/T 808, GB/T 32960)."""
    # folding one long integer onto itself is several times faster than a loop over bytes; what the folds
    # leave above the lowest byte is never looked at
    number, shift = int.from_bytes(data), 4 << (len(data) - 1).bit_length()
    while shift > 256:
        number ^= number >> shift
        shift >>= 1
    number ^= number >> 256
    number ^= number >> 128
    number = (number ^ number >> 64) & 0xFFFFFFFFFFFFFFFF
    number ^= number >> 32
    number ^= number >> 16
    return (number ^ number >> 8) & 0xFF


def sum8(data: bytes) -> int:
    """Returns the sum of all bytes modulo 256 (DL/T 645, CJ/T 188)."""
    return sum(data) & 0xFF


def crc16_modbus(data: bytes, register: int = 0xFFFF) -> int:
    """Returns the CRC-16 of polynomial 0x8005, reflected, started at 0xFFFF (Modbus RTU, SL 651)."""
    # two bytes a step: the register is as wide, so one table of all pairs does
    size = len(data)
    table = _pairs()
    pairs: tuple[int, ...] = unpack(f"<{size >> 1}H", data[: size & ~1])
    for pair in pairs:
        register = table[register ^ pair]
    return (register >> 8) ^ _MODBUS[(register ^ data[-1]) & 0xFF] if size & 1 else register


def _shifted(register: int) -> int:
    for _ in range(8):
        register = (register >> 1) ^ 0xA001 if register & 1 else register >> 1
    return register


_MODBUS = tuple(_shifted(byte) for byte in range(256))


@cache
def _pairs() -> "array[int]":
    # packed, since a list of so many numbers would push everything else out of the processor's caches
    single, pair = np.array(_MODBUS, np.uint16), np.arange(1 << 16, dtype=np.uint16)
    once = (pair >> 8) ^ single[pair & 0xFF]
    return array("H", ((once >> 8) ^ single[once & 0xFF]).tobytes())
