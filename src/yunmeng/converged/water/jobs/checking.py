"""Quality control of the whole network: what is doubted, who is silent, whose clock 时钟 is wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from yunmeng.converged.water.exchange import write_csv
from yunmeng.converged.water.measuring import WRONG, Flag, Limits, check_series, check_spatial
from yunmeng.converged.water.measuring.control import RAIN
from yunmeng.converged.water.reading import Reader, Series
from yunmeng.kernel.base import format_us, now_us
from yunmeng.kernel.compute import JobContext
from yunmeng.kernel.model import is_object

_HOUR_US = 3_600_000_000
_LATE_H = 2.0
_NEAR_KM, _APART_MM = 30.0, 15.0
_AHEAD_US = 300_000_000
_CHECKED: Mapping[str, Limits] = {
    "rainfall1h": RAIN,
    "rainfall5min": Limits(low=0.0, high=40.0, flat_h=2.0, resting=0.0),
    "waterLevel": Limits(low=-10.0, high=3000.0, rate=5.0),
    "inflow": Limits(low=0.0, high=120_000.0),
    "discharge": Limits(low=0.0, high=120_000.0),
}
_COLUMNS = (
    "id",
    "name",
    "division",
    "attribute",
    "values",
    "missing",
    "doubted",
    "reasons",
    "last",
    "late",
    "ahead",
    "conflicts",
)
_CLOCK_COLUMNS = ("id", "name", "division", "clockState", "clockShift")


async def check_network(context: JobContext, inputs: Mapping[str, str]) -> dict[str, Any]:
    """The job: checks the last hours of every station and reservoir and writes what it finds as CSV."""
    hours = float(inputs.get("hours") or 24)
    now = now_us()
    reader = Reader(context.state, context.history, context.reach, context.types)
    divisions = [inputs["division"]] if inputs.get("division") else []
    known = {
        each["id"]: each
        for each in await reader.entities("HydrologicalStation,Reservoir", divisions=divisions)
    }
    rows: list[dict[str, Any]] = []
    for number, (attribute, limits) in enumerate(_CHECKED.items()):
        context.progress(number / len(_CHECKED), attribute)
        found = await reader.series(list(known), attribute, now - int(hours * _HOUR_US), now + 24 * _HOUR_US)
        alone = _alone(known, found) if attribute == "rainfall1h" else set[str]()
        for id, series in found.items():
            flags = check_series(series.times, series.values, limits)
            if id in alone:
                flags[-1] |= np.uint8(Flag.SPATIAL)
            row = _row(known[id], attribute, series.times, flags, now)
            rows.append({**row, "conflicts": series.conflicts})
    doubted = [row for row in rows if row["doubted"] or row["missing"] or row["ahead"] or row["conflicts"]]
    late = [row for row in rows if row["late"]]
    silent = sorted(set(known) - {row["id"] for row in rows})
    clocks = [each for each in known.values() if each.get("clockState") in WRONG]
    await _file(context, "doubted.csv", doubted, _COLUMNS)
    await _file(context, "silent.csv", [{"id": id} for id in silent], ("id",))
    await _file(context, "clocks.csv", clocks, _CLOCK_COLUMNS)
    return {
        "series": len(rows),
        "doubted": len(doubted),
        "late": len(late),
        "ahead": sum(row["ahead"] for row in rows),
        "silent": len(silent),
        "clocks": len(clocks),
    }


async def _file(
    context: JobContext, name: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]
) -> None:
    shown = [{column: row.get(column, "") for column in columns} for row in rows]
    await context.file(name, write_csv(shown, columns).encode(), "text/csv; charset=utf-8")


def _alone(known: Mapping[str, Mapping[str, Any]], found: Mapping[str, Series]) -> set[str]:
    """Returns the gauges whose rain of the newest hour is far from that of their neighbours."""
    newest = max((int(each.times[-1]) for each in found.values()), default=0)
    near = [id for id, each in found.items() if each.times[-1] == newest and _place(known[id])]
    if not near:
        return set()
    places = np.array([_place(known[id]) for id in near])
    rain = np.array([found[id].values[-1] for id in near])
    flags = check_spatial(rain, places[:, 0], places[:, 1], radius_km=_NEAR_KM, by=_APART_MM)
    return {id for id, flag in zip(near, flags, strict=True) if flag & Flag.SPATIAL}


def _place(entity: Mapping[str, Any]) -> tuple[float, float] | None:
    location = entity.get("location")
    if not is_object(location) or location.get("type") != "Point":
        return None
    return float(location["coordinates"][0]), float(location["coordinates"][1])


def _row(
    entity: Mapping[str, Any],
    attribute: str,
    times: "np.ndarray[Any, np.dtype[np.int64]]",
    flags: "np.ndarray[Any, np.dtype[np.uint8]]",
    now: int,
) -> dict[str, Any]:
    missing = (flags & np.uint8(Flag.MISSING)) > 0
    doubted = (flags > 0) & ~missing
    reasons = Flag(int(np.bitwise_or.reduce(flags[doubted]))) if doubted.any() else Flag.GOOD
    last = int(times.max())
    return {
        "id": entity["id"],
        "name": entity.get("name", ""),
        "division": entity.get("division", ""),
        "attribute": attribute,
        "values": len(flags),
        "missing": int(missing.sum()),
        "doubted": int(doubted.sum()),
        "reasons": "+".join(str(flag.name) for flag in reasons),
        "last": format_us(last),
        "late": now - last > _LATE_H * _HOUR_US,
        # a clock that is ahead writes tomorrow's weather
        "ahead": last - now > _AHEAD_US,
    }
