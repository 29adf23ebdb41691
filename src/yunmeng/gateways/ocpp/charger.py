"""One charging station as its handlers know it: who it is, where its values go, what its entities are."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from yunmeng.gateways.ocpp.central import Central
from yunmeng.gateways.ocpp.codec import fault
from yunmeng.gateways.ocpp.messages import Payload
from yunmeng.gateways.ocpp.metering import Field, Sample
from yunmeng.kernel.base import BadInput, format_us
from yunmeng.kernel.model import Reading
from yunmeng.kernel.sense import DeviceRecord, Effect, Mapper, Station, device_id

_STATES = {"registered": "Pending", "suspended": "Rejected", "retired": "Rejected"}
Entity = dict[str, Any]


@dataclass(slots=True)
class Outcome:
    """What one request leads to: the answer, and what has to be on disk before it is given.

    ``key`` tells requests apart that were said before; ``more`` follows at once.
    """

    payload: Payload
    readings: tuple[Reading, ...] = ()
    entities: tuple[Entity, ...] = ()
    key: Hashable = None
    more: tuple[Effect, ...] = ()


@dataclass(slots=True)
class Charger:
    """A charging station that is connected, or whose messages are replayed."""

    name: str
    version: str
    station: Station
    central: Central
    described: set[int] = field(default_factory=set[int])

    @property
    def record(self) -> DeviceRecord | None:
        """What the register says of it now."""
        return self.station.devices.find(self.station.gateway, self.name)

    @property
    def state(self) -> str:
        """Accepted, Pending (registered, not in service yet) or Rejected, by the register."""
        record = self.record
        if self.station.replayed or record is None:
            return "Accepted"
        return _STATES.get(record.state, "Accepted")

    @property
    def division(self) -> str:
        """Where it stands."""
        record = self.record
        return (record.division if record is not None else "") or self.station.division

    @property
    def zone(self) -> str:
        """The offset that its times without one are meant in; such times are refused when empty."""
        record = self.record
        return (record.options.get("zone") if record else None) or self.station.options.get("zone", "")

    def option(self, name: str, default: int) -> int:
        """Returns a number among the options of where it is met."""
        text = self.station.options.get(name, "")
        return int(text) if text.isdecimal() and len(text) < 9 else default

    def mapper(self, table: str) -> Mapper:
        """Returns a table of the mapping. Raises ``BadInput("mapping.absent")``."""
        found = self.station.mappers.get(table)
        if found is None:
            raise BadInput("mapping.absent", gateway=self.station.gateway, name=table)
        return found

    def place(self, evse: int, transaction: str = "") -> tuple[Mapper, str]:
        """Returns whose values they are: those of an EVSE, of a transaction without one, of the station.

        Raises:
            BadInput: ``frame.bad`` for a number below 0.
        """
        if evse < 0:
            raise fault("PropertyConstraintViolation", f"no EVSE has the number {evse}", "")
        if evse:
            return self.mapper("evse"), f"{self.name}:{evse}"
        if transaction:
            return self.mapper("session"), f"{self.name}:{transaction}"
        return self.mapper("station"), self.name

    def reading(
        self, evse: int, at: int, fields: Mapping[str, Field], transaction: str = ""
    ) -> tuple[Reading, ...]:
        """Returns the reading of fields, none when the mapping wants none of them."""
        mapper, device = self.place(evse, transaction)
        made = mapper.reading(device, at, fields, division=self.division)
        return (made,) if made.series else ()

    def readings(self, evse: int, found: list[Sample], transaction: str = "") -> tuple[Reading, ...]:
        """Returns the readings of samples."""
        return tuple(
            [each for sample in found for each in self.reading(evse, sample.at, sample.fields, transaction)]
        )

    def body(self, table: str, id: str, **members: object) -> Entity:
        """Returns what is said of an entity; what is None is not said."""
        mapper = self.mapper(table)
        said = {name: value for name, value in members.items() if value is not None}
        device = f"{self.name}:{id}" if id else self.name
        return {
            "id": mapper.entity(device, self.division),
            "type": mapper.type.name,
            "division": self.division,
            **said,
        }

    def link(self, table: str, id: str = "") -> Entity | None:
        """Returns a relationship to an entity of this station."""
        if table == "evse" and id in ("", "0"):
            return None
        device = f"{self.name}:{id}" if id else self.name
        return {"type": "Relationship", "object": self.mapper(table).entity(device, self.division)}

    def evse(self, number: int) -> tuple[Entity, ...]:
        """Returns the entity of an EVSE when it is met for the first time."""
        if not number or number in self.described:
            return ()
        self.described.add(number)
        if len(self.described) > 1000:
            self.described.clear()
        return (self.body("evse", str(number), evseId=number, chargingStation=self.link("station")),)

    def device(self, **members: object) -> Entity:
        """Returns what is said of the station as a device of the register."""
        said = {name: value for name, value in members.items() if value is not None}
        id = device_id(self.station.gateway, self.name)
        return {"id": f"urn:ngsi-ld:Device:{id}", "type": "Device", "division": self.division, **said}


def measure(value: float | None, unit: str) -> Entity | None:
    """Returns a property with its unit (UN/CEFACT)."""
    return None if value is None else {"type": "Property", "value": value, "unitCode": unit}


def kilowatt_hours(watt_hours: float | None) -> Entity | None:
    """Returns an energy as a property."""
    return measure(None if watt_hours is None else watt_hours / 1000, "KWH")


def instant(at: int) -> Entity:
    """Returns a time as a property."""
    return {"type": "Property", "value": {"@type": "DateTime", "@value": format_us(at)}}
