from datetime import UTC, date, datetime

import numpy as np
import pytest

from yunmeng.converged.water.synthetic import basins, flood, flood_horizon


@pytest.fixture(scope="module")
def made():
    return basins(7, 700)


def test_the_same_seed_makes_the_same_province(made):
    again, other = basins(7, 700), basins(8, 700)
    assert again.ids == made.ids
    assert np.array_equal(again.lon, made.lon)
    assert not np.array_equal(other.lon[:50], made.lon[:50])


def test_everything_says_that_it_is_synthetic(made):
    assert made.synthetic
    assert all(id.startswith("synthetic-") for id in made.ids)
    assert all("合成" in chinese and "ynthetic" in english for chinese, english in made.names)


def test_sizes_by_class(made):
    storage = {id: spec.curve.storage[-1] for id, spec in made.reservoirs.items()}
    bounds = {"large": (100, 3000), "medium": (10, 100), "small-1": (1, 10), "small-2": (0.1, 1)}
    for id, scale in zip(made.ids, made.scale, strict=True):
        if scale:
            assert bounds[scale][0] * 0.999 <= storage[id] <= bounds[scale][1] * 1.001
    counts = {scale: made.scale.count(scale) for scale in bounds}
    assert sum(counts.values()) == 700
    assert counts["large"] < counts["medium"] < counts["small-1"] < counts["small-2"]


def test_rivers_run_down_to_one_mouth(made):
    system = made.system(3.0)
    assert made.graph.disconnected() == ()
    below = system.downstream
    assert (below < 0).sum() == 1
    assert (below[:-1] > np.arange(system.nodes - 1)).all()
    # a reservoir lies below smaller ones only
    order = {"small-2": 0, "small-1": 1, "medium": 2, "large": 3, "": 4}
    rank = np.array([order[scale] for scale in made.scale])
    assert (rank[below[:-1]] >= rank[:-1]).all()
    assert made.total[-1] == pytest.approx(made.area.sum())


def test_levels_are_in_order(made):
    held = made.reservoir
    system = made.system(3.0)
    limit = system.curves.storage_at(np.nan_to_num(made.flood_limit))[held]
    assert (made.flood_limit[held] < made.normal[held]).all()
    assert (limit > system.storage_min[held]).all()
    node = int(np.flatnonzero(held)[0])
    days = made.limits(node).at([date(2026, 7, 15), date(2026, 1, 15)])
    assert days.tolist() == [made.flood_limit[node], made.normal[node]]


def test_a_flood_brings_about_its_rain(made):
    local = flood(made, 200, 6.0, seed=1)
    assert local.shape == (len(made.ids), 1, 200)
    assert (local > 0).all()
    depth = (local - local[:, :, :1]).sum(axis=(1, 2)) * 6 * 3.6 / made.area
    assert 20 < np.median(depth) < 180
    assert not np.array_equal(local, flood(made, 200, 6.0, seed=2))


def test_a_horizon_starts_under_the_limits(made):
    system = made.system(6.0)
    horizon = flood_horizon(made, system, datetime(2026, 7, 1, tzinfo=UTC), 8, seed=3, members=3)
    assert horizon.inflow.shape == (system.nodes, 3, 8)
    assert (horizon.storage <= np.minimum(horizon.limit[:, 0], 1e9) + 1e-9).all()
    assert horizon.source == "synthetic"
