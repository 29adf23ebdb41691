"""Warnings 预警: the province's table of response levels, and what the present state asks for by it."""

from yunmeng.converged.water.warning.response import (
    Condition,
    Response,
    Situation,
    read_table,
    response,
    situation,
)

__all__ = ["Condition", "Response", "Situation", "read_table", "response", "situation"]
