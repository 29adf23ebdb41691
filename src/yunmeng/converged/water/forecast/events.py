"""Floods in a record: independent peaks and the steps around them."""

from dataclasses import dataclass

import numpy as np

from yunmeng.converged.water.forecast.shapes import Floats, Numbers


@dataclass(frozen=True, slots=True)
class Flood:
    """The steps ``first`` up to, without, ``last`` of a flood that peaks at ``peak``."""

    first: int
    peak: int
    last: int


def floods(
    flow: Numbers, threshold: float, *, apart: int, before: int | None = None, after: int | None = None
) -> list[Flood]:
    """Finds the floods above a threshold, in the order of time.

    Two peaks are one flood when fewer than ``apart`` steps lie between them: the higher one counts. A flood
    begins at the lowest flow within ``before`` steps ahead of its peak and ends at the lowest within
    ``after`` behind it. Floods whose steps have a gap are left out.

    Args:
        flow: (steps,), NaN where missing.
        threshold: in the unit of the flow.
        apart: steps.
        before: steps; ``apart`` when not given.
        after: steps; twice ``apart`` when not given.
    """
    series = np.asarray(flow, np.float64)
    level = np.where(np.isfinite(series), series, -np.inf)
    peaks: list[int] = []
    for step in sorted(np.flatnonzero(level >= threshold).tolist(), key=lambda at: (-level[at], at)):
        if all(abs(step - other) >= apart for other in peaks):
            peaks.append(step)
    found = [_around(series, peak, before or apart, after or 2 * apart) for peak in sorted(peaks)]
    return [flood for flood in found if flood is not None]


def _around(series: Floats, peak: int, before: int, after: int) -> Flood | None:
    first, last = max(0, peak - before), min(series.size, peak + after + 1)
    part = series[first:last]
    if not np.isfinite(part).all():
        return None
    begin = first + int(part[: peak - first + 1].argmin())
    end = peak + int(part[peak - first :].argmin()) + 1
    whole = series[begin:end]
    # a window cut by a higher neighbour has its peak elsewhere
    return Flood(begin, peak, end) if end - begin >= 3 and int(whole.argmax()) == peak - begin else None
