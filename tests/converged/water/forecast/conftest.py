"""Synthetic weather, seeded."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def weather():
    """Rain and potential evaporation of four years, mm a day, with a yearly cycle."""
    dice = np.random.default_rng(22482)
    days = np.arange(4 * 365)
    season = np.sin(2 * np.pi * days / 365)
    rain = np.where(dice.random(days.size) < 0.35, dice.gamma(0.7, 12, days.size) * (1.2 + season), 0.0)
    return rain, 2.5 + 2 * season
