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

A field that no row names is dropped: a mapping may want less than a device says.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from yunmeng.kernel.base import Broken, conversion
from yunmeng.kernel.model import AttributeRow, EntityType, Quality, Reading, Series, TypeLibrary

Value = float | int | str | None

_NAMES = re.compile(r"\{(\w+)\}")
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
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
        return msgspec.convert(raw, dict[str, MappingTable])
    except (OSError, ValueError) as cause:  # msgspec's errors are ValueErrors
        raise Broken("mapping.bad", file=str(file), reason=str(cause)) from cause


@dataclass(frozen=True, slots=True)
class _Field:
    row: AttributeRow
    rule: FieldRow
    scale: float
    shift: float

    @property
    def is_plain(self) -> bool:
        return not (self.rule.values or self.rule.missing) and (self.scale, self.shift) == (1.0, 0.0)

    def value(self, raw: Value) -> Value:
        if raw is None or raw in self.rule.missing:
            return None
        if self.rule.values:
            return self.rule.values.get(str(raw), raw)
        if isinstance(raw, str):
            # text that only has to be kept stays as the source wrote it
            return raw if (self.scale, self.shift) == (1.0, 0.0) else float(raw) * self.scale + self.shift
        return raw * self.scale + self.shift


class Mapper:
    """Turns the fields of messages into readings, after one table; its series are made once a device."""

    def __init__(
        self, table: MappingTable, types: TypeLibrary, *, gateway: str, division: str, synthetic: bool = False
    ) -> None:
        self._type = types.type(table.type)
        self._gateway = gateway
        self._division = division
        self._synthetic = synthetic
        self._id = table.id or f"urn:ngsi-ld:{table.type}:{{gateway}}:{{device}}"
        if strange := set(_NAMES.findall(self._id)) - _ID_NAMES:
            raise Broken("mapping.bad", file=gateway, reason=f"id: {{{strange.pop()}}}")
        self._fields = {name: self._field(name, rule) for name, rule in table.fields.items()}
        self._convert = {name: f.value for name, f in self._fields.items() if not f.is_plain}
        self._series: dict[tuple[object, ...], tuple[Series, ...]] = {}

    @property
    def type(self) -> EntityType:
        """The entity type that the table names."""
        return self._type

    def entity(self, device: str, division: str = "") -> str:
        """Returns the id of a device's entity."""
        names = {"gateway": self._gateway, "device": device, "division": division or self._division}
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
        """Returns the reading of one message; fields that the table does not name are left out."""
        key = (device, division, *fields)
        series = self._series.get(key)
        if series is None:
            series = self._make(device, division, tuple(fields))
            if len(self._series) > 500_000:
                self._series.clear()
            self._series[key] = series
        known, convert = self._fields, self._convert
        values = tuple(
            [convert[name](raw) if name in convert else raw for name, raw in fields.items() if name in known]
        )
        return Reading(series, observed_at, values, quality, frame)

    def _make(self, device: str, division: str, names: tuple[str, ...]) -> tuple[Series, ...]:
        entity, home = self.entity(device, division), division or self._division
        rows = [self._fields[name].row for name in names if name in self._fields]
        return tuple(
            [Series(entity, row.uri, self._type.uri, home, row.unit, self._synthetic) for row in rows]
        )

    def _field(self, name: str, given: FieldRow | str) -> _Field:
        rule = FieldRow(given) if isinstance(given, str) else given
        row = self._type.attribute(rule.attribute)
        if row is None:
            reason = f"{name}: {self._type.name} has no {rule.attribute}"
            raise Broken("mapping.bad", file=self._gateway, reason=reason)
        scale, shift = conversion(rule.unit, row.unit) if rule.unit and row.unit else (1.0, 0.0)
        return _Field(row, rule, rule.factor * scale, rule.offset * scale + shift)
