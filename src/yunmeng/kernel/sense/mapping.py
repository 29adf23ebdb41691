"""``mapping.toml``: which attribute of which entity type a field of a protocol is; data, not code.

A file holds one table a kind of message (or of device)::

    [position]                         # the name that the gateway's code or the device's profile asks for
    type = "Vehicle"                   # of the packages' model tables
    id = "urn:ngsi-ld:Vehicle:{gateway}:{device}"   # this when left out, with the type's name

        [position.fields]
        speed = "speed"                # field = attribute, in the attribute's own unit
        altitude = { attribute = "altitude", unit = "MTR" }              # the unit as it arrives
        fuel = { attribute = "fuelLevel", factor = 0.1, offset = 0 }     # value = raw × factor + offset
        status = { attribute = "status", values = { "0" = "stopped", "1" = "moving" } }
        raw = { attribute = "temperature", missing = [ 32767 ] }         # raw values that say: none

A field that no row names is dropped: a mapping may want less than a device says. A file whose name ends in
``.csv`` holds the same as a table of points (:mod:`yunmeng.kernel.sense.mapping_csv`).
"""

import csv
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import compress
from math import inf, isfinite
from pathlib import Path
from urllib.parse import quote

import msgspec

from yunmeng.kernel.base import BadInput, Broken, conversion
from yunmeng.kernel.model import AttributeRow, EntityType, Quality, Reading, Series, TypeLibrary
from yunmeng.kernel.sense.devices import Devices
from yunmeng.kernel.sense.mapping_csv import read_points

Value = float | int | str | None

_NAMES = re.compile(r"\{(\w+)\}")
_MOST_SHAPES, _MOST_SERIES = 10_000, 500_000
_ID_NAMES = {"gateway", "device", "division"}


class FieldRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of a mapping; ``unit`` is a UN/CEFACT code, the attribute's own when empty."""

    attribute: str
    unit: str = ""
    factor: float = 1.0
    offset: float = 0.0
    values: dict[str, str | float] = {}
    missing: tuple[float | str, ...] = ()


class MappingTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table of a mapping file."""

    type: str
    fields: dict[str, FieldRow | str]
    id: str = ""


def read_mapping(file: Path) -> dict[str, MappingTable]:
    """Reads a mapping file. Raises ``Broken("mapping.bad")`` naming file and place."""
    try:
        text = file.read_text(encoding="utf-8")
        raw = read_points(text) if file.suffix == ".csv" else tomllib.loads(text)
        return msgspec.convert(raw, dict[str, MappingTable])
    except (OSError, ValueError, csv.Error) as cause:  # msgspec's errors are ValueErrors
        raise Broken("mapping.bad", file=str(file), reason=str(cause)) from cause


def _scaling(scale: float, shift: float) -> Callable[[float], float]:
    """Returns ``raw × scale + shift``, rounded once where the scale is a tenth, a thousandth and so on."""
    divisor = round(1 / scale) if scale and abs(scale) < 1 else 0
    if not divisor or abs(divisor * scale - 1) >= 1e-12:
        return lambda raw: raw * scale + shift
    return (lambda raw: raw / divisor + shift) if shift else (lambda raw: raw / divisor)


def _converter(name: str, rule: FieldRow, scale: float, shift: float) -> Callable[[Value], Value] | None:
    """Returns what makes a field's value out of what arrived, None when it is that already."""
    scaled, is_plain = _scaling(scale, shift), (scale, shift) == (1.0, 0.0)
    if is_plain and not rule.values and not rule.missing:
        return None
    missing, values = frozenset(rule.missing), rule.values

    def convert(raw: Value) -> Value:
        if raw is None or raw in missing:
            return None
        if values:
            return values.get(str(raw), raw)
        # text that only has to be kept stays as the source wrote it
        return raw if is_plain else scaled(_number(name, raw) if isinstance(raw, str) else raw)

    if missing or values:
        return convert

    def scale_number(raw: Value) -> Value:
        try:
            return scaled(raw)  # pyright: ignore[reportArgumentType]
        except TypeError:  # nearly all are numbers: asking first costs more
            return convert(raw)

    return scale_number


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = inf
    if not isfinite(number):
        raise BadInput("mapping.value", field=name, value=text)
    return number


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which fields a message had, in their order: what to do with them, and their series by device."""

    names: tuple[str, ...]
    converters: tuple[tuple[int, Callable[[Value], Value]], ...]
    wanted: tuple[bool, ...] | None
    series: dict[tuple[str, str], tuple[Series, ...]] = field(
        default_factory=dict[tuple[str, str], tuple[Series, ...]]
    )


class Mapper:
    """Turns the fields of messages into readings, after one table; its series are made once a device."""

    def __init__(
        self,
        table: MappingTable,
        types: TypeLibrary,
        *,
        gateway: str,
        division: str,
        synthetic: bool = False,
        places: Devices | None = None,
    ) -> None:
        self._type = types.type(table.type)
        self._gateway = gateway
        self._division = division
        self._synthetic = synthetic
        self._places = places or Devices()
        self._moves = self._places.moves
        self._id = table.id or f"urn:ngsi-ld:{table.type}:{{gateway}}:{{device}}"
        if strange := set(_NAMES.findall(self._id)) - _ID_NAMES:
            raise Broken("mapping.bad", file=gateway, reason=f"id: {{{strange.pop()}}}")
        self._rows: dict[str, AttributeRow] = {}
        self._units: dict[str, str] = {}
        self._convert: dict[str, Callable[[Value], Value]] = {}
        for name, rule in table.fields.items():
            self._learn(name, FieldRow(rule) if isinstance(rule, str) else rule)
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        self._devices = 0

    @property
    def type(self) -> EntityType:
        """The entity type that the table names."""
        return self._type

    @property
    def names(self) -> frozenset[str]:
        """The fields that the table wants."""
        return frozenset(self._rows)

    def knows(self, name: str) -> bool:
        """Tells whether the table names this field."""
        return name in self._rows

    def unit(self, name: str) -> str:
        """Returns the unit in which a field has to arrive; empty for one without, or that the table lacks."""
        return self._units.get(name, "")

    def entity(self, device: str, division: str = "") -> str:
        """Returns the id of a device's entity: the one that the register gives it, if it is of this type.

        Else one named after the device; what no URN may hold is percent-encoded.
        """
        given = self._places.entity(self._gateway, device)
        if given.startswith(f"urn:ngsi-ld:{self._type.name}:"):
            return given
        name = quote(device, safe="-._~:")
        names = {"gateway": self._gateway, "device": name, "division": division or self._division}
        return self._id.format(**names)

    def reading(
        self,
        device: str,
        observed_at: int,
        fields: Mapping[str, Value],
        *,
        division: str = "",
        quality: Quality = Quality.GOOD,
        frame: str = "",
    ) -> Reading:
        """Returns the reading of one message; fields that the table does not name are left out.

        Raises ``BadInput("mapping.value")`` for a text where the table wants to reckon.
        """
        names = tuple(fields)
        if self._moves != self._places.moves:
            self._moves = self._places.moves
            self._shapes.clear()
        shape = self._shapes.get(names) or self._shape(names)
        series = shape.series.get((device, division)) or self._make(shape, device, division)
        raws: list[Value] = list(fields.values())
        for place, convert in shape.converters:
            raws[place] = convert(raws[place])
        values = tuple(raws) if shape.wanted is None else tuple(compress(raws, shape.wanted))
        return Reading(series, observed_at, values, quality, frame)

    def _shape(self, names: tuple[str, ...]) -> _Shape:
        converters = [
            (place, self._convert[name]) for place, name in enumerate(names) if name in self._convert
        ]
        wanted = [name in self._rows for name in names]
        shape = _Shape(names, tuple(converters), None if all(wanted) else tuple(wanted))
        if len(self._shapes) >= _MOST_SHAPES:
            self._shapes.clear()
        self._shapes[names] = shape
        return shape

    def _make(self, shape: _Shape, device: str, division: str) -> tuple[Series, ...]:
        if self._devices >= _MOST_SERIES:
            self._devices = 0
            for each in self._shapes.values():
                each.series.clear()
        entity, home = self.entity(device, division), division or self._division
        rows = [self._rows[name] for name in shape.names if name in self._rows]
        made = [Series(entity, row.uri, self._type.uri, home, row.unit, self._synthetic) for row in rows]
        shape.series[device, division] = tuple(made)
        self._devices += 1
        return shape.series[device, division]

    def _learn(self, name: str, rule: FieldRow) -> None:
        row = self._type.attribute(rule.attribute)
        if row is None:
            reason = f"{name}: {self._type.name} has no {rule.attribute}"
            raise Broken("mapping.bad", file=self._gateway, reason=reason)
        scale, shift = conversion(rule.unit, row.unit) if rule.unit and row.unit else (1.0, 0.0)
        self._rows[name] = row
        self._units[name] = rule.unit or row.unit
        convert = _converter(name, rule, rule.factor * scale, rule.offset * scale + shift)
        if convert is not None:
            self._convert[name] = convert
