import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.kernel.base import (
    BadInput,
    conversion,
    convert,
    quantities,
    unit,
    unit_of_ucum,
    units,
)

PAIRS = [(one.code, other.code) for one in units() for other in units() if one.quantity == other.quantity]


def test_there_are_enough_units_each_once():
    assert len(units()) >= 200
    for name in ("code", "ucum"):
        assert len({getattr(each, name) for each in units()}) == len(units())


def test_every_unit_has_a_quantity_with_a_base_and_names():
    assert {each.quantity for each in units()} == {each.id for each in quantities()}
    for quantity in quantities():
        assert quantity.name_zh
        assert quantity.name_en
        assert any(
            each.factor == 1 and not each.offset for each in units() if each.quantity == quantity.id
        ) or (quantity.id == "computing_power")
    assert all(each.factor > 0 and each.name_zh and each.name_en for each in units())


def test_code_and_ucum_lead_to_the_same_unit():
    assert all(unit_of_ucum(each.ucum) is unit(each.code) for each in units())


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (25, "CEL", "FAH", 77),
        (0, "KEL", "CEL", -273.15),
        (-40, "FAH", "CEL", -40),
        (1, "KWH", "3B", 3.6),
        (15, "X-MU", "HAR", 1),
        (36, "KMH", "MTS", 10),
        (1, "MQS", "G52", 86400),
        (1, "E34", "AD", 1e9),
        (1, "E62", "AD", 2**30),
        (8, "B80", "E68", 1),
        (30, "DBM", "DBW", 0),
        (760, "HN", "ATM", 1),
        (180, "DD", "C81", math.pi),
        (1, "X-TCE", "KWH", 8141),
        (1, "M1", "GP", 1000),
        (1, "X-EFLOPS", "X-PFLOPS", 1000),
        (35, "P1", "C62", 0.35),
    ],
)
def test_known_conversions(value, source, target, expected):
    assert convert(value, source, target) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(st.sampled_from(PAIRS), st.floats(-1e6, 1e6))
def test_there_and_back_is_the_same_value(pair, value):
    scale, shift = conversion(*pair)
    back = convert(convert(value, *pair), *reversed(pair))
    assert back == pytest.approx(value, rel=1e-9, abs=1e-9 * max(1, abs(shift / scale)))


@given(st.sampled_from(units()), st.floats(allow_nan=False))
def test_a_unit_converts_to_itself_unchanged(one, value):
    assert convert(value, one.code, one.code) == value


def test_units_of_different_quantities_do_not_convert():
    with pytest.raises(BadInput) as caught:
        convert(1, "KWH", "KWT")
    assert caught.value.key == "unit.mismatch"
    assert (caught.value.facts["source_quantity"], caught.value.facts["target_quantity"]) == (
        "energy",
        "power",
    )


@pytest.mark.parametrize(
    ("code", "nearest"),
    [
        ("kWh", "KWH"),
        ("kwh", "KWH"),
        ("metres", "MTR"),
        (["MTR"], "MTR"),
        ("千瓦时", "KWH"),
        ("m3/s", "MQS"),
        ("celsius", "CEL"),
        ("", ""),
    ],
)
def test_an_unknown_unit_suggests_the_nearest(code, nearest):
    with pytest.raises(BadInput) as caught:
        unit(code)
    assert caught.value.key == "unit.unknown"
    assert caught.value.facts == {"code": code, "nearest": nearest}


def test_an_unknown_ucum_expression_is_refused():
    with pytest.raises(BadInput, match="furlong"):
        unit_of_ucum("furlong")
