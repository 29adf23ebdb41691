"""What a request holds: readings of devices, for our own sockets and for frames handed in again."""

from collections.abc import Iterable

from yunmeng.gateways.coap.endpoint import Ask, read_message, write_message
from yunmeng.gateways.coap.payloads import Table
from yunmeng.gateways.coap.tables import chosen_resources
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import DeviceRecord, Effect, FrameSession, Observe, Station


class Intake:
    """The tables of one place to listen: whose report a request is, and what it says."""

    def __init__(self, station: Station) -> None:
        self._place = station
        rows = chosen_resources(station.options)
        self.tables = [
            Table(name, row, station.mappers.get(row.mapping or name)) for name, row in rows.items()
        ]

    def table(self, path: str) -> tuple[Table, str]:
        """Returns the table of a path and the device that it names. Raises ``BadInput("coap.path")``."""
        for table in self.tables:
            names = table.pattern.match(path)
            if names is not None:
                return table, names.get("device", "")
        raise BadInput("coap.path", path=path)

    def take(self, ask: Ask, at: int) -> dict[str, Observe]:
        """Returns what each device says in a request, to be kept once.

        Raises:
            BadInput: ``coap.method``, ``coap.path``, ``coap.format``, ``coap.payload``, ``mapping.absent``,
                ``mapping.value``; ``device.unknown``, ``device.suspended``, ``device.credential``.
        """
        if ask.method not in ("POST", "PUT"):
            raise BadInput("coap.method", method=ask.method, path=ask.path)
        table, device = self.table(ask.path)
        return self.read(table, device, ask, at)

    def read(self, table: Table, device: str, ask: Ask, at: int) -> dict[str, Observe]:
        """Returns what each device says in a payload of a table."""
        kept: dict[str, Observe] = {}
        for owner, when, fields in table.read(device, ask.format, ask.payload, at):
            record = self._admit(owner, ask)
            name = (record and record.mapping) or table.mapping
            mapper = self._place.mappers.get(name)
            if mapper is None:
                raise BadInput("mapping.absent", gateway=self._place.gateway, name=name)
            division = (record and record.division) or ""
            reading = mapper.reading(owner, when, fields, division=division)
            if owner in kept:
                kept[owner] = Observe((*kept[owner].readings, reading))
            else:
                kept[owner] = Observe((reading,))
        # what bears its own time may come again after a device has lost our answer
        return {
            owner: Observe(each.readings, key=_key(owner, table, each, at)) for owner, each in kept.items()
        }

    def _admit(self, device: str, ask: Ask) -> DeviceRecord | None:
        if self._place.replayed:
            return None
        record = self._place.admit(device)
        given = next((part[2:] for part in ask.query if part.startswith("k=")), "")
        if ask.claims and device not in ask.claims:
            raise BadInput("device.credential", gateway=self._place.gateway, device=device)
        if record is not None and not ask.claims and not record.accepts(given):
            raise BadInput("device.credential", gateway=self._place.gateway, device=device)
        return record


def _key(device: str, table: Table, observed: Observe, at: int) -> tuple[object, ...] | None:
    moments = tuple(reading.observed_at for reading in observed.readings)
    if any(moment == at for moment in moments):
        return None
    return (device, table.name, moments, tuple(reading.values for reading in observed.readings))


class CoapCodec:
    """Requests as messages of RFC 7252 §3; where frames come from, each comes alone."""

    def cut(self, buffer: bytearray) -> list[bytes]:
        """Takes everything: datagrams need no cutting."""
        frames = [bytes(buffer)] if buffer else []
        buffer.clear()
        return frames

    def decode(self, frame: bytes) -> Ask:
        """Reads a request. Raises ``BadInput("frame.bad")``."""
        return read_message(frame)

    def encode(self, message: Ask) -> bytes:
        """Writes a request."""
        return write_message(message)


class CoapSession(FrameSession[Ask]):
    """Hears requests that are handed in again; nobody is there to answer."""

    def __init__(self, station: Station) -> None:
        super().__init__(CoapCodec())
        self._intake = Intake(station)

    def heard(self, message: Ask, frame: bytes, at: int) -> Iterable[Effect]:
        """Takes one request."""
        return list(self._intake.take(message, at).values())
