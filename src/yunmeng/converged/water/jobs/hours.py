"""Series of a node as even hours: what the models take."""

from collections.abc import Iterable, Mapping, Sequence

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


async def gauge_rain(reader: Reader, ids: Iterable[str], start: int, hours: int) -> dict[str, Floats]:
    """Returns what each station measured, mm an hour, (hours,), NaN where missing; none of a silent one."""
    rows: dict[str, Floats] = {}
    wanted = list(dict.fromkeys(ids))
    for attribute, step_s in _RAIN:
        silent = [id for id in wanted if id not in rows]
        for id, series in (await _series(reader, silent, attribute, start, hours)).items():
            rows[id] = _rain(series, step_s, start, hours)
    return rows


def areal_rain(gauges: Mapping[str, Floats], stations: Mapping[str, float], start: int) -> tuple[Floats, int]:
    """Returns the rain over a catchment, mm an hour, (hours,), and how many hours were filled in.

    ``gauges`` is the rain by station, ``stations`` are weights by id; where some are silent the others share
    their weight. A gap of up to three hours between dry ones counts as dry; any other is refused: missing is
    not zero.

    Raises:
        BadInput: ``water.no-rain`` when no station reported; ``water.rain-gap`` naming the first hour.
    """
    known = [id for id in stations if id in gauges]
    if not known:
        raise BadInput("water.no-rain", stations=", ".join(stations) or "-")
    table = np.stack([gauges[id] for id in known])
    weights = np.array([stations[id] for id in known])[:, None] * ~np.isnan(table)
    total = weights.sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean = np.where(
            total > 0, np.nansum(table * weights, axis=0) / np.where(total > 0, total, 1.0), np.nan
        )
    _refuse_gaps(mean, start)
    filled, missing = fill_gaps(mean, "zero", most=_LONGEST_GAP_H)
    return filled, int(missing.sum())


async def hourly_means(
    reader: Reader, ids: Sequence[str], attribute: str, start: int, hours: int
) -> dict[str, Floats]:
    """Returns an attribute's hourly means by entity, (hours,), NaN where missing; none of a silent one."""
    means: dict[str, Floats] = {}
    for id, series in (await _series(reader, ids, attribute, start, hours)).items():
        found = aggregate(series.times, series.values, _HOUR_S, "mean", step_s=_HOUR_S, least=0.0, begins_h=0)
        means[id] = placed(found.starts, found.values, start, hours)
    return means


async def _series(
    reader: Reader, ids: Sequence[str], attribute: str, start: int, hours: int
) -> Mapping[str, Series]:
    """Reads many series at once; one that cannot be read counts as silent, and costs no other its place."""
    try:
        return await reader.series(ids, attribute, start, start + hours * HOUR_US + 1)
    except BadInput:
        if len(ids) == 1:
            return {}
    half = len(ids) // 2
    first = await _series(reader, ids[:half], attribute, start, hours)
    return {**first, **await _series(reader, ids[half:], attribute, start, hours)}


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
