"""Dam safety: the model of every monitoring point, and how far its last reading lies from it."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from yunmeng.converged.water.dam import fit_hst, watch
from yunmeng.converged.water.reading import Reader, Series
from yunmeng.kernel.base import BadInput, YunmengError, format_us, instant_us, now_us
from yunmeng.kernel.compute import JobContext

_DAY_US = 86_400_000_000
_MEASURED = ("displacement", "piezometricLevel", "seepage")
_LATEST = 30


async def judge_dams(context: JobContext, inputs: Mapping[str, str]) -> dict[str, Any]:
    """The job: fits each DamPoint on the years before, judges its last readings, writes model and anomaly."""
    until = instant_us(inputs["until"]) if inputs.get("until") else now_us()
    start = until - int(float(inputs.get("years") or 5) * 365.25) * _DAY_US
    reader = Reader(context.state, context.history, context.reach, context.types)
    divisions = [inputs["division"]] if inputs.get("division") else []
    points = await reader.entities("DamPoint", divisions=divisions)
    judged, alarms, refused = 0, list[str](), dict[str, str]()
    for number, point in enumerate(points):
        context.progress(number / max(len(points), 1), str(point.get("name", point["id"])))
        try:
            body = await _judge(reader, point, start, until)
        except YunmengError as error:
            refused[point["id"]] = str(error)
            continue
        context.entities([body])
        judged += 1
        if body["damModel"]["json"]["verdict"] == "alarm" or body["damModel"]["json"]["drift"]:
            alarms.append(point["id"])
    return {"judged": judged, "alarms": alarms, "refused": refused}


async def _judge(reader: Reader, point: Mapping[str, Any], start: int, until: int) -> dict[str, Any]:
    reservoir = str(point.get("reservoir", ""))
    water = (await reader.series([reservoir], "waterLevel", start, until)).get(reservoir)
    measured = await _measured(reader, str(point["id"]), start, until)
    levels = _levels_at(measured, water)
    split = max(len(measured.times) - _LATEST, 0)
    model = fit_hst(measured.times[:split], levels[:split], measured.values[:split])
    seen = watch(model, measured.times[split:], levels[split:], measured.values[split:])
    there = np.flatnonzero(~np.isnan(seen.departure))
    if not len(there):
        # what nobody measured is no proof that all is well
        raise BadInput("water.few", name="recent readings", count=0, wanted=1)
    last = int(there[-1])
    departure = float(abs(seen.departure[last]))
    summary = {
        **msgspec.to_builtins(
            {name: getattr(model, name) for name in ("coefficients", "sigma", "r2", "count")}
        ),
        "expected": round(float(seen.expected[last]), 4),
        "verdict": seen.verdicts[last],
        "drift": bool(seen.drift[last]),
        "beyond": bool(seen.beyond[last]),
    }
    at = format_us(int(measured.times[split:][last]))
    return {
        "id": point["id"],
        "type": "DamPoint",
        "damModel": {"json": summary},
        "anomaly": {"value": round(departure, 3), "observedAt": at},
    }


async def _measured(reader: Reader, id: str, start: int, until: int) -> Series:
    for attribute in _MEASURED:
        found = (await reader.series([id], attribute, start, until)).get(id)
        if found is not None:
            return found
    return Series(np.empty(0, np.int64), np.empty(0))


def _levels_at(measured: Series, water: Series | None) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Returns the reservoir's level at each reading, straight between its own; NaN beyond them."""
    good = np.zeros(0, np.bool_) if water is None else ~np.isnan(water.values)
    if water is None or not good.any():
        return np.full(len(measured.times), np.nan)
    return np.interp(measured.times, water.times[good], water.values[good], np.nan, np.nan)
