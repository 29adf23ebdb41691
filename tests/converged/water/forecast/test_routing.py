"""Unit hydrographs, Muskingum and the river network against published examples and solutions by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.converged.water.forecast import (
    Channel,
    cell,
    change_duration,
    convolve,
    cunge,
    derive,
    empirical,
    muskingum,
    nash,
    network,
    s_curve,
    scs,
    segmented,
)
from yunmeng.converged.water.forecast.unit_hydrograph import gamma_cdf
from yunmeng.kernel.base import BadInput

# Chow, Maidment and Mays (1988), Applied Hydrology, example 8.4.1: K 2.3 h, x 0.15, steps of an hour
CHOW_IN = [93, 137, 208, 320, 442, 546, 630, 678, 691, 675, 634, 571, 477, 390, 329, 247, 184, 134, 108, 90]
CHOW_OUT = [85, 91, 114, 159, 233, 324, 420, 509, 578, 623, 642, 635, 603, 546, 479, 413, 341, 274, 215, 170]


def test_muskingum_gives_the_textbooks_hydrograph():
    reach = muskingum(2.3, 0.15, 1)
    assert (reach.c0, reach.c1, reach.c2) == pytest.approx((0.0631, 0.3442, 0.5927), abs=5e-5)
    flow, _ = reach.route(CHOW_IN[1:], np.array([[93.0, 85.0]]))
    # the book rounds each step to whole m³/s
    assert flow == pytest.approx(CHOW_OUT[1:], abs=1.0)


def test_cunge_gives_ponces_coefficients():
    # Ponce (1989), Engineering Hydrology, chapter 9: 14.4 km, S 0.000868, celerity 4 m/s, 10 m²/s, an hour
    reach = cell(14_400, 4.0, 10.0, 0.000868, 1.0)
    assert (reach.c0, reach.c1, reach.c2) == pytest.approx((0.091, 0.818, 0.091), abs=5e-4)


def test_a_wide_channel_carries_the_wave_at_five_thirds_of_its_speed():
    channel = Channel(30_000, 80, 0.0004, 0.03)
    depth = (500 * 0.03 / (80 * 0.02)) ** 0.6
    assert channel.celerity(500) == pytest.approx(5 / 3 * 500 / (80 * depth))
    reach = cunge(channel, 500, 1.0)
    assert reach.segments == round(30_000 / (channel.celerity(500) * 3600))
    flow, _ = reach.route(np.concatenate((np.full(5, 100.0), [600, 900, 700, 400], np.full(60, 100.0))))
    assert flow.min() == pytest.approx(100)
    assert 100 < flow.max() < 900


@given(st.floats(0.2, 40), st.floats(0, 0.5), st.lists(st.floats(0, 5000), min_size=1, max_size=30))
def test_a_cut_reach_keeps_volume_travel_time_and_sign(k, x, inflow):
    reach = segmented(k, x, 1.0)
    series = np.concatenate((np.zeros(1), inflow, np.zeros(int(40 * k) + 60)))
    flow, _ = reach.route(series)
    assert flow.min() >= -1e-9
    assert flow.sum() == pytest.approx(series.sum(), rel=1e-6, abs=1e-6)
    if series.sum() > 1:
        hours = np.arange(series.size)
        late = (flow * hours).sum() / flow.sum() - (series * hours).sum() / series.sum()
        assert late == pytest.approx(k, rel=1e-4)


def test_segments_keep_the_attenuation_of_the_whole():
    pulse = np.concatenate(([0, 1.0], np.zeros(400)))
    hours = np.arange(pulse.size)
    for k, x, step in ((6, 0.45, 6), (12, 0.35, 3), (12, 0.48, 1)):
        reach = segmented(k, x, step)
        flow, _ = reach.route(pulse)
        mean = (flow * hours).sum()
        # variance of a Muskingum reach: K² (1 − 2x), in steps
        assert ((hours - mean) ** 2 * flow).sum() == pytest.approx((k / step) ** 2 * (1 - 2 * x), rel=1e-6)


def test_a_reach_that_no_count_fits_keeps_its_travel_time():
    # K 12 h, x 0.2, steps of an hour: two segments bear 1 − 2x up to 7/12, not 0.6
    reach = segmented(12, 0.2, 1)
    pulse = np.concatenate(([0, 1.0], np.zeros(600)))
    hours = np.arange(pulse.size)
    flow, _ = reach.route(pulse)
    mean = (flow * hours).sum()
    assert reach.segments == 2
    assert mean == pytest.approx(13)
    assert ((hours - mean) ** 2 * flow).sum() == pytest.approx(144 * 7 / 12)


def test_routing_goes_on_where_it_stopped():
    reach = segmented(7, 0.2, 2)
    whole, _ = reach.route(CHOW_IN)
    first, state = reach.route(CHOW_IN[:8])
    second, _ = reach.route(CHOW_IN[8:], state)
    assert np.concatenate((first, second)) == pytest.approx(whole)


@pytest.mark.parametrize(
    ("build", "key"),
    [
        (lambda: muskingum(2, 0.7, 1), "forecast.reach"),
        (lambda: muskingum(24, 0.3, 1), "forecast.reach.step"),
        (lambda: muskingum(1, 0.4, 6), "forecast.reach.step"),
        (lambda: cunge(Channel(1000, 50, 0, 0.03), 100, 1), "forecast.reach"),
        (lambda: segmented(3, 0.2, 1).route([1, float("nan")]), "forecast.gap"),
        (lambda: segmented(3, 0.2, 1).route([]), "forecast.shape"),
        (lambda: nash(0, 4, 1), "forecast.hydrograph"),
        (lambda: empirical([0.2, -0.1]), "forecast.hydrograph"),
        (lambda: empirical([0, 0]), "forecast.hydrograph"),
        (lambda: network([1, 0], [segmented(3, 0.2, 1)] * 2), "forecast.network.cycle"),
        (lambda: network([5], [segmented(3, 0.2, 1)]), "forecast.network"),
        (lambda: network([-1], []), "forecast.network"),
    ],
)
def test_impossible_reaches_and_hydrographs_are_refused(build, key):
    with pytest.raises(BadInput) as caught:
        build()
    assert caught.value.key == key


@pytest.mark.parametrize(("shape", "at"), [(1, 0.5), (2, 3.0), (3, 0.1), (4, 12.0)])
def test_the_gamma_function_of_whole_numbers(shape, at):
    # P(n, x) = 1 − e^−x Σ x^k/k! for k < n
    exact = 1 - math.exp(-at) * sum(at**k / math.factorial(k) for k in range(shape))
    assert gamma_cdf(shape, at) == pytest.approx(exact, abs=1e-12)


def test_one_reservoir_is_an_exponential_recession():
    shares = nash(1, 5, 1)
    steps = np.arange(shares.size - 1)
    assert shares[:-1] == pytest.approx(np.exp(-steps / 5) - np.exp(-(steps + 1) / 5), abs=1e-12)


def test_nash_has_the_moments_of_its_cascade():
    shares = nash(3, 4, 0.1)
    middle = (np.arange(shares.size) + 0.5) * 0.1
    mean = (shares * middle).sum()
    assert shares.sum() == pytest.approx(1)
    assert mean == pytest.approx(12, rel=1e-3)
    assert (shares * (middle - mean) ** 2).sum() == pytest.approx(48, rel=1e-2)


def test_the_s_curve_changes_the_duration():
    assert change_duration(nash(3, 4, 1), 1, 6)[:6] == pytest.approx(nash(3, 4, 6)[:6], abs=1e-9)
    assert s_curve([1, 2, 1]) == pytest.approx([0.25, 0.75, 1])


def test_the_scs_hydrograph_peaks_after_the_lag():
    shares = scs(6, 1)
    assert shares.sum() == pytest.approx(1)
    # time to peak 6.5 h; NEH 630 puts 37.5 % of the volume before the peak
    assert int(shares.argmax()) in (5, 6)
    assert shares[:6].sum() + shares[6] / 2 == pytest.approx(0.375, abs=0.06)


def test_a_recorded_flood_gives_its_hydrograph_back():
    dice = np.random.default_rng(4)
    shares = nash(2.5, 3, 3)
    rain = dice.random(8) * 20
    assert derive(rain, np.convolve(rain, shares), shares.size) == pytest.approx(shares, abs=1e-9)
    noisy = np.maximum(0, np.convolve(rain, shares) + dice.normal(0, 0.5, rain.size + shares.size - 1))
    assert derive(rain, noisy, shares.size).min() >= 0


def test_convolution_goes_on_where_it_stopped():
    shares, rain = nash(2, 3, 1), np.random.default_rng(5).random((4, 40))
    whole, left = convolve(rain, shares)
    first, state = convolve(rain[:, :17], shares)
    second, end = convolve(rain[:, 17:], shares, state)
    assert np.concatenate((first, second), axis=1) == pytest.approx(whole)
    assert end == pytest.approx(left)
    assert whole.sum() + left.sum() == pytest.approx(rain.sum())


def test_a_network_routes_from_the_sources_to_the_mouth():
    reaches = [segmented(4, 0.2, 1), segmented(6, 0.3, 1), segmented(3, 0.1, 1), segmented(1, 0.2, 1)]
    tree = network([2, 2, 3, -1], reaches)
    lateral = np.zeros((4, 3, 120))
    lateral[:, :, 1:20] = np.random.default_rng(6).random((4, 3, 19)) * 100
    out, states = tree.route(lateral)
    by_hand = lateral[2, 1] + reaches[0].route(lateral[0, 1])[0] + reaches[1].route(lateral[1, 1])[0]
    assert out[2, 1] == pytest.approx(by_hand)
    assert out[3, 1] == pytest.approx(lateral[3, 1] + reaches[2].route(by_hand)[0])
    assert out[3].sum(axis=1) == pytest.approx(lateral.sum(axis=(0, 2)), rel=1e-9)
    first, state = tree.route(lateral[..., :11])
    second, end = tree.route(lateral[..., 11:], state)
    assert np.concatenate((first, second), axis=2) == pytest.approx(out)
    assert end == pytest.approx(states)


def test_a_gap_in_the_lateral_inflow_is_refused():
    with pytest.raises(BadInput) as caught:
        network([-1], [segmented(3, 0.2, 1)]).route([[1.0, np.nan]])
    assert caught.value.key == "forecast.gap"
