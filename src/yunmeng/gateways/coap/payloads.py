"""Payloads by their content format → readings of devices, by a table of ``resources.toml``."""

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import msgspec

from yunmeng.gateways.coap.senml import Record, resolve
from yunmeng.gateways.coap.tables import PathPattern, ResourceRow
from yunmeng.kernel.base import BadInput, Unavailable, conversion, unit_of_ucum
from yunmeng.kernel.sense import DocumentReader, Found, Mapper, Value

TEXT, JSON, CBOR, SENML_JSON, SENML_CBOR = 0, 50, 60, 110, 112
FORMATS = (JSON, CBOR, SENML_JSON, SENML_CBOR)
"""Content formats that are read (RFC 7252 §12.3, RFC 8428 §12.3)."""

_UNITS: Mapping[str, str] = {"%RH": "P1", "%": "P1", "Cel": "CEL", "/": "C62", "lat": "DD", "lon": "DD"}
"""Units of SenML (RFC 8428 §12.1) that UCUM writes in another way."""


class Table:
    """One table of ``resources.toml`` at work."""

    def __init__(self, name: str, row: ResourceRow, mapper: Mapper | None) -> None:
        self.name = name
        self.mapping = row.mapping or name
        self.row = row
        self.pattern = PathPattern(row.path)
        self._mapper = mapper
        self._reader = DocumentReader(row)
        self._names = re.compile(_names(row.names)) if row.names else None
        self._fields = {path: field for field, path in row.fields.items()}

    def read(self, device: str, format: int | None, payload: bytes, at: int) -> list[Found]:
        """Returns the readings of a payload; ``device`` and ``at`` count where it says none.

        Raises:
            BadInput: ``coap.payload`` with the reason, ``coap.format``.
        """
        if format not in (None, *FORMATS):
            raise BadInput("coap.format", format=format, known=", ".join(map(str, FORMATS)))
        try:
            document = decode(format, payload)
            if format in (SENML_JSON, SENML_CBOR):
                return list(self._records(device, resolve(document, at)))
            return list(self._reader.read(device, document, at))
        except ValueError as cause:  # msgspec's errors are ValueErrors
            raise BadInput("coap.payload", path=self.row.path, reason=str(cause)) from cause
        except (RecursionError, OverflowError, EOFError, TypeError) as cause:
            raise BadInput("coap.payload", path=self.row.path, reason=type(cause).__name__) from cause

    def _records(self, device: str, records: list[Record]) -> Iterator[Found]:
        together: dict[tuple[str, int], dict[str, Value]] = {}
        for record in records:
            owner, name = self._split(device, record.name)
            field = self._fields.get(name)
            if not owner:
                raise ValueError("device")
            if field is not None:
                together.setdefault((owner, record.at), {})[field] = self._converted(field, record)
        if not together:
            raise ValueError("none of the fields")
        for (owner, at), fields in together.items():
            yield owner, at, fields

    def _split(self, device: str, name: str) -> tuple[str, str]:
        if self._names is not None:
            found = self._names.fullmatch(name)
            if found is None:
                raise ValueError(f"name {name}")
            names = found.groupdict()
            return names.get("device") or device, names.get("field", "")
        owner, mark, field = max(name.rpartition(":"), name.rpartition("/"), key=lambda parts: len(parts[0]))
        return device or (owner if mark else ""), field

    def _converted(self, field: str, record: Record) -> Value:
        wanted = self._mapper.unit(field) if self._mapper else ""
        if not record.unit or not wanted or not isinstance(record.value, int | float):
            return record.value
        try:
            unit = _UNITS.get(record.unit) or unit_of_ucum(record.unit).code
            scale, shift = conversion(unit, wanted)
        except BadInput as cause:
            raise ValueError(f"{record.name}: unit {record.unit}, {wanted} is wanted") from cause
        return record.value if (scale, shift) == (1.0, 0.0) else record.value * scale + shift


def decode(format: int | None, payload: bytes) -> Any:
    """Reads JSON (also where no format stands) or CBOR. Raises ``ValueError``."""
    if format in (CBOR, SENML_CBOR):
        library = cbor()
        try:
            return library.loads(payload)
        except library.CBORDecodeError as cause:
            raise ValueError(str(cause)) from cause
    return msgspec.json.decode(payload)


def encode(form: str, arguments: Mapping[str, Any]) -> tuple[int | None, bytes]:
    """Returns the content format and the payload of a command."""
    if form == "none":
        return None, b""
    if form == "text":
        return TEXT, str(arguments.get("value", "")).encode()
    if form == "cbor":
        return CBOR, cbor().dumps(dict(arguments))
    return JSON, msgspec.json.encode(arguments)


def cbor() -> Any:
    """Returns the library for CBOR. Raises ``Unavailable("sense.extra")`` without it."""
    try:
        return import_module("cbor2")
    except ImportError as cause:
        raise Unavailable("sense.extra", gateway="coap", library="cbor2", extra="coap") from cause


def _names(pattern: str) -> str:
    return (
        re.escape(pattern).replace(r"\{device\}", "(?P<device>.+)").replace(r"\{field\}", "(?P<field>[^/:]+)")
    )
