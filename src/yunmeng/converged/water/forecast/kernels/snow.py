"""The loop of the degree-day snow store."""

from yunmeng.converged.water.forecast.kernels.jit import compiled
from yunmeng.converged.water.forecast.shapes import Floats


@compiled
def snow(
    rain: Floats,
    temperature: Floats,
    share: Floats,
    params: Floats,
    states: Floats,
    liquid: Floats,
    first: int,
    last: int,
) -> None:  # pragma: no cover
    """Rows first to last of (basins x members); ``states`` are pack (mm) and its °C."""
    members, steps = liquid.shape[1], liquid.shape[2]
    for row in range(first, last):
        b, m = row // members, row % members
        p, t = rain[b % rain.shape[0], m % rain.shape[1]], temperature[b % share.shape[0], m % share.shape[1]]
        s = share[b % share.shape[0], m % share.shape[1]]
        x = params[b % params.shape[0], m % params.shape[1]]
        inertia, factor, full = x[0], x[1], x[2]
        pack, cold = states[b, m, 0], states[b, m, 1]
        for i in range(steps):
            pack += p[i] * s[i]
            cold = min(0.0, inertia * cold + (1.0 - inertia) * t[i])
            possible = min(pack, factor * t[i]) if cold >= 0.0 and t[i] > 0.0 else 0.0
            melt = (0.9 * min(pack / full, 1.0) + 0.1) * possible
            pack -= melt
            liquid[b, m, i] = p[i] * (1.0 - s[i]) + melt
        states[b, m, 0], states[b, m, 1] = pack, cold
