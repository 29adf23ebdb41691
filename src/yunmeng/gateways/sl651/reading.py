"""From texts to readings: which table takes which element, and where strangers go."""

import json
from collections.abc import Callable, Iterable, Mapping

from yunmeng.gateways.sl651.messages import TEST, Frame, Group, Report, Value
from yunmeng.gateways.sl651.tables import codes
from yunmeng.gateways.sl651.values import write_time
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import Quality, Reading
from yunmeng.kernel.sense import Keep, Mapper

_MOST_ROUTES = 10_000

Route = tuple[tuple[Mapper, ...], tuple[str, ...]]
"""The tables that want some of the elements, and the elements that none of them names."""


class Readings:
    """Makes readings of the reports of one connection.

    ``home`` tells a station's division, and the table that the register of devices names for it.
    """

    def __init__(self, tables: Mapping[str, Mapper], home: Callable[[str, Frame], tuple[str, str]]) -> None:
        self._tables = tables
        self._home = home
        self._routes: dict[tuple[str, ...], Route] = {}

    def status(self, message: Frame, sent_at: int, status: int) -> Reading:
        """Returns the reading of a station's status. Raises ``BadInput("mapping.absent")``."""
        if "station" not in self._tables:
            raise BadInput("mapping.absent", gateway="sl651", name="station")
        (home, _), fields = self._home(message.station, message), {"ZT": status}
        return self._tables["station"].reading(message.station, sent_at, fields, division=home)

    def report(self, message: Frame, report: Report) -> tuple[Reading, ...]:
        """Returns the readings of a report; those of a test (30H) are of another entity, ``…:test``."""
        mark = ":test" if message.function == TEST else ""
        readings: list[Reading] = []
        for group in report.groups:
            address = group.station or message.station
            home, table = self._home(address, message)
            if group.fields:
                kind = table or group.kind
                readings += self._map(address + mark, home, kind, group.observed_at, group.fields)
            if group.gates:
                readings += self._gates(address + mark, home, group)
        for series in report.series:
            address = series.station or message.station
            home, table = self._home(address, message)
            kind = table or series.kind
            for moment, value in series.values:
                readings += self._map(address + mark, home, kind, moment, {series.name: value})
        if report.manual is not None:
            home, _ = self._home(message.station, message)
            keyed: dict[str, Value] = {"RGZS": report.manual}
            readings += self._map(message.station + mark, home, "", report.sent_at, keyed)
        return tuple(readings)

    def picture(self, message: Frame, report: Report, reply: bytes) -> Keep:
        """Returns the file of a picture, and notes its name among the elements of its moment."""
        data, group = report.picture or b"", report.groups[-1] if report.groups else None
        moment = group.observed_at if group else report.sent_at
        address = (group and group.station) or message.station
        is_jpeg = data.startswith(b"\xff\xd8")
        media, end = ("image/jpeg", "jpg") if is_jpeg else ("application/octet-stream", "bin")
        name = f"{address}/{write_time(moment, '%Y%m%dT%H%M')}-{report.serial}.{end}"
        if group is not None:
            group.fields["PIC"] = name
        return Keep(name, media, data, reply)

    def _map(self, device: str, home: str, kind: str, at: int, fields: dict[str, Value]) -> Iterable[Reading]:
        """Splits off what is missing."""
        if None not in fields.values():
            return self._read(device, home, kind, at, fields, Quality.GOOD)
        said = {name: value for name, value in fields.items() if value is not None}
        missing = {name: None for name in fields if name not in said}
        readings = self._read(device, home, kind, at, said, Quality.GOOD) if said else []
        return [*readings, *self._read(device, home, kind, at, missing, Quality.MISSING)]

    def _read(
        self, device: str, home: str, kind: str, at: int, fields: Mapping[str, Value], quality: Quality
    ) -> list[Reading]:
        """Gives the fields to every table that names one of them; strangers are kept as text."""
        key = (kind, *fields)
        route = self._routes.get(key)
        if route is None:
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            route = self._routes[key] = self._find_route(kind, fields)
        mappers, strangers = route
        if strangers:
            strange = {name: fields[name] for name in strangers}
            known = {name: value for name, value in fields.items() if name not in strange}
            fields = known | {"others": json.dumps(strange, ensure_ascii=False)}
        return [mapper.reading(device, at, fields, division=home, quality=quality) for mapper in mappers]

    def _find_route(self, kind: str, fields: Mapping[str, Value]) -> Route:
        names = ("station", "quality", kind)
        mappers = [self._tables[name] for name in names if name in self._tables]
        strangers = tuple(
            name
            for name in fields
            if name not in codes() and not any(mapper.knows(name) for mapper in mappers)
        )
        wanted = {*fields, "others"} if strangers else set(fields)
        return tuple(mapper for mapper in mappers if any(map(mapper.knows, wanted))), strangers

    def _gates(self, device: str, home: str, group: Group) -> Iterable[Reading]:
        mapper = self._tables.get("gate")
        if mapper is None:
            return
        for place, fields in enumerate(group.gates, start=1):
            number = fields.get("GN") or place
            yield mapper.reading(f"{device}:{number}", group.observed_at, fields, division=home)
