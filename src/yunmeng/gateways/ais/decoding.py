"""Messages of ITU-R M.1371-5 out of the payloads of sentences; pyais reads their bits."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any, Literal

import msgspec

from yunmeng.gateways.ais.codec import AisCodec
from yunmeng.gateways.ais.messages import Sentence
from yunmeng.kernel.base import Unavailable, datetime_us, format_us, from_us
from yunmeng.kernel.model import Quality
from yunmeng.kernel.sense import bad_frame

Value = float | int | str | None
Kind = Literal["vessel", "base-station", "aid-to-navigation", "aircraft", "beacon"]

# bits below which a message of a type says less than its standard part (annex 8); type 5 is sent with 422 too
_LEAST: Mapping[int, int] = {
    **dict.fromkeys((1, 2, 3, 4, 9, 11, 18), 168),
    5: 420,
    6: 72,
    7: 72,
    8: 56,
    10: 72,
    12: 72,
    13: 72,
    14: 40,
    15: 88,
    16: 92,
    17: 80,
    19: 308,
    20: 70,
    21: 268,
    22: 162,
    23: 156,
    24: 156,
    25: 40,
    26: 56,
    27: 94,
    28: 160,
}
_NO_SPEED: Mapping[int, float] = {9: 1023, 27: 63}
_NOT_OWN_PLACE = 17
"""Its position is that of a DGNSS reference station, in other units."""

_ABSENT: Mapping[str, Callable[[Any], bool]] = {
    "lon": lambda raw: raw == 181,
    "lat": lambda raw: raw == 91,
    "course": lambda raw: raw >= 360,
    "heading": lambda raw: raw >= 360,
    "turn": lambda raw: raw in (-128, -127, 127),
    "status": lambda raw: raw == 15,
    "alt": lambda raw: raw == 4095,
    "epfd": lambda raw: raw == 0,
    **dict.fromkeys(("imo", "ship_type", "draught", "year"), lambda raw: raw == 0),
}
_QUALITY = {61: Quality.SUBSTITUTED, 62: Quality.UNCERTAIN, 63: Quality.BAD}
"""What the second of a position says beyond 59: entered by hand, dead reckoning, out of order."""

_CODEC = AisCodec()


class Said(msgspec.Struct, frozen=True):
    """One message: type 1 to 28, who sent it, and its fields by the names of pyais; missing ones are None.

    Those that follow from several are ``length``, ``beam`` (m), ``eta``, ``utc`` and ``ship_group``; those
    of a binary message have its area and function before them: ``200-10.draught``.
    """

    type: int
    mmsi: str
    kind: Kind
    fields: Mapping[str, Value]
    second: int | None = None
    quality: Quality = Quality.GOOD


def need_pyais() -> None:
    """Raises ``Unavailable("sense.extra")`` where pyais is not installed."""
    if find_spec("pyais") is None:
        raise Unavailable("sense.extra", gateway="ais", library="pyais", extra="ais")


def read_message(parts: Sequence[Sentence], at: int) -> Said:
    """Reads the message of these sentences, in their order; ``at`` tells the year of what it says.

    Raises:
        BadInput: ``frame.bad`` for what no station may send.
    """
    if not any(part.payload for part in parts):
        raise bad_frame("ais", "an empty payload")
    message = _decode(parts)
    bits = sum(len(part.payload) * 6 - part.fill for part in parts)
    if message.msg_type not in _LEAST or bits < _LEAST[message.msg_type]:
        raise bad_frame("ais", f"type {message.msg_type} with {bits} bits")
    if not 0 < message.mmsi <= 999_999_999:
        raise bad_frame("ais", f"MMSI {message.mmsi}")
    raw: dict[str, Any] = message.asdict(enum_as_int=True)
    number = message.msg_type
    fields = {name: _plain(number, name, value) for name, value in raw.items()}
    if number == _NOT_OWN_PLACE:
        fields = {name: value for name, value in fields.items() if name not in ("lon", "lat")}
    _check_place(fields)
    second = raw.get("second") if fields.get("lat") is not None else None
    fields |= _derived(fields, raw, at)
    if "dac" in raw and "fid" in raw:
        fields = {**fields, **{f"{raw['dac']}-{raw['fid']}.{name}": value for name, value in fields.items()}}
    mmsi = f"{message.mmsi:09d}"
    return Said(
        number,
        mmsi,
        _kind(number, mmsi),
        fields,
        second if second is not None and second < 60 else None,
        _QUALITY.get(second, Quality.GOOD) if second is not None else Quality.GOOD,
    )


def observed_at(said: Said, at: int) -> int:
    """Returns when it was so: the second that the message names, nearest to ``at`` (microseconds UTC)."""
    if said.second is None:
        return at
    whole = at // 1_000_000
    back = (whole - said.second) % 60
    # a receiver's clock may be late by some seconds
    return (whole - (back if back < 50 else back - 60)) * 1_000_000


def _decode(parts: Sequence[Sentence]) -> Any:
    from pyais import decode
    from pyais.exceptions import AISBaseException

    bare = [_CODEC.encode(msgspec.structs.replace(part, tag="", tail="")) for part in parts]
    try:
        return decode(*bare)
    except AISBaseException as cause:
        raise bad_frame("ais", str(cause) or type(cause).__name__) from cause


def _plain(type: int, name: str, raw: Any) -> Value:
    if isinstance(raw, str):
        return raw.strip() or None
    if raw is None or isinstance(raw, bytes) or not isinstance(raw, int | float):
        return None
    if name == "speed" and raw == _NO_SPEED.get(type, 102.3):
        return None
    if name in _ABSENT and _ABSENT[name](raw):
        return None
    return int(raw) if isinstance(raw, int) else float(raw)


def _check_place(fields: Mapping[str, Value]) -> None:
    for name, most in (("lon", 180), ("lat", 90)):
        value = fields.get(name)
        if isinstance(value, int | float) and abs(value) > most:
            raise bad_frame("ais", f"{name} {value}")


def _derived(fields: Mapping[str, Value], raw: Mapping[str, Any], at: int) -> dict[str, Value]:
    found: dict[str, Value] = {}
    if "to_bow" in raw:
        found["length"] = (raw["to_bow"] or 0) + (raw["to_stern"] or 0) or None
        found["beam"] = (raw["to_port"] or 0) + (raw["to_starboard"] or 0) or None
    if "destination" in raw and "month" in raw:
        found["eta"] = _eta(raw, at)
    if "year" in raw:
        found["utc"] = _utc(raw)
    kind = fields.get("ship_type")
    if isinstance(kind, int):
        found["ship_group"] = kind if 30 <= kind < 60 and kind // 10 != 4 else kind // 10 * 10
    if raw.get("name_ext"):
        found["name"] = f"{raw['name']}{raw['name_ext']}".strip()
    if "off_position" in raw and (raw.get("second") or 0) > 59:
        found["off_position"] = None
    return found


def _eta(raw: Mapping[str, Any], at: int) -> str | None:
    """Returns the time of arrival in the year that brings it nearest to now: the message names none."""
    year = from_us(at).year
    near: list[int] = []
    for each in (year - 1, year, year + 1):
        try:
            when = datetime(each, raw["month"], raw["day"], raw["hour"], raw["minute"], tzinfo=UTC)
        except (
            TypeError,
            ValueError,
        ):  # 0, 24 and 60 mean that it is not known; 29 February is not every year's
            continue
        near.append(datetime_us(when))
    return format_us(min(near, key=lambda us: abs(us - at))) if near else None


def _utc(raw: Mapping[str, Any]) -> str | None:
    parts = [raw[name] for name in ("year", "month", "day", "hour", "minute", "second")]
    try:
        return format_us(datetime_us(datetime(*parts, tzinfo=UTC)))
    except (TypeError, ValueError):
        return None


def _kind(type: int, mmsi: str) -> Kind:
    """Returns what sent it, by the message or by its number (ITU-R M.585)."""
    if type == 4 or mmsi.startswith("00"):
        return "base-station"
    if type in (21, 28) or mmsi.startswith("99"):
        return "aid-to-navigation"
    if type == 9 or mmsi.startswith("111"):
        return "aircraft"
    return "beacon" if mmsi.startswith(("970", "972", "974")) else "vessel"
