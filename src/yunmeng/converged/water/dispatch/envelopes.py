"""Straight lines around a discharge curve: what a linear program can say of it.

Release ≤ every line of the concave hull and spill ≥ every line of the convex hull hold for the exact curve
too, so a program with them is a relaxation and its optimum a lower bound of the true one.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from yunmeng.converged.water.register.arrays import Bools, Floats


class Lines(NamedTuple):
    """``fixed + slope·storage``, shapes (N, lines); unused lines repeat the last."""

    fixed: Floats
    slope: Floats


def above(storage: Floats, flow: Floats, least: Floats, most: Floats, lines: int) -> Lines:
    """Returns the concave hull of curves (N, points) over storages from ``least`` to ``most`` (N,).

    With more sides than ``lines`` those are kept that cut most off; fewer only relax.
    """
    return Lines(*(-part for part in below(storage, -flow, least, most, lines)))


def below(storage: Floats, flow: Floats, least: Floats, most: Floats, lines: int) -> Lines:
    """Returns the convex hull of curves (N, points) from below; see :func:`above`."""
    fixed, slope = np.zeros((len(storage), lines)), np.zeros((len(storage), lines))
    for node in range(len(storage)):
        x, y = _cut(storage[node], flow[node], float(least[node]), float(most[node]))
        hull = _hull(x, y)
        slopes = [(y[b] - y[a]) / (x[b] - x[a]) for a, b in pairwise(hull)] or [0.0]
        offsets = [y[a] - each * x[a] for a, each in zip(hull, slopes, strict=False)]
        kept = _sides(x, np.array(slopes), np.array(offsets), lines)
        kept += kept[-1:] * (lines - len(kept))
        slope[node], fixed[node] = np.array(slopes)[kept], np.array(offsets)[kept]
    return Lines(fixed, slope)


def concave(storage: Floats, flow: Floats, least: Floats, most: Floats, tolerance: float = 1e-6) -> Bools:
    """Tells which curves equal their concave hull between ``least`` and ``most``, shape (N,)."""
    answer = np.ones(len(storage), np.bool_)
    for node in range(len(storage)):
        x, y = _cut(storage[node], flow[node], float(least[node]), float(most[node]))
        slopes = np.diff(y) / np.diff(x)
        answer[node] = bool((np.diff(slopes) <= tolerance * max(1.0, float(abs(slopes).max()))).all())
    return answer


def _cut(x: Floats, y: Floats, least: float, most: float) -> tuple[Floats, Floats]:
    if most <= least:
        most = least + 1e-6
    inner = np.unique(x[(x > least) & (x < most)])
    at = np.concatenate([[least], inner, [most]])
    return at, np.interp(at, *_distinct(x, y))


def _distinct(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    keep = np.append(True, np.diff(x) > 0)
    return x[keep], y[keep]


def _hull(x: Floats, y: Floats) -> list[int]:
    hull: list[int] = []
    for point in range(len(x)):
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            if (y[b] - y[a]) * (x[point] - x[a]) < (y[point] - y[a]) * (x[b] - x[a]):
                break
            hull.pop()
        hull.append(point)
    return hull


def _sides(x: Floats, slopes: Floats, offsets: Floats, lines: int) -> list[int]:
    """Keeps sides one by one, each the one under which the others fall short most."""
    values = offsets[:, None] + slopes[:, None] * x
    full = values.max(axis=0)
    kept: list[int] = []
    while len(kept) < min(lines, len(slopes)):
        short = [np.sum(full - values[[*kept, side]].max(axis=0)) for side in range(len(slopes))]
        best = int(np.argmin(short))
        if best in kept:
            break
        kept.append(best)
    return kept
