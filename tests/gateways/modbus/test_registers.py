"""Register maps: what is read at once, and what the words mean."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.gateways.modbus.registers import Field, Read, RegisterMap, encode, reads, shipped_maps, values


def test_neighbours_travel_in_one_request() -> None:
    assert reads(shipped_maps()["sdm630"]) == [
        Read("input", 0, 8),
        Read("input", 0x34, 2),
        Read("input", 0x46, 4),
    ]


def test_no_request_is_longer_than_the_protocol_allows() -> None:
    many = {f"f{n}": Field(n * 2, "float32") for n in range(300)}
    for read in reads(RegisterMap("", "", "holding", many)):
        assert read.count <= 125


def test_an_ieee_number_of_the_meters_manual_is_read() -> None:
    # SDM630 manual, "Modbus protocol message format": 43 66 33 34 is 230.2
    words = {("input", 0): 0x4366, ("input", 1): 0x3334}
    assert values(shipped_maps()["sdm630"], words) == {"voltage_1": pytest.approx(230.2, abs=1e-4)}


def test_a_power_of_ten_in_another_register_is_applied() -> None:
    words = {("holding", 40083): 1234, ("holding", 40084): 0xFFFF}
    assert values(shipped_maps()["sunspec-inverter"], words) == {"active_power": 123.4}


def test_what_is_not_implemented_is_missing() -> None:
    words = {
        ("holding", 40083): 0x8000,
        ("holding", 40084): 0,
        ("holding", 40085): 5000,
        ("holding", 40086): 0x8000,
    }
    assert values(shipped_maps()["sunspec-inverter"], words) == {"active_power": None, "frequency": None}


@given(
    st.sampled_from(["int16", "uint16", "int32", "uint32", "int64", "float64"]),
    st.sampled_from(["big", "little"]),
    st.integers(0, 32_767),
)
def test_what_is_written_is_what_is_read(type_: str, order: str, value: int) -> None:
    field = Field(10, type_, words=order)
    words = {("holding", 10 + n): word for n, word in enumerate(encode(field, value))}
    assert values(RegisterMap("", "", "holding", {"x": field}), words) == {"x": value}


@pytest.mark.parametrize(("type_", "value"), [("int16", 40_000), ("uint16", -1), ("uint32", 2**40)])
def test_a_value_that_does_not_fit_is_refused(type_: str, value: int) -> None:
    with refused("command.arguments"):
        encode(Field(0, type_), value)


def test_floats_that_are_no_number_are_missing() -> None:
    high, low = struct.unpack(">HH", struct.pack(">f", float("nan")))
    assert values(shipped_maps()["sdm630"], {("input", 0): high, ("input", 1): low}) == {"voltage_1": None}
