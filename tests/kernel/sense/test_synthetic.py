"""Synthetic facilities: a pure function of seed and time, inside their bounds and their divisions."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import Point
from shapely.geometry import shape
from tests.nodes import refused

from yunmeng.kernel.base import boundaries, counties
from yunmeng.kernel.sense import Swarm, load_fleets

TABLE = """
[[fleets]]
type = "Reservoir"
name = { zh-CN = "{county}{n}号水库", en = "{county_en} reservoir {n}" }
per_county = 2
every_s = 60
[fleets.fixed]
floodLimitLevel = 100.0
[[fleets.attributes]]
name = "waterLevel"
base = 95.0
spread = 8.0
daily = 0.3
drift = 1.5
noise = 0.5
low = 90.0
high = 99.0
[[fleets.attributes]]
name = "energy"
base = 0.0
growth = 2.0
"""
NOW = 1_763_800_000_000_000
TERMS = {
    "waterLevel": ("uri:level", "uri:Reservoir", "MTR"),
    "energy": ("uri:energy", "uri:Reservoir", "KWH"),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("fleet") / "demo.toml"
    file.write_text(TABLE, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def swarm(table: Path) -> Swarm:
    return load_fleets(table, 42)[0]


def test_the_same_seed_makes_the_same_province_and_the_same_past(table: Path, swarm: Swarm) -> None:
    again, other = load_fleets(table, 42)[0], load_fleets(table, 43)[0]
    level = swarm.fleet.attributes[0]
    # asked in another order: what was asked before has no influence
    later = again.values(level, NOW + 60_000_000)
    assert again.facilities == swarm.facilities
    assert again.values(level, NOW).tolist() == swarm.values(level, NOW).tolist()
    assert swarm.values(level, NOW + 60_000_000).tolist() == later.tolist()
    assert other.facilities != swarm.facilities
    assert other.values(level, NOW).tolist() != swarm.values(level, NOW).tolist()


@given(at=st.integers(1_577_836_800_000_000, 2_000_000_000_000_000))
def test_values_stay_within_their_bounds(swarm: Swarm, at: int) -> None:
    level = swarm.fleet.attributes[0]
    values = swarm.values(level, at)
    assert np.isfinite(values).all()
    assert ((values >= 90.0) & (values <= 99.0)).all()
    assert (np.round(values, level.digits) == values).all()


def test_a_counter_grows(swarm: Swarm) -> None:
    energy = swarm.fleet.attributes[1]
    first, later = (swarm.values(energy, NOW + hours * 3_600_000_000) for hours in (0, 24))
    assert (later > first).all()


def test_each_facility_lies_within_its_division(swarm: Swarm) -> None:
    features = msgspec.json.decode(boundaries("counties").read_bytes())["features"]
    shapes = {str(each["properties"]["code"]): shape(each["geometry"]) for each in features}
    assert len(swarm.facilities) == 2 * len(list(counties()))
    assert len({one.id for one in swarm.facilities}) == len(swarm.facilities)
    inside = [one for one in swarm.facilities if one.division in shapes]
    assert len(inside) > 200
    # coordinates are rounded to a metre, so a place at the edge may lie that much outside
    outside = [one.id for one in inside if shapes[one.division].distance(Point(one.lon, one.lat)) > 0.00002]
    assert outside == []


def test_bodies_say_that_they_are_synthetic_in_two_languages(swarm: Swarm) -> None:
    bodies = list(swarm.bodies())
    assert {body["synthetic"] for body in bodies} == {True}
    assert {body["floodLimitLevel"] for body in bodies} == {100.0}
    assert bodies[0]["name"] != bodies[0]["nameEn"]
    assert str(bodies[0]["nameEn"]).isascii()


def test_a_batch_has_one_row_an_attribute_and_facility(swarm: Swarm) -> None:
    batch = swarm.batch(NOW, TERMS, slice(10, 15))
    assert len(batch) == 10
    assert [series.entity for series in batch.series[:5]] == [one.id for one in swarm.facilities[10:15]]
    assert {(series.attribute, series.unit, series.synthetic) for series in batch.series} == {
        ("uri:level", "MTR", True),
        ("uri:energy", "KWH", True),
    }
    whole = swarm.batch(NOW, TERMS)
    assert whole.number[10:15].tolist() == batch.number[:5].tolist(), "a slice says what the whole says"
    assert set(batch.observed_at.tolist()) == {NOW}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("[[fleets]]", "[[fleets", "line"),
        ('type = "Reservoir"', "type = 5", "type"),
        ("every_s = 60", "", "every_s"),
        ("base = 95.0", 'base = "high"', "base"),
        ("spread = 8.0", "spred = 8.0", "spred"),
        ("per_county = 2", 'places = ["999999"]', "999999"),
        ("{county}{n}", "{country}{n}", "country"),
    ],
)
def test_a_bad_table_names_the_file_and_the_fault(tmp_path: Path, old: str, new: str, reason: str) -> None:
    assert old in TABLE
    file = tmp_path / "demo.toml"
    file.write_text(TABLE.replace(old, new, 1), encoding="utf-8")
    with refused("demo.bad") as caught:
        load_fleets(file, 1)
    assert str(caught.value.facts["file"]) == str(file)
    assert reason in str(caught.value.facts["reason"])


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with refused("demo.bad"):
        load_fleets(tmp_path / "none.toml", 1)
