"""The loop that makes members of rain."""

import numpy as np

from yunmeng.converged.water.forecast.kernels.jit import compiled
from yunmeng.converged.water.forecast.shapes import Floats


@compiled
def perturb(rain: Floats, noise: Floats, spread: float, memory: float) -> None:  # pragma: no cover
    """Turns standard normal noise (basins, members, steps) into members of ``rain`` (basins, steps)."""
    fresh = np.sqrt(1.0 - memory * memory)
    for b in range(noise.shape[0]):
        for t in range(noise.shape[2]):
            noise[b, 0, t] = rain[b, t]
        for m in range(1, noise.shape[1]):
            log = noise[b, m, 0]
            for t in range(noise.shape[2]):
                if t > 0:
                    log = memory * log + fresh * noise[b, m, t]
                water = rain[b, t]
                noise[b, m, t] = water * np.exp(spread * (log - 0.5 * spread)) if water > 0.0 else 0.0
