"""Payloads in JSON → readings of devices."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, cast

import msgspec

from yunmeng.gateways.mqtt.paths import ABSENT, Find, read_path
from yunmeng.gateways.mqtt.tables import TopicRow
from yunmeng.kernel.base import BadInput, datetime_us, instant_us

Value = float | int | str | None
Found = tuple[str, int, dict[str, Value]]

MOST_READINGS = 10_000
_BEIJING = timezone(timedelta(hours=8))
_PER_UNIT = {"s": 1_000_000.0, "ms": 1_000.0, "us": 1.0, "ns": 0.001}
_EARLIEST, _LATEST = 0, 4_102_444_800_000_000  # 1970 to 2100: others are another unit, or a broken clock
_decode = msgspec.json.Decoder().decode


class JsonReader:
    """Reads the payloads of one table. Raises ``BadInput("mqtt.path")`` for a path that is none."""

    def __init__(self, row: TopicRow) -> None:
        self._form = row.time_form
        self._device = read_path(row.device) if row.device else None
        self._readings = read_path(row.readings)
        self._time = read_path(row.time.removeprefix("/")) if row.time else None
        self._time_at_root = row.time.startswith("/")
        self._fields = [(name, read_path(path)) for name, path in row.fields.items()]
        self._pair = (read_path(row.name), read_path(row.value)) if row.name else None
        self._named = {path: name for name, path in row.fields.items()}

    def read(self, names: Mapping[str, str], topic: str, payload: bytes, at: int) -> Iterator[Found]:
        """Yields device, time (microseconds UTC) and fields of each reading; ``at`` where none stands.

        Raises:
            BadInput: ``mqtt.payload`` with the topic and what is wrong.
        """
        try:
            root = _decode(payload)
            device = names.get("device", "") if self._device is None else _text(self._device(root))
            found = self._readings(root)
            readings = cast("list[Any]", found) if isinstance(found, list) else [found]
            _check(device, len(readings))
            if self._pair:
                yield from self._paired(device, root, readings, at)
                return
            for reading in readings:
                yield device, self._when(root, reading, at), self._values(reading)
        except ValueError as cause:  # msgspec's errors are ValueErrors
            raise BadInput("mqtt.payload", topic=topic, reason=str(cause)) from cause
        except (RecursionError, OverflowError) as cause:
            raise BadInput("mqtt.payload", topic=topic, reason=type(cause).__name__) from cause

    def _values(self, reading: Any) -> dict[str, Value]:
        fields: dict[str, Value] = {}
        for name, find in self._fields:
            raw = find(reading)
            kind: object = type(cast("object", raw))
            if kind is float or kind is int or kind is str or raw is None:
                fields[name] = raw
            elif raw is not ABSENT:
                fields[name] = _plain(name, raw)
        if not fields:
            raise ValueError("none of the fields")
        return fields

    def _paired(self, device: str, root: Any, readings: list[Any], at: int) -> Iterator[Found]:
        name_of, value_of = cast("tuple[Find, Find]", self._pair)
        together: dict[int, dict[str, Value]] = {}
        for reading in readings:
            field = self._named.get(_text(name_of(reading)))
            raw = value_of(reading)
            if field is not None and raw is not ABSENT:
                together.setdefault(self._when(root, reading, at), {})[field] = _plain(field, raw)
        if not together:
            raise ValueError("none of the fields")
        for when, fields in together.items():
            yield device, when, fields

    def _when(self, root: Any, reading: Any, at: int) -> int:
        if self._time is None:
            return at
        raw = self._time(root if self._time_at_root else reading)
        us = _instant(raw, self._form)
        if not _EARLIEST < us < _LATEST:
            raise ValueError(f"time {raw}")
        return us


def _check(device: str, readings: int) -> None:
    if not device or readings > MOST_READINGS:
        raise ValueError(f"{readings} readings" if device else "device")


def _instant(raw: Any, form: str) -> int:
    if form in _PER_UNIT:
        if isinstance(raw, str):
            raw = float(raw)
        if isinstance(raw, bool) or not isinstance(raw, int | float):
            raise ValueError("time")
        return round(raw * _PER_UNIT[form])
    if not isinstance(raw, str):
        raise ValueError("time")  # noqa: TRY004  (the payload is wrong, not our types)
    if form == "iso":
        try:
            return instant_us(raw)
        except BadInput as cause:
            raise ValueError(f"time {raw}") from cause
    moment = datetime.fromisoformat(raw)
    return datetime_us(moment if moment.tzinfo else moment.replace(tzinfo=_BEIJING))


def _plain(name: str, raw: Any) -> Value:
    if isinstance(raw, bool):
        return int(raw)
    if raw is None or isinstance(raw, float | int | str):
        return raw
    raise ValueError(f"{name}: a number or a text is wanted")


def _text(raw: Any) -> str:
    return raw if isinstance(raw, str) else str(raw) if type(raw) is int else ""
