"""Documents such as JSON and CBOR → readings of devices, by a row that says where things stand."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, Protocol, cast

from yunmeng.kernel.base import BadInput, datetime_us, instant_us
from yunmeng.kernel.sense.mapping import Value
from yunmeng.kernel.sense.paths import ABSENT, Find, read_path

Found = tuple[str, int, dict[str, Value]]
"""Device, time (microseconds UTC) and fields."""

TimeForm = Literal["iso", "beijing", "s", "ms", "us", "ns"]

MOST_READINGS = 10_000
_BEIJING = timezone(timedelta(hours=8))
_PER_UNIT = {"s": 1_000_000.0, "ms": 1_000.0, "us": 1.0, "ns": 0.001}
_EARLIEST, _LATEST = 0, 4_102_444_800_000_000  # 1970 to 2100: others are another unit, or a broken clock


class DocumentRow(Protocol):
    """Where things stand in a document: paths as :func:`yunmeng.kernel.sense.paths.read_path` reads them."""

    @property
    def fields(self) -> Mapping[str, str]:
        """Paths in a reading, by field of ``mapping.toml``."""
        ...

    @property
    def device(self) -> str:
        """Path to the device's name; empty where something else names it."""
        ...

    @property
    def readings(self) -> str:
        """Path to an array of readings, or to one; the document when empty."""
        ...

    @property
    def time(self) -> str:
        """Path to the time in the reading, from the document's root with a slash before it."""
        ...

    @property
    def time_form(self) -> TimeForm:
        """How the time is written."""
        ...

    @property
    def name(self) -> str:
        """Path to a reading's name where each reading is one field."""
        ...

    @property
    def value(self) -> str:
        """Path to that field's value."""
        ...


class DocumentReader:
    """Reads the documents of one row. Raises ``BadInput("sense.path")`` for a path that is none."""

    def __init__(self, row: DocumentRow) -> None:
        self._form = row.time_form
        self._device = read_path(row.device) if row.device else None
        self._readings = read_path(row.readings)
        self._time = read_path(row.time.removeprefix("/")) if row.time else None
        self._time_at_root = row.time.startswith("/")
        self._fields = [(name, read_path(path)) for name, path in row.fields.items()]
        self._pair = (read_path(row.name), read_path(row.value)) if row.name else None
        self._named = {path: name for name, path in row.fields.items()}

    def read(self, device: str, root: Any, at: int) -> Iterator[Found]:
        """Yields each reading; ``device`` and ``at`` count where the document says none.

        Raises:
            ValueError: what is wrong with the document, and likewise a ``RecursionError``, ``OverflowError``.
        """
        device = device if self._device is None else _text(self._device(root))
        found = self._readings(root)
        readings = cast("list[Any]", found) if isinstance(found, list) else [found]
        _check(device, len(readings))
        if self._pair:
            yield from self._paired(device, root, readings, at)
            return
        for reading in readings:
            yield device, self._when(root, reading, at), self._values(reading)

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
