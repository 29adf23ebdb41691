"""The loops of GR4J and GR5J (Perrin et al. 2003; Le Moine 2008)."""

import numpy as np

from yunmeng.converged.water.forecast.kernels.jit import compiled
from yunmeng.converged.water.forecast.shapes import Floats

# beyond this tanh is 1 in float64, and its series for large arguments costs time
_SATURATED = 13.0


@compiled
def soil(
    s: float, rain: float, evaporation: float, x1: float, beta: float
) -> tuple[float, float, float]:  # pragma: no cover
    """Returns the soil store, the water that leaves it or misses it, and the actual evaporation."""
    filled = s / x1
    if rain >= evaporation:
        net = rain - evaporation
        tanh = np.tanh(min(net / x1, _SATURATED))
        gained = x1 * (1.0 - filled * filled) * tanh / (1.0 + filled * tanh)
        s += gained
        passing = net - gained
        lost = evaporation
    else:
        tanh = np.tanh(min((evaporation - rain) / x1, _SATURATED))
        drawn = s * (2.0 - filled) * tanh / (1.0 + (1.0 - filled) * tanh)
        s -= drawn
        passing = 0.0
        lost = rain + drawn
    ratio = s / (x1 * beta)
    ratio *= ratio
    seeping = s * (1.0 - 1.0 / np.sqrt(np.sqrt(1.0 + ratio * ratio)))
    return s - seeping, passing + seeping, lost


@compiled
def drain(r: float, x3: float) -> float:  # pragma: no cover
    """Returns the outflow of the routing store of one step."""
    ratio = r / x3
    ratio *= ratio
    return r * (1.0 - 1.0 / np.sqrt(np.sqrt(1.0 + ratio * ratio)))


@compiled
def ordinates(x4: float, power: float, out: Floats, half: bool) -> int:  # pragma: no cover
    """Fills the unit hydrograph over x4 (``half``) or 2 x4 steps, and returns how many ordinates it has."""
    count = int(np.ceil(x4 if half else 2.0 * x4))
    before = 0.0
    for i in range(count):
        t = (i + 1.0) / x4
        if half:
            reached = t**power if t < 1.0 else 1.0
        elif t <= 1.0:
            reached = 0.5 * t**power
        else:
            reached = 1.0 - 0.5 * (2.0 - t) ** power if t < 2.0 else 1.0
        out[i] = reached - before
        before = reached
    return count


@compiled
def delay(line: Floats, shape: Floats, count: int, water: float) -> float:  # pragma: no cover
    """Puts water on its way by the unit hydrograph, and returns what arrives in this step."""
    arrived = line[0] + shape[0] * water
    for i in range(count - 1):
        line[i] = line[i + 1] + shape[i + 1] * water
    line[count - 1] = 0.0
    return arrived


@compiled
def gr4j(
    rain: Floats,
    demand: Floats,
    params: Floats,
    states: Floats,
    flow: Floats,
    evaporation: Floats,
    exchange: Floats,
    hours: float,
    first: int,
    last: int,
) -> None:  # pragma: no cover
    """Runs the rows first to last of (basins x members), writing into ``states`` and ``flow``."""
    members, steps = flow.shape[1], flow.shape[2]
    width = (states.shape[2] - 2) // 2
    beta, power = (5.25, 1.25) if hours < 24.0 else (2.25, 2.5)
    fast, slow = np.empty(width), np.empty(width)
    for row in range(first, last):
        b, m = row // members, row % members
        p, e = rain[b % rain.shape[0], m % rain.shape[1]], demand[b % demand.shape[0], m % demand.shape[1]]
        x = params[b % params.shape[0], m % params.shape[1]]
        state = states[b, m]
        s, r = state[0], state[1]
        line1, line2 = state[2 : 2 + width], state[2 + width :]
        n1, n2 = ordinates(x[3], power, fast, True), ordinates(x[3], power, slow, False)
        for t in range(steps):
            s, routed, lost = soil(s, p[t], e[t], x[0], beta)
            q9 = delay(line1, fast, n1, 0.9 * routed)
            q1 = delay(line2, slow, n2, 0.1 * routed)
            full = r / x[2]
            gained = x[1] * full * full * full * np.sqrt(full)
            kept = max(gained, -(r + q9))
            r += q9 + kept
            out = drain(r, x[2])
            r -= out
            direct = max(0.0, q1 + gained)
            flow[b, m, t] = out + direct
            if evaporation.shape[2] > 0:
                evaporation[b, m, t] = lost
                exchange[b, m, t] = kept + direct - q1
        state[0], state[1] = s, r


@compiled
def gr5j(
    rain: Floats,
    demand: Floats,
    params: Floats,
    states: Floats,
    flow: Floats,
    evaporation: Floats,
    exchange: Floats,
    hours: float,
    first: int,
    last: int,
) -> None:  # pragma: no cover
    """As :func:`gr4j`, with one unit hydrograph and the exchange that may change its sign."""
    members, steps = flow.shape[1], flow.shape[2]
    width = states.shape[2] - 2
    beta, power = (5.25, 1.25) if hours < 24.0 else (2.25, 2.5)
    shape = np.empty(width)
    for row in range(first, last):
        b, m = row // members, row % members
        p, e = rain[b % rain.shape[0], m % rain.shape[1]], demand[b % demand.shape[0], m % demand.shape[1]]
        x = params[b % params.shape[0], m % params.shape[1]]
        state = states[b, m]
        s, r, line = state[0], state[1], state[2:]
        count = ordinates(x[3], power, shape, False)
        for t in range(steps):
            s, routed, lost = soil(s, p[t], e[t], x[0], beta)
            arrived = delay(line, shape, count, routed)
            gained = x[1] * (r / x[2] - x[4])
            kept = max(gained, -(r + 0.9 * arrived))
            r += 0.9 * arrived + kept
            out = drain(r, x[2])
            r -= out
            direct = max(0.0, 0.1 * arrived + gained)
            flow[b, m, t] = out + direct
            if evaporation.shape[2] > 0:
                evaporation[b, m, t] = lost
                exchange[b, m, t] = kept + direct - 0.1 * arrived
        state[0], state[1] = s, r
