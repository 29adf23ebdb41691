"""A mapping as a table of points 点表, a row a field; what control centres exchange as spreadsheets.

The first line names the columns, in any order: ``table``, ``type``, ``field`` and ``attribute`` are needed;
``unit``, ``factor``, ``offset``, ``values`` (``0=open;1=closed``), ``missing`` (``32767;-32768``) and ``id``
mean what they mean in ``mapping.toml``. Other columns are for people. A row whose attribute is empty is
skipped: spare points stand in such tables too.
"""

import csv
from collections.abc import Mapping
from typing import Any

_NEEDED = {"table", "type", "field", "attribute"}


def read_points(text: str) -> dict[str, Any]:
    """Returns the tables as ``mapping.toml`` would hold them. Raises ``ValueError`` naming the line."""
    rows = csv.DictReader(text.lstrip("\ufeff").splitlines(), strict=True)
    if absent := _NEEDED - set(rows.fieldnames or ()):
        raise ValueError(f"columns: {', '.join(sorted(absent))}")
    tables: dict[str, Any] = {}
    for row in rows:
        if not row["attribute"]:
            continue
        try:
            _add(tables, row)
        except (TypeError, ValueError) as cause:
            raise ValueError(f"line {rows.line_num}: {cause}") from cause
    return tables


def _add(tables: dict[str, Any], row: Mapping[str, str]) -> None:
    table = tables.setdefault(row["table"], {"type": row["type"], "id": row.get("id") or "", "fields": {}})
    if table["type"] != row["type"]:
        raise ValueError(f"{row['table']}: {table['type']}, {row['type']}")
    if row["field"] in table["fields"]:
        raise ValueError(f"{row['field']}: twice")
    table["fields"][row["field"]] = _field(row)


def _field(row: Mapping[str, str]) -> dict[str, Any]:
    field: dict[str, Any] = {"attribute": row["attribute"], "unit": row.get("unit") or ""}
    field |= {name: float(row[name]) for name in ("factor", "offset") if row.get(name)}
    pairs = [each.partition("=") for each in _list(row.get("values"))]
    field["values"] = {raw.strip(): value.strip() for raw, _, value in pairs}
    field["missing"] = [float(each) for each in _list(row.get("missing"))]
    return field


def _list(text: str | None) -> list[str]:
    return [each for each in (text or "").split(";") if each.strip()]
