"""Flood routing in a reach: Muskingum, cut into segments where needed, and Muskingum–Cunge."""

import math
from dataclasses import dataclass

import numpy as np

from yunmeng.converged.water.forecast.shapes import Floats, Numbers
from yunmeng.kernel.base import BadInput


@dataclass(frozen=True, slots=True)
class Reach:
    """A reach: ``segments`` in a row, each O₂ = c0 I₂ + c1 I₁ + c2 O₁, with c0 + c1 + c2 = 1."""

    c0: float
    c1: float
    c2: float
    segments: int = 1

    @property
    def steady(self) -> bool:
        """Whether no coefficient is negative: then an outflow never is."""
        return min(self.c0, self.c1, self.c2) >= -1e-12

    def route(self, inflow: Numbers, state: Floats | None = None) -> tuple[Floats, Floats]:
        """Routes a series of m³/s; returns the outflow and the state for the steps that follow.

        Args:
            inflow: (steps,), m³/s at the end of each step.
            state: (segments, 2), the last inflow and outflow of each segment; else steady at the first
                inflow.

        Raises:
            BadInput: ``forecast.gap`` or ``forecast.shape`` for a series that is none.
        """
        from yunmeng.converged.water.forecast.kernels.routing import reach

        series = np.ascontiguousarray(inflow, np.float64)
        if series.ndim != 1 or series.size == 0:
            raise BadInput("forecast.shape", name="inflow", found=series.shape, wanted="(steps,)")
        if not np.isfinite(series).all():
            at = int(np.flatnonzero(~np.isfinite(series))[0])
            count = int((~np.isfinite(series)).sum())
            raise BadInput(
                "forecast.gap", name="inflow", basin=0, member=0, where=str(at), steps=count, all=count
            )
        state = np.full((self.segments, 2), series[0]) if state is None else np.array(state, np.float64)
        out = np.empty_like(series)
        reach(series, self.c0, self.c1, self.c2, self.segments, state, out)
        return out, state


def muskingum(k_hours: float, x: float, step_hours: float, *, segments: int = 1) -> Reach:
    """Returns a reach of storage S = K [x I + (1 − x) O], K and x for the whole of it (McCarthy 1938).

    Cut into n segments, each has K/n and x_n = ½ − n (1 − 2x)/2, so that the whole keeps its travel time K
    and its attenuation K² (1 − 2x) (马斯京根分段连续演算).

    Raises:
        BadInput: ``forecast.reach`` for impossible numbers; ``forecast.reach.step`` when a coefficient
            would be negative, with the steps that would do.
    """
    _check(k_hours, x, step_hours, segments)
    reach = _reach(k_hours, 1 - 2 * x, step_hours, segments)
    if not reach.steady:
        raise BadInput(
            "forecast.reach.step",
            step=step_hours,
            low=f"{k_hours * abs(1 - 2 * x - 1 / segments):.3g}",
            high=f"{k_hours * (1 - 2 * x + 1 / segments):.3g}",
            segments=segmented(k_hours, x, step_hours).segments,
        )
    return reach


def segmented(k_hours: float, x: float, step_hours: float) -> Reach:
    """Returns a reach cut into as many segments as keep every coefficient from being negative.

    Of the counts that do, the one whose segments take nearest to a step. Where none does, the travel time is
    kept, and the attenuation changed as little as needed.

    Raises:
        BadInput: ``forecast.reach`` for impossible numbers.
    """
    _check(k_hours, x, step_hours, 1)
    ratio, damping = step_hours / k_hours, 1 - 2 * x
    wanted = max(1, round(1 / ratio))

    def nearest(count: int) -> float:
        """The damping that a count of segments bears."""
        return min(max(damping, abs(ratio - 1 / count)), ratio + 1 / count)

    best = min(
        range(1, wanted + 2), key=lambda count: (round(abs(nearest(count) - damping), 9), abs(count - wanted))
    )
    return _reach(k_hours, nearest(best), step_hours, best)


def _check(k_hours: float, x: float, step_hours: float, segments: int) -> None:
    if not (k_hours > 0 and step_hours > 0 and segments >= 1 and 0 <= x <= 0.5):
        raise BadInput("forecast.reach", k=k_hours, x=x, step=step_hours, segments=segments)


def _reach(k_hours: float, damping: float, step_hours: float, segments: int) -> Reach:
    """Each segment has K/n and x_n = ½ − n (1 − 2x)/2; ``damping`` is 1 − 2x of the whole."""
    k, x = k_hours / segments, 0.5 - segments * damping / 2
    below = k - k * x + step_hours / 2
    return Reach(
        (step_hours / 2 - k * x) / below,
        (step_hours / 2 + k * x) / below,
        (k - k * x - step_hours / 2) / below,
        segments,
    )


@dataclass(frozen=True, slots=True)
class Channel:
    """A wide channel: length m, bottom width m, slope m/m, Manning's roughness s/m^⅓."""

    length_m: float
    width_m: float
    slope: float
    roughness: float

    def celerity(self, discharge: float) -> float:
        """Returns the speed of the flood wave in m/s: 5/3 of the mean speed of uniform flow (Manning)."""
        depth = (discharge * self.roughness / (self.width_m * math.sqrt(self.slope))) ** 0.6
        return 5 / 3 * discharge / (self.width_m * depth)


def cunge(channel: Channel, discharge: float, step_hours: float) -> Reach:
    """Returns a Muskingum–Cunge reach about a reference discharge in m³/s (Cunge 1969).

    Raises:
        BadInput: ``forecast.reach`` for impossible numbers; ``forecast.reach.step`` as for :func:`muskingum`.
    """
    numbers = (channel.length_m, channel.width_m, channel.slope, channel.roughness, discharge, step_hours)
    if not all(math.isfinite(each) and each > 0 for each in numbers):
        raise BadInput("forecast.reach", k=channel.length_m, x=discharge, step=step_hours, segments=1)
    speed = channel.celerity(discharge)
    segments = max(1, round(channel.length_m / (speed * step_hours * 3600)))
    return cell(
        channel.length_m / segments, speed, discharge / channel.width_m, channel.slope, step_hours, segments
    )


def cell(
    length_m: float,
    celerity: float,
    unit_discharge: float,
    slope: float,
    step_hours: float,
    segments: int = 1,
) -> Reach:
    """Returns the coefficients by Courant and cell Reynolds number (Ponce and Yevjevich 1978).

    Args:
        length_m: of one segment.
        celerity: m/s.
        unit_discharge: reference discharge over width, m²/s.
        slope: m/m.
        step_hours: length of a step.
        segments: how many such segments follow each other.

    Raises:
        BadInput: ``forecast.reach.step`` when a coefficient would be negative.
    """
    courant = celerity * step_hours * 3600 / length_m
    reynolds = unit_discharge / (slope * celerity * length_m)
    below = 1 + courant + reynolds
    reach = Reach(
        (courant + reynolds - 1) / below,
        (1 + courant - reynolds) / below,
        (1 - courant + reynolds) / below,
        segments,
    )
    if not reach.steady:
        hour = length_m / celerity / 3600
        raise BadInput(
            "forecast.reach.step",
            step=step_hours,
            low=f"{hour * max(0.0, 1 - reynolds, reynolds - 1):.3g}",
            high=f"{hour * (1 + reynolds):.3g}",
            segments=segments,
        )
    return reach
