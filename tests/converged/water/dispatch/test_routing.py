import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.converged.water.dispatch import route, routing
from yunmeng.kernel.base import BadInput


def test_muskingum_by_hand():
    # K = 2 h, x = 0.2, Δt = 2 h: c0 = (2 − 0.8)/5.2, c1 = 2.8/5.2, c2 = 1.2/5.2
    found = routing([2.0], 2.0, 0.2)
    assert found.lag.tolist() == [0]
    assert found.share[0] == pytest.approx([1.2 / 5.2, 2.8 / 5.2, 1.2 / 5.2])


@pytest.mark.parametrize(
    ("hours", "lag", "share"), [(0.0, 0, [1, 0, 0]), (0.25, 0, [0.75, 0.25, 0]), (3.0, 3, [1, 0, 0])]
)
def test_short_reaches_are_shared_and_pure_lags_are_whole(hours, lag, share):
    found = routing([hours], 1.0, 0.5)
    assert found.lag.tolist() == [lag]
    assert found.share[0] == pytest.approx(share)


@given(st.floats(0, 60), st.floats(0.5, 12), st.floats(0, 0.5))
def test_no_water_is_lost_and_the_mean_travel_time_is_kept(hours, step, weight):
    lag, share = (part[0] for part in routing([hours], step, weight))
    assert share.sum() == pytest.approx(1.0)
    assert (share >= 0).all()
    wave = np.zeros(2500)
    wave[0] = 100.0
    past = np.zeros(int(lag) + 1)
    out = route(wave, past, np.zeros(()), int(lag), share)
    assert out.sum() == pytest.approx(100.0, rel=1e-3)
    assert (out * np.arange(2500)).sum() / 100.0 * step == pytest.approx(hours, rel=0.02, abs=1e-3)


def test_a_negative_time_is_refused():
    with pytest.raises(BadInput):
        routing([-1.0], 1.0)
