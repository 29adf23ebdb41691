"""How near a simulation comes to the record.

The last axis is time; steps without record are left out.
"""

from collections.abc import Callable

import numpy as np

from yunmeng.converged.water.forecast.shapes import Floats, Numbers
from yunmeng.kernel.base import BadInput

Score = Callable[[Floats, Floats], Floats]


def nse(simulated: Numbers, observed: Numbers) -> Floats:
    """Returns the efficiency of Nash and Sutcliffe (1970), in GB/T 22482 确定性系数 DC: 1 is perfect."""
    sim, obs = paired(simulated, observed)
    return 1 - ((sim - obs) ** 2).sum(axis=-1) / ((obs - obs.mean()) ** 2).sum()


def log_nse(simulated: Numbers, observed: Numbers) -> Floats:
    """Returns the NSE of logarithms (low flow counts); a hundredth of the mean is added."""
    sim, obs = paired(simulated, observed)
    little = obs.mean() / 100
    return nse(np.log(np.maximum(sim, 0) + little), np.log(obs + little))


def kge(simulated: Numbers, observed: Numbers) -> Floats:
    """Returns the efficiency of Gupta et al. (2009): correlation, variability and bias; 1 is perfect."""
    sim, obs = paired(simulated, observed)
    spread = sim.std(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = ((sim - sim.mean(axis=-1, keepdims=True)) * (obs - obs.mean())).mean(axis=-1) / (
            spread * obs.std()
        )
    r = np.where(spread > 0, r, 0.0)
    alpha, beta = spread / obs.std(), sim.mean(axis=-1) / obs.mean()
    return 1 - np.sqrt((r - 1) ** 2 + (alpha - 1) ** 2 + (beta - 1) ** 2)


def volume_error(simulated: Numbers, observed: Numbers) -> Floats:
    """Returns (simulated − observed) / observed volume."""
    sim, obs = paired(simulated, observed)
    return sim.sum(axis=-1) / obs.sum() - 1


def peak_error(simulated: Numbers, observed: Numbers, share: float = 0.02) -> Floats:
    """Returns the relative error of the mean of the highest ``share`` of flows."""
    sim, obs = paired(simulated, observed)
    count = max(1, round(share * obs.size))
    top = np.partition(sim, -count, axis=-1)[..., -count:].mean(axis=-1)
    return top / np.partition(obs, -count)[-count:].mean() - 1


def paired(simulated: Numbers, observed: Numbers) -> tuple[Floats, Floats]:
    """Returns both without the steps that have no record.

    Raises:
        BadInput: ``forecast.shape`` when the lengths differ or the observed is no series,
            ``forecast.record.none`` when fewer than two steps are recorded or all records are the same.
    """
    sim, obs = np.asarray(simulated, np.float64), np.asarray(observed, np.float64)
    if obs.ndim != 1 or sim.shape[-1:] != obs.shape:
        raise BadInput("forecast.shape", name="observed", found=obs.shape, wanted=str(sim.shape[-1:]))
    known = np.isfinite(obs)
    obs = obs[known]
    if obs.size < 2 or obs.min() == obs.max():
        raise BadInput("forecast.record.none", steps=int(known.sum()))
    return (sim if known.all() else sim[..., known]), obs


LOSSES: dict[str, Score] = {
    "nse": lambda sim, obs: 1 - nse(sim, obs),
    "kge": lambda sim, obs: 1 - kge(sim, obs),
    "log_nse": lambda sim, obs: 1 - log_nse(sim, obs),
    "peak": lambda sim, obs: np.abs(peak_error(sim, obs)),
    "volume": lambda sim, obs: np.abs(volume_error(sim, obs)),
}
"""What calibration makes small, by name; 0 is perfect."""
