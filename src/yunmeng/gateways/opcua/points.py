"""The table of points 点表: which nodes are followed, and what may be written or called.

It is the mapping, ``mapping.toml`` or CSV, whose fields are node ids (OPC 10000-6 §5.3.1.10):
``nsu=http://plant.example/;s=Pump1.Flow`` by namespace, or ``ns=2;s=Pump1.Flow`` by its number. The CSV may
have more columns: ``deadband`` (in the node's unit, or ``2%`` of its range), ``sampling`` (ms), ``access``
(``write``, or ``call`` for a method, whose row has no attribute) and ``object`` (of a method, where it is not
its parent).
"""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

import msgspec

from yunmeng.kernel.base import Broken
from yunmeng.kernel.sense import Mapper


class Point(msgspec.Struct, frozen=True):
    """One node; ``table`` is that of the mapping, empty for a method."""

    node: str
    table: str = ""
    deadband: float = 0.0
    is_percent: bool = False
    sampling_ms: float = -1.0
    access: str = ""
    object: str = ""


def read_points(mappers: Mapping[str, Mapper], file: Path | None) -> list[Point]:
    """Returns the points of a mapping, with what its CSV ``file`` says of them.

    Raises:
        Broken: ``mapping.bad`` naming the line.
    """
    rows = _rows(file) if file is not None and file.suffix == ".csv" else {}
    found = [
        msgspec.structs.replace(rows.pop(node, Point(node)), node=node, table=table)
        for table, mapper in mappers.items()
        for node in sorted(mapper.names)
    ]
    return found + [point for point in rows.values() if point.access == "call"]


def _rows(file: Path) -> dict[str, Point]:
    found: dict[str, Point] = {}
    try:
        rows = csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines(), strict=True)
        for row in rows:
            try:
                point = _point(row)
            except (TypeError, ValueError) as cause:
                raise ValueError(f"line {rows.line_num}: {cause}") from cause
            found[point.node] = point
    except (OSError, ValueError, csv.Error) as cause:
        raise Broken("mapping.bad", file=str(file), reason=str(cause)) from cause
    return found


def _point(row: Mapping[str, str | None]) -> Point:
    band = (row.get("deadband") or "").strip()
    access = (row.get("access") or "").strip()
    if access not in ("", "write", "call"):
        raise ValueError(f"access: {access}")
    return Point(
        (row.get("field") or "").strip(),
        deadband=_number(band.removesuffix("%"), 0.0),
        is_percent=band.endswith("%"),
        sampling_ms=_number((row.get("sampling") or "").strip(), -1.0),
        access=access,
        object=(row.get("object") or "").strip(),
    )


def _number(text: str, default: float) -> float:
    value = float(text) if text else default
    if not math.isfinite(value) or (text and value < 0):
        raise ValueError(text)
    return value
