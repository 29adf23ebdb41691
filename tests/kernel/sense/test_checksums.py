"""Checksums against the values that everybody publishes."""

from functools import reduce
from operator import xor

from hypothesis import given
from hypothesis import strategies as st

from yunmeng.kernel.sense import crc16_modbus, sum8, xor8

CHECK = b"123456789"


def test_the_check_values_of_the_catalogue() -> None:
    # CRC-16/MODBUS of the catalogue of parametrised CRC algorithms
    assert crc16_modbus(CHECK) == 0x4B37
    assert crc16_modbus(b"") == 0xFFFF
    # a read of ten holding registers at unit 1, as the Modbus guide prints it: C5 CD on the wire
    assert crc16_modbus(bytes.fromhex("01030000000A")) == 0xCDC5


def test_the_sum_of_a_meter_frame() -> None:
    # DL/T 645-2007 §7.1: from the first 68H up to the checksum; here every meter is asked
    frame = bytes.fromhex("68AAAAAAAAAAAA681300")
    assert sum8(frame) == 0xDF


@given(st.binary(max_size=2000))
def test_the_exclusive_or_is_that_of_every_byte(data: bytes) -> None:
    assert xor8(data) == reduce(xor, data, 0)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_crc_goes_on_where_it_stopped(one: bytes, other: bytes) -> None:
    assert crc16_modbus(one + other) == crc16_modbus(other, crc16_modbus(one))
