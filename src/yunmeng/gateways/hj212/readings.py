"""From lines to readings: values, their marks, and what no table names."""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from yunmeng.gateways.hj212.factors import told
from yunmeng.gateways.hj212.messages import Packet
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import Quality, Reading
from yunmeng.kernel.sense import Mapper, bad_frame

BEIJING = timezone(timedelta(hours=8))

QUALITIES: Mapping[str, Quality] = {
    "N": Quality.GOOD,
    "T": Quality.UNCERTAIN,
    "S": Quality.SUBSTITUTED,
    **dict.fromkeys("FMDCBP", Quality.BAD),
    "0": Quality.BAD,
    "1": Quality.GOOD,
    "2": Quality.BAD,
    "3": Quality.GOOD,
}
"""What marks say (table 8; P and the digits are of HJ/T 212-2005). Any other is uncertain."""

PERIODS: Mapping[str, str] = {"2051": "minute", "2061": "hour", "2031": "day"}
"""Commands whose values are statistics of a period that begins at the time of the data."""

_TABLES: Mapping[str, str] = {
    **dict.fromkeys(("24", "26"), "st21"),
    "27": "st22",
    "51": "st31",
    **dict.fromkeys(("33", "34", "52"), "st32"),
    "36": "st23",
}
"""Systems that are read by the table of another (table 5)."""

_NONE = frozenset(("", "-", "--", "null", "NULL", "None", "NaN", "nan"))
_EXACT = 16
_TIME = re.compile(r"\d{14}(?:\d{3})?\Z", re.ASCII)

Fields = dict[str, float | int | str | None]


class Content:
    """What stands in a line: values by statistic, marks by factor, the rest as it came."""

    def __init__(self, cp: str) -> None:
        self.time = ""
        self.values: dict[str, Fields] = {}
        self.marks: dict[str, str] = {}
        self.states: dict[str, Fields] = {}
        self.others: dict[str, str] = {}
        now: Fields = {}
        for project in cp.split(";"):
            for item in project.split(","):
                name, equals, text = item.partition("=")
                field = told(name)
                share = field.share
                if share == "avg":
                    try:
                        value = float(text)
                    except ValueError:
                        self._odd(name, field.field, text, now)
                        continue
                    if value - value == 0 and len(text) < _EXACT and "_" not in text:
                        now[field.field] = value
                    else:
                        self._odd(name, field.field, text, now)
                elif share == "flag":
                    if text != "N":
                        self.marks[field.factor] = text.strip()
                elif equals:
                    self._other(name, field.field, share, text)
                elif item.strip():
                    raise bad_frame("hj212", f"{item} has no value")
        if now:
            self.values["avg"] = now

    def _other(self, name: str, field: str, share: str, text: str) -> None:
        if name == "DataTime":
            self.time = text.strip()
        elif share != "other":
            self._odd(name, field, text, self.values.setdefault(share, {}))
        elif name.endswith(("-RS", "-RT")):
            facility, _, what = name.rpartition("-")
            self._odd(name, facility, text, self.states.setdefault(what, {}))
        else:
            self.others[name] = text

    def _odd(self, name: str, field: str, text: str, fields: Fields) -> None:
        """None where there is no value; more digits than a float keeps stay text, words go to the rest."""
        text = text.strip()
        plain = text.lstrip("+-")
        if text in _NONE:
            fields[field] = None
        elif plain.replace(".", "", 1).isdecimal() and plain.isascii():
            fields[field] = text if len(text) >= _EXACT else float(text)
        else:
            self.others[name] = text


def read_readings(
    packet: Packet, content: Content, mapper: Mapper, home: str, at: int
) -> tuple[Reading, ...]:
    """Returns the readings of a line of data; ``at`` is when it came, for lines that tell no time.

    A statistic is of an entity of its own: ``MN:hour``, ``MN:hour-min``, ``MN:day-max``.
    """
    moment = read_time(content.time or packet.qn) if content.time or packet.qn else at
    period = PERIODS.get(packet.cn, "")
    readings: list[Reading] = []
    strangers: dict[str, object] = dict(content.others)
    for share, fields in content.values.items():
        device = packet.mn + _mark(period, share)
        strangers.update(_strangers(mapper, fields))
        readings += _by_quality(mapper, device, moment, fields, content.marks, home)
    for factor, mark in content.marks.items():
        strangers[f"{factor}-Flag"] = mark
    rest: Fields = {what: _dump(states) for what, states in content.states.items()}
    if strangers:
        rest["others"] = _dump(strangers)
    if rest:
        device = packet.mn + _mark(period, "avg")
        readings.append(mapper.reading(device, moment, rest, division=home))
    return tuple(readings)


def find_table(st: str, tables: Mapping[str, Mapper]) -> Mapper:
    """Returns the table of a kind of system. Raises ``BadInput("mapping.absent")``."""
    table = tables.get(f"st{st}") or tables.get(_TABLES.get(st, "")) or tables.get("default")
    if table is None:
        raise BadInput("mapping.absent", gateway="hj212", name="default")
    return table


@lru_cache(maxsize=8192)
def read_time(text: str) -> int:
    """Reads ``YYYYMMDDhhmmss``, with milliseconds or without. Raises ``BadInput("frame.bad")``."""
    if not _TIME.match(text):
        raise bad_frame("hj212", f"{text} is no time")
    try:
        moment = datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
    except ValueError as cause:
        raise bad_frame("hj212", f"{text} is no time") from cause
    return int(moment.timestamp()) * 1_000_000 + int(text[14:] or "0") * 1000


def write_time(at: int, *, milliseconds: bool = False) -> str:
    """Writes a moment as HJ 212 does, in Beijing time."""
    moment = datetime.fromtimestamp(at // 1_000_000, BEIJING)
    return f"{moment:%Y%m%d%H%M%S}" + (f"{at // 1000 % 1000:03d}" if milliseconds else "")


def _mark(period: str, share: str) -> str:
    if share == "avg":
        return f":{period}" if period else ""
    return f":{period}-{share}" if period else f":{share}"


def _strangers(mapper: Mapper, fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if not mapper.knows(name)}


def _by_quality(
    mapper: Mapper, device: str, moment: int, fields: Fields, marks: Mapping[str, str], home: str
) -> list[Reading]:
    if not marks and None not in fields.values():
        reading = mapper.reading(device, moment, fields, division=home)
        return [reading] if reading.series else []
    groups: dict[Quality, Fields] = {}
    for name, value in fields.items():
        mark = marks.get(name.partition("-")[0], "N")
        quality = Quality.MISSING if value is None else QUALITIES.get(mark, Quality.UNCERTAIN)
        groups.setdefault(quality, {})[name] = value
    readings = [
        mapper.reading(device, moment, group, division=home, quality=quality)
        for quality, group in groups.items()
    ]
    return [reading for reading in readings if reading.series]


def _dump(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False)
