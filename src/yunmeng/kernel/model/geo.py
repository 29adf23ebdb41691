"""Geoqueries, parsed and matched (ETSI GS CIM 009 §4.10)."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import asin, cos, hypot, radians, sin, sqrt
from typing import Any, cast

import msgspec
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model.compact import LOCATION
from yunmeng.kernel.model.conditions import GeoCondition, GeoRelation
from yunmeng.kernel.model.contexts import Context
from yunmeng.kernel.model.geometry import check_geometry
from yunmeng.kernel.model.json_values import is_object
from yunmeng.kernel.model.operations import Document

_RELATIONS: dict[str, GeoRelation] = {
    "near": "near",
    "within": "within",
    "contains": "contains",
    "intersects": "intersects",
    "equals": "equals",
    "disjoint": "disjoint",
    "overlaps": "overlaps",
}
_EARTH_M = 6_371_008.8
_FLAT_M = 100_000.0


def parse_geo(params: Mapping[str, object], context: Context) -> GeoCondition | None:
    """Returns the geoquery in ``georel``, ``geometry``, ``coordinates``, ``geoproperty``; None without any.

    ``coordinates`` may be JSON text or a list. Raises ``BadInput`` with ``geo.missing``, ``geo.relation``,
    ``geo.distance``, ``geo.coordinates`` or a ``geometry.*`` key.
    """
    if not any(params.get(name) for name in ("georel", "geometry", "coordinates")):
        return None
    for name in ("georel", "geometry", "coordinates"):
        if not params.get(name):
            raise BadInput("geo.missing", parameter=name)
    relation, minimum, maximum = _relation(str(params["georel"]))
    shape = {"type": params["geometry"], "coordinates": _coordinates(params["coordinates"])}
    geometry = check_geometry("coordinates", shape)
    name = params.get("geoproperty")
    uri = context.expanded[str(name)] if name else LOCATION
    return GeoCondition(relation, geometry, uri, minimum, maximum)


def _relation(text: str) -> tuple[GeoRelation, float | None, float | None]:
    name, *modifiers = text.split(";")
    relation = _RELATIONS.get(name)
    if relation is None:
        raise BadInput("geo.relation", relation=text)
    limits: dict[str, float] = {}
    for modifier in modifiers:
        limit, equal, metres = modifier.partition("==")
        if not equal or limit not in ("minDistance", "maxDistance") or relation != "near":
            raise BadInput("geo.distance", relation=text)
        try:
            limits[limit] = float(metres)
        except ValueError as cause:
            raise BadInput("geo.distance", relation=text) from cause
    if any(not 0 < metres < 1e9 for metres in limits.values()) or (relation == "near" and len(limits) != 1):
        raise BadInput("geo.distance", relation=text)
    return relation, limits.get("minDistance"), limits.get("maxDistance")


def _coordinates(value: object) -> object:
    if not isinstance(value, (str, bytes)):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError as cause:
        raise BadInput("geo.coordinates", coordinates=str(value)[:200]) from cause


class GeoMatcher:
    """A geoquery made ready to try on many geometries.

    ``bounds`` is the box (west, south, east, north) outside which nothing can match, None when all may.
    """

    def __init__(self, condition: GeoCondition) -> None:
        self._condition = condition
        self._reference = to_shape(condition.geometry)
        at = self._reference
        self._point = (at.x, at.y) if isinstance(at, shapely.Point) and not at.is_empty else None
        shapely.prepare(self._reference)
        self.bounds = self._bounds()

    def matches(self, geometry: Mapping[str, object]) -> bool:
        """Says whether a GeoJSON geometry stands in the relation asked for."""
        if geometry.get("type") == "Point" and self._condition.relation == "near":
            east, north = cast("Sequence[float]", geometry["coordinates"])[:2]
            return self._near_point(east, north)
        shape, reference = to_shape(geometry), self._reference
        match self._condition.relation:
            case "near":
                return self._near(shape)
            case "within":
                return reference.covers(shape) and shape.within(reference)
            case "contains":
                return shape.contains(reference)
            case "intersects":
                return reference.intersects(shape)
            case "equals":
                return shape.equals(reference)
            case "disjoint":
                return reference.disjoint(shape)
            case "overlaps":
                return reference.overlaps(shape)

    def may_match(self, box: tuple[float, float, float, float]) -> bool:
        """Says whether a geometry within this box (west, south, east, north) may stand in the relation.

        What it says of a point is exact where nearness is asked.
        """
        west, south, east, north = box
        if west != east or south != north:
            return True
        relation = self._condition.relation
        if relation == "near":
            return self._near_point(west, south)
        if relation in ("within", "intersects"):
            return bool(shapely.intersects_xy(self._reference, west, south))
        return True

    def _near_point(self, east: float, north: float) -> bool:
        if self._point is None:
            return self._near(shapely.Point(east, north))
        return self._is_near(_points_m(*self._point, east, north))

    def _near(self, shape: BaseGeometry) -> bool:
        return self._is_near(distance_m(self._reference, shape))

    def _is_near(self, metres: float) -> bool:
        low, high = self._condition.min_distance, self._condition.max_distance
        return (low is None or metres >= low) and (high is None or metres <= high)

    def _bounds(self) -> tuple[float, float, float, float] | None:
        west, south, east, north = self._reference.bounds
        if self._condition.relation == "disjoint":
            return None
        if self._condition.relation != "near":
            return west, south, east, north
        if self._condition.max_distance is None:
            return None
        # a little more than asked, so that the box never cuts off what the exact distance keeps
        margin = self._condition.max_distance * 1.01 + 1
        latitude = margin / 110_000
        widest = min(max(abs(south), abs(north)) + latitude, 89.9)
        longitude = margin / (110_000 * cos(radians(widest)))
        if west - longitude < -180 or east + longitude > 180:
            west, east, longitude = -180.0, 180.0, 0.0
        return west - longitude, south - latitude, east + longitude, north + latitude


def matches_geo(document: Document, condition: GeoCondition) -> bool:
    """Says whether a geometry of a stored document stands in the relation asked for."""
    matcher = _matcher(
        condition.relation,
        msgspec.json.encode(condition.geometry),
        condition.min_distance,
        condition.max_distance,
    )
    return any(matcher.matches(geometry) for geometry in geometries(document, condition.property))


@lru_cache(maxsize=64)
def _matcher(
    relation: GeoRelation, geometry: bytes, min_distance: float | None, max_distance: float | None
) -> GeoMatcher:
    return GeoMatcher(
        GeoCondition(relation, msgspec.json.decode(geometry), LOCATION, min_distance, max_distance)
    )


def geometries(document: Document, property: str = LOCATION) -> list[dict[str, object]]:
    """Returns the geometries that a stored document has under a property's URI."""
    found: list[dict[str, object]] = []
    for instance in document.get(property, ()):
        value = instance.get("value")
        if instance.get("type") == "GeoProperty" and is_object(value):
            found.append(value)
    return found


def to_shape(geometry: Mapping[str, object]) -> BaseGeometry:
    """Returns a GeoJSON geometry as a shape of shapely. Raises ``BadInput("geometry.type")``."""
    if geometry.get("type") == "Point":
        position: Any = geometry["coordinates"]
        return shapely.Point(position[0], position[1])
    try:
        return shapely.from_geojson(msgspec.json.encode(geometry))
    except shapely.errors.GEOSException as cause:
        raise BadInput("geometry.type", attribute=str(geometry.get("type"))) from cause


def distance_m(one: BaseGeometry, other: BaseGeometry) -> float:
    """Returns the shortest distance in metres on the earth, 0 when they touch.

    Up to about 100 km on the ellipsoid flattened at the middle latitude (error under 0.1 %), beyond on the
    sphere (error under 0.6 %).
    """
    if isinstance(one, shapely.Point) and isinstance(other, shapely.Point):
        return _points_m(one.x, one.y, other.x, other.y)
    latitude = (sum(one.bounds[1::2]) + sum(other.bounds[1::2])) / 4
    flat = _flat(one, latitude).distance(_flat(other, latitude))
    if flat < _FLAT_M:
        return float(flat)
    line = shapely.get_coordinates(shapely.shortest_line(one, other))  # pyright: ignore[reportUnknownMemberType]
    return _great_circle_m(*(float(number) for number in line.ravel()[:4]))


def _points_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    east, north = _degree_m((lat1 + lat2) / 2)
    flat = hypot((lon2 - lon1) * east, (lat2 - lat1) * north)
    return flat if flat < _FLAT_M else _great_circle_m(lon1, lat1, lon2, lat2)


def _degree_m(latitude: float) -> tuple[float, float]:
    """Returns the lengths of one degree east and north on WGS 84, from series in the latitude."""
    phi = radians(latitude)
    north = 111_132.954 - 559.822 * cos(2 * phi) + 1.175 * cos(4 * phi)
    east = 111_412.84 * cos(phi) - 93.5 * cos(3 * phi) + 0.118 * cos(5 * phi)
    return east, north


def _flat(shape: BaseGeometry, latitude: float) -> BaseGeometry:
    east, north = _degree_m(latitude)

    def scale(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return points * np.array([east, north])

    return shapely.transform(shape, scale)


def _great_circle_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    phi1, phi2 = radians(lat1), radians(lat2)
    half = sin((phi2 - phi1) / 2) ** 2 + cos(phi1) * cos(phi2) * sin(radians(lon2 - lon1) / 2) ** 2
    return 2 * _EARTH_M * asin(min(1.0, sqrt(half)))
