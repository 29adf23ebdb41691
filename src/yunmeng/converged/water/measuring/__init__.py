"""Measuring 监测: from what stations report to series that can be trusted; pure functions on arrays."""

from yunmeng.converged.water.measuring.aggregation import Aggregate, aggregate, increments
from yunmeng.converged.water.measuring.clocks import WRONG, Clock, judge_clock, judge_clocks
from yunmeng.converged.water.measuring.control import Flag, Limits, check_series, check_spatial, quality_of
from yunmeng.converged.water.measuring.rating import RatingCurve, fit_rating, rating_from_table
from yunmeng.converged.water.measuring.sources import Merged, merge_sources
from yunmeng.converged.water.measuring.travel import Travels

__all__ = [
    "WRONG",
    "Aggregate",
    "Clock",
    "Flag",
    "Limits",
    "Merged",
    "RatingCurve",
    "Travels",
    "aggregate",
    "check_series",
    "check_spatial",
    "fit_rating",
    "increments",
    "judge_clock",
    "judge_clocks",
    "merge_sources",
    "quality_of",
    "rating_from_table",
]
