"""The wet spell of the demo: floods that come again, whose water adds up."""

import numpy as np
import pytest

from yunmeng.converged.water.synthetic import Basins, WetSpell, at_hour, basins, coming_rain, wet_spell

HOUR_US, PERIOD_H = 3_600_000_000, 72


@pytest.fixture(scope="module")
def made() -> Basins:
    return basins(7, 1400)


@pytest.fixture(scope="module")
def spell(made: Basins) -> WetSpell:
    return wet_spell(made, 7)


def test_it_lies_over_one_basin(made: Basins, spell: WetSpell) -> None:
    assert len(spell.reservoirs) >= 2
    assert len(set(made.part[np.concatenate([spell.reservoirs, spell.points])].tolist())) == 1
    assert all(not made.scale[node].startswith("small") for node in spell.reservoirs.tolist())


def test_what_flows_in_and_out_is_what_the_level_says(made: Basins, spell: WetSpell) -> None:
    for row, node in enumerate(spell.reservoirs.tolist()):
        curve = made.reservoirs[made.ids[node]].curve
        gained = np.diff(curve.storage_at(spell.level[row])) * 1e6 / 3600
        assert gained == pytest.approx((spell.inflow - spell.outflow)[row, 1:], abs=1e-6)
        assert spell.level[row].min() == pytest.approx(made.flood_limit[node])
        assert spell.level[row].max() > made.flood_limit[node] + 0.1


def test_it_comes_again_and_its_rain_is_known_ahead(spell: WetSpell) -> None:
    at = 490_000 * HOUR_US
    assert np.array_equal(at_hour(spell.level, at), at_hour(spell.level, at + PERIOD_H * HOUR_US))
    between = at_hour(spell.level, at + HOUR_US // 2)
    ends = np.stack([at_hour(spell.level, at), at_hour(spell.level, at + HOUR_US)])
    assert between == pytest.approx(ends.mean(axis=0))
    rain = coming_rain(spell, at, 96)
    assert rain[5] == pytest.approx(at_hour(spell.rain, at + 6 * HOUR_US).mean())
    assert rain[:72].sum() == pytest.approx(spell.rain.sum(axis=1).mean())
