"""SenML (RFC 8428): packs of records, resolved."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

Value = float | int | str | None

_LABELS: Mapping[int, str] = {
    -6: "bs",
    -5: "bv",
    -4: "bu",
    -3: "bt",
    -2: "bn",
    -1: "bver",
    0: "n",
    1: "u",
    2: "v",
    3: "vs",
    4: "vb",
    5: "s",
    6: "t",
    7: "ut",
    8: "vd",
}
"""Labels of CBOR (§6, table 4)."""

_VERSION = 10
_RELATIVE = 2**28
"""Times below are seconds from now (§4.5.3)."""

_MOST = 10_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*")


class Record(msgspec.Struct, frozen=True):
    """One resolved record: whole name, unit of SenML, time in microseconds UTC, value."""

    name: str
    at: int
    value: Value
    unit: str = ""


def resolve(pack: Any, at: int) -> list[Record]:
    """Returns the records of a pack with their base values applied; ``at`` is now.

    Raises:
        ValueError: what breaks RFC 8428.
    """
    if not isinstance(pack, list) or not 0 < len(cast("Sequence[Any]", pack)) <= _MOST:
        raise ValueError("no SenML pack")
    base: dict[str, Any] = {}
    found: list[Record] = []
    for each in cast("Sequence[Any]", pack):
        record = _named(each)
        for label in ("bn", "bt", "bu", "bv", "bs", "bver"):
            if label in record:
                base[label] = record[label]
        if _number(base.get("bver", _VERSION), "bver") > _VERSION:
            raise ValueError(f"bver {base['bver']}")
        resolved = _resolve(record, base, at)
        if resolved is not None:
            found.append(resolved)
    return found


def _named(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise ValueError("a record is no object")  # noqa: TRY004  (the pack is wrong, not our types)
    record: dict[str, Any] = {}
    for label, value in cast("dict[Any, Any]", raw).items():
        name = _LABELS.get(label) if isinstance(label, int) else label
        if isinstance(name, str) and name.endswith("_"):
            # a label that must be understood (§4.4)
            raise ValueError(f"label {name}")
        if isinstance(name, str):
            record[name] = value
    return record


def _resolve(record: Mapping[str, Any], base: Mapping[str, Any], at: int) -> Record | None:
    values = [label for label in ("v", "vs", "vb", "vd") if label in record]
    if len(values) > 1:
        raise ValueError("several values")
    if not values and "s" not in record:
        # a record of base values alone
        return None
    name = f"{base.get('bn', '')}{record.get('n', '')}"
    if not _NAME.fullmatch(name):
        raise ValueError(f"name {name!r}")
    unit = record.get("u", base.get("bu", ""))
    return Record(
        name, _time(record, base, at), _value(record, base, values), unit if isinstance(unit, str) else ""
    )


def _value(record: Mapping[str, Any], base: Mapping[str, Any], values: Sequence[str]) -> Value:
    if not values or values[0] == "v":
        label = "v" if values else "s"
        return _number(record[label], label) + _number(base.get(f"b{label}", 0), f"b{label}")
    raw = record[values[0]]
    if values[0] == "vb":
        if not isinstance(raw, bool):
            raise ValueError("vb")
        return int(raw)
    if isinstance(raw, bytes):  # CBOR carries data as it is
        return raw.hex()
    if not isinstance(raw, str):
        raise ValueError(values[0])  # noqa: TRY004
    return raw


def _time(record: Mapping[str, Any], base: Mapping[str, Any], at: int) -> int:
    seconds = _number(base.get("bt", 0), "bt") + _number(record.get("t", 0), "t")
    moment = round(seconds * 1e6) + (at if seconds < _RELATIVE else 0)
    if not 0 < moment < 4_102_444_800_000_000:
        raise ValueError(f"time {seconds}")
    return moment


def _number(raw: Any, label: str) -> float | int:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
        raise ValueError(label)
    return raw
