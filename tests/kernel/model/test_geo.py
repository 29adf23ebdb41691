import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import (
    ContextLibrary,
    GeoCondition,
    GeoMatcher,
    distance_m,
    expand_entity,
    matches_geo,
    parse_geo,
    to_shape,
)

from .conftest import LOCATION, VOCAB

CORE = ContextLibrary().core
WUHAN = {"type": "Point", "coordinates": [114.3, 30.6]}
SQUARE = {"type": "Polygon", "coordinates": [[[114, 30], [115, 30], [115, 31], [114, 31], [114, 30]]]}

TRIANGLE = {"type": "Polygon", "coordinates": [[[114.5, 30], [116, 30], [116, 31], [114.5, 30]]]}


def query(relation: str, geometry: dict[str, object] = WUHAN, **more: object) -> GeoCondition:
    condition = parse_geo(
        {"georel": relation, "geometry": geometry["type"], "coordinates": geometry["coordinates"], **more},
        CORE,
    )
    assert condition is not None
    return condition


def found(condition: GeoCondition, geometry: dict[str, object], name: str = "location") -> bool:
    document = expand_entity({"id": "urn:ngsi-ld:T:1", "type": "T", name: geometry}, CORE)
    return matches_geo(document, condition)


def test_parameters_become_a_condition():
    condition = parse_geo(
        {"georel": "near;maxDistance==2000", "geometry": "Point", "coordinates": "[114.3,30.6]"}, CORE
    )
    assert condition == GeoCondition("near", WUHAN, LOCATION, None, 2000.0)
    assert query("within", SQUARE, geoproperty="area").property == VOCAB + "area"
    assert parse_geo({"geoproperty": "area"}, CORE) is None


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"georel": None}, "geo.missing"),
        ({"geometry": None}, "geo.missing"),
        ({"coordinates": ""}, "geo.missing"),
        ({"georel": "beside"}, "geo.relation"),
        ({"georel": "near"}, "geo.distance"),
        ({"georel": "near;maxDistance=2000"}, "geo.distance"),
        ({"georel": "near;maxDistance==far"}, "geo.distance"),
        ({"georel": "near;maxDistance==nan"}, "geo.distance"),
        ({"georel": "near;maxDistance==-1"}, "geo.distance"),
        ({"georel": "within;maxDistance==1"}, "geo.distance"),
        ({"coordinates": "[1,"}, "geo.coordinates"),
        ({"coordinates": "[200,0]"}, "geometry.range"),
        ({"geometry": "Circle"}, "geometry.type"),
        ({"geometry": "Polygon"}, "geometry.position"),
    ],
)
def test_bad_parameters(change, key):
    params = {"georel": "near;maxDistance==1", "geometry": "Point", "coordinates": "[1,1]", **change}
    with pytest.raises(BadInput) as caught:
        parse_geo(params, CORE)
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("other", "metres", "tolerance"),
    [
        # Karney's geodesic on WGS 84
        ((114.31, 30.61), 1465.8, 2),
        ((114.3, 30.6), 0, 0.001),
        ((116.4, 39.9), 1_050_000, 7_000),
    ],
)
def test_distances_are_metres_on_the_earth(other, metres, tolerance):
    shape = to_shape({"type": "Point", "coordinates": list(other)})
    assert distance_m(to_shape(WUHAN), shape) == pytest.approx(metres, abs=tolerance)


def test_near():
    beside = {"type": "Point", "coordinates": [114.31, 30.61]}
    assert found(query("near;maxDistance==1500"), beside)
    assert not found(query("near;maxDistance==1400"), beside)
    assert found(query("near;minDistance==1400"), beside)
    assert not found(query("near;minDistance==1500"), beside)
    assert found(query("near;maxDistance==1"), SQUARE)
    line = {"type": "LineString", "coordinates": [[114.31, 30.0], [114.31, 31.0]]}
    assert found(query("near;maxDistance==970"), line)
    assert not found(query("near;maxDistance==940"), line)


@pytest.mark.parametrize(
    ("relation", "geometry", "expected"),
    [
        ("within", WUHAN, True),
        ("within", {"type": "Point", "coordinates": [113, 30]}, False),
        ("within", {"type": "Point", "coordinates": [114, 30]}, False),
        ("intersects", {"type": "Point", "coordinates": [114, 30]}, True),
        ("disjoint", {"type": "Point", "coordinates": [113, 30]}, True),
        ("disjoint", WUHAN, False),
        ("equals", SQUARE, True),
        ("contains", SQUARE, True),
        ("contains", WUHAN, False),
        ("overlaps", TRIANGLE, True),
        ("overlaps", SQUARE, False),
    ],
)  # fmt: skip
def test_relations(relation, geometry, expected):
    assert found(query(relation, SQUARE), geometry) is expected
    if expected and relation != "disjoint":
        bounds = GeoMatcher(query(relation, SQUARE)).bounds
        assert bounds == (114, 30, 115, 31)


def test_entities_without_the_geometry_do_not_match():
    assert not found(query("disjoint", SQUARE), WUHAN, "area")
    assert found(query("within", SQUARE, geoproperty="area"), WUHAN, "area")


positions = st.tuples(st.floats(-180, 180), st.floats(-85, 85)).map(list)


@given(positions, positions, st.floats(1, 500_000))
def test_the_box_never_cuts_off_a_match(here, there, metres):
    condition = GeoCondition("near", {"type": "Point", "coordinates": here}, LOCATION, None, metres)
    matcher = GeoMatcher(condition)
    if matcher.matches({"type": "Point", "coordinates": there}):
        assert matcher.bounds is not None
        west, south, east, north = matcher.bounds
        assert west <= there[0] <= east
        assert south <= there[1] <= north
