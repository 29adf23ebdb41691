"""A river network: reaches in a tree, routed from the sources to the mouth for many members at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from yunmeng.converged.water.forecast.muskingum import Reach
from yunmeng.converged.water.forecast.shapes import Floats, Ints, Numbers, cube
from yunmeng.converged.water.forecast.threads import spread
from yunmeng.kernel.base import BadInput


@dataclass(frozen=True, slots=True)
class Network:
    """Nodes upstream first (``order``); ``downstream`` is −1 at a mouth; each node has the reach below it."""

    order: Ints
    downstream: Ints
    coefficients: Floats
    segments: Ints

    def start(self, members: int = 1) -> Floats:
        """Returns dry reaches: (nodes, members, segments, 2)."""
        return np.zeros((self.order.size, members, int(self.segments.max(initial=1)), 2))

    def route(self, lateral: Numbers, states: Floats | None = None) -> tuple[Floats, Floats]:
        """Returns the discharge past each node and the states of all reaches.

        Args:
            lateral: m³/s that enters at each node, (nodes, members, steps) or (nodes, steps).
            states: what an earlier call returned; else dry reaches.

        Raises:
            BadInput: ``forecast.shape`` when there are not as many nodes, ``forecast.gap`` for missing
                values.
        """
        from yunmeng.converged.water.forecast.kernels.routing import network

        inflow = cube(lateral, "lateral")
        if inflow.shape[0] != self.order.size:
            raise BadInput(
                "forecast.shape", name="lateral", found=inflow.shape, wanted=f"({self.order.size}, …)"
            )
        if not np.isfinite(inflow).all():
            node, member, step = (int(i) for i in np.argwhere(~np.isfinite(inflow))[0])
            count = int((~np.isfinite(inflow)).sum())
            raise BadInput(
                "forecast.gap",
                name="lateral",
                basin=node,
                member=member,
                where=str(step),
                steps=count,
                all=count,
            )
        state = self.start(inflow.shape[1]) if states is None else np.array(states, np.float64)
        out = inflow.copy()

        def part(first: int, last: int) -> None:
            network(
                inflow, self.order, self.downstream, self.coefficients, self.segments, state, out, first, last
            )

        spread(out.shape[1], part)
        return out, state


def network(downstream: Sequence[int], reaches: Sequence[Reach]) -> Network:
    """Orders the nodes of a river tree.

    Args:
        downstream: for each node the index of the next one below, −1 at a mouth.
        reaches: for each node the reach that leads to the next; that of a mouth is not used.

    Raises:
        BadInput: ``forecast.network`` for an index out of range or counts that differ,
            ``forecast.network.cycle`` naming nodes that flow into themselves.
    """
    below = np.asarray(downstream, np.int64)
    if below.size != len(reaches) or below.size == 0 or below.min() < -1 or below.max() >= below.size:
        raise BadInput("forecast.network", nodes=below.size, reaches=len(reaches))
    waiting = np.bincount(below[below >= 0], minlength=below.size)
    order = [int(node) for node in np.flatnonzero(waiting == 0)]
    for node in order:  # grows while it is read
        target = int(below[node])
        if target >= 0:
            waiting[target] -= 1
            if waiting[target] == 0:
                order.append(target)
    if len(order) < below.size:
        circle = sorted(set(range(below.size)) - set(order))
        raise BadInput("forecast.network.cycle", nodes=", ".join(str(node) for node in circle[:10]))
    coefficients = np.array([(reach.c0, reach.c1, reach.c2) for reach in reaches])
    segments = np.array([reach.segments for reach in reaches], np.int64)
    return Network(np.array(order, np.int64), below, coefficients, segments)
