"""Ensembles 集合预报: members from perturbed rain, what they say together, how far to believe them."""

import numpy as np

from yunmeng.converged.water.forecast.shapes import Floats, Ints, Numbers
from yunmeng.kernel.base import BadInput


def perturbed(
    rain: Numbers, members: int, *, spread: float = 0.3, memory: float = 0.8, seed: int = 0
) -> Floats:
    """Makes members of rain by factors whose mean is 1: lognormal, correlated from step to step.

    Args:
        rain: mm a step, (basins, steps) or (steps,).
        members: how many; the first is the rain itself.
        spread: standard deviation of the factors' logarithm.
        memory: correlation of the logarithms of two steps that follow each other, in [0, 1).
        seed: of the dice.

    Returns:
        (basins, members, steps).

    Raises:
        BadInput: ``forecast.parameter`` for a spread or memory out of range.
    """
    from yunmeng.converged.water.forecast.kernels.ensemble import perturb

    for name, value, most in (("spread", spread, 3.0), ("memory", memory, 0.9999), ("members", members, 1e5)):
        if not 0 <= value <= most:
            raise BadInput("forecast.parameter", name=name, value=value, least=0, most=most)
    water = np.ascontiguousarray(np.atleast_2d(np.asarray(rain, np.float64)))
    out = np.random.default_rng(seed).standard_normal((water.shape[0], int(members), water.shape[1]))
    perturb(water, out, float(spread), float(memory))
    return out


def quantiles(members: Numbers, levels: Numbers = (0.05, 0.25, 0.5, 0.75, 0.95)) -> Floats:
    """Returns quantiles over the members, straight between them: (levels, basins, steps)."""
    values = _members(members)
    at = np.atleast_1d(np.asarray(levels, np.float64)) * (values.shape[1] - 1)
    if at.min() < 0 or at.max() > values.shape[1] - 1:
        raise BadInput("forecast.parameter", name="levels", value=str(levels), least=0, most=1)
    # members side by side: one sort of short rows serves all levels
    ordered = np.ascontiguousarray(np.moveaxis(values, 1, 2))
    ordered.sort(axis=2)
    below = np.floor(at).astype(np.int64)
    above, part = np.minimum(below + 1, values.shape[1] - 1), at - below
    return np.moveaxis(ordered[..., below] * (1 - part) + ordered[..., above] * part, 2, 0)


def exceedance(members: Numbers, threshold: Numbers) -> Floats:
    """Returns the share of members above a threshold (a number, or one a basin): (basins, steps).

    A forecast that reaches a warning level in any step is ``exceedance(members.max(axis=2, keepdims=True),
    ...)``.
    """
    limit = np.asarray(threshold, np.float64)
    return (_members(members) > (limit[:, None, None] if limit.ndim == 1 else limit)).mean(axis=1)


def crps(members: Numbers, observed: Numbers) -> Floats:
    """Returns the continuous ranked probability score of each step, 0 is perfect (Hersbach 2000).

    Args:
        members: (members, steps).
        observed: (steps,); NaN gives NaN.
    """
    values, obs = np.sort(np.asarray(members, np.float64), axis=0), np.asarray(observed, np.float64)
    if values.ndim != 2 or obs.shape != values.shape[1:]:
        raise BadInput("forecast.shape", name="observed", found=obs.shape, wanted=str(values.shape[1:]))
    count = len(values)
    # E|X − y| − E|X − X'| / 2, the second from the sorted members
    weights = (2 * np.arange(1, count + 1) - count - 1)[:, None]
    return np.abs(values - obs).mean(axis=0) - (weights * values).sum(axis=0) / count**2


def rank_histogram(members: Numbers, observed: Numbers, seed: int = 0) -> Ints:
    """Counts the rank of each observation among the members (members + 1 classes); ties are drawn.

    Flat: the spread is right. A trough: too narrow. A slope: too wet or too dry.
    """
    values, obs = np.asarray(members, np.float64), np.asarray(observed, np.float64)
    known = np.isfinite(obs)
    below: Ints = np.sum(values < obs, axis=0)[known]
    ties: Ints = np.sum(values == obs, axis=0)[known]
    rank: Ints = below + np.random.default_rng(seed).integers(0, ties + 1)
    return np.bincount(rank, minlength=len(values) + 1).astype(np.int64)


def _members(members: Numbers) -> Floats:
    values = np.asarray(members, np.float64)
    if values.ndim != 3 or values.shape[1] == 0:
        raise BadInput(
            "forecast.shape", name="members", found=values.shape, wanted="(basins, members, steps)"
        )
    return values
