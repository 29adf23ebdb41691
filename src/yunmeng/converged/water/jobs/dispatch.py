"""The joint dispatch of a basin: from forecasts to a plan with reasons, a certificate and orders."""

from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from typing import Any

import numpy as np

from yunmeng.converged.water.basin import Basin, Coming, make_basin
from yunmeng.converged.water.dispatch import (
    Plan,
    Rule,
    compare,
    coordinate,
    explain,
    reasons,
    simulate,
    simulated,
    write,
)
from yunmeng.converged.water.entities import json_of
from yunmeng.converged.water.measuring.control import Floats
from yunmeng.converged.water.reading import Reader
from yunmeng.kernel.base import (
    SHANGHAI,
    BadInput,
    Language,
    Unsupported,
    datetime_us,
    format_us,
    from_us,
    instant_us,
    make_urn,
)
from yunmeng.kernel.compute import JobContext
from yunmeng.kernel.model import is_object

_MEDIAN = 2
_LARGEST_EXACT = 400
# without an order of the flood office a reservoir passes what flows in, once it stands at its flood limit
_PLAIN = (Rule("inflow", 1.0, level=0.0, relative=True), Rule("inflow", 0.3))
_SAME = 0.02
_OLDEST_H = 12
_LANGUAGES: tuple[Language, ...] = ("zh-CN", "en")


async def dispatch(context: JobContext, inputs: Mapping[str, str]) -> dict[str, Any]:
    """The job: plans the releases of all forecast reservoirs of a division, as a draft with its document."""
    step_hours = float(inputs.get("step_hours") or 3)
    gap = float(inputs.get("gap") or 0.5) / 100
    context.progress(0.05, "读取台账与预报 reading register and forecasts")
    basin = await _basin(context, inputs.get("division", ""), step_hours)
    context.progress(0.2, f"{int(basin.system.reservoir.sum())} 座水库 reservoirs")
    plan = _solve(basin, gap)
    context.progress(0.8, "方案比较 comparing")
    plain = simulated(
        basin.system, basin.horizon, simulate(basin.system, basin.horizon, {"": _PLAIN}), name="rules"
    )
    scores = compare({"joint": plan, "rules": plain})
    id = make_urn("DispatchPlan", context.run_id)
    for language in _LANGUAGES:
        document = write(plan, comparison=scores, lang=language)
        name = f"plan.{language}"
        await context.file(f"{name}.html", document.html().encode(), "text/html; charset=utf-8")
        await context.file(f"{name}.md", document.markdown().encode(), "text/markdown; charset=utf-8")
    orders = list(_orders(basin, plan))
    context.entities(
        [_body(id, inputs, basin, plan, orders, scores.scores["joint"].peak_cut, context.run_id)]
    )
    return {
        "plan": id,
        "reservoirs": int(basin.system.reservoir.sum()),
        "orders": len(orders),
        "gap_percent": round(plan.gap * 100, 4),
        "seconds": round(plan.seconds, 3),
        "peak_cut_percent": {name: round(score.peak_cut * 100, 2) for name, score in scores.scores.items()},
    }


async def _basin(context: JobContext, division: str, step_hours: float) -> Basin:
    reader = Reader(context.state, context.history, context.reach, context.types)
    forecasts = await reader.entities("FloodForecast", divisions=[division] if division else [])
    if not forecasts:
        raise BadInput("water.no-forecast", count=0, first="FloodForecast")
    nodes = await reader.entities("Reservoir,FloodControlPoint")
    issued = max(_issued(each) for each in forecasts)
    fresh = [each for each in forecasts if issued - _issued(each) <= _OLDEST_H * 3_600_000_000]
    coming = [Coming(str(each["forecastOf"]), _steps(each, step_hours, issued)) for each in fresh]
    synthetic = all(each.get("synthetic") for each in forecasts)
    source = "synthetic" if synthetic else f"FloodForecast {format_us(issued)}"
    return make_basin(nodes, coming, from_us(issued), step_hours=step_hours, source=source)


def _solve(basin: Basin, gap: float) -> Plan:
    try:
        return coordinate(basin.system, basin.horizon, gap=gap, largest=_LARGEST_EXACT)
    except Unsupported as cause:
        conflicts = explain(basin.system, basin.horizon)
        if not conflicts:
            raise
        words = "; ".join(f"{each.words('zh-CN')} {each.words('en')}" for each in conflicts[:3])
        raise BadInput("water.dispatch-conflict", count=len(conflicts), conflicts=words) from cause


def _orders(basin: Basin, plan: Plan) -> "list[dict[str, Any]]":
    """Returns the orders of gated reservoirs: one for each stretch of the same release, with its reason."""
    why, times = reasons(plan), [basin.horizon.start, *plan.times()]
    orders: list[dict[str, Any]] = []
    for node, id in enumerate(basin.system.ids):
        entity = basin.entities.get(id)
        if entity is None or entity.get("gated") is False:
            continue
        step = 0
        released = _rounded(plan.release[node], float(basin.system.release_min[node]))
        for value, stretch in groupby(released.tolist()):
            length = len(list(stretch))
            reason = why.of(node, step)
            begins = format_us(datetime_us(times[step]))
            orders.append(
                {
                    "reservoir": id,
                    "from": begins,
                    "to": format_us(datetime_us(times[step + length])),
                    "release": value,
                    "reason": reason.words("zh-CN"),
                    "reasonEn": reason.words("en"),
                    "text": f"{basin.system.names[node]}自 {_clock(times[step])} 起下泄 {value:g} m³/s："
                    f"{reason.words('zh-CN')}",
                    "manager": entity.get("manager"),
                    "division": entity.get("division"),
                }
            )
            step += length
    return orders


def _clock(at: datetime) -> str:
    """Returns a time as a duty officer reads it."""
    here = at.astimezone(SHANGHAI)
    return f"{here.month}月{here.day}日{here:%H:%M}"


def _rounded(release: Floats, least: float) -> Floats:
    """Rounds releases to what gates can be set to: two per cent of the largest, at least 0.1 m³/s.

    What has to flow on 生态流量 (``least`` m³/s) is not rounded away.
    """
    grain = max(_SAME * float(release.max(initial=0.0)), 0.1)
    rounded: Floats = np.maximum(np.round(release / grain) * grain, np.minimum(release, least))
    return np.round(rounded, 2)


def _body(
    id: str,
    inputs: Mapping[str, str],
    basin: Basin,
    plan: Plan,
    orders: "list[dict[str, Any]]",
    peak_cut: float,
    run_id: str,
) -> dict[str, Any]:
    start = basin.horizon.start.astimezone(SHANGHAI)
    broken = {
        name: round(float(values.sum()), 3) for name, values in plan.broken.items() if values.sum() > 1e-6
    }
    return {
        "id": id,
        "type": "DispatchPlan",
        "name": f"联合调度方案 {start.year}年{_clock(start)}",
        "nameEn": f"Joint dispatch plan {start:%Y-%m-%d %H:%M}",
        "division": inputs.get("division") or "420000",
        "planState": "draft",
        "scenario": inputs.get("scenario") or "median",
        "orders": {"json": orders},
        "violations": {"json": broken},
        "peakCut": {"value": round(peak_cut * 100, 2), "unitCode": "P1"},
        "gap": {"value": round(plan.gap * 100, 4), "unitCode": "P1"},
        "document": f"/api/jobs/runs/{run_id}/files/plan.zh-CN.html",
        "runOf": run_id,
        "synthetic": basin.horizon.source == "synthetic",
    }


def _issued(forecast: Mapping[str, Any]) -> int:
    value = forecast.get("issuedAt")
    return instant_us(value["@value"] if is_object(value) else value)


def _steps(forecast: Mapping[str, Any], step_hours: float, start: int) -> Floats:
    """Returns the median inflow from ``start`` (µs UTC) on as means of the plan's steps."""
    hourly = np.asarray(json_of(forecast, "quantiles")["inflow"][_MEDIAN], np.float64)
    # an older forecast has part of its way behind it
    hourly = hourly[(start - _issued(forecast)) // 3_600_000_000 :]
    size = max(round(step_hours / float(forecast.get("stepHours", 1))), 1)
    whole = len(hourly) // size * size
    return hourly[:whole].reshape(-1, size).mean(axis=1)
