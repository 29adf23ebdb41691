"""Series of a node as even hours: what the models take."""

from collections.abc import Mapping, Sequence

import numpy as np

from yunmeng.converged.water.forecast import fill_gaps
from yunmeng.converged.water.measuring import Limits, aggregate, check_series, increments
from yunmeng.converged.water.measuring.control import Floats
from yunmeng.converged.water.reading import Reader, Series
from yunmeng.kernel.base import BadInput, format_us

HOUR_US = 3_600_000_000
_HOUR_S = 3600
_LONGEST_GAP_H = 3
# rain as stations report it: what the hour brought, its twelve parts, or a counter
_RAIN = (("rainfall1h", 3600), ("rainfall5min", 300), ("accumulatedRainfall", 0))
_COUNTER_FULL_MM = 9999.5
_MOST_RAIN_H_MM = 250.0


async def hourly_rain(
    reader: Reader, stations: Mapping[str, float], start: int, hours: int
) -> tuple[Floats, int]:
    """Returns the rain over a catchment, mm an hour, (hours,), and how many hours were filled in.

    ``stations`` are weights by id; where some are silent the others share their weight. A gap of up to three
    hours between dry ones counts as dry; any other is refused: missing is not zero.

    Raises:
        BadInput: ``water.no-rain`` when no station reported; ``water.rain-gap`` naming the first hour.
    """
    rows: dict[str, Floats] = {}
    for attribute, step_s in _RAIN:
        ids = [id for id in stations if id not in rows]
        for id, series in (await reader.series(ids, attribute, start, start + hours * HOUR_US + 1)).items():
            rows[id] = _rain(series, step_s, start, hours)
    if not rows:
        raise BadInput("water.no-rain", stations=", ".join(stations) or "-")
    table = np.stack([rows[id] for id in rows])
    weights = np.array([stations[id] for id in rows])[:, None] * ~np.isnan(table)
    total = weights.sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean = np.where(
            total > 0, np.nansum(table * weights, axis=0) / np.where(total > 0, total, 1.0), np.nan
        )
    _refuse_gaps(mean, start)
    filled, missing = fill_gaps(mean, "zero", most=_LONGEST_GAP_H)
    return filled, int(missing.sum())


async def hourly_mean(reader: Reader, id: str, attribute: str, start: int, hours: int) -> Floats | None:
    """Returns an attribute's hourly means, (hours,), NaN where missing; None when nothing was reported."""
    series = (await reader.series([id], attribute, start, start + hours * HOUR_US + 1)).get(id)
    if series is None:
        return None
    found = aggregate(series.times, series.values, _HOUR_S, "mean", step_s=_HOUR_S, least=0.0, begins_h=0)
    return placed(found.starts, found.values, start, hours)


def placed(starts: Sequence[int] | np.ndarray, values: Floats, start: int, hours: int) -> Floats:
    """Lays hourly values on the hours from ``start`` on; NaN where there is none."""
    line = np.full(hours, np.nan)
    places = (np.asarray(starts, np.int64) - start) // HOUR_US
    inside = (places >= 0) & (places < hours)
    line[places[inside]] = values[inside]
    return line


def _refuse_gaps(rain: Floats, start: int) -> None:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.isnan(rain).astype(np.int8), [0]))))
    for first, last in edges.reshape(-1, 2):
        around = [rain[place] for place in (first - 1, last) if 0 <= place < len(rain)]
        if last - first > _LONGEST_GAP_H or any(value > 0 for value in around):
            raise BadInput(
                "water.rain-gap", at=format_us(start + int(first) * HOUR_US), hours=int(last - first)
            )


def _rain(series: Series, step_s: int, start: int, hours: int) -> Floats:
    times, values = series.times, series.values
    if step_s:
        # rain below zero, or more than a gauge can measure, is no rain that anybody knows
        doubted = check_series(times, values, Limits(low=0.0, high=_MOST_RAIN_H_MM))
        values = np.where(doubted, np.nan, values)
    else:
        values = increments(values, full=_COUNTER_FULL_MM, most=_MOST_RAIN_H_MM)
        step_s = int(np.clip(np.median(np.diff(times)) / 1e6, 60, _HOUR_S)) if len(times) > 1 else _HOUR_S
    found = aggregate(times, values, _HOUR_S, "sum", step_s=step_s, begins_h=0)
    return placed(found.starts, found.values, start, hours)
