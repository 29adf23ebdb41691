"""Joint dispatch of reservoirs (联合调度): rules, optimisation with a certificate, conflicts, plans.

Pure functions on arrays, usable without a node; HiGHS and numba are loaded by the functions that need them.
"""

from yunmeng.converged.water.dispatch.conflicts import Conflict, explain
from yunmeng.converged.water.dispatch.decompose import coordinate
from yunmeng.converged.water.dispatch.document import Document, Section, write
from yunmeng.converged.water.dispatch.limits import Limit
from yunmeng.converged.water.dispatch.model import Detail, Penalties
from yunmeng.converged.water.dispatch.optimise import Warm, optimise, with_heads
from yunmeng.converged.water.dispatch.plan import Plan
from yunmeng.converged.water.dispatch.reasons import Reason, Reasons, reasons
from yunmeng.converged.water.dispatch.rolling import Rolled, roll
from yunmeng.converged.water.dispatch.routing import Routing, route, routing
from yunmeng.converged.water.dispatch.rules import Rule, Simulation, simulate
from yunmeng.converged.water.dispatch.scenarios import Comparison, Score, compare, natural, simulated
from yunmeng.converged.water.dispatch.system import (
    Horizon,
    PointSpec,
    ReservoirSpec,
    System,
    make_horizon,
    make_system,
)

__all__ = [
    "Comparison",
    "Conflict",
    "Detail",
    "Document",
    "Horizon",
    "Limit",
    "Penalties",
    "Plan",
    "PointSpec",
    "Reason",
    "Reasons",
    "ReservoirSpec",
    "Rolled",
    "Routing",
    "Rule",
    "Score",
    "Section",
    "Simulation",
    "System",
    "Warm",
    "compare",
    "coordinate",
    "explain",
    "make_horizon",
    "make_system",
    "natural",
    "optimise",
    "reasons",
    "roll",
    "route",
    "routing",
    "simulate",
    "simulated",
    "with_heads",
    "write",
]
