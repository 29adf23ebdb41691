"""SCE-UA, shuffled complex evolution (Duan, Sorooshian and Gupta 1992, 1994)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from yunmeng.converged.water.forecast.shapes import Floats, Ints

Loss = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best point, its loss, how many points were tried, and why it ended: budget, still or small."""

    point: Floats
    loss: float
    evaluations: int
    ended: str


def sce_ua(
    loss: Loss,
    low: Floats,
    high: Floats,
    *,
    complexes: int = 0,
    budget: int = 20_000,
    still: float = 1e-4,
    small: float = 1e-4,
    seed: int = 0,
) -> Optimum:
    """Finds the least loss between ``low`` and ``high``.

    Each of p complexes has m = 2n + 1 points and evolves m times between shuffles by simplexes of n + 1
    points, as the authors set. The complexes step together, so that ``loss`` is asked for p points at once.

    Args:
        loss: takes (points, n), returns (points,); a loss that is no number counts as the worst.
        low: lower bounds, (n,).
        high: upper bounds, (n,).
        complexes: p; 0 for the number of dimensions, at least 2.
        budget: about how many points may be tried.
        still: end when the best loss of the last ten shuffles changed by less than this share.
        small: end when the population spans less than this share of the bounds.
        seed: of the dice; the same seed gives the same point.
    """
    dice, n = np.random.default_rng(seed), low.size
    p, m = complexes or max(2, n), 2 * n + 1
    points = low + (high - low) * dice.random((p * m, n))
    search = _Search(loss, low, high, dice)
    losses = search.ask(points)
    history: list[float] = []
    while True:
        order = np.argsort(losses, kind="stable")
        points, losses = points[order], losses[order]
        history.append(float(losses[0]))
        ended = search.ended(history, points, budget, still, small)
        if ended:
            return Optimum(points[0].copy(), float(losses[0]), search.tried, ended)
        # dealt like cards: complex k has the points k, k + p, k + 2p...
        parts, values = points.reshape(m, p, n).swapaxes(0, 1).copy(), losses.reshape(m, p).T.copy()
        for _ in range(m):
            search.evolve(parts, values)
        points, losses = parts.swapaxes(0, 1).reshape(-1, n), values.T.reshape(-1)


class _Search:
    def __init__(self, loss: Loss, low: Floats, high: Floats, dice: np.random.Generator) -> None:
        self.loss, self.low, self.high, self.dice = loss, low, high, dice
        self.tried = 0

    def ask(self, points: Floats) -> Floats:
        self.tried += len(points)
        losses = np.asarray(self.loss(points), np.float64)
        return np.where(np.isfinite(losses), losses, np.inf)

    def ended(self, history: list[float], points: Floats, budget: int, still: float, small: float) -> str:
        if self.tried >= budget:
            return "budget"
        span = (points.max(axis=0) - points.min(axis=0)) / (self.high - self.low)
        if span.max() < small:
            return "small"
        if len(history) > 10 and history[-11] - history[-1] <= still * abs(history[-1]):
            return "still"
        return ""

    def evolve(self, parts: Floats, values: Floats) -> None:
        """One step of competitive complex evolution in every complex: reflect, else contract, else mutate."""
        p, m, n = parts.shape
        chosen = self._simplexes(p, m, n + 1)
        rows: Ints = np.arange(p, dtype=np.int64)
        worst = chosen[:, -1]
        centre = parts[rows[:, None], chosen[:, :-1]].mean(axis=1)
        limit, old = values[rows, worst], parts[rows, worst]
        trial = 2 * centre - old
        outside = ((trial < self.low) | (trial > self.high)).any(axis=1)
        trial[outside] = self._somewhere(parts[outside])
        found = self.ask(trial)
        for again in (0, 1):
            bad = np.flatnonzero(found >= limit)
            if bad.size == 0:
                break
            trial[bad] = self._somewhere(parts[bad]) if again else (centre[bad] + old[bad]) / 2
            found[bad] = self.ask(trial[bad])
        parts[rows, worst], values[rows, worst] = trial, found
        order = np.argsort(values, axis=1, kind="stable")
        parts[:], values[:] = parts[rows[:, None], order], values[rows[:, None], order]

    def _simplexes(self, p: int, m: int, size: int) -> Ints:
        """Draws points of each complex without return, better ones likelier (trapezoid), best first."""
        weights = 2 * (m - np.arange(m)) / (m * (m + 1))
        keys = np.log(self.dice.random((p, m))) / weights  # Efraimidis and Spirakis (2006)
        order: Ints = np.argsort(-keys, axis=1)
        return np.sort(order[:, :size], axis=1)

    def _somewhere(self, parts: Floats) -> Floats:
        """A point in the smallest box that holds the complex."""
        least: Floats = np.min(parts, axis=1)
        most: Floats = np.max(parts, axis=1)
        return least + (most - least) * self.dice.random(least.shape)
