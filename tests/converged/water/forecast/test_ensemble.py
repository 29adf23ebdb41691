"""Ensembles: members that keep the mean, and scores against their definitions."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.converged.water.forecast import crps, exceedance, perturbed, quantiles, rank_histogram
from yunmeng.kernel.base import BadInput


def test_members_keep_the_mean_and_the_first_is_the_rain():
    rain = np.array([[0.0, 10, 20, 0, 5], [1, 2, 3, 4, 5]])
    members = perturbed(rain, 20_000, spread=0.4, memory=0.7, seed=1)
    assert members.shape == (2, 20_000, 5)
    assert (members[:, 0] == rain).all()
    assert members.mean(axis=1) == pytest.approx(rain, rel=0.03)
    logs = np.log(members[1, 1:])
    assert logs.std(axis=0) == pytest.approx(np.full(5, 0.4), rel=0.05)
    assert np.corrcoef(logs[:, 1], logs[:, 2])[0, 1] == pytest.approx(0.7, abs=0.03)


def test_quantiles_are_those_of_numpy():
    values = np.random.default_rng(2).random((3, 11, 7))
    levels = (0.0, 0.05, 0.5, 0.9, 1.0)
    assert quantiles(values, levels) == pytest.approx(np.quantile(values, levels, axis=1))
    with pytest.raises(BadInput):
        quantiles(values, (1.2,))
    with pytest.raises(BadInput):
        quantiles(values[0])


def test_exceedance_counts_the_members_above():
    members = np.array([[[1.0, 5], [2, 5], [3, 0], [4, 0]], [[9, 9], [9, 9], [9, 9], [9, 9.0]]])
    assert exceedance(members, 2.0).tolist() == [[0.5, 0.5], [1.0, 1.0]]
    assert exceedance(members, [2.0, 9.0]).tolist() == [[0.5, 0.5], [0.0, 0.0]]


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=12), st.floats(-50, 50))
def test_crps_is_the_area_between_the_step_functions(members, observed):
    # the definition, integrated exactly: ∫ (F(x) − 1{x ≥ y})² dx
    points = np.sort([*members, observed])
    area = 0.0
    for left, right in pairwise(points):
        share = np.mean(np.array(members) <= left)
        area += (share - (observed <= left)) ** 2 * (right - left)
    assert crps(np.array(members)[:, None], [observed])[0] == pytest.approx(area, abs=1e-9)


def test_a_true_ensemble_has_a_flat_histogram():
    dice = np.random.default_rng(3)
    members, observed = dice.normal(size=(9, 20_000)), dice.normal(size=20_000)
    counts = rank_histogram(members, observed)
    assert counts.sum() == 20_000
    assert counts == pytest.approx(np.full(10, 2000), rel=0.1)
    narrow = rank_histogram(0.3 * members, observed)
    assert narrow[0] + narrow[-1] > 3 * narrow[1:-1].mean()
    observed[:5] = np.nan
    assert rank_histogram(members, observed).sum() == 19_995
    assert rank_histogram(np.zeros((4, 5000)), np.zeros(5000)) == pytest.approx(np.full(5, 1000), rel=0.15)


def test_impossible_perturbations_are_refused():
    for options in ({"spread": -1}, {"memory": 1.0}):
        with pytest.raises(BadInput):
            perturbed([1.0], 5, **options)
