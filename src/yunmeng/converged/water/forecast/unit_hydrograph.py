"""Unit hydrographs 单位线: Nash, SCS, empirical ones, the S-curve that changes their duration, convolution.

A unit hydrograph here is an array of shares, one a step, that sum to 1: what part of one step's effective
rain leaves the basin in the same step, the next, and so on. A state is the water still on its way.
"""

import math

import numpy as np

from yunmeng.converged.water.forecast.shapes import Floats, Numbers
from yunmeng.kernel.base import BadInput

_ENOUGH = 1e-12
# USDA NEH part 630, chapter 16, table 16-1: time over time to peak, discharge over peak discharge
_SCS_TIME = [*np.arange(0, 2.01, 0.1), *np.arange(2.2, 4.01, 0.2), 4.5, 5.0]
_SCS_FLOW = [
    *(0, 0.03, 0.1, 0.19, 0.31, 0.47, 0.66, 0.82, 0.93, 0.99, 1, 0.99, 0.93, 0.86, 0.78, 0.68, 0.56),
    *(0.46, 0.39, 0.33, 0.28, 0.207, 0.147, 0.107, 0.077, 0.055, 0.04, 0.029, 0.021, 0.015, 0.011, 0.005, 0),
]


def gamma_cdf(shape: float, at: float) -> float:
    """Returns the regularised lower incomplete gamma function P(shape, at), to 1e-12.

    Series below ``shape`` + 1, continued fraction (Lentz) above: Abramowitz and Stegun 6.5.29 and 6.5.31.
    """
    if at <= 0:
        return 0.0
    front = math.exp(shape * math.log(at) - at - math.lgamma(shape))
    if at < shape + 1:
        term = total = 1 / shape
        k = shape
        while term > total * _ENOUGH / 100:
            k += 1
            term *= at / k
            total += term
        return min(front * total, 1.0)
    return 1.0 - front * _fraction(shape, at)


def _fraction(shape: float, at: float) -> float:
    tiny = 1e-300
    b = at + 1 - shape
    c, d = 1 / tiny, 1 / b
    total = d
    for i in range(1, 10_000):
        a = -i * (i - shape)
        b += 2
        d = a * d + b
        d = 1 / (d if abs(d) > tiny else tiny)
        c = b + a / c
        c = c if abs(c) > tiny else tiny
        total *= c * d
        if abs(c * d - 1) < _ENOUGH / 100:
            break
    return total


def nash(reservoirs: float, k_hours: float, step_hours: float) -> Floats:
    """Returns Nash's cascade of ``reservoirs`` equal linear reservoirs of ``k_hours`` each.

    The S-curve is P(n, t/K); the ordinates are its differences, summed over the step (Nash 1957). What comes
    after the share 1 − 1e-6 is added to the last ordinate.

    Raises:
        BadInput: ``forecast.hydrograph`` when a number is not positive.
    """
    _positive(reservoirs=reservoirs, k_hours=k_hours, step_hours=step_hours)
    curve = [0.0]
    while curve[-1] < 1 - 1e-6:
        curve.append(gamma_cdf(reservoirs, len(curve) * step_hours / k_hours))
    curve[-1] = 1.0
    return np.diff(np.array(curve))


def scs(lag_hours: float, step_hours: float) -> Floats:
    """Returns the dimensionless hydrograph of the Soil Conservation Service for a basin's lag.

    The time to peak is half a step more than the lag (USDA NEH part 630, 16.0303); ordinates at the end of
    each step, scaled to sum 1.

    Raises:
        BadInput: ``forecast.hydrograph`` when a number is not positive.
    """
    _positive(lag_hours=lag_hours, step_hours=step_hours)
    peak = step_hours / 2 + lag_hours
    times = np.arange(1, int(np.ceil(5 * peak / step_hours)) + 1) * step_hours / peak
    shares: Floats = np.interp(times, _SCS_TIME, _SCS_FLOW, right=0.0)
    return shares / shares.sum()


def s_curve(hydrograph: Numbers) -> Floats:
    """Returns the share of unending even rain that has reached the outlet by the end of each step."""
    return np.cumsum(empirical(hydrograph))


def change_duration(hydrograph: Numbers, step_hours: float, new_hours: float) -> Floats:
    """Turns a hydrograph of one step into that of another by its S-curve, straight between its points.

    Raises:
        BadInput: ``forecast.hydrograph`` when a number is not positive.
    """
    _positive(step_hours=step_hours, new_hours=new_hours)
    curve = np.concatenate(([0.0], s_curve(hydrograph)))
    end = (curve.size - 1) * step_hours
    times = np.arange(int(np.ceil(end / new_hours - 1e-9)) + 1) * new_hours
    return np.diff(np.interp(times, np.arange(curve.size) * step_hours, curve))


def empirical(ordinates: Numbers) -> Floats:
    """Returns a surveyed hydrograph as shares that sum to 1.

    Raises:
        BadInput: ``forecast.hydrograph`` when an ordinate is negative or missing, or all are zero.
    """
    shares = np.asarray(ordinates, np.float64)
    if shares.ndim != 1 or not np.isfinite(shares).all() or shares.min() < 0 or shares.sum() <= 0:
        raise BadInput("forecast.hydrograph", name="ordinates", value=str(shares.tolist()))
    return shares / shares.sum()


def derive(rain: Numbers, flow: Numbers, ordinates: int) -> Floats:
    """Finds the hydrograph of a recorded flood by least squares without negative shares.

    Args:
        rain: effective rain, mm a step.
        flow: direct runoff, mm a step, at least as long as the rain.
        ordinates: how many the hydrograph has.

    Raises:
        BadInput: ``forecast.hydrograph`` when the record explains none.
    """
    effective, direct = np.asarray(rain, np.float64), np.asarray(flow, np.float64)
    matrix = np.zeros((direct.size, ordinates))
    for i in range(min(ordinates, direct.size)):
        part = effective[: direct.size - i]
        matrix[i : i + part.size, i] = part
    return empirical(_nonnegative(matrix, direct))


def _nonnegative(matrix: Floats, wanted: Floats) -> Floats:
    """Least squares with x >= 0: the active-set method of Lawson and Hanson (1974)."""
    x = np.zeros(matrix.shape[1])
    free = np.zeros(x.size, bool)
    for _ in range(3 * x.size):
        slope = matrix.T @ (wanted - matrix @ x)
        slope[free] = -np.inf
        if slope.max() <= 1e-10 * max(1.0, float(np.abs(wanted).max())):
            break
        free[int(slope.argmax())] = True
        while True:
            trial = np.zeros(x.size)
            trial[free] = np.linalg.lstsq(matrix[:, free], wanted, rcond=None)[0]
            low = free & (trial <= 0)
            if not low.any():
                x = trial
                break
            step = float((x[low] / (x[low] - trial[low])).min())
            x += step * (trial - x)
            free &= x > 1e-15
    return x


def convolve(rain: Numbers, hydrograph: Numbers, state: Floats | None = None) -> tuple[Floats, Floats]:
    """Sends effective rain through a hydrograph: returns the outflow and what is still on its way.

    Args:
        rain: mm a step, (..., steps).
        hydrograph: shares, (ordinates,).
        state: what an earlier call left, (..., ordinates − 1).
    """
    shares = empirical(hydrograph)
    water = np.asarray(rain, np.float64)
    steps = water.shape[-1]
    out = np.zeros((*water.shape[:-1], steps + shares.size - 1))
    for i, share in enumerate(shares):
        out[..., i : i + steps] += share * water
    if state is not None:
        out[..., : state.shape[-1]] += state
    return out[..., :steps], out[..., steps:]


def _positive(**numbers: float) -> None:
    for name, value in numbers.items():
        if not (math.isfinite(value) and value > 0):
            raise BadInput("forecast.hydrograph", name=name, value=value)
