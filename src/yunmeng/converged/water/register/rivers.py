"""Rivers, reservoirs and stations as a directed acyclic graph: who is upstream of whom, how far, how long.

Plain numpy over edge lists in compressed form: ten thousand nodes take milliseconds.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from yunmeng.converged.water.register.arrays import Floats, Ints
from yunmeng.kernel.base import BadInput, nearest


class Reach(NamedTuple):
    """Water runs from one node to another: ``km`` long, ``hours`` of travel."""

    upper: str
    lower: str
    km: float = 0.0
    hours: float = 0.0


@dataclass(frozen=True)
class RiverGraph:
    """A checked graph of N nodes and E reaches; arrays are indexed by the node's place in ``ids``.

    ``upper``, ``lower`` (E,) int64 are ends of reaches, ``km``, ``hours`` (E,) their length and travel time,
    ``order`` (N,) all nodes so that each comes after everything upstream of it.
    """

    ids: tuple[str, ...]
    upper: Ints
    lower: Ints
    km: Floats
    hours: Floats
    order: Ints
    index: dict[str, int] = field(repr=False)

    def place(self, id: str) -> int:
        """Returns the index of a node.

        Raises:
            BadInput: ``river.unknown`` with the nearest id.
        """
        if id not in self.index:
            raise BadInput("river.unknown", id=id, nearest=nearest(id, self.ids))
        return self.index[id]

    def upstream(self, id: str) -> tuple[str, ...]:
        """Returns every node whose water passes here, in topological order, without the node itself.

        Raises:
            BadInput: ``river.unknown``.
        """
        return self._reached(id, self._above)

    def downstream(self, id: str) -> tuple[str, ...]:
        """Returns every node that this one's water passes, in topological order, without the node itself.

        Raises:
            BadInput: ``river.unknown``.
        """
        return self._reached(id, self._below)

    def inlets(self, id: str) -> tuple[str, ...]:
        """Returns the nodes right above; raises as :meth:`upstream`."""
        place = self.place(id)
        return tuple(self.ids[int(self.upper[edge])] for edge in self._above.edges_of(place))

    def outlets(self, id: str) -> tuple[str, ...]:
        """Returns the nodes right below; raises as :meth:`upstream`."""
        place = self.place(id)
        return tuple(self.ids[int(self.lower[edge])] for edge in self._below.edges_of(place))

    def way(self, upper: str, lower: str) -> tuple[float, float]:
        """Returns distance in km and travel time in hours of the quickest way down.

        Raises:
            BadInput: ``river.unknown``, or ``river.unconnected`` where no water runs from one to the other.
        """
        first, last = self.place(upper), self.place(lower)
        hours, km = np.full(len(self.ids), np.inf), np.full(len(self.ids), np.inf)
        hours[first] = km[first] = 0.0
        for node in self.order[self.rank[first] :].tolist():
            if node == last:
                break
            for edge in self._below.edges_of(node) if np.isfinite(hours[node]) else ():
                below, arrival = int(self.lower[edge]), hours[node] + self.hours[edge]
                if (arrival, km[node] + self.km[edge]) < (hours[below], km[below]):
                    hours[below], km[below] = arrival, km[node] + self.km[edge]
        if not np.isfinite(hours[last]):
            raise BadInput("river.unconnected", upper=upper, lower=lower)
        return float(km[last]), float(hours[last])

    @cached_property
    def rank(self) -> Ints:
        """The place of each node in ``order``, shape (N,)."""
        rank = np.empty(len(self.ids), np.int64)
        rank[self.order] = np.arange(len(self.ids))
        return rank

    @cached_property
    def parts(self) -> Ints:
        """The number (from 0) of the connected part that each node belongs to, shape (N,)."""
        label: Ints = np.full(len(self.ids), -1, np.int64)
        found = 0
        for start in range(len(self.ids)):
            if label[start] < 0:
                self._flood(start, found, label)
                found += 1
        return label

    def disconnected(self) -> tuple[tuple[str, ...], ...]:
        """Returns the parts beside the largest, the largest of them first: a register's loose ends."""
        sizes = np.bincount(self.parts)
        rest = np.argsort(-sizes, kind="stable")[1:]
        return tuple(tuple(self.ids[node] for node in np.flatnonzero(self.parts == part)) for part in rest)

    def tree(self) -> tuple[Ints, Floats, Floats]:
        """Returns for each node the one below (-1: none) with the reach's km and hours, each of shape (N,).

        Raises:
            BadInput: ``river.forked`` naming a node with several ways down: dispatch needs one.
        """
        count = np.bincount(self.upper, minlength=len(self.ids))
        if (count > 1).any():
            node = int(np.argmax(count > 1))
            raise BadInput("river.forked", id=self.ids[node], below=self.outlets(self.ids[node]))
        below: Ints = np.full(len(self.ids), -1, np.int64)
        km, hours = np.zeros(len(self.ids)), np.zeros(len(self.ids))
        below[self.upper], km[self.upper], hours[self.upper] = self.lower, self.km, self.hours
        return below, km, hours

    def _reached(self, id: str, edges: "_Edges") -> tuple[str, ...]:
        start = self.place(id)
        seen, waiting = {start}, [start]
        while waiting:
            for other in edges.nodes_of(waiting.pop()):
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        seen.discard(start)
        return tuple(self.ids[node] for node in sorted(seen, key=self.rank.__getitem__))

    def _flood(self, start: int, number: int, label: Ints) -> None:
        waiting = [start]
        label[start] = number
        while waiting:
            node = waiting.pop()
            for other in (*self._above.nodes_of(node), *self._below.nodes_of(node)):
                if label[other] < 0:
                    label[other] = number
                    waiting.append(other)

    @cached_property
    def _below(self) -> "_Edges":
        return _Edges.of(self.upper, self.lower, len(self.ids))

    @cached_property
    def _above(self) -> "_Edges":
        return _Edges.of(self.lower, self.upper, len(self.ids))


class _Edges(NamedTuple):
    """Edges grouped by one end: ``edges[start[n]:start[n + 1]]`` are those of node n."""

    start: Ints
    edges: Ints
    other: Ints

    @classmethod
    def of(cls, end: Ints, other: Ints, nodes: int) -> "_Edges":
        edges = np.argsort(end, kind="stable")
        start = np.concatenate([[0], np.cumsum(np.bincount(end, minlength=nodes))]).astype(np.int64)
        return cls(start, edges, other[edges])

    def edges_of(self, node: int) -> list[int]:
        return self.edges[self.start[node] : self.start[node + 1]].tolist()

    def nodes_of(self, node: int) -> list[int]:
        return self.other[self.start[node] : self.start[node + 1]].tolist()


def river_graph(ids: Iterable[str], reaches: Iterable[Reach]) -> RiverGraph:
    """Makes the graph of nodes and the reaches between them.

    Raises:
        BadInput: ``river.twice`` for a node named twice, ``river.unknown`` for an end that is no node,
            ``river.reach`` for a negative length or time, ``river.cycle`` naming the nodes of a circle.
    """
    names = tuple(ids)
    index = {name: place for place, name in enumerate(names)}
    if len(index) != len(names):
        twice = next(name for place, name in enumerate(names) if index[name] != place)
        raise BadInput("river.twice", id=twice)
    edges = [_checked(reach, index, names) for reach in reaches]
    upper = np.array([index[each.upper] for each in edges], np.int64)
    lower = np.array([index[each.lower] for each in edges], np.int64)
    order = _sorted(names, upper, lower)
    km, hours = (np.array([each[part] for each in edges], np.float64) for part in (2, 3))
    return RiverGraph(names, upper, lower, km, hours, order, index)


def _checked(reach: Reach, index: dict[str, int], names: tuple[str, ...]) -> Reach:
    for end in (reach.upper, reach.lower):
        if end not in index:
            raise BadInput("river.unknown", id=end, nearest=nearest(end, names))
    if not (reach.km >= 0 and reach.hours >= 0):
        raise BadInput("river.reach", upper=reach.upper, lower=reach.lower, km=reach.km, hours=reach.hours)
    return reach


def _sorted(names: tuple[str, ...], upper: Ints, lower: Ints) -> Ints:
    # Kahn: take what nothing flows into, and strike its reaches; what remains holds a circle
    below = _Edges.of(upper, lower, len(names))
    waiting = np.bincount(lower, minlength=len(names)).tolist()
    ready = deque(node for node, count in enumerate(waiting) if count == 0)
    order: list[int] = []
    while ready:
        node = ready.popleft()
        order.append(node)
        for other in below.nodes_of(node):
            waiting[other] -= 1
            if waiting[other] == 0:
                ready.append(other)
    if len(order) < len(names):
        circle = _circle({node for node, count in enumerate(waiting) if count > 0}, upper, lower)
        raise BadInput("river.cycle", path=" → ".join(names[node] for node in circle), nodes=len(circle) - 1)
    return np.array(order, np.int64)


def _circle(left: set[int], upper: Ints, lower: Ints) -> list[int]:
    # each node that is left has an inlet that is left too: walking up must come back
    above = {int(low): int(up) for up, low in zip(upper, lower, strict=True) if up in left and low in left}
    path, seen = [min(above)], dict[int, int]()
    while path[-1] not in seen:
        seen[path[-1]] = len(path) - 1
        path.append(above[path[-1]])
    return path[seen[path[-1]] :][::-1]
