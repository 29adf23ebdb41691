"""The loop that carries flow down a river network."""

import numpy as np

from yunmeng.converged.water.forecast.kernels.jit import compiled
from yunmeng.converged.water.forecast.shapes import Floats, Ints


@compiled
def reach(
    inflow: Floats, c0: float, c1: float, c2: float, segments: int, state: Floats, flow: Floats
) -> None:  # pragma: no cover
    """One reach of equal segments; ``state`` is (segments, 2): last inflow and outflow of each."""
    for t in range(flow.shape[0]):  # compiles much faster than a slice
        flow[t] = inflow[t]
    for s in range(segments):
        before, out = state[s, 0], state[s, 1]
        for t in range(flow.shape[0]):
            now = flow[t]
            out = c0 * now + c1 * before + c2 * out
            before = now
            flow[t] = out
        state[s, 0], state[s, 1] = before, out


@compiled
def network(
    lateral: Floats,
    order: Ints,
    downstream: Ints,
    coefficients: Floats,
    segments: Ints,
    states: Floats,
    outflow: Floats,
    first: int,
    last: int,
) -> None:  # pragma: no cover
    """Members first to last: nodes upstream first; ``outflow`` begins as the lateral inflow of each node."""
    steps = lateral.shape[2]
    arriving = np.empty(steps)
    for m in range(first, last):
        for i in range(order.shape[0]):
            node = order[i]
            target = downstream[node]
            if target < 0:
                continue
            c = coefficients[node]
            count: int = segments[node]  # pyright: ignore[reportAssignmentType]
            reach(outflow[node, m], c[0], c[1], c[2], count, states[node, m], arriving)
            for t in range(steps):
                outflow[target, m, t] += arriving[t]
