import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.converged.water.register import Outlet, curve_bank, release_columns, reservoir_curve
from yunmeng.kernel.base import BadInput, problem

LEVEL, STORAGE = [90.0, 95.0, 100.0, 110.0], [1.0, 4.0, 9.0, 25.0]


def test_a_curve_reads_both_ways_by_hand():
    curve = reservoir_curve(LEVEL, STORAGE, discharge=[0, 0, 50, 250])
    assert curve.storage_at(97.5) == pytest.approx(6.5)
    assert curve.level_at([[2.5], [17.0]]).tolist() == [[92.5], [105.0]]
    assert curve.discharge_at(105.0) == pytest.approx(150.0)


def test_an_area_not_given_is_the_slope_of_storage():
    curve = reservoir_curve([0.0, 1.0, 2.0], [0.0, 2.0, 4.0])
    assert curve.area.tolist() == [2.0, 2.0, 2.0]


def test_missing_stays_missing():
    assert np.isnan(reservoir_curve(LEVEL, STORAGE).storage_at([np.nan, 95.0])).tolist() == [True, False]


def test_outside_is_refused_unless_clamped():
    curve = reservoir_curve(LEVEL, STORAGE, name="甲")
    with pytest.raises(BadInput) as caught:
        curve.storage_at([95.0, 111.0])
    assert caught.value.key == "curve.range"
    assert caught.value.facts["value"] == 111.0
    assert curve.storage_at(111.0, clamp=True) == 25.0


@pytest.mark.parametrize(
    ("columns", "key", "said"),
    [
        ({"storage": [1.0, 9.0, 4.0, 3.0]}, "curve.monotone", "3 (9 → 4), 4 (4 → 3)"),
        ({"level": [90.0, 95.0, 95.0, 110.0]}, "curve.monotone", "3 (95 → 95)"),
        ({"discharge": [0.0, 9.0, 8.0, 10.0]}, "curve.monotone", "3 (9 → 8)"),
        ({"storage": [1.0, np.nan, 9.0, -1.0]}, "curve.number", "2, 4"),
        ({"discharge": [0, 1, 2, 7], "spill": [0, 1, 5, 6]}, "curve.spill", "3"),
    ],
)
def test_a_broken_curve_names_its_rows(columns, key, said):
    with pytest.raises(BadInput) as caught:
        reservoir_curve(**{"level": LEVEL, "storage": STORAGE, **columns}, name="甲")
    assert caught.value.key == key
    assert caught.value.facts["rows"] == said
    assert said in problem(caught.value).detail


def test_short_and_uneven_columns_are_refused():
    with pytest.raises(BadInput, match="1 points"):
        reservoir_curve([1.0], [1.0])
    with pytest.raises(BadInput, match="has 3 values"):
        reservoir_curve(LEVEL, [1.0, 2.0, 3.0])


@given(st.lists(st.floats(0.1, 50), min_size=2, max_size=12), st.floats(0, 1))
def test_level_to_storage_and_back(steps, share):
    level = np.cumsum(steps)
    curve = reservoir_curve(level, np.cumsum(np.square(steps)))
    asked = level[0] + share * (level[-1] - level[0])
    assert curve.level_at(curve.storage_at(asked, clamp=True), clamp=True) == pytest.approx(asked)


def test_a_bank_agrees_with_each_curve():
    curves = [reservoir_curve(LEVEL, STORAGE), reservoir_curve([1.0, 3.0], [2.0, 8.0], discharge=[0, 6])]
    bank = curve_bank(curves)
    asked = np.array([[91.0, 94.0, 109.0], [1.5, 2.0, 9.0]])
    expected = [each.storage_at(row, clamp=True) for each, row in zip(curves, asked, strict=True)]
    assert np.allclose(bank.storage_at(asked), expected)
    assert np.allclose(bank.level_at(bank.storage_at(asked))[1], [1.5, 2.0, 3.0])
    assert bank.discharge_at([[9.0], [5.0]]).ravel().tolist() == [0.0, 3.0]


def test_a_weir_and_a_gate_by_hand():
    weir = Outlet("weir", sill=100.0, width=10.0, coefficient=0.45)
    # 0.45 × 10 × √19.62 × 4^1.5
    assert weir.capacity(104.0) == pytest.approx(0.45 * 10 * 4.42945 * 8, rel=1e-5)
    assert weir.capacity([99.0, 100.0]).tolist() == [0.0, 0.0]
    gate = Outlet("gate", sill=100.0, width=10.0, height=5.0)
    # e/H = 1/4: (0.60 − 0.044) × 10 × 1 × √(19.62 × 4)
    assert gate.capacity(104.0, 0.2) == pytest.approx(0.556 * 10 * 8.8589, rel=1e-4)
    assert gate.capacity(104.0, 0.0) == 0.0
    assert gate.capacity(104.0) <= weir.capacity(104.0)


def test_openings_pumps_and_columns():
    pump = Outlet("pump", sill=10.0, top=20.0, rated=3.0, count=2)
    assert pump.capacity([9.0, 15.0, 21.0]).tolist() == [0.0, 6.0, 0.0]
    with pytest.raises(BadInput, match=r"1\.5"):
        pump.capacity(15.0, 1.5)
    weir = Outlet("weir", sill=12.0, width=1.0)
    measured = Outlet("table", levels=[10.0, 20.0], discharges=[0.0, 10.0])
    discharge, spill = release_columns([weir, measured, pump], [11.0, 13.0])
    assert discharge - spill == pytest.approx([1.0, 3.0])
    assert spill[0] == 0.0 < spill[1]
