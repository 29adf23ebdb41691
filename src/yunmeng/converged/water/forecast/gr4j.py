"""GR4J: four parameters, daily or hourly (Perrin, Michel and Andréassian 2003)."""

import numpy as np

from yunmeng.converged.water.forecast.model import Kernel, Model, Parameter
from yunmeng.converged.water.forecast.shapes import Floats


def _kernel() -> Kernel:
    from yunmeng.converged.water.forecast.kernels.gr import gr4j

    return gr4j


def reach(params: Floats) -> int:
    """Returns how many steps the longest unit hydrograph spans (2 X4)."""
    return int(np.ceil(2 * params[..., 3].max()))


def begin(params: Floats) -> Floats:
    """Returns the stores as the authors begin: 0.3 X1 and 0.5 X3."""
    return np.stack((0.3 * params[..., 0], 0.5 * params[..., 2]), axis=-1)


def store(states: Floats, params: Floats, step_hours: float) -> Floats:
    """Returns the water of both stores and of the delay lines."""
    return states.sum(axis=-1)


def ceiling(params: Floats) -> Floats:
    """Returns the capacities of the two stores."""
    return np.stack((params[..., 0], params[..., 2]), axis=-1)


X1 = Parameter("X1", "mm", 1, 5000, 20, 1500)
X2 = Parameter("X2", "mm/step", -20, 20, -6, 6)
X3 = Parameter("X3", "mm", 1, 3000, 5, 500)
X4 = Parameter("X4", "step", 0.5, 480, 0.5, 8)

GR4J = Model(
    name="GR4J",
    parameters=(X1, X2, X3, X4),
    stores=("production", "routing"),
    lines=2,
    steps_hours=(1.0, 24.0),
    reach=reach,
    begin=begin,
    store=store,
    ceiling=ceiling,
    rules=lambda params: "",
    kernel=_kernel,
)
"""Production store X1, exchange X2, routing store X3, time base X4.

Perrin, C., Michel, C., Andréassian, V. (2003), Improvement of a parsimonious model for streamflow simulation,
Journal of Hydrology 279, 275-289. Hourly steps use the percolation and the unit hydrograph of GR4H (Mathevet
2005): 21/4 for 9/4 and the power 1.25 for 2.5. X2 and X4 belong to the step; so a daily set is not an
hourly one.
"""
