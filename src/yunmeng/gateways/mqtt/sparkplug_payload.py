"""The payload of Sparkplug B (Eclipse Sparkplug 3.0.0, §6.4): a protocol buffer, read and written by hand."""

import math
import struct
from collections.abc import Iterator
from struct import pack, unpack
from typing import Any, cast

import msgspec

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import Quality
from yunmeng.kernel.sense import bad_frame

INT8, INT16, INT32, INT64 = 1, 2, 3, 4
UINT8, UINT16, UINT32, UINT64 = 5, 6, 7, 8
FLOAT, DOUBLE, BOOLEAN, STRING, DATETIME, TEXT, UUID = 9, 10, 11, 12, 13, 14, 15

_BITS = {INT8: 8, INT16: 16, INT32: 32, INT64: 64}
_INT, _LONG, _FLOAT, _DOUBLE, _BOOLEAN, _STRING, _BYTES = 10, 11, 12, 13, 14, 15, 16
_FIELD_OF = {
    **dict.fromkeys((INT8, INT16, INT32, UINT8, UINT16, UINT32), _INT),
    **dict.fromkeys((INT64, UINT64, DATETIME), _LONG),
    FLOAT: _FLOAT,
    DOUBLE: _DOUBLE,
    BOOLEAN: _BOOLEAN,
    **dict.fromkeys((STRING, TEXT, UUID), _STRING),
}
_QUALITIES = {0: Quality.BAD, 192: Quality.GOOD, 500: Quality.UNCERTAIN}
_UNSIGNED_BITS = {UINT8: 8, UINT16: 16, UINT32: 32, UINT64: 64, DATETIME: 64}
_U32, _U64 = (1 << 32) - 1, (1 << 64) - 1
_LARGEST_SINGLE = 3.4028234663852886e38


class Metric(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One metric; None is a field that is not there. ``field`` is the number of the field with the value.

    Metadata, properties and values of fields 16 to 19 (bytes, data sets, templates) stay encoded.
    """

    name: str | None = None
    alias: int | None = None
    timestamp: int | None = None
    datatype: int | None = None
    is_historical: bool | None = None
    is_transient: bool | None = None
    is_null: bool | None = None
    metadata: bytes | None = None
    properties: bytes | None = None
    field: int = 0
    raw: Any = None


class Payload(msgspec.Struct, frozen=True, gc=False):
    """A payload; ``timestamp`` in milliseconds UTC, ``seq`` 0 to 255."""

    timestamp: int | None = None
    metrics: tuple[Metric, ...] = ()
    seq: int | None = None
    uuid: str | None = None
    body: bytes | None = None


def read_payload(data: bytes) -> Payload:
    """Reads a payload. Raises ``BadInput("frame.bad")``."""
    try:
        return _payload(data)
    except (ValueError, IndexError, struct.error) as cause:
        raise bad_frame("Sparkplug B", str(cause)) from cause


def write_payload(payload: Payload) -> bytes:
    """Writes a payload, fields in the order of their numbers."""
    out = bytearray()
    _put(out, 1, payload.timestamp)
    for metric in payload.metrics:
        _put(out, 2, _write_metric(metric))
    _put(out, 3, payload.seq)
    _put(out, 4, payload.uuid)
    _put(out, 5, payload.body)
    return bytes(out)


def value_of(metric: Metric, datatype: int) -> float | int | str | None:
    """Returns the value as the datatype means it (§6.4.16); flags are 1 and 0, times milliseconds.

    Raises:
        BadInput: ``frame.bad`` where the value is of another kind, or of one that is no number or text.
    """
    raw = metric.raw
    if metric.is_null or (metric.field == 0 and metric.raw is None):
        return None
    if _FIELD_OF.get(datatype) != metric.field:
        raise bad_frame("Sparkplug B", f"{metric.name or metric.alias}: datatype {datatype}")
    if (bits := _BITS.get(datatype)) is not None:
        number = int(raw) & ((1 << bits) - 1)
        return number - (1 << bits) if number >> (bits - 1) else number
    if datatype in (FLOAT, DOUBLE):
        return (_shortest(raw) if datatype == FLOAT else raw) if math.isfinite(raw) else None
    return int(raw) if datatype == BOOLEAN else cast("int | str", raw)


def metric_of(
    name: str | None, alias: int | None, datatype: int, value: float | int | str | bool, timestamp: int
) -> Metric:
    """Returns a metric with this value. Raises ``BadInput("frame.bad")`` where it does not fit."""
    field = _FIELD_OF.get(datatype, 0)
    raw = _fitted(field, datatype, value)
    if raw is None:
        raise bad_frame("Sparkplug B", f"{name}: {value!r} for datatype {datatype}")
    return Metric(name, alias, timestamp, datatype, field=field, raw=raw)


def _fitted(field: int, datatype: int, value: float | int | str | bool) -> int | float | str | None:
    if field == _STRING or isinstance(value, str):
        return value if field == _STRING and isinstance(value, str) else None
    if field == _BOOLEAN:
        return bool(value)
    if field in (_FLOAT, _DOUBLE):
        return float(value) if field == _DOUBLE or abs(value) <= _LARGEST_SINGLE else None
    if field not in (_INT, _LONG) or not math.isfinite(value) or int(value) != value:
        return None
    signed = _BITS.get(datatype)
    low, high = (-1 << signed - 1, 1 << signed - 1) if signed else (0, 1 << _UNSIGNED_BITS[datatype])
    return int(value) & (_U32 if field == _INT else _U64) if low <= value < high else None


def quality_of(metric: Metric) -> Quality:
    """Returns what the property ``Quality`` says (§6.4.14: 0 bad, 192 good, 500 stale)."""
    if metric.properties is None:
        return Quality.GOOD
    try:
        keys: list[bytes] = []
        values: list[bytes] = []
        for number, value in _fields(metric.properties):
            (keys if number == 1 else values).append(_raw(value))
        code = dict(zip(keys, values, strict=False)).get(b"Quality", b"")
        return _QUALITIES.get(int(dict(_fields(code)).get(3, 192)), Quality.UNCERTAIN)
    except (ValueError, IndexError, TypeError) as cause:
        raise bad_frame("Sparkplug B", "properties") from cause


def _shortest(raw: float) -> float:
    """The double that reads like the single: 21.3, not 21.299999237060547."""
    short = float(f"{raw:.7g}")
    return short if abs(short) < 3.4e38 and unpack("<f", pack("<f", short))[0] == raw else float(f"{raw:.9g}")


def _payload(data: bytes) -> Payload:
    found: dict[str, Any] = {}
    metrics: list[Metric] = []
    for number, value in _fields(data):
        match number:
            case 1:
                found["timestamp"] = _number(value)
            case 2:
                metrics.append(_metric(_raw(value)))
            case 3:
                found["seq"] = _number(value)
            case 4:
                found["uuid"] = _raw(value).decode()
            case 5:
                found["body"] = _raw(value)
            case _:
                pass  # §6.4.1: fields of later versions
    return Payload(metrics=tuple(metrics), **found)


_METRIC = {
    1: "name",
    2: "alias",
    3: "timestamp",
    4: "datatype",
    5: "is_historical",
    6: "is_transient",
    7: "is_null",
    8: "metadata",
    9: "properties",
}


def _metric(data: bytes) -> Metric:
    found: dict[str, Any] = {}
    for number, value in _fields(data):
        if name := _METRIC.get(number):
            if number == 1:
                found[name] = _raw(value).decode()
            elif number >= 8:
                found[name] = _raw(value)
            else:
                found[name] = bool(_number(value)) if number >= 5 else _number(value)
        elif _INT <= number <= 19:
            found["field"], found["raw"] = number, _scalar(number, value)
    return Metric(**found)


def _scalar(field: int, value: int | bytes) -> Any:
    if field in (_INT, _LONG):
        return _number(value)
    if field == _BOOLEAN:
        return bool(_number(value))
    raw = _raw(value)
    if field in (_FLOAT, _DOUBLE):
        return unpack("<f" if field == _FLOAT else "<d", raw)[0]
    return raw.decode() if field == _STRING else raw


def _number(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("wire type")  # noqa: TRY004  (the bytes are wrong, not our types)
    return value


def _raw(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("wire type")  # noqa: TRY004
    return value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yields number and value of each field: varints as numbers, everything else as bytes."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        size = {1: 8, 5: 4}.get(wire, -1)
        if wire == 2:
            size, at = _varint(data, at)
        if size < 0 or at + size > end or not number:
            raise ValueError(f"field {number} at byte {at}")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & _U64, at
        shift += 7
        if shift > 63:
            raise ValueError("varint")


def _write_metric(metric: Metric) -> bytes:
    out = bytearray()
    for number, name in _METRIC.items():
        _put(out, number, getattr(metric, name))
    if metric.field in (_FLOAT, _DOUBLE):
        single = metric.field == _FLOAT
        _key(out, metric.field, 5 if single else 1)
        out += pack("<f" if single else "<d", metric.raw)
    elif metric.field:
        _put(out, metric.field, metric.raw)
    return bytes(out)


def _put(out: bytearray, number: int, value: int | str | bytes | None) -> None:
    if value is None:
        return
    if isinstance(value, int):
        _key(out, number, 0)
        _put_varint(out, value)
        return
    raw = value.encode() if isinstance(value, str) else value
    _key(out, number, 2)
    _put_varint(out, len(raw))
    out += raw


def _key(out: bytearray, number: int, wire: int) -> None:
    _put_varint(out, number << 3 | wire)


def _put_varint(out: bytearray, value: int) -> None:
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def told_of(payload: Payload, name: str) -> int | None:
    """Returns the number that a metric of this name holds, such as ``bdSeq``."""
    found = next((metric.raw for metric in payload.metrics if metric.name == name), None)
    return found if isinstance(found, int) else None


def refused(reason: str) -> BadInput:
    """Returns the error of a payload that comes out of turn."""
    return bad_frame("Sparkplug B", reason)
