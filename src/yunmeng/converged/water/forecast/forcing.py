"""What drives a model: rain and potential evaporation, checked before any water moves."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from yunmeng.converged.water.forecast.shapes import Bools, Floats, Numbers, cube
from yunmeng.kernel.base import BadInput

_COLDEST = -90.0
_MOST_RAIN_MM_HOUR = 500.0  # the world's record of one hour is 305 mm (Holt, Missouri, 1947)


@dataclass(frozen=True, slots=True)
class Forcing:
    """Rain and potential evaporation in mm a step, (basins, members, steps); one of either axis fits all.

    ``temperature`` in °C is there for models with snow, else it has no steps.

    Use :func:`forcing` to make one: it checks.
    """

    rain: Floats
    evaporation: Floats
    step_hours: float
    temperature: Floats

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return self.rain.shape[2]

    def between(self, first: int, last: int) -> "Forcing":
        """Returns the steps from ``first`` up to, without, ``last``."""
        return Forcing(
            np.ascontiguousarray(self.rain[..., first:last]),
            np.ascontiguousarray(self.evaporation[..., first:last]),
            self.step_hours,
            np.ascontiguousarray(self.temperature[..., first:last]),
        )


def forcing(
    rain: Numbers | None,
    evaporation: Numbers,
    step_hours: float,
    *,
    start: datetime | None = None,
    temperature: Numbers | None = None,
) -> Forcing:
    """Checks rain and potential evaporation (mm a step) and gives them the common shape.

    Args:
        rain: a series, (basins, steps) or (basins, members, steps); melt counts as rain.
        evaporation: the same shapes; an axis of length 1 serves all basins or members.
        step_hours: length of a step, more than 0 and at most 24 hours.
        start: time of the first step, so that an error can say when.
        temperature: mean air temperature in °C, the same shapes, for models with snow.

    Raises:
        BadInput: ``forecast.rain.none`` without rain; ``forecast.gap`` for missing values (fill them by
            name with :func:`fill_gaps`); ``forecast.negative``; ``forecast.unit`` for rain that no sky gives;
            ``forecast.step``; ``forecast.shape`` when the shapes do not fit each other.
    """
    if rain is None or np.size(np.asarray(rain)) == 0:
        raise BadInput("forecast.rain.none")
    if not 0 < step_hours <= 24:
        raise BadInput("forecast.step", hours=step_hours, allowed="0 < hours <= 24")
    warmth = np.empty((1, 1, 0)) if temperature is None else cube(temperature, "temperature")
    made = Forcing(cube(rain, "rain"), cube(evaporation, "evaporation"), float(step_hours), warmth)
    if temperature is not None:
        complete("temperature", warmth, step_hours, start, least=_COLDEST)
        fits(made.rain, warmth, "temperature")
    for name, values in (("rain", made.rain), ("evaporation", made.evaporation)):
        complete(name, values, step_hours, start)
    fits(made.rain, made.evaporation, "evaporation")
    if made.rain.max() > _MOST_RAIN_MM_HOUR * step_hours:
        raise BadInput("forecast.unit", value=f"{made.rain.max():g}", hours=step_hours)
    return made


def fits(rain: Floats, other: Floats, name: str) -> None:
    """Refuses series that do not fit the rain: an axis of length 1 serves all basins or members.

    Raises:
        BadInput: ``forecast.shape``.
    """
    axes = zip(rain.shape[:2], other.shape[:2], strict=True)
    if rain.shape[2] != other.shape[2] or any(a != b and 1 not in (a, b) for a, b in axes):
        raise BadInput("forecast.shape", name=name, found=other.shape, wanted=str(rain.shape))


def complete(
    name: str, values: Floats, step_hours: float, start: datetime | None, *, least: float = 0.0
) -> None:
    """Refuses missing values and values below ``least``, naming the first place.

    Raises:
        BadInput: ``forecast.gap`` or ``forecast.negative``.
    """
    bad = ~np.isfinite(values)
    if bad.any():
        basin, member, step = (int(i) for i in np.argwhere(bad)[0])
        last = (
            int(np.flatnonzero(~bad[basin, member, step:])[0]) if not bad[basin, member, step:].all() else 0
        )
        raise BadInput(
            "forecast.gap",
            name=name,
            basin=basin,
            member=member,
            where=_when(step, step_hours, start),
            steps=last or values.shape[2] - step,
            all=int(bad.sum()),
        )
    if values.min() < least:
        basin, member, step = (int(i) for i in np.argwhere(values < least)[0])
        raise BadInput(
            "forecast.negative",
            name=name,
            value=f"{values[basin, member, step]:g}",
            basin=basin,
            member=member,
            where=_when(step, step_hours, start),
        )


def _when(step: int, step_hours: float, start: datetime | None) -> str:
    at = "" if start is None else f" ({(start + timedelta(hours=step * step_hours)).isoformat()})"
    return f"{step}{at}"


def fill_gaps(values: Numbers, rule: Literal["zero", "linear", "mean"], *, most: int) -> tuple[Floats, Bools]:
    """Fills missing values of a series by a rule that the caller names; tells which steps were filled.

    Args:
        values: one series, NaN where missing.
        rule: ``zero`` (a gauge that was seen dry), ``linear`` between the neighbours (evaporation,
            temperature, never rain), ``mean`` of the values there are.
        most: the longest gap in steps that may be filled.

    Raises:
        BadInput: ``forecast.gap.long`` for a longer gap, ``forecast.shape`` for more than one series,
            ``forecast.rain.none`` when nothing is there to fill from.
    """
    series = np.array(values, np.float64)
    if series.ndim != 1:
        raise BadInput("forecast.shape", name="values", found=series.shape, wanted="(steps,)")
    missing = np.isnan(series)
    if missing.all():
        raise BadInput("forecast.rain.none")
    edges = np.flatnonzero(np.diff(np.concatenate(([0], missing.astype(np.int8), [0]))))
    for first, last in edges.reshape(-1, 2):
        if last - first > most:
            raise BadInput("forecast.gap.long", first=int(first), steps=int(last - first), most=most)
    steps = np.arange(series.size)
    known = series[~missing]
    if rule == "linear":
        series[missing] = np.interp(steps[missing], steps[~missing], known)
    else:
        series[missing] = 0.0 if rule == "zero" else known.mean()
    return series, missing
