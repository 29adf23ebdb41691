"""The water register's numeric nouns: reservoir curves, flood limits, outlets, the graph of rivers.

They need numpy and nothing else, and no node.
"""

from yunmeng.converged.water.register.curves import (
    CurveBank,
    ReservoirCurve,
    curve_bank,
    interpolate,
    reservoir_curve,
)
from yunmeng.converged.water.register.limits import FloodLimits, Season, flood_limits, read_limits
from yunmeng.converged.water.register.outlets import Outlet, release_columns
from yunmeng.converged.water.register.rivers import Reach, RiverGraph, river_graph

__all__ = [
    "CurveBank",
    "FloodLimits",
    "Outlet",
    "Reach",
    "ReservoirCurve",
    "RiverGraph",
    "Season",
    "curve_bank",
    "flood_limits",
    "interpolate",
    "read_limits",
    "release_columns",
    "reservoir_curve",
    "river_graph",
]
