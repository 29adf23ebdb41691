"""From a release to what arrives downstream: whole steps of lag, then Muskingum's linear equation.

arrival[t] = c0·out[t − lag] + c1·out[t − lag − 1] + c2·arrival[t − 1] (McCarthy 1938; Cunge 1969). All three
are kept between 0 and 1 and sum to 1, so that routing neither makes nor loses water nor goes negative.
"""

from typing import NamedTuple

import numpy as np

from yunmeng.converged.water.register.arrays import Floats, Ints, Numbers
from yunmeng.kernel.base import BadInput


class Routing(NamedTuple):
    """``lag`` (N,) whole steps, ``share`` (N, 3) the coefficients c0, c1, c2 of each node's reach down."""

    lag: Ints
    share: Floats


def routing(hours: Numbers, step_hours: float, weight: float = 0.2) -> Routing:
    """Splits travel times K (N,) in hours into whole steps and a Muskingum reach with weight x.

    A reach too long for one equation (2Kx > Δt) is translated first; one too short (2K(1 − x) < Δt) is
    shared between two steps in proportion, which keeps the mean travel time.

    Raises:
        BadInput: ``dispatch.routing`` for a negative time, a step that is not positive or x outside 0–0.5.
    """
    travel = np.asarray(hours, np.float64)
    if not (step_hours > 0 and 0 <= weight <= 0.5 and (travel >= 0).all()):
        raise BadInput("dispatch.routing", step=step_hours, weight=weight, least=float(travel.min(initial=0)))
    longest = step_hours / (2 * weight) if weight > 0 else np.inf
    lag = np.ceil(np.maximum(travel - longest, 0.0) / step_hours - 1e-9).astype(np.int64)
    rest = travel - lag * step_hours
    wide = 2 * rest * (1 - weight) + step_hours
    muskingum = np.stack(
        [step_hours - 2 * rest * weight, step_hours + 2 * rest * weight, wide - 2 * step_hours], axis=-1
    )
    shared = np.stack([1 - rest / step_hours, rest / step_hours, np.zeros_like(rest)], axis=-1)
    short = (2 * rest * (1 - weight) < step_hours)[..., None]
    share = np.clip(np.where(short, shared, muskingum / wide[..., None]), 0.0, 1.0)
    whole = lag + (share[..., 1] == 1.0)
    share[share[..., 1] == 1.0] = (1.0, 0.0, 0.0)
    return Routing(whole, share)


def route(out: Floats, past: Floats, before: Floats, lag: int, share: Floats) -> Floats:
    """Routes a reach: ``out`` (..., T) after releases ``past`` (..., L) and the arrival ``before``.

    Returns:
        What arrives at each step, shape (..., T), m³/s.
    """
    steps, known = out.shape[-1], past.shape[-1]
    series = np.concatenate([past, out], axis=-1)
    arrived, last = np.empty_like(out), np.asarray(before, np.float64)
    for step in range(steps):
        at = known + step - lag
        last = share[0] * series[..., at] + share[1] * series[..., at - 1] + share[2] * last
        arrived[..., step] = last
    return arrived
