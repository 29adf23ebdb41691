"""Entities as people read them: JSON, a table, GeoJSON, CSV."""

import csv
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from yunmeng.node.cli.output import show, show_json

if TYPE_CHECKING:
    from yunmeng.client import Entity

FORMATS = ("json", "table", "geojson", "csv")


def show_entities(found: "Iterable[Entity]", format: str) -> None:
    """Prints simplified entities in one of ``FORMATS``; as JSON, those of any representation."""
    if format == "geojson":
        from yunmeng.client import to_features

        show_json(to_features(found))
    elif format == "csv":
        _csv([_row(entity) for entity in found])
    elif format == "table":
        _table(found)
    else:
        show_json(list(found))


def _table(found: "Iterable[Entity]") -> None:
    rows = [
        {
            "id": entity["id"],
            "type": entity["type"],
            "attributes": ", ".join(f"{k}={_text(v)}" for k, v in _row(entity).items() if k not in _HEAD),
        }
        for entity in found
    ]
    columns = (("id", "Id"), ("type", "Type 类型"), ("attributes", "Attributes 属性"))
    show(rows, columns, json_=False, styles={"id": "cyan", "attributes": "dim"})


_HEAD = ("id", "type")


def _csv(rows: list[dict[str, Any]]) -> None:
    names = dict.fromkeys(name for row in rows for name in row)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names or _HEAD)
    writer.writerows([_text(row.get(name)) for name in names] for row in rows)


def _row(entity: "Entity") -> dict[str, Any]:
    """Returns the cells of an entity; a point is two of them, as ``put`` reads it back."""
    cells = {name: value for name, value in entity.items() if name != "@context"}
    place = cells.get("location")
    if isinstance(place, dict) and place.get("type") == "Point":  # pyright: ignore[reportUnknownMemberType]
        del cells["location"]
        cells["longitude"], cells["latitude"] = place["coordinates"][:2]
    return cells


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
