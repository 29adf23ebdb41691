import json

import pytest

from yunmeng.kernel.base import (
    BadInput,
    ancestors,
    boundaries,
    children,
    counties,
    division,
    division_prefix,
    divisions,
    prefectures,
    within,
)

BOTH = {"429004", "429005", "429006", "429021"}


def test_the_plan_s_117_units():
    assert len(divisions()) == 117
    assert len(prefectures()) == 17
    assert len(counties()) == 103
    assert {each.code for each in divisions() if each.prefecture_unit and each.county_unit} == BOTH


def test_a_sum_over_either_level_counts_all_once():
    whole = division("420000").area_km2
    assert sum(each.area_km2 for each in prefectures()) == pytest.approx(whole, rel=1e-3)
    assert sum(each.area_km2 for each in counties()) == pytest.approx(whole, rel=1e-3)
    below = [county for each in prefectures() for county in counties(each.code)]
    assert sorted(each.code for each in below) == [each.code for each in counties()]


def test_walking_down_meets_every_unit_once():
    def walk(code):
        yield code
        for child in children(code):
            yield from walk(child.code)

    assert sorted(walk("420000")) == [each.code for each in divisions()]


def test_children():
    assert {each.code for each in children("420000")} == {each.code for each in prefectures()}
    assert len(children("420100")) == 13
    assert all(not children(code) for code in BOTH)


@pytest.mark.parametrize(
    ("code", "above"),
    [("420000", []), ("420100", ["420000"]), ("420106", ["420100", "420000"]), ("429021", ["420000"])],
)
def test_ancestors(code, above):
    assert [each.code for each in ancestors(code)] == above


@pytest.mark.parametrize(
    ("code", "prefix"),
    [("420000", "42"), ("420100", "4201"), ("422800", "4228"), ("420106", "420106"), ("429004", "429004")],
)
def test_prefixes(code, prefix):
    assert division_prefix(code) == prefix


def test_prefix_and_parents_tell_the_same_story():
    for one in divisions():
        line = {one.code, *(each.code for each in ancestors(one.code))}
        assert {other.code for other in divisions() if within(one.code, other.code)} == line


@pytest.mark.parametrize(
    ("code", "nearest"),
    [
        ("420199", "420100"),
        ("4201", "420100"),
        ("42", "420000"),
        ("429099", "420000"),
        ("武汉市", "420100"),
        ("Wuhan", "420100"),
        ("110000", ""),
        ("", ""),
        (420100, "420100"),
        (["420100"], ""),
    ],
)
def test_an_unknown_code_is_refused_with_the_nearest(code, nearest):
    for ask in (division, children, ancestors, division_prefix, counties):
        with pytest.raises(BadInput) as caught:
            ask(code)
        assert caught.value.key == "division.unknown"
    assert str(caught.value.facts["nearest"]) == nearest


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("province", ["420000"]),
        ("prefectures", [each.code for each in prefectures()]),
        ("prefectures_lite", [each.code for each in prefectures()]),
        ("counties", [each.code for each in counties()]),
    ],
)
def test_boundaries_carry_the_codes(which, expected):
    features = json.loads(boundaries(which).read_text(encoding="utf-8"))["features"]
    assert sorted(feature["properties"]["code"] for feature in features) == expected


def test_centroids_lie_in_the_province():
    assert all(108 < each.lon < 117 and 29 < each.lat < 34 for each in divisions())
