"""Reservoir curves (水位—库容—面积—泄流): checked once, interpolated both ways.

Units: level m, storage 10⁶ m³, area km², discharge m³/s. Between the points a curve is linear, so that
level → storage → level returns what went in.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from yunmeng.converged.water.register.arrays import Bools, Floats, Ints, Numbers, upto
from yunmeng.kernel.base import BadInput

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ReservoirCurve:
    """One reservoir's curve: arrays of shape (points,), levels and storages rising.

    ``discharge`` is what all outlets together can release at a level, ``spill`` the part of it that nobody
    can hold back (an ungated spillway).
    """

    level: Floats
    storage: Floats
    area: Floats
    discharge: Floats
    spill: Floats
    name: str = ""

    def storage_at(self, level: Numbers, *, clamp: bool = False) -> Floats:
        """Returns the storage in 10⁶ m³ at levels of any shape; NaN stays NaN.

        Raises:
            BadInput: ``curve.range`` for a level outside the curve, unless ``clamp`` takes its nearest end.
        """
        return self._at(level, self.level, self.storage, clamp)

    def level_at(self, storage: Numbers, *, clamp: bool = False) -> Floats:
        """Returns the level in m at storages of any shape: the inverse of :meth:`storage_at`.

        Raises:
            BadInput: ``curve.range``.
        """
        return self._at(storage, self.storage, self.level, clamp)

    def area_at(self, level: Numbers, *, clamp: bool = False) -> Floats:
        """Returns the water surface in km²; raises as :meth:`storage_at`."""
        return self._at(level, self.level, self.area, clamp)

    def discharge_at(self, level: Numbers, *, clamp: bool = False) -> Floats:
        """Returns the largest release in m³/s; raises as :meth:`storage_at`."""
        return self._at(level, self.level, self.discharge, clamp)

    def _at(self, value: Numbers, known: Floats, wanted: Floats, clamp: bool) -> Floats:
        asked = np.asarray(value, np.float64)
        outside: Bools = (asked < known[0]) | (asked > known[-1])
        if not clamp and outside.any():
            worst = float(asked[outside].flat[0])
            raise BadInput("curve.range", name=self.name, value=worst, low=known[0], high=known[-1])
        return np.asarray(np.interp(asked, known, wanted), np.float64)


def reservoir_curve(
    level: Numbers,
    storage: Numbers,
    area: Numbers | None = None,
    discharge: Numbers | None = None,
    spill: Numbers | None = None,
    *,
    name: str = "",
) -> ReservoirCurve:
    """Returns a checked curve; an area that is not given is the storage's slope (10⁶ m³ a metre is km²).

    Raises:
        BadInput: ``curve.short`` under two points, ``curve.shape`` for columns of different length,
            ``curve.number`` for what is no number or negative, ``curve.monotone`` naming the rows (counted
            from 1) where level or storage does not rise, or area, discharge or spill falls, and
            ``curve.spill`` where more spills than all outlets release.
    """
    levels, storages = _column(level, "level", name), _column(storage, "storage", name, low=0.0)
    if len(levels) < 2:
        raise BadInput("curve.short", name=name, points=len(levels))
    size = len(levels)
    _rising(levels, "level", name, strict=True)
    _fits(storages, size, "storage", name)
    _rising(storages, "storage", name, strict=True)
    areas = np.gradient(storages, levels) if area is None else _column(area, "area", name, low=0.0)
    released, spilled = (
        np.zeros(size) if values is None else _column(values, column, name, low=0.0)
        for values, column in ((discharge, "discharge"), (spill, "spill"))
    )
    for values, column in ((areas, "area"), (released, "discharge"), (spilled, "spill")):
        _fits(values, size, column, name)
        if column != "area" or area is not None:
            _rising(values, column, name, strict=False)
    over = np.flatnonzero(spilled > released + 1e-9)
    if over.size:
        raise BadInput("curve.spill", name=name, rows=_rows(over))
    return ReservoirCurve(levels, storages, areas, released, spilled, name)


def _column(values: Numbers, column: str, name: str, low: float | None = None) -> Floats:
    try:
        numbers = np.array(values, np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise BadInput("curve.number", name=name, column=column, rows=str(error)) from error
    bad = np.flatnonzero(~np.isfinite(numbers) | (numbers < (-np.inf if low is None else low)))
    if bad.size:
        raise BadInput("curve.number", name=name, column=column, rows=_rows(bad))
    return numbers


def _fits(values: Floats, size: int, column: str, name: str) -> None:
    if len(values) != size:
        raise BadInput("curve.shape", name=name, column=column, points=len(values), wanted=size)


def _rising(values: Floats, column: str, name: str, *, strict: bool) -> None:
    steps = np.diff(values)
    bad = np.flatnonzero(steps <= 0 if strict else steps < 0) + 1
    if bad.size:
        shown = [f"{row + 1} ({values[row - 1]:g} → {values[row]:g})" for row in bad[:_SHOWN]]
        raise BadInput(
            "curve.monotone",
            name=name,
            column=column,
            rows=", ".join(shown) + _more(bad),
            count=int(bad.size),
        )


def _rows(found: Ints) -> str:
    return ", ".join(str(row + 1) for row in found[:_SHOWN]) + _more(found)


def _more(found: Ints) -> str:
    return " …" if found.size > _SHOWN else ""


@dataclass(frozen=True, slots=True)
class CurveBank:
    """Many reservoirs' curves as arrays of shape (reservoirs, points), short ones padded with their end."""

    level: Floats
    storage: Floats
    area: Floats
    discharge: Floats
    spill: Floats

    def storage_at(self, level: Numbers) -> Floats:
        """Returns storages in 10⁶ m³ for levels (reservoirs, ...); outside a curve its nearest end."""
        return interpolate(self.level, self.storage, level)

    def level_at(self, storage: Numbers) -> Floats:
        """Returns levels in m for storages (reservoirs, ...); outside a curve its nearest end."""
        return interpolate(self.storage, self.level, storage)

    def discharge_at(self, storage: Numbers) -> Floats:
        """Returns the largest releases in m³/s for storages (reservoirs, ...)."""
        return interpolate(self.storage, self.discharge, storage)

    def spill_at(self, storage: Numbers) -> Floats:
        """Returns what spills by itself in m³/s for storages (reservoirs, ...)."""
        return interpolate(self.storage, self.spill, storage)

    def take(self, rows: Ints) -> "CurveBank":
        """Returns the curves of some reservoirs."""
        return CurveBank(
            self.level[rows], self.storage[rows], self.area[rows], self.discharge[rows], self.spill[rows]
        )


def curve_bank(curves: Sequence[ReservoirCurve]) -> CurveBank:
    """Puts curves of any length side by side."""
    points = max((len(each.level) for each in curves), default=0)

    def padded(columns: Sequence[Floats]) -> Floats:
        rows = [np.concatenate([each, np.full(points - len(each), each[-1])]) for each in columns]
        return np.array(rows, np.float64).reshape(len(columns), points)

    return CurveBank(
        padded([each.level for each in curves]),
        padded([each.storage for each in curves]),
        padded([each.area for each in curves]),
        padded([each.discharge for each in curves]),
        padded([each.spill for each in curves]),
    )


def interpolate(known: Floats, wanted: Floats, value: Numbers) -> Floats:
    """Interpolates row by row: ``known`` and ``wanted`` (rows, points), ``value`` (rows, ...); ends hold."""
    asked = np.asarray(value, np.float64)
    flat = asked.reshape(known.shape[0], -1)
    left = np.zeros(flat.shape, np.int64)
    for point in range(1, known.shape[1] - 1):
        left += (flat >= known[:, point, None]) & (known[:, point + 1, None] > known[:, point, None])
    rows = upto(len(known))[:, None]
    low, high = known[rows, left], known[rows, left + 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(high > low, np.clip((flat - low) / (high - low), 0.0, 1.0), 0.0)
    start = wanted[rows, left]
    return (start + share * (wanted[rows, left + 1] - start)).reshape(asked.shape)
