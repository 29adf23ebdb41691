"""The information bodies of real-time data as tables: 7.2.3 of 2016 with its annex B, 7.2.4 of 2025.

A row is a field: name, size in bytes, and how its value is reckoned: ``(raw - offset) / divisor``. Raw
values of all ones, and one less, say that there is none (invalid, abnormal).
"""

from collections.abc import Callable, Iterator

import msgspec

from yunmeng.gateways.gbt32960.codec import PROTOCOL
from yunmeng.kernel.sense import bad_frame

Value = float | int | str | None
Row = tuple[str, int, int, int]
"""Name, size in bytes, divisor, offset (of the raw value)."""


def _row(name: str, size: int, divisor: int = 1, offset: int = 0) -> Row:
    return name, size, divisor, offset


_STATES = (_row("state", 1), _row("charging", 1), _row("mode", 1))
_DRIVE = (_row("speed", 2, 10), _row("mileage", 4, 10), _row("voltage", 2, 10))
_GEAR = (_row("soc", 1), _row("dcdc", 1), _row("gear", 1), _row("insulation", 2))
VEHICLE_2016 = (
    *_STATES,
    *_DRIVE,
    _row("current", 2, 10, 10_000),
    *_GEAR,
    _row("accelerator", 1),
    _row("brake", 1),
)
VEHICLE_2025 = (*_STATES, *_DRIVE, _row("current", 2, 10, 30_000), *_GEAR)
_MOTOR = (_row("number", 1), _row("motor_state", 1), _row("controller_temperature", 1, 1, 40))
MOTOR_2016 = (
    *_MOTOR,
    _row("rotation", 2, 1, 20_000),
    _row("torque", 2, 10, 20_000),
    _row("motor_temperature", 1, 1, 40),
    _row("controller_voltage", 2, 10),
    _row("controller_current", 2, 10, 10_000),
)
MOTOR_2025 = (
    *_MOTOR,
    _row("rotation", 2, 1, 32_000),
    _row("torque", 4, 10, 200_000),
    _row("motor_temperature", 1, 1, 40),
)
FUEL_CELL = (
    _row("fuel_cell_voltage", 2, 10),
    _row("fuel_cell_current", 2, 10),
    _row("hydrogen_consumption", 2, 100),
)
_SENSORS = (_row("hydrogen_concentration_sensor", 1), _row("hydrogen_pressure", 2, 10))
HYDROGEN_2016 = (
    _row("hydrogen_temperature", 2, 10, 400),
    _row("hydrogen_temperature_probe", 1),
    _row("hydrogen_concentration", 2),
    *_SENSORS,
    _row("hydrogen_pressure_sensor", 1),
    _row("high_voltage_dcdc", 1),
)
HYDROGEN_2025 = (
    _row("hydrogen_temperature", 2, 1, 40),
    _row("hydrogen_temperature_probe", 1),
    _row("hydrogen_volume_concentration", 2, 10_000),
    *_SENSORS,
    _row("hydrogen_pressure_sensor", 1),
    _row("high_voltage_dcdc", 1),
    _row("hydrogen_level", 1),
    _row("dcdc_controller_temperature", 1, 1, 40),
)
ENGINE_2016 = (_row("engine_state", 1), _row("crankshaft", 2), _row("fuel_consumption", 2, 100))
ENGINE_2025 = (_row("crankshaft", 2),)
EXTREMES = (
    _row("highest_voltage_system", 1),
    _row("highest_voltage_cell", 1),
    _row("highest_voltage", 2, 1000),
    _row("lowest_voltage_system", 1),
    _row("lowest_voltage_cell", 1),
    _row("lowest_voltage", 2, 1000),
    _row("highest_temperature_system", 1),
    _row("highest_temperature_probe", 1),
    _row("highest_temperature", 1, 1, 40),
    _row("lowest_temperature_system", 1),
    _row("lowest_temperature_probe", 1),
    _row("lowest_temperature", 1, 1, 40),
)
CAPACITOR_EXTREMES = tuple(
    _row(f"capacitor_{name}", 2 if name.endswith(("_cell", "_probe")) else size, divisor, offset)
    for name, size, divisor, offset in EXTREMES
)
PACK_2016 = (
    _row("number", 1),
    _row("pack_voltage", 2, 10),
    _row("pack_current", 2, 10, 10_000),
    _row("cell_count", 2),
    _row("first_cell", 2),
)
PACK_2025 = (_row("number", 1), _row("pack_voltage", 2, 10), _row("pack_current", 2, 10, 30_000))
STACK = (
    _row("number", 1),
    _row("stack_voltage", 2, 10),
    _row("stack_current", 2, 10),
    _row("hydrogen_inlet_pressure", 2, 10, 1_000),
    _row("air_inlet_pressure", 2, 10, 1_000),
    _row("air_inlet_temperature", 1, 1, 40),
)
CAPACITOR = (
    _row("number", 1),
    _row("capacitor_voltage", 2, 10),
    _row("capacitor_current", 2, 10, 30_000),
)
FAULTS = ("battery_faults", "motor_faults", "engine_faults", "other_faults")


class Part(msgspec.Struct, frozen=True, gc=False):
    """What a body says of a part of the vehicle: which ``kind`` of part, its number, its fields."""

    kind: str
    number: int
    fields: dict[str, Value]


class Report(msgspec.Struct):
    """What the bodies of one message say: of the vehicle itself, and of its parts."""

    vehicle: dict[str, Value] = {}
    parts: list[Part] = []


Read = Callable[["Bodies", Report], None]


class Bodies:
    """Reads the bodies of one message from front to back. Raises ``frame.bad`` for what is not there."""

    def __init__(self, data: bytes, start: int, *, is_2025: bool) -> None:
        self._data = data
        self._place = start
        self.is_2025 = is_2025

    def read(self) -> Report:
        """Returns what all bodies say."""
        report = Report({}, [])
        readers = _READERS_2025 if self.is_2025 else _READERS_2016
        while self._place < len(self._data):
            kind = self.number(1)
            if kind == 0xFF and self.is_2025:
                self._signature()
            elif 0x80 <= kind <= 0xFE:
                name, content = f"{kind:02x}", self.take(self.number(2)).hex()
                said = report.vehicle.get("custom")
                report.vehicle["custom"] = f"{said};{name}:{content}" if said else f"{name}:{content}"
            elif kind in readers:
                readers[kind](self, report)
            else:
                raise bad_frame(PROTOCOL, f"information body {kind:02X} is not known")
        return report

    def take(self, size: int) -> bytes:
        """Returns the next bytes."""
        piece = self._data[self._place : self._place + size]
        if len(piece) != size:
            raise bad_frame(PROTOCOL, f"data ends after {len(self._data)} bytes")
        self._place += size
        return piece

    def number(self, size: int) -> int:
        """Returns the next unsigned number."""
        return int.from_bytes(self.take(size))

    def count(self, size: int = 1) -> int:
        """Returns how many things follow; none where the number says abnormal or invalid."""
        number = self.number(size)
        return 0 if number >= (1 << 8 * size) - 2 else number

    def rows(self, table: tuple[Row, ...]) -> dict[str, Value]:
        """Returns the fields of a table."""
        return {
            name: value(self.number(size), size, divisor, offset) for name, size, divisor, offset in table
        }

    def values(self, count: int, size: int, divisor: int = 1, offset: int = 0) -> list[Value]:
        """Returns equal values one after the other."""
        data = self.take(count * size)
        return [
            value(int.from_bytes(data[place : place + size]), size, divisor, offset)
            for place in range(0, len(data), size)
        ]

    def _signature(self) -> None:
        """A signature of the vehicle (2025, table 8); it is stepped over, not verified."""
        self.number(1)
        self.take(self.number(2))
        self.take(self.number(2))
        if self._place != len(self._data):
            raise bad_frame(PROTOCOL, f"{len(self._data) - self._place} bytes behind the signature")


def value(raw: int, size: int, divisor: int, offset: int) -> float | int | None:
    """Returns the value of a raw number, None for abnormal and invalid."""
    if raw >= (1 << 8 * size) - 2:
        return None
    return raw - offset if divisor == 1 else (raw - offset) / divisor


def text_of(values: list[Value]) -> str:
    """Writes a list of values; what is missing is empty."""
    return ",".join(["" if each is None else str(each) for each in values])


def _vehicle(bodies: Bodies, report: Report, table: tuple[Row, ...]) -> None:
    fields = bodies.rows(table)
    gear = fields.pop("gear")
    if isinstance(gear, int):
        fields["gear"] = None if gear & 0x80 and table is VEHICLE_2025 else gear & 15
        fields["driving"], fields["braking"] = gear >> 5 & 1, gear >> 4 & 1
    report.vehicle |= fields


def _motors(bodies: Bodies, report: Report, table: tuple[Row, ...]) -> None:
    for _ in range(bodies.count()):
        _part(report, "motor", bodies.rows(table))


def _part(report: Report, kind: str, fields: dict[str, Value]) -> None:
    given = fields.pop("number")
    number = given if isinstance(given, int) else 0
    known = next((part for part in report.parts if (part.kind, part.number) == (kind, number)), None)
    if known is None:
        report.parts.append(Part(kind, number, fields))
        return
    # more than 200 cells come in several bodies of one message (annex B of 2016)
    cells = [str(each["cell_voltages"]) for each in (known.fields, fields) if "cell_voltages" in each]
    known.fields.update(fields)
    if cells:
        known.fields["cell_voltages"] = ";".join(cells)


def _fuel_cell(bodies: Bodies, report: Report) -> None:
    report.vehicle |= bodies.rows(FUEL_CELL)
    report.vehicle["fuel_cell_temperatures"] = text_of(bodies.values(bodies.count(2), 1, 1, 40))
    report.vehicle |= bodies.rows(HYDROGEN_2016)


def _hydrogen(bodies: Bodies, report: Report) -> None:
    """0x03 of 2025 (table 17): the temperature has two bytes, and goes from -40 °C to 210 °C."""
    fields = bodies.rows(HYDROGEN_2025)
    temperature = fields["hydrogen_temperature"]
    # a published list of checks allows 2500, that is tenths; such values must not pass for whole degrees
    if isinstance(temperature, int) and temperature > _HOTTEST:
        fields["hydrogen_temperature"] = None
    report.vehicle |= fields


def _position(bodies: Bodies, report: Report) -> None:
    state = bodies.number(1)
    system = bodies.number(1) if bodies.is_2025 else 0
    place = bodies.rows((_row("longitude", 4, 1_000_000), _row("latitude", 4, 1_000_000)))
    longitude, latitude = place["longitude"], place["latitude"]
    fields: dict[str, Value] = {"position_valid": 1 - (state & 1)}
    if not isinstance(longitude, float) or not isinstance(latitude, float) or state & 1:
        longitude = latitude = None
    elif longitude > 180 or latitude > 90:
        raise bad_frame(PROTOCOL, f"longitude {longitude}, latitude {latitude}")
    else:
        longitude, latitude = -longitude if state & 4 else longitude, -latitude if state & 2 else latitude
    if system:
        fields["coordinate_system"] = _SYSTEMS.get(system)
    report.vehicle |= fields | {"longitude": longitude, "latitude": latitude}


_HOTTEST = 210
_SYSTEMS = {1: "WGS84", 2: "GCJ02", 3: "other"}


def _alarms(bodies: Bodies, report: Report) -> None:
    level = bodies.number(1)
    fields: dict[str, Value] = {"alarm_level": None if level >= 0xFE else level}
    fields["alarms"] = bodies.number(4)
    for name in FAULTS:
        codes = bodies.take(4 * bodies.count())
        fields[name] = ",".join([codes[place : place + 4].hex() for place in range(0, len(codes), 4)])
    if bodies.is_2025:
        pairs = bodies.take(2 * bodies.count())
        fields["alarm_levels"] = ",".join(
            [f"{pairs[place]}:{pairs[place + 1]}" for place in range(0, len(pairs), 2)]
        )
    report.vehicle |= fields


def _voltages_2016(bodies: Bodies, report: Report) -> None:
    for _ in range(bodies.count()):
        fields = bodies.rows(PACK_2016)
        first = fields.pop("first_cell")
        voltages = bodies.values(bodies.count(), 2, 1000)
        _part(report, "battery", fields | _cells(voltages, first if isinstance(first, int) else 1))


def _voltages_2025(bodies: Bodies, report: Report) -> None:
    for _ in range(bodies.count()):
        fields = bodies.rows(PACK_2025)
        voltages = bodies.values(bodies.count(2), 2, 1000)
        _part(report, "battery", fields | {"cell_count": len(voltages)} | _cells(voltages, 1))


def _cells(voltages: list[Value], first: int) -> dict[str, Value]:
    return {"cell_voltages": f"{first}:{text_of(voltages)}"} if voltages else {}


def _temperatures(bodies: Bodies, report: Report) -> None:
    for _ in range(bodies.count()):
        number = bodies.number(1)
        temperatures = bodies.values(bodies.count(2), 1, 1, 40)
        _part(report, "battery", {"number": number, "temperatures": text_of(temperatures)})


def _stacks(bodies: Bodies, report: Report) -> None:
    for _ in range(bodies.count()):
        fields = bodies.rows(STACK)
        temperatures = bodies.values(bodies.count(2), 1, 1, 40)
        _part(report, "stack", fields | {"temperatures": text_of(temperatures)})


def _capacitor(bodies: Bodies, report: Report) -> None:
    fields = bodies.rows(CAPACITOR)
    fields |= _cells(bodies.values(bodies.count(2), 2, 1000), 1)
    fields["temperatures"] = text_of(bodies.values(bodies.count(2), 1, 1, 40))
    _part(report, "capacitor", fields)


def _plain(table: tuple[Row, ...]) -> Read:
    def read(bodies: Bodies, report: Report) -> None:
        report.vehicle |= bodies.rows(table)

    return read


_READERS_2016: dict[int, Read] = {
    0x01: lambda bodies, report: _vehicle(bodies, report, VEHICLE_2016),
    0x02: lambda bodies, report: _motors(bodies, report, MOTOR_2016),
    0x03: _fuel_cell,
    0x04: _plain(ENGINE_2016),
    0x05: _position,
    0x06: _plain(EXTREMES),
    0x07: _alarms,
    0x08: _voltages_2016,
    0x09: _temperatures,
}
_READERS_2025: dict[int, Read] = {
    0x01: lambda bodies, report: _vehicle(bodies, report, VEHICLE_2025),
    0x02: lambda bodies, report: _motors(bodies, report, MOTOR_2025),
    0x03: _hydrogen,
    0x04: _plain(ENGINE_2025),
    0x05: _position,
    0x06: _alarms,
    0x07: _voltages_2025,
    0x08: _temperatures,
    0x30: _stacks,
    0x31: _capacitor,
    0x32: _plain(CAPACITOR_EXTREMES),
}


def rows_of(table: tuple[Row, ...], fields: dict[str, Value]) -> Iterator[bytes]:
    """Writes the fields of a table; what is missing is written as invalid."""
    for name, size, divisor, offset in table:
        given = fields.get(name)
        number = float(given) if isinstance(given, (int, float)) else None
        raw = (1 << 8 * size) - 1 if number is None else round(number * divisor) + offset
        yield raw.to_bytes(size)
