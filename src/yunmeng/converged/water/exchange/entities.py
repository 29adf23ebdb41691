"""Rows of the register as NGSI-LD entities, and back; every fault is named by sheet and row."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import isfinite
from typing import Any

import msgspec

from yunmeng.converged.water.exchange.sheets import CURVES, Rows
from yunmeng.kernel.base import BadInput, YunmengError, division, instant_us, make_urn
from yunmeng.kernel.model import AttributeRow, TypeLibrary, is_object

CODES: Mapping[str, str] = {
    "Basin": "basinCode",
    "River": "riverCode",
    "Reservoir": "reservoirCode",
    "HydrologicalStation": "stationCode",
    "WaterIntake": "intakeCode",
    "WaterPermit": "permitCode",
}
"""Which attribute holds the code from which an entity's id is made; other types take a column ``code``."""

_NAMED = ("name", "nameEn")
_POINT = ("longitude", "latitude")
_SHOWN = 10


def to_bodies(rows: Rows, library: TypeLibrary) -> list[dict[str, Any]]:
    """Returns rows as NGSI-LD bodies in concise form; ids are ``urn:ngsi-ld:<type>:<code>``.

    Relationships name the other's URN, or its code where the type tables say its type, or ``Type:code``.
    Points of a ``curves`` sheet join their reservoirs.

    Raises:
        BadInput: ``water.rows`` with the first faults, each with sheet and row; then nothing is taken.
    """
    faults: list[str] = []
    bodies: dict[str, dict[str, Any]] = {}
    for type_, table in rows.items():
        for row in table if type_ != CURVES else ():
            try:
                body = _body(type_, row, library)
            except (YunmengError, ValueError, TypeError) as error:
                faults.append(f"{type_} {row.get('row', '?')}: {error}")
                continue
            if body["id"] in bodies:
                faults.append(f"{type_} {row.get('row', '?')}: {body['id']} twice")
            bodies[body["id"]] = body
    faults += _join_curves(rows.get(CURVES, []), bodies)
    if faults:
        more = f" … (+{len(faults) - _SHOWN})" if len(faults) > _SHOWN else ""
        raise BadInput("water.rows", count=len(faults), faults="; ".join(faults[:_SHOWN]) + more)
    return list(bodies.values())


def to_rows(entities: Iterable[Mapping[str, Any]]) -> Rows:
    """Returns entities in simplified form as rows by type."""
    rows: Rows = {}
    for entity in entities:
        row = {
            name: _plain(value)
            for name, value in entity.items()
            if name not in ("type", "location", "@context")
        }
        point = entity.get("location")
        if is_object(point) and point.get("type") == "Point":
            row["longitude"], row["latitude"] = point["coordinates"][:2]
        rows.setdefault(str(entity["type"]), []).append(row)
    return rows


def _body(type_: str, row: Mapping[str, Any], library: TypeLibrary) -> dict[str, Any]:
    known = {each.name: each for each in library.type(type_).attributes}
    code_name = CODES.get(type_, "code")
    code = str(row.get(code_name) or row.get("code") or "").strip()
    if not code and not row.get("id"):
        raise ValueError(f"no {code_name}")
    body: dict[str, Any] = {"id": row.get("id") or make_urn(type_, code), "type": type_}
    if code_name in known and code:
        body[code_name] = code
    if "division" in row:
        body["division"] = division(str(row["division"])).code
    body |= {name: str(row[name]) for name in _NAMED if name in row}
    for name, value in row.items():
        if name in known and name != code_name and name != "location":
            body[name] = _value(known[name], value)
    location = row.get("location") or _location(row)
    return body | ({"location": location} if location else {})


def _location(row: Mapping[str, Any]) -> dict[str, Any] | None:
    if not any(name in row for name in _POINT):
        return None
    longitude, latitude = (float(row[name]) if name in row else float("nan") for name in _POINT)
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise ValueError(f"longitude {longitude}, latitude {latitude}")
    return {"type": "Point", "coordinates": [longitude, latitude]}


def _value(attribute: AttributeRow, value: Any) -> Any:
    if attribute.kind in ("Relationship", "ListRelationship"):
        return {"object": _target(attribute, str(value).strip())}
    if attribute.kind == "JsonProperty":
        return {"json": msgspec.json.decode(value) if isinstance(value, str) else value}
    if attribute.datatype in ("number", "integer"):
        return _number(attribute, value)
    if attribute.datatype in ("datetime", "date"):
        return _moment(str(value))
    if attribute.datatype == "boolean":
        return _truth(attribute, value)
    text = str(value)
    if attribute.values and text not in attribute.values:
        raise ValueError(f"{attribute.name} {text}: {', '.join(map(str, attribute.values))}")
    return text


def _number(attribute: AttributeRow, value: Any) -> Any:
    number = float(value)
    low, high = attribute.min, attribute.max
    if not isfinite(number) or (low is not None and number < low) or (high is not None and number > high):
        raise ValueError(f"{attribute.name} {value}: {low}…{high}")
    if attribute.datatype == "integer" and not number.is_integer():
        raise ValueError(f"{attribute.name} {value}: integer")
    whole = int(number) if number.is_integer() else number
    return {"value": whole, "unitCode": attribute.unit} if attribute.unit else whole


def _moment(text: str) -> dict[str, Any]:
    """Reads a day or a time; one without an offset, as all of Excel's are, is Beijing time."""
    day, _, clock = text.partition("T")
    if clock and datetime.fromisoformat(text).tzinfo is None:
        text = day if clock == "00:00:00" else f"{text}+08:00"
    instant_us(text if "T" in text else f"{text}T00:00:00+08:00")
    return {"value": {"@type": "DateTime" if "T" in text else "Date", "@value": text}}


def _truth(attribute: AttributeRow, value: Any) -> bool:
    text = str(value).strip().lower()
    if text in ("true", "1", "yes", "是", "有"):
        return True
    if text in ("false", "0", "no", "否", "无"):
        return False
    raise ValueError(f"{attribute.name} {value}: true, false")


def _target(attribute: AttributeRow, text: str) -> str:
    if text.startswith("urn:"):
        return text
    kind, colon, code = text.partition(":")
    if colon:
        return make_urn(kind, code)
    if not attribute.target:
        raise ValueError(f"{attribute.name} {text}: urn:… / Type:code")
    return make_urn(attribute.target, text)


def _join_curves(points: Sequence[Mapping[str, Any]], bodies: Mapping[str, dict[str, Any]]) -> list[str]:
    faults: list[str] = []
    curves: dict[str, dict[str, list[float]]] = {}
    for point in points:
        id = make_urn("Reservoir", str(point.get("code", "")) or "?")
        if id not in bodies:
            faults.append(f"curves {point.get('row', '?')}: no reservoir {point.get('code')}")
            continue
        columns = curves.setdefault(id, {})
        try:
            for name in ("level", "storage", "area", "discharge", "spill"):
                if name in point:
                    columns.setdefault(name, []).append(float(point[name]))
        except ValueError as error:
            faults.append(f"curves {point.get('row', '?')}: {error}")
    for id, columns in curves.items():
        bodies[id]["curves"] = {"json": columns}
    return faults


def _plain(value: Any) -> Any:
    if is_object(value):
        return value.get("json", value.get("@value", value))
    return value
