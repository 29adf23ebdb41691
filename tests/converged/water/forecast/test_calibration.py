"""The searches where the answer is known, and calibration that finds the parameters of a record."""

import numpy as np
import pytest

from yunmeng.converged.water.forecast import (
    GR4J,
    XINANJIANG,
    calibrate,
    forcing,
    kge,
    log_nse,
    nse,
    nsga2,
    peak_error,
    sce_ua,
    volume_error,
)
from yunmeng.converged.water.forecast.nsga2 import crowding, ranks
from yunmeng.kernel.base import BadInput


def rosenbrock(x):
    return (100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2).sum(axis=1)


def griewank(x):
    return (x**2).sum(axis=1) / 4000 - np.cos(x / np.sqrt(np.arange(1, x.shape[1] + 1))).prod(axis=1) + 1


@pytest.mark.parametrize(
    ("loss", "wide", "n", "at"),
    [(rosenbrock, 5.0, 4, 1.0), (griewank, 600.0, 10, 0.0)],
    ids=["valley", "waves"],
)
def test_sce_ua_finds_the_least(loss, wide, n, at):
    # two of the functions that Duan et al. (1992) tried it on
    found = sce_ua(loss, np.full(n, -wide), np.full(n, wide), budget=60_000, still=1e-9)
    assert found.loss < 1e-5
    assert found.point == pytest.approx(np.full(n, at), abs=2e-2)


def test_sce_ua_keeps_to_its_bounds_and_its_budget():
    asked = []

    def loss(x):
        asked.append(x.copy())
        return np.where(x[:, 0] > 0.5, np.nan, x[:, 0] + x[:, 1])

    found = sce_ua(loss, np.array([0.2, -3.0]), np.array([1.0, 4.0]), budget=400)
    points = np.concatenate(asked)
    assert points.min(axis=0) == pytest.approx([0.2, -3.0], abs=0.3)
    assert (points >= [0.2, -3.0]).all()
    assert (points <= [1.0, 4.0]).all()
    assert found.evaluations == len(points) < 460
    assert found.loss == pytest.approx(-2.8, abs=0.05)


def test_the_same_seed_finds_the_same():
    low, high = np.full(3, -2.0), np.full(3, 2.0)
    first = sce_ua(rosenbrock, low, high, budget=500, seed=3)
    again = sce_ua(rosenbrock, low, high, budget=500, seed=3)
    assert (first.point == again.point).all()


def test_nsga2_finds_the_front_of_zdt1():
    def zdt1(x):
        g = 1 + 9 * x[:, 1:].mean(axis=1)
        return np.stack((x[:, 0], g * (1 - np.sqrt(x[:, 0] / g))), axis=1)

    front = nsga2(zdt1, np.zeros(10), np.ones(10), population=60, generations=120, seed=1)
    away = front.losses[:, 1] - (1 - np.sqrt(front.losses[:, 0]))
    assert away.max() < 0.05
    assert np.ptp(front.losses[:, 0]) > 0.9
    assert (np.diff(front.losses[:, 0]) >= 0).all()


def test_fronts_and_room():
    losses = np.array([[1.0, 4], [2, 2], [4, 1], [3, 3], [5, 5], [1.5, 3]])
    assert ranks(losses).tolist() == [0, 0, 0, 1, 2, 0]
    room = crowding(losses, ranks(losses))
    assert np.isinf(room[[0, 2, 3, 4]]).all()
    assert room[1] == pytest.approx((4 - 1.5) / 3 + (3 - 1) / 3)


def test_calibration_finds_the_parameters_that_made_the_record(weather):
    forced = forcing(*weather, 24)
    truth = {"X1": 320.0, "X2": 0.8, "X3": 60.0, "X4": 1.8}
    observed = GR4J.run(forced, truth).flow[0, 0]
    observed[700:720] = np.nan
    found = calibrate(GR4J, forced, observed, budget=4000, seed=2)
    assert found.sets[0].scores["nse"] > 0.9999
    assert found.compromise.params == pytest.approx(truth, rel=0.02)


def test_xinanjiang_can_be_calibrated(weather):
    forced = forcing(*weather, 24)
    low, high = XINANJIANG.bounds
    observed = XINANJIANG.run(forced, low + 0.4 * (high - low)).flow[0, 0]
    found = calibrate(XINANJIANG, forced, observed, budget=3000, seed=2)
    assert found.sets[0].scores["nse"] > 0.98


def test_many_aims_give_a_front_and_a_compromise(weather):
    forced = forcing(*weather, 24)
    dice = np.random.default_rng(8)
    observed = GR4J.run(forced, [320.0, 0.8, 60.0, 1.8]).flow[0, 0] * dice.lognormal(0, 0.3, forced.steps)
    found = calibrate(GR4J, forced, observed, aims=("nse", "log_nse", "volume"), budget=1600, seed=1)
    assert len(found.sets) > 5
    assert (ranks(found.losses) == 0).all()
    best = found.losses.min(axis=0)
    mean = found.losses.mean(axis=0)
    chosen = found.sets.index(found.compromise)
    assert (found.losses[chosen] <= mean + 1e-9).all()
    assert (found.losses[chosen] >= best).all()
    for set_, losses in zip(found.sets, found.losses, strict=True):
        assert 1 - set_.scores["nse"] == pytest.approx(losses[0])


def test_parameters_can_be_held_fast(weather):
    forced = forcing(*weather, 24)
    observed = GR4J.run(forced, [320.0, 0.0, 60.0, 1.8]).flow[0, 0]
    found = calibrate(GR4J, forced, observed, bounds={"X2": (0, 0)}, budget=800)
    assert found.compromise.params["X2"] == 0


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"aims": ("beauty",)}, "forecast.aim"),
        ({"aims": ()}, "forecast.aim"),
        ({"bounds": {"X9": (0, 1)}}, "forecast.parameters"),
        ({"warmup": 10_000}, "forecast.record.none"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(weather, options, key):
    with pytest.raises(BadInput) as caught:
        calibrate(GR4J, forcing(*weather, 24), weather[0], **options)
    assert caught.value.key == key


def test_scores_by_hand():
    obs = np.array([1.0, 2, np.nan, 4, 5])
    assert nse([1, 2, 9, 4, 5], obs) == pytest.approx(1)
    assert nse([3.0] * 5, obs) == pytest.approx(0)
    assert nse([2.0, 3, 0, 5, 6], obs) == pytest.approx(1 - 4 / 10)
    assert volume_error([2.0, 3, 0, 5, 6], obs) == pytest.approx(4 / 12)
    assert peak_error([2.0, 3, 0, 5, 6], obs) == pytest.approx(0.2)
    # r = 1, α = 1, β = 16/12
    assert kge([2.0, 3, 0, 5, 6], obs) == pytest.approx(1 - 1 / 3)
    assert kge([3.0] * 5, obs) == pytest.approx(1 - np.sqrt(2))
    assert log_nse(obs[[0, 1, 3, 3, 4]], obs) == pytest.approx(1)
    assert nse(np.tile(obs, (2, 3, 1)), obs).shape == (2, 3)
