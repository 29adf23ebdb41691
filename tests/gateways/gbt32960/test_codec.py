"""Packets of GB/T 32960.3 and what their bodies say, in both editions."""

from struct import pack

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.gateways.gbt32960.bodies import Bodies, Part, Report
from yunmeng.gateways.gbt32960.codec import COMMAND, V2016, V2025, Gbt32960Codec, Packet
from yunmeng.gateways.gbt32960.commands import read_parameters
from yunmeng.gateways.gbt32960.simulator import Car
from yunmeng.gateways.gbt32960.times import read_time
from yunmeng.kernel.base import YunmengError, instant_us

CODEC = Gbt32960Codec()
VIN = b"LSJE36096MS140495"

packets = st.builds(
    Packet,
    st.sampled_from([V2016, V2025]),
    st.integers(1, 255),
    st.sampled_from([1, 2, 3, 4, COMMAND]),
    st.binary(min_size=17, max_size=17),
    st.binary(max_size=300),
    st.sampled_from([1, 2, 3, 5, 0xFE, 0xFF]),
)


@given(packets)
def test_a_packet_comes_back_as_it_was_written(packet: Packet) -> None:
    frame = CODEC.encode(packet)
    assert CODEC.cut(bytearray(frame)) == [frame]
    assert CODEC.decode(frame) == packet


@given(
    st.lists(st.one_of(packets.map(CODEC.encode), st.binary(max_size=40), st.just(b"##")), max_size=6),
    st.data(),
)
def test_cut_anywhere_the_frames_are_the_same_and_nothing_is_lost(
    pieces: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(pieces)
    places = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    buffer, found = bytearray(), []
    for begin, end in zip([0, *places], [*places, len(stream)], strict=True):
        buffer += stream[begin:end]
        found += CODEC.cut(buffer)
    whole = bytearray(stream)
    assert CODEC.cut(whole) == found
    assert whole == buffer
    assert b"".join(found) + buffer == stream


@given(packets, packets)
def test_a_packet_behind_one_with_a_wrong_size_is_found(one: Packet, other: Packet) -> None:
    broken = bytearray(CODEC.encode(one))
    broken[22:24] = pack(">H", len(one.data) + 5)
    good = CODEC.encode(other)
    assume(broken[-1:] != good[:1])  # three in a row: only more data tells which two of them are the mark
    buffer = bytearray(bytes(broken) + good + bytes(5))
    assert good in CODEC.cut(buffer)


@given(st.binary(max_size=400))
def test_any_data_is_read_or_refused(data: bytes) -> None:
    for is_2025 in (False, True):
        assert refusal(data, is_2025=is_2025) in ("", "frame.bad")
    assert refusal(data) in ("", "frame.bad")


def refusal(data: bytes, *, is_2025: bool | None = None) -> str:
    """Why the bodies, or the parameters, were refused."""
    try:
        if is_2025 is None:
            read_parameters(data)
        else:
            Bodies(data, 0, is_2025=is_2025).read()
    except YunmengError as reason:
        return reason.key
    return ""


def test_noise_does_not_pile_up() -> None:
    buffer = bytearray()
    found: list[bytes] = []
    for _ in range(100):
        buffer += b"noise" * 100
        found += CODEC.cut(buffer)
        assert len(buffer) <= 4096 + 500
    assert b"".join(found) + buffer == b"noise" * 10_000


@pytest.mark.parametrize(
    ("place", "key"),
    [
        (0, "frame.bad"),
        (23, "frame.bad"),
        (2, "frame.checksum"),
        (25, "frame.checksum"),
        (-1, "frame.checksum"),
    ],
)
def test_a_changed_byte_is_found_out(place: int, key: str) -> None:
    frame = bytearray(CODEC.encode(Packet(V2016, 2, COMMAND, VIN, bytes((26, 7, 1, 12, 0, 0)))))
    frame[place] ^= 0x10
    with refused(key):
        CODEC.decode(bytes(frame))


def test_a_published_packet() -> None:
    """A log of 2017 that others publish: VIN 170606GB06CZH0045, 21 July, 17:31:39."""
    frame = "232302FE31373036303647423036435A4830303435010010110715111F270500069BD42001F13C685A"
    packet = CODEC.decode(bytes.fromhex(frame))
    assert packet.device == "170606GB06CZH0045"
    assert read_time(packet.data[:6]) == instant_us("2017-07-21T17:31:39+08:00")
    assert Bodies(packet.data, 6, is_2025=False).read() == Report(
        {"position_valid": 1, "longitude": 110.875680, "latitude": 32.586856}, []
    )


def body(text: str, *, is_2025: bool = False) -> Report:
    return Bodies(bytes.fromhex(text), 0, is_2025=is_2025).read()


def test_the_vehicle_of_2016() -> None:
    """Table 9: 352.0 - 1000 A is what the offset of 10,000 means."""
    said = body("01 01 03 01 01F4 0000D431 0F0A 2774 46 01 2E 1388 14 00").vehicle
    assert said == {
        "state": 1,
        "charging": 3,
        "mode": 1,
        "speed": 50.0,
        "mileage": 5432.1,
        "voltage": 385.0,
        "current": 10.0,
        "soc": 70,
        "dcdc": 1,
        "gear": 14,
        "driving": 1,
        "braking": 0,
        "insulation": 5000,
        "accelerator": 20,
        "brake": 0,
    }


def test_what_is_abnormal_or_invalid_is_none() -> None:
    said = body("01 FE FF FE FFFE FFFFFFFF FFFF FFFE FF FE 0F FFFE FF FE").vehicle
    assert {name for name, value in said.items() if value is None} == set(said) - {
        "gear",
        "driving",
        "braking",
    }


def test_the_vehicle_of_2025_has_another_offset_and_a_gear_that_may_be_unknown() -> None:
    said = body("01 01 03 01 01F4 0000D431 0F0A 7594 46 01 BF 1388", is_2025=True).vehicle
    assert (said["current"], said["gear"], "brake" in said) == (10.0, None, False)


def test_motors_of_both_editions() -> None:
    old = body("02 01 01 01 55 59D8 5078 64 0F0A 2774")
    new = body("02 01 01 01 55 88B8 00031128 64", is_2025=True)
    said = {"motor_state": 1, "controller_temperature": 45, "rotation": 3000, "motor_temperature": 60}
    bus = {"controller_voltage": 385.0, "controller_current": 10.0}
    assert old.parts == [Part("motor", 1, {**said, "torque": 60.0, **bus})]
    assert new.parts == [Part("motor", 1, {**said, "torque": 100.0})]


def test_fuel_cells_and_hydrogen() -> None:
    old = body("03 0DAC 0064 007B 0002 55 56 0258 01 0032 02 015E 03 01").vehicle
    assert old["fuel_cell_temperatures"] == "45,46"
    assert (old["hydrogen_consumption"], old["hydrogen_temperature"]) == (1.23, 20.0)
    assert (old["hydrogen_concentration"], old["hydrogen_pressure"]) == (50, 35.0)
    new = body("03 003C 01 2710 02 015E 03 01 50 55", is_2025=True).vehicle
    assert (new["hydrogen_temperature"], new["hydrogen_volume_concentration"]) == (20, 1.0)
    assert (new["hydrogen_level"], new["dcdc_controller_temperature"]) == (80, 45)


@pytest.mark.parametrize(("raw", "said"), [("0000", -40), ("00FA", 210), ("00FB", None), ("FFFE", None)])
def test_a_hydrogen_temperature_out_of_the_range_is_none(raw: str, said: int | None) -> None:
    new = body(f"03 {raw} 01 2710 02 015E 03 01 50 55 04 0BB8", is_2025=True).vehicle
    assert (new["hydrogen_temperature"], new["crankshaft"]) == (said, 3000)


@pytest.mark.parametrize(
    ("text", "is_2025", "said"),
    [
        (
            "05 00 06CFD2F0 01D2C5E0",
            False,
            {"position_valid": 1, "longitude": 114.283248, "latitude": 30.590432},
        ),
        (
            "05 06 06CFD2F0 01D2C5E0",
            False,
            {"position_valid": 1, "longitude": -114.283248, "latitude": -30.590432},
        ),
        ("05 01 06CFD2F0 01D2C5E0", False, {"position_valid": 0, "longitude": None, "latitude": None}),
        ("05 00 FFFFFFFF FFFFFFFE", False, {"position_valid": 1, "longitude": None, "latitude": None}),
        (
            "05 00 02 06CFD2F0 01D2C5E0",
            True,
            {
                "position_valid": 1,
                "longitude": 114.283248,
                "latitude": 30.590432,
                "coordinate_system": "GCJ02",
            },
        ),
    ],
)
def test_positions(text: str, is_2025: bool, said: dict[str, object]) -> None:
    assert body(text, is_2025=is_2025).vehicle == said


def test_a_place_off_the_earth_is_refused() -> None:
    with refused("frame.bad"):
        body("05 00 0ABA9501 00000000")


def test_extremes_alarms_and_faults() -> None:
    said = body("06 01 05 0FA0 02 06 0F3C 01 03 46 01 04 41 07 02 00000003 01 0000000A 00 00 FE").vehicle
    assert (said["highest_voltage"], said["lowest_voltage"]) == (4.0, 3.9)
    assert (said["highest_temperature"], said["lowest_temperature"]) == (30, 25)
    assert (said["alarm_level"], said["alarms"], said["battery_faults"]) == (2, 3, "0000000a")
    assert (said["motor_faults"], said["other_faults"]) == ("", "")
    new = body("06 02 00000003 00 00 00 01 0000000B 02 0001 0102", is_2025=True).vehicle
    assert (new["other_faults"], new["alarm_levels"]) == ("0000000b", "0:1,1:2")


def test_cells_that_come_in_several_bodies_are_joined() -> None:
    first = "08 01 01 0F0A 2774 0004 0001 02 0FA0 FFFF"
    second = "08 01 01 0F0A 2774 0004 0003 02 0FA1 0FA2"
    report = body(first + second + "09 01 01 0002 46 FF")
    assert report.parts == [
        Part(
            "battery",
            1,
            {
                "pack_voltage": 385.0,
                "pack_current": 10.0,
                "cell_count": 4,
                "cell_voltages": "1:4.0,;3:4.001,4.002",
                "temperatures": "30,",
            },
        )
    ]


def test_what_2025_adds() -> None:
    text = "07 01 02 0F0A 7594 0002 0FA0 0FA1 08 01 02 0001 46"
    text += "30 01 01 0FA0 03E8 07D0 0BB8 55 0001 56 31 01 0FA0 7594 0001 0A28 0001 46"
    text += "32 01 0005 0A28 01 0006 0A00 01 0007 46 01 0008 41 80 0002 ABCD"
    report = body(text + "FF 01 0002 1234 0001 56", is_2025=True)
    battery, stack, capacitor = report.parts
    assert battery.fields["pack_current"] == 10.0
    assert (battery.fields["cell_voltages"], battery.fields["temperatures"]) == ("1:4.0,4.001", "30")
    assert (stack.kind, stack.fields["hydrogen_inlet_pressure"]) == ("stack", 100.0)
    assert (stack.fields["air_inlet_pressure"], stack.fields["temperatures"]) == (200.0, "46")
    assert (capacitor.kind, capacitor.fields["cell_voltages"]) == ("capacitor", "1:2.6")
    assert report.vehicle["capacitor_highest_voltage"] == 2.6
    assert report.vehicle["capacitor_lowest_temperature"] == 25
    assert report.vehicle["custom"] == "80:abcd"


@pytest.mark.parametrize("text", ["0A 00", "01 01", "FF 01", "08 02 01", "80 0005 00"])
def test_bodies_that_are_unknown_or_cut_off_are_refused(text: str) -> None:
    with refused("frame.bad"):
        body(text)


def test_nothing_follows_a_signature() -> None:
    with refused("frame.bad"):
        body("FF 01 0001 12 0000 04 1388", is_2025=True)


@pytest.mark.parametrize("is_2025", [False, True])
def test_the_simulated_car_says_what_its_tables_say(is_2025: bool) -> None:
    packet = CODEC.decode(Car(1, 42, is_2025=is_2025).report(instant_us("2026-07-01T12:00:00+08:00")))
    assert packet.data[:6] == bytes((26, 7, 1, 12, 0, 0))
    report = Bodies(packet.data, 6, is_2025=is_2025).read()
    assert report.vehicle["voltage"] == 380.5
    assert {part.kind for part in report.parts} == {"motor", "battery"}


@pytest.mark.parametrize("text", ["1A0D01000000", "1A0100000000", "1A0101180000", "640101000000", "1A01"])
def test_times_that_cannot_be_are_refused(text: str) -> None:
    with refused("frame.bad"):
        read_time(bytes.fromhex(text))
