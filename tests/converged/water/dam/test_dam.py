"""The HST model finds what a dam was made of, and what departs from it is told."""

import numpy as np
import pytest
from tests.nodes import refused

from yunmeng.converged.water.dam import fit_hst, watch

DAY = 86_400_000_000


def dam(days: int = 1500, seed: int = 5, noise: float = 0.2) -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
    """A made-up dam: level, season and settling with known sizes, readings every day (mm)."""
    rng = np.random.default_rng(seed)
    times = np.arange(days, dtype=np.int64) * DAY
    season = 2 * np.pi * np.arange(days) / 365.2422
    levels = 95 + 4 * np.sin(season + 0.7) + np.cumsum(rng.normal(0, 0.05, days))
    values = (
        0.8 * (levels - 95)
        + 0.05 * (levels - 95) ** 2
        + 1.5 * np.cos(season)
        + 0.9 * np.log1p(times / DAY / 100)
    )
    return times, levels, values + rng.normal(0, noise, days)


def test_the_model_explains_a_dam_that_moves_as_dams_do() -> None:
    times, levels, values = dam()
    model = fit_hst(times[:1000], levels[:1000], values[:1000])
    assert model.r2 > 0.98
    assert model.sigma == pytest.approx(0.2, rel=0.15)
    ahead = model.expect(times[1000:1200], levels[1000:1200])
    inside = model.holds(levels[1000:1200])
    assert np.sqrt(np.mean((ahead - values[1000:1200])[inside] ** 2)) < 0.6


def test_the_parts_add_up() -> None:
    times, levels, values = dam()
    model = fit_hst(times, levels, values)
    parts = model.parts(times, levels)
    assert np.allclose(parts.whole, model.expect(times, levels))
    season = 1.5 * np.cos(2 * np.pi * times / DAY / 365.2422)
    assert np.corrcoef(parts.season, season)[0, 1] > 0.95


def test_a_jump_alarms_and_a_slow_drift_is_seen_without_one() -> None:
    times, levels, values = dam()
    model = fit_hst(times[:1000], levels[:1000], values[:1000])
    span = slice(950, 1000)
    calm = watch(model, times[span], levels[span], values[span])
    # three standard deviations: about one reading in 370
    assert calm.verdicts.count("alarm") <= 1
    assert not calm.drift.any()
    jumped = values[span].copy()
    jumped[30] += 2.0
    assert watch(model, times[span], levels[span], jumped).verdicts[30] == "alarm"
    drifting = values[span] + np.linspace(0, 0.45, 50)
    seen = watch(model, times[span], levels[span], drifting)
    assert seen.verdicts.count("alarm") <= 2
    assert seen.drift[-5:].any()


def test_a_missing_reading_is_missing_and_a_level_beyond_the_fit_is_said() -> None:
    times, levels, values = dam()
    model = fit_hst(times, levels, values)
    seen = watch(model, times[:2], np.array([levels[0], 140.0]), np.array([np.nan, 1.0]))
    assert seen.verdicts[0] == "missing"
    assert seen.beyond.tolist() == [False, True]


def test_a_level_that_never_moves_gets_no_coefficient() -> None:
    times, _, values = dam(200)
    model = fit_hst(times, np.full(200, 95.0), values)
    assert model.coefficients[1:5] == (0.0, 0.0, 0.0, 0.0)


def test_too_little_is_refused() -> None:
    times, levels, values = dam(32)
    with refused("water.few"):
        fit_hst(times, levels, values)
    with refused("water.shape"):
        fit_hst(times, levels[:5], values)
    with refused("water.exact"):
        watch(fit_hst(*dam(100)[:2], np.zeros(100)), times, levels, values)
