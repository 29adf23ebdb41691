"""NSGA-II: the fast elitist search for many aims at once (Deb, Pratap, Agarwal and Meyarivan 2002)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from yunmeng.converged.water.forecast.shapes import Bools, Floats, Ints

# wider steps than the authors' 20 and 20: a front in a third of the generations (measured on ZDT1)
_CROSS, _CROSS_INDEX, _MUTATION_INDEX = 0.9, 10.0, 5.0


@dataclass(frozen=True, slots=True)
class Front:
    """The points that no other point beats in every aim, and their losses, sorted by the first one."""

    points: Floats
    losses: Floats
    evaluations: int


def nsga2(
    losses: Callable[[Floats], Floats],
    low: Floats,
    high: Floats,
    *,
    population: int = 100,
    generations: int = 100,
    seed: int = 0,
) -> Front:
    """Searches the front of least losses between ``low`` and ``high``.

    Args:
        losses: takes (points, n), returns (points, aims); what is no number counts as the worst.
        low: lower bounds, (n,).
        high: upper bounds, (n,).
        population: even number of points kept.
        generations: how often they breed.
        seed: of the dice.
    """
    dice = np.random.default_rng(seed)
    points = low + (high - low) * dice.random((population, low.size))
    values = _asked(losses, points)
    for _ in range(generations):
        rank, room = ranks(values), crowding(values, ranks(values))
        children = _bred(points, rank, room, low, high, dice)
        points = np.concatenate((points, children))
        values = np.concatenate((values, _asked(losses, children)))
        rank = ranks(values)
        best = np.lexsort((-crowding(values, rank), rank))[:population]
        points, values = points[best], values[best]
    first = ranks(values) == 0
    points, values = points[first], values[first]
    order = np.argsort(values[:, 0], kind="stable")
    return Front(points[order], values[order], population * (generations + 1))


def ranks(losses: Floats) -> Ints:
    """Returns the front of each point: 0 for those that nobody dominates, 1 without them, and so on."""
    mine, other = losses[:, None], losses[None]
    better: Bools = np.all(mine <= other, axis=2) & np.any(mine < other, axis=2)
    rank = np.full(len(losses), -1, np.int64)
    front = 0
    while (rank < 0).any():
        left = rank < 0
        beaten: Bools = np.any(better[left], axis=0)
        rank[left & ~beaten] = front
        front += 1
    return rank


def crowding(losses: Floats, rank: Ints) -> Floats:
    """Returns how much room each point has within its front; the ends have no end of it."""
    room = np.zeros(len(losses))
    for front in range(int(rank.max()) + 1):
        members = np.flatnonzero(rank == front)
        for aim in range(losses.shape[1]):
            order = members[np.argsort(losses[members, aim], kind="stable")]
            values = losses[order, aim]
            room[order[[0, -1]]] = np.inf
            span = values[-1] - values[0]
            if span > 0 and np.isfinite(span):
                room[order[1:-1]] += (values[2:] - values[:-2]) / span
    return room


def _asked(losses: Callable[[Floats], Floats], points: Floats) -> Floats:
    values = np.asarray(losses(points), np.float64)
    return np.where(np.isfinite(values), values, 1e30)


def _bred(
    points: Floats, rank: Ints, room: Floats, low: Floats, high: Floats, dice: np.random.Generator
) -> Floats:
    count, n = points.shape
    a, b = dice.permutation(count), dice.permutation(count)
    won: Ints = np.where((rank[a] < rank[b]) | ((rank[a] == rank[b]) & (room[a] > room[b])), a, b)
    mothers, fathers = points[won[0::2]], points[won[1::2]]
    # simulated binary crossover
    u = dice.random(mothers.shape)
    spread = np.where(u <= 0.5, 2 * u, 1 / (2 * (1 - u))) ** (1 / (_CROSS_INDEX + 1))
    mixed = (dice.random(mothers.shape) < 0.5) & (dice.random((len(mothers), 1)) < _CROSS)
    spread = np.where(mixed, spread, 1.0)
    children = np.concatenate(
        ((1 + spread) * mothers + (1 - spread) * fathers, (1 - spread) * mothers + (1 + spread) * fathers)
    )
    children *= 0.5
    # polynomial mutation, one parameter a child on average
    u = dice.random(children.shape)
    power = 1 / (_MUTATION_INDEX + 1)
    shift = np.where(u < 0.5, (2 * u) ** power - 1, 1 - (2 * (1 - u)) ** power)
    children += np.where(dice.random(children.shape) < 1 / n, shift, 0.0) * (high - low)
    return np.clip(children, low, high)
