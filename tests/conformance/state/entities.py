"""Short ways to write what the suite stores and asks."""

import json
from typing import Any

import numpy as np

from yunmeng.kernel.model import Compare, ObservationBatch, Operand, Path, Quality, Series
from yunmeng.kernel.store import Commit, EntityPut, EntityQuery, StateReader, StateWriter
from yunmeng.kernel.trust import Reach

ALL = Reach()
METER = "https://w3id.org/yunmeng/Meter"
PUMP = "https://w3id.org/yunmeng/Pump"
LEVEL = "https://w3id.org/yunmeng/level"
STATUS = "https://w3id.org/yunmeng/status"
PLACE = "https://uri.etsi.org/ngsi-ld/location"
QUALITY = "https://w3id.org/yunmeng/quality"


def urn(local: object) -> str:
    return f"urn:ngsi-ld:Thing:{local}"


def put(
    id: str,
    attributes: dict[str, Any] | None = None,
    *,
    types: tuple[str, ...] = (METER,),
    tenant: str = "",
    division: str = "420106",
    scope: tuple[str, ...] = (),
) -> EntityPut:
    """An entity; a bare value becomes a Property, a list stands for the instances themselves."""
    document: dict[str, Any] = {"id": id, "type": list(types), "createdAt": "2026-01-01T00:00:00Z"}
    if scope:
        document["scope"] = list(scope)
    for uri, value in (attributes or {}).items():
        document[uri] = value if isinstance(value, list) else [{"type": "Property", "value": value}]
    return EntityPut(tenant, id, types, division, json.dumps(document).encode())


def point(lon: float, lat: float) -> list[dict[str, Any]]:
    return [{"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, lat]}}]


def compare(uri: str, operator: Any, *values: float | str | bool) -> Compare:
    return Compare(Path(uri), operator, tuple(map(operand, values)))


def operand(value: float | str | bool) -> Operand:
    if isinstance(value, bool):
        return Operand("boolean", value)
    return Operand("string" if isinstance(value, str) else "number", value)


def observed(
    *rows: tuple[str, str, int, float | str | None],
    quality: Quality = Quality.GOOD,
    unit: str = "",
    tenant: str = "",
) -> ObservationBatch:
    """A batch of (entity, attribute, seconds, value); a text is kept as text, None is missing."""
    names = list(dict.fromkeys((entity, attribute) for entity, attribute, _, _ in rows))
    return ObservationBatch(
        tenant,
        "gateway",
        0,
        tuple(Series(entity, attribute, METER, "420106", unit) for entity, attribute in names),
        np.array([names.index(row[:2]) for row in rows], np.uint32),
        np.array([row[2] * 1_000_000 for row in rows], np.int64),
        np.array([row[3] if isinstance(row[3], float) else np.nan for row in rows], np.float64),
        np.array([Quality.MISSING if row[3] is None else quality for row in rows], np.uint8),
        {place: row[3] for place, row in enumerate(rows) if isinstance(row[3], str)},
    )


async def ids(store: StateReader, **asked: Any) -> list[str]:
    """The local parts of what a query finds."""
    page = await store.query(EntityQuery(**{"reach": ALL, "limit": 1000, **asked}))
    return [json.loads(body)["id"].rpartition(":")[2] for body in page.documents]


async def document(store: StateReader, id: str, reach: Reach = ALL) -> dict[str, Any]:
    body = await store.get(reach, id)
    assert body is not None
    return json.loads(body)


async def keep(store: StateWriter, *puts: EntityPut) -> None:
    await store.commit(Commit(puts=list(puts)))
