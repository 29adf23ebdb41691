"""The flood forecast of every reservoir that has a model: inflow, levels, the chance to pass the limit."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from yunmeng.converged.water.entities import curve_of, limit_of, number_of
from yunmeng.converged.water.flood import (
    LEVELS,
    Hydrology,
    InflowForecast,
    LevelOutlook,
    forecast_inflow,
    inflow_quantiles,
    level_outlook,
    read_hydrology,
)
from yunmeng.converged.water.jobs.hours import HOUR_US, areal_rain, gauge_rain, hourly_means
from yunmeng.converged.water.measuring.control import Floats
from yunmeng.converged.water.reading import Reader
from yunmeng.kernel.base import BadInput, YunmengError, format_us, instant_us, make_urn, now_us
from yunmeng.kernel.compute import JobContext

_SHOWN_REFUSALS = 50
_TOGETHER = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: ``rain`` is the expected rain of the coming hours, mm an hour."""

    at: int
    rain: Floats
    members: int
    warm_h: int


async def forecast(context: JobContext, inputs: Mapping[str, str]) -> dict[str, Any]:
    """The job: forecasts the reservoirs of a division (or those named) and stores a FloodForecast each."""
    asked = read_asked(inputs)
    reader = Reader(context.state, context.history, context.reach, context.types)
    reservoirs = await _chosen(reader, inputs)
    stations = await _stations(reader)
    made, refused = 0, dict[str, str]()
    for first in range(0, len(reservoirs), _TOGETHER):
        some = reservoirs[first : first + _TOGETHER]
        context.progress(first / len(reservoirs), str(some[0].get("name", some[0]["id"])))
        bodies: list[dict[str, Any]] = []
        async for reservoir, body in _forecast_some(reader, some, stations, asked):
            if isinstance(body, YunmengError):
                refused[reservoir] = str(body)
            else:
                bodies.append({**body, "runOf": context.run_id})
        context.entities(bodies)
        made += len(bodies)
    if not made and refused:
        raise BadInput("water.no-forecast", count=len(refused), first=next(iter(refused.values())))
    return {"forecasts": made, "refused": dict(list(refused.items())[:_SHOWN_REFUSALS])}


def read_asked(inputs: Mapping[str, str]) -> Asked:
    """Reads the job's form. Raises ``BadInput("water.rain")`` for rain that cannot be read."""
    at = instant_us(inputs["at"]) if inputs.get("at") else now_us()
    hours = int(float(inputs.get("hours") or 72))
    rain = read_rain(inputs.get("rain", ""), hours)
    return Asked(
        at // HOUR_US * HOUR_US,
        rain,
        int(float(inputs.get("members") or 50)),
        int(float(inputs.get("warm_days") or 30)) * 24,
    )


def read_rain(text: str, hours: int) -> Floats:
    """Returns mm an hour, (hours,): ``"120/24"`` is 120 mm over 24 hours, ``"5, 12"`` two hours, then dry.

    Raises:
        BadInput: ``water.rain``; an empty text too: a forecast without rain input is no forecast.
    """
    line = np.zeros(max(hours, 1))
    try:
        if "/" in text:
            total, over = (float(part) for part in text.split("/"))
            line[: int(over)] = total / int(over)
        else:
            values = [float(part) for part in text.replace("，", ",").split(",")]
            line[: len(values)] = values[: len(line)]
    except (ValueError, ZeroDivisionError) as cause:
        raise BadInput("water.rain", text=text) from cause
    if not (np.isfinite(line).all() and (line >= 0).all()):
        raise BadInput("water.rain", text=text)
    return line


async def _chosen(reader: Reader, inputs: Mapping[str, str]) -> list[dict[str, Any]]:
    if inputs.get("reservoir"):
        ids = inputs["reservoir"].replace("，", ",").split(",")
        return [await reader.entity(id.strip(), "Reservoir") for id in ids]
    divisions = [inputs["division"]] if inputs.get("division") else []
    found = await reader.entities("Reservoir", "hydrologicalModel", divisions)
    if not found:
        raise BadInput("water.lacks", id=inputs.get("division") or "-", name="hydrologicalModel")
    return found


async def _stations(reader: Reader) -> dict[str, list[str]]:
    """Returns the stations that flow into each reservoir."""
    found: dict[str, list[str]] = {}
    for station in await reader.entities("HydrologicalStation", "flowsInto"):
        found.setdefault(str(station["flowsInto"]), []).append(station["id"])
    return found


async def _forecast_some(
    reader: Reader, reservoirs: Sequence[Mapping[str, Any]], stations: Mapping[str, list[str]], asked: Asked
) -> AsyncIterator[tuple[str, dict[str, Any] | YunmengError]]:
    """Yields each reservoir's forecast, or why there is none; their series are read together."""
    models: dict[str, Hydrology] = {}
    start = asked.at - asked.warm_h * HOUR_US
    for each in reservoirs:
        try:
            models[each["id"]] = _model(each, stations.get(each["id"], []))
        except YunmengError as error:
            yield each["id"], error
    used = [id for model in models.values() for id in model.weights]
    gauges = await gauge_rain(reader, used, start, asked.warm_h)
    seen = await hourly_means(reader, list(models), "inflow", start, asked.warm_h)
    for each in reservoirs:
        id = each["id"]
        if id in models:
            try:
                yield id, _forecast_one(each, models[id], gauges, seen.get(id), asked)
            except YunmengError as error:
                yield id, error


def _model(reservoir: Mapping[str, Any], stations: list[str]) -> Hydrology:
    """Returns a reservoir's model; by itself the stations that flow into it count alike."""
    hydrology = read_hydrology(reservoir.get("hydrologicalModel"))
    weights = hydrology.weights or dict.fromkeys(stations, 1.0)
    return msgspec.structs.replace(hydrology, weights=weights)


def _forecast_one(
    reservoir: Mapping[str, Any],
    hydrology: Hydrology,
    gauges: Mapping[str, Floats],
    seen: Floats | None,
    asked: Asked,
) -> dict[str, Any]:
    area, level = number_of(reservoir, "catchmentArea"), number_of(reservoir, "waterLevel")
    past, filled = areal_rain(gauges, hydrology.weights, asked.at - asked.warm_h * HOUR_US)
    inflow = forecast_inflow(hydrology, area, past, asked.rain, seen, members=asked.members)
    limit = limit_of(reservoir, asked.at)
    release = reservoir.get("outflow", float(inflow.members[0, 0]))
    outlook = level_outlook(
        curve_of(reservoir),
        level,
        inflow.members,
        release=float(release),
        limit=limit if limit is not None else np.inf,
    )
    return _body(reservoir, hydrology, asked, inflow, outlook, limit, filled)


def _body(
    reservoir: Mapping[str, Any],
    hydrology: Hydrology,
    asked: Asked,
    inflow: InflowForecast,
    outlook: LevelOutlook,
    limit: float | None,
    filled: int,
) -> dict[str, Any]:
    table = inflow_quantiles(inflow.members)
    levels = np.quantile(outlook.levels, LEVELS, axis=0)
    times = [format_us(asked.at + (step + 1) * HOUR_US) for step in range(table.shape[1])]
    code = str(reservoir["id"]).rpartition(":")[2]
    members: dict[str, Any] = {
        "id": make_urn("FloodForecast", code),
        "type": "FloodForecast",
        "name": reservoir.get("name"),
        "division": reservoir.get("division"),
        "forecastOf": {"object": reservoir["id"]},
        "issuedAt": {"value": {"@type": "DateTime", "@value": format_us(asked.at)}},
        "stepHours": 1,
        "leadSteps": table.shape[1],
        "members": asked.members,
        "quantiles": {
            "json": {
                "at": times,
                "levels": list(LEVELS),
                "inflow": np.round(table, 2).tolist(),
                "waterLevel": np.round(levels, 3).tolist(),
                "rain": asked.rain.tolist(),
                "filledHours": filled,
                "corrected": inflow.corrected,
            }
        },
        "peakDischarge": _at(round(float(table[2].max()), 2), "MQS", asked.at),
        "peakAt": {"value": {"@type": "DateTime", "@value": times[outlook.peak_step]}},
        "peakLevel": _at(round(outlook.peak, 3), "MTR", asked.at),
        "floodLimitLevel": None if limit is None else {"value": limit, "unitCode": "MTR"},
        "exceedance": None if limit is None else _at(round(outlook.over * 100, 1), "P1", asked.at),
        "forecastModel": hydrology.model,
        "location": reservoir.get("location"),
        "synthetic": True if reservoir.get("synthetic") else None,
    }
    return {name: value for name, value in members.items() if value is not None}


def _at(value: float, unit: str, at: int) -> dict[str, Any]:
    return {"value": value, "unitCode": unit, "observedAt": format_us(at)}
