"""The plan 规划 as data: its indicators, its systems, and which code fulfils them."""

from yunmeng.plan.coverage import Coverage, CoverageRow, coverage
from yunmeng.plan.indicators import Figure, Indicator, indicator, indicator_entities, indicators
from yunmeng.plan.systems import System, system, systems

__all__ = [
    "Coverage",
    "CoverageRow",
    "Figure",
    "Indicator",
    "System",
    "coverage",
    "indicator",
    "indicator_entities",
    "indicators",
    "system",
    "systems",
]
