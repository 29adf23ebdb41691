"""The loop of the three-source Xin'anjiang model (Zhao 1992)."""

import numpy as np

from yunmeng.converged.water.forecast.kernels.jit import compiled
from yunmeng.converged.water.forecast.shapes import Floats

# the free-water store takes the runoff of a step in layers of at most this many mm (Zhao's own 5 mm)
_LAYER = 5.0


@compiled
def evaporate(
    wu: float, wl: float, wd: float, rain: float, wanted: float, wlm: float, c: float
) -> tuple[float, float, float]:  # pragma: no cover
    """Returns what the upper, lower and deep layers give to evaporation (the upper one's includes rain)."""
    if wu + rain >= wanted:
        return wanted, 0.0, 0.0
    upper = wu + rain
    rest = wanted - upper
    if wl >= c * wlm:
        return upper, rest * wl / wlm, 0.0
    if wl >= c * rest:
        return upper, c * rest, 0.0
    return upper, wl, min(c * rest - wl, wd)


@compiled
def saturate(w: float, wm: float, net: float, b: float) -> float:  # pragma: no cover
    """Returns the runoff depth of the net rain by the curve of tension-water capacity."""
    top = wm * (1.0 + b)
    space = max(0.0, 1.0 - w / wm)
    level = top * (1.0 - space ** (1.0 / (1.0 + b)))
    runoff = net - (wm - w)
    if net + level < top:
        runoff += wm * (1.0 - (net + level) / top) ** (1.0 + b)
    return min(max(runoff, 0.0), net)


@compiled
def fill(
    wu: float, wl: float, wd: float, water: float, wum: float, wlm: float
) -> tuple[float, float, float]:  # pragma: no cover
    """Fills the three layers from above."""
    wu += water
    if wu > wum:
        wl += wu - wum
        wu = wum
    if wl > wlm:
        wd += wl - wlm
        wl = wlm
    return wu, wl, wd


@compiled
def separate(
    s: float, fr: float, net: float, sm: float, ex: float, ki: float, kg: float
) -> tuple[float, float, float, float]:  # pragma: no cover
    """Splits the runoff (``net`` mm on the share ``fr``) into surface, inter- and groundwater flow."""
    surface, inter, ground = 0.0, 0.0, 0.0
    if s > sm:  # the runoff area shrank: what it cannot hold runs off
        surface = (s - sm) * fr
        s = sm
    layers = max(1, int(np.ceil(net * fr / _LAYER)))
    both = ki + kg
    rate = 1.0 - (1.0 - both) ** (1.0 / layers) if layers > 1 else both
    kil, kgl = rate * ki / both, rate * kg / both
    depth, top = net / layers, sm * (1.0 + ex)
    for _ in range(layers):
        if depth > 0.0:
            level = top * (1.0 - max(0.0, 1.0 - s / sm) ** (1.0 / (1.0 + ex)))
            over = depth + s - sm
            if depth + level < top:
                over += sm * (1.0 - (depth + level) / top) ** (1.0 + ex)
            over = min(max(over, 0.0), depth)
            surface += over * fr
            s += depth - over
        inter += s * kil * fr
        ground += s * kgl * fr
        s -= s * (kil + kgl)
    return s, surface, inter, ground


@compiled
def travel(line: Floats, whole: int, part: float, water: float) -> float:  # pragma: no cover
    """Sends water on its way of ``whole`` + ``part`` steps, and returns what arrives now."""
    line[whole] += (1.0 - part) * water
    line[whole + 1] += part * water
    arrived = line[0]
    for i in range(whole + 1):
        line[i] = line[i + 1]
    line[whole + 1] = 0.0
    return arrived


@compiled
def xinanjiang(
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
    share = hours / 24.0
    for row in range(first, last):
        bi, m = row // members, row % members
        p, e = rain[bi % rain.shape[0], m % rain.shape[1]], demand[bi % demand.shape[0], m % demand.shape[1]]
        x = params[bi % params.shape[0], m % params.shape[1]]
        k, b, c, wum, wlm, wdm, im, sm = x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]
        ex, ki, kg, ci, cg, cs, lag = x[8], x[9], x[10], x[11], x[12], x[13], x[14]
        wm = wum + wlm + wdm
        both = ki + kg
        rate = 1.0 - (1.0 - both) ** share
        ki, kg = rate * ki / both, rate * kg / both
        ci, cg = ci**share, cg**share
        whole = int(lag)
        part = lag - whole
        state = states[bi, m]
        wu, wl, wd, s = state[0], state[1], state[2], state[3]
        fr, qi, qg, q = state[4], state[5], state[6], state[7]
        line = state[8:]
        for t in range(steps):
            wanted = k * e[t]
            eu, el, ed = evaporate(wu, wl, wd, p[t], wanted, wlm, c)
            lost = eu + el + ed
            net = p[t] - lost
            paved, pervious = im * max(net, 0.0), 1.0 - im
            if net > 0.0:
                runoff = saturate(wu + wl + wd, wm, net, b)
                wu, wl, wd = fill(wu, wl, wd, net - runoff, wum, wlm)
                if wd > wdm:  # by rounding only
                    runoff += wd - wdm
                    wd = wdm
                depth = net if runoff > 0.0 else 0.0
                if runoff > 0.0:
                    now = min(runoff / net, 1.0)
                    s *= fr / now
                    fr = now
            else:
                wu, wl, wd = wu + p[t] - eu, wl - el, wd - ed
                depth = 0.0
            s, surface, inter, ground = separate(s, fr, depth, sm, ex, ki, kg)
            qi = ci * qi + (1.0 - ci) * inter * pervious
            qg = cg * qg + (1.0 - cg) * ground * pervious
            q = cs * q + (1.0 - cs) * travel(line, whole, part, surface * pervious + paved + qi + qg)
            flow[bi, m, t] = q
            if evaporation.shape[2] > 0:
                evaporation[bi, m, t] = lost * pervious + im * min(p[t], lost)
                exchange[bi, m, t] = 0.0
        state[0], state[1], state[2], state[3] = wu, wl, wd, s
        state[4], state[5], state[6], state[7] = fr, qi, qg, q
