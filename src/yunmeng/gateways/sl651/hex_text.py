"""The text of HEX/BCD frames: identifier, definition, bytes (clause 6.6.3)."""

from collections.abc import Callable

from yunmeng.gateways.sl651.messages import Group, Report, Series, Value
from yunmeng.gateways.sl651.tables import (
    EXTENDED,
    GATES,
    MANUAL_TEXT,
    PICTURE_DATA,
    STATION,
    STATUS,
    STEP,
    TIME,
    elements,
    series_elements,
)
from yunmeng.gateways.sl651.values import duration_minutes, read_digits, read_time
from yunmeng.kernel.sense import bad_frame

FIVE_MINUTES = 300_000_000
_DAY, _HOUR, _MINUTE = 86_400_000_000, 3_600_000_000, 60_000_000
_FLOWS = 0xFD

Spec = tuple[str, int, float, int]
"""Name, bytes, divisor (0 where digits have to be read with care) and decimals of an element."""

_specs: dict[bytes, Spec] = {}


def read_hex(text: bytes) -> Report:
    """Reads the text of a report. Raises ``BadInput("frame.bad")``."""
    if len(text) < 8:
        raise bad_frame("sl651", "the text has no serial number and time")
    reader = _Reader(text)
    reader.read()
    return reader.report


class _Reader:
    """Reads one text from its front; every method returns where the next identifier stands."""

    __slots__ = ("_at", "_fields", "_gates", "_kind", "_station", "_text", "report")

    def __init__(self, text: bytes) -> None:
        sent_at = read_time(text[2:8].hex())
        self.report = Report(text[0] << 8 | text[1], sent_at, [], [])
        self._text = text
        self._station, self._kind, self._at = "", "", sent_at
        self._fields: dict[str, Value] = {}
        self._gates: list[dict[str, Value]] = []

    def read(self) -> None:
        text, size, at = self._text, len(self._text), 8
        special, specs = _SPECIAL, _specs
        while at < size:
            key = text[at : at + 2]
            spec = specs.get(key)
            if spec is None:
                own = special.get(text[at])
                if own is not None:
                    at = own(self, at)
                    continue
                spec = specs[key] = _spec(key)
            name, width, divisor, decimals = spec
            at += 2
            digits = text[at : at + width].hex()
            at += width
            if divisor and digits.isdecimal():
                self._fields[name] = int(digits) / divisor if decimals else int(digits)
            else:
                self._fields[name] = _careful(name, digits, decimals)
        if at != size:
            raise bad_frame("sl651", "the last element is cut off")
        self._close()

    def _close(self) -> None:
        if self._fields or self._gates:
            self.report.groups.append(Group(self._station, self._kind, self._at, self._fields, self._gates))
            self._fields, self._gates = {}, []

    def begin_station(self, at: int) -> int:
        self._close()
        self._station = self._text[at + 2 : at + 7].hex().upper()
        self._kind = self._text[at + 7 : at + 8].decode("latin-1")
        return at + 8

    def begin_time(self, at: int) -> int:
        self._close()
        self._at = read_time(self._text[at + 2 : at + 7].hex())
        return at + 7

    def read_gate(self, at: int) -> int:
        name, width, _, decimals = _spec(self._text[at : at + 2])
        if not self._gates or name in self._gates[-1]:
            self._gates.append({})
        end = at + 2 + width
        self._gates[-1][name] = read_digits(self._text[at + 2 : end].hex(), decimals)
        return end

    def read_extended(self, at: int) -> int:
        """An element of the user's own: FF, one byte more, and the definition."""
        if at + 3 > len(self._text):
            raise bad_frame("sl651", "the last element is cut off")
        definition = self._text[at + 2]
        end = at + 3 + (definition >> 3)
        digits = self._text[at + 3 : end].hex()
        self._fields[f"FF{self._text[at + 1]:02X}"] = _careful("", digits, definition & 7)
        return end

    def read_hour(self, at: int) -> int:
        """Twelve values, five minutes apart, the first at the time of observation."""
        width = self._text[at + 1] >> 3 if at + 1 < len(self._text) else 0
        self._add_series(self._text[at], self._text[at + 2 : at + 2 + width], FIVE_MINUTES)
        return at + 2 + width

    def read_steps(self, at: int) -> int:
        """A step of time, one element and its values up to the end (clause 6.6.4.4)."""
        text = self._text
        if at + 7 > len(text) or not text[at + 2 : at + 5].hex().isdecimal():
            raise bad_frame("sl651", "the step of time is no BCD number")
        days, hours, minutes = (int(f"{byte:x}") for byte in text[at + 2 : at + 5])
        step = days * _DAY + hours * _HOUR + minutes * _MINUTE
        id, definition, data = text[at + 5], text[at + 6], text[at + 7 :]
        if id in series_elements():
            self._add_series(id, data, step or FIVE_MINUTES)
        else:
            self._add_steps(id, definition, data, step or _HOUR)
        return len(text)

    def _add_steps(self, id: int, definition: int, data: bytes, step: int) -> None:
        width, decimals = definition >> 3, definition & 7
        if not width or len(data) % width:
            raise bad_frame("sl651", "the values do not fill the text")
        name = _name(id)
        values: list[tuple[int, Value]] = [
            (self._at + place * step, _careful(name, data[first : first + width].hex(), decimals))
            for place, first in enumerate(range(0, len(data), width))
        ]
        self.report.series.append(Series(self._station, self._kind, name, values))

    def _add_series(self, id: int, data: bytes, step: int) -> None:
        row = series_elements()[id]
        if not data or len(data) % row.size:
            raise bad_frame("sl651", f"{row.code} has {len(data)} bytes")
        none, divisor = (1 << 8 * row.size) - 1, 10**row.decimals
        raw = [int.from_bytes(data[at : at + row.size], "big") for at in range(0, len(data), row.size)]
        values: list[tuple[int, Value]] = [
            (self._at + place * step, None if number == none else number / divisor)
            for place, number in enumerate(raw)
        ]
        self.report.series.append(Series(self._station, self._kind, row.code, values))

    def read_manual(self, at: int) -> int:
        self.report.manual = self._text[at + 2 :].decode("gb18030", "replace").strip()
        return len(self._text)

    def read_picture(self, at: int) -> int:
        self.report.picture = self._text[at + 2 :]
        self._mark_place()
        return len(self._text)

    def read_flows(self, at: int) -> int:
        self._fields["DATA"] = self._text[at + 2 :].hex()
        return len(self._text)

    def _mark_place(self) -> None:
        self.report.groups.append(Group(self._station, self._kind, self._at, {}))


def _spec(key: bytes) -> Spec:
    if len(key) < 2:
        raise bad_frame("sl651", "the last element is cut off")
    id, definition = key
    width, decimals = definition >> 3, definition & 7
    easy = 0 < width <= 7 and id not in (STATUS, 0x05)
    return _name(id), width, float(10**decimals) if easy else 0.0, decimals


def _name(id: int) -> str:
    row = elements().get(id) or series_elements().get(id)
    return row.code if row else f"{id:02X}"


def _careful(name: str, digits: str, decimals: int) -> Value:
    if name == "ZT":
        return int(digits, 16) if digits else None
    value = read_digits(digits, decimals)
    return duration_minutes(value) if name == "DT" else value


_SPECIAL: dict[int, Callable[[_Reader, int], int]] = {
    TIME: _Reader.begin_time,
    STATION: _Reader.begin_station,
    MANUAL_TEXT: _Reader.read_manual,
    PICTURE_DATA: _Reader.read_picture,
    STEP: _Reader.read_steps,
    EXTENDED: _Reader.read_extended,
    _FLOWS: _Reader.read_flows,
    **{row.id: _Reader.read_gate for row in elements().values() if row.code in GATES},
    **dict.fromkeys(series_elements(), _Reader.read_hour),
}
