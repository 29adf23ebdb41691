"""Supply: every permit weighed against the meters of its intakes; who uses how much, as tables."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np

from yunmeng.converged.water.exchange import write_csv
from yunmeng.converged.water.measuring import aggregate, increments
from yunmeng.converged.water.reading import Reader, Series
from yunmeng.converged.water.supply import Balance, Permit, balance, check_permits, use_by
from yunmeng.kernel.base import SHANGHAI, BadInput, YunmengError, format_us, from_us, instant_us, now_us
from yunmeng.kernel.compute import JobContext
from yunmeng.kernel.model import is_object

_DAY_S = 86_400


async def weigh_permits(context: JobContext, inputs: Mapping[str, str]) -> dict[str, Any]:
    """The job: weighs permits until a day, writes ``usedShare`` and expiry, and statistics as CSV files.

    A permit that is not sound is named in the result with the reason, and stops no other.
    """
    until = (
        from_us(instant_us(inputs["until"]) if inputs.get("until") else now_us()).astimezone(SHANGHAI).date()
    )
    reader = Reader(context.state, context.history, context.reach, context.types)
    permits, unsound = _sound(await reader.entities("WaterPermit"))
    intakes = await reader.entities("WaterIntake")
    daily = await _daily(reader, intakes, until)
    rows: list[tuple[Permit, Balance]] = []
    bodies: list[dict[str, Any]] = []
    by_permit: dict[str, list[Mapping[date, float | None]]] = defaultdict(list)
    for each in intakes:
        if each["id"] in daily:
            by_permit[str(each.get("permit", ""))].append(daily[each["id"]])
    for id, permit in permits.items():
        own = by_permit.get(id, [])
        volumes = _sum(own)
        weighed = balance(permit, permit.code, volumes, until)
        rows.append((permit, weighed))
        metered = any(volumes[day] is not None for day in volumes if day.year == until.year)
        bodies.append(_body(id, permit, weighed, until, metered=metered))
    context.entities(bodies)
    loose = [each["id"] for each in intakes if each.get("permit") not in {**permits, **unsound}]
    for by in ("division", "industry", "source"):
        uses = use_by(rows, by, below=inputs.get("division") or "420000")
        table = [{**{name: getattr(use, name) for name in use.__slots__}, "share": use.share} for use in uses]
        await context.file(f"use-by-{by}.csv", write_csv(table, _HEADING).encode(), "text/csv; charset=utf-8")
    verdicts = [weighed.verdict for _, weighed in rows]
    return {
        "permits": len(rows),
        "unpermitted": loose,
        "unsound": unsound,
        **{v: verdicts.count(v) for v in sorted(set(verdicts))},
    }


_HEADING = ("group", "permits", "quota", "taken", "share", "over", "unmetered")


def _sound(entities: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Permit], dict[str, str]]:
    """Returns the permits that can be weighed, and why the others cannot, by id."""
    sound: dict[str, Permit] = {}
    unsound: dict[str, str] = {}
    codes: set[str] = set()
    for entity in entities:
        try:
            (permit,) = check_permits([_permit(entity)])
            if permit.code in codes:
                raise BadInput("water.permit", code=permit.code, reason="twice")
        except (YunmengError, KeyError, TypeError, ValueError) as error:
            unsound[entity["id"]] = str(error)
        else:
            sound[entity["id"]] = permit
            codes.add(permit.code)
    return sound, unsound


def _permit(entity: Mapping[str, Any]) -> Permit:
    return Permit(
        str(entity["permitCode"]),
        str(entity.get("holder", "")),
        str(entity.get("division", "")),
        str(entity.get("industry", "")),
        entity.get("waterSource", "other"),
        float(entity.get("annualQuota", 0.0)),
        _day(entity.get("validFrom"), date.min),
        _day(entity.get("validTo"), date.max),
        float(entity.get("plannedVolume", 0.0)),
        entity.get("permitState", "valid"),
    )


def _body(id: str, permit: Permit, weighed: Balance, until: date, *, metered: bool) -> dict[str, Any]:
    at = format_us(instant_us(f"{until.isoformat()}T23:59:59+08:00"))
    expired = permit.state == "valid" and not permit.holds(until)
    body: dict[str, Any] = {
        "id": id,
        "type": "WaterPermit",
        "permitState": "expired" if expired else permit.state,
    }
    # a meter that is silent has not measured zero: the share stays as it was last known
    if metered and weighed.share == weighed.share:
        body["usedShare"] = {"value": round(weighed.share * 100, 2), "unitCode": "P1", "observedAt": at}
    return body


async def _daily(
    reader: Reader, intakes: Sequence[Mapping[str, Any]], until: date
) -> dict[str, Mapping[date, float | None]]:
    start = instant_us(f"{until.year}-01-01T00:00:00+08:00")
    end = instant_us(f"{(until + timedelta(1)).isoformat()}T00:00:00+08:00")
    ids = [str(each["id"]) for each in intakes]
    series = await reader.series(ids, "abstracted", start - _DAY_S * 1_000_000, end)
    return {id: _days(each) for id, each in series.items()}


def _days(series: Series) -> dict[date, float | None]:
    gained = increments(series.values)
    step = (
        int(np.clip(np.median(np.diff(series.times)) / 1e6, 60, _DAY_S)) if len(series.times) > 1 else _DAY_S
    )
    found = aggregate(series.times, gained, _DAY_S, "sum", step_s=step, least=0.5, begins_h=0.0)
    days = [from_us(int(at)).astimezone(SHANGHAI).date() for at in found.starts]
    return {
        day: None if np.isnan(value) else float(value) for day, value in zip(days, found.values, strict=True)
    }


def _sum(intakes: Sequence[Mapping[date, float | None]]) -> dict[date, float | None]:
    """Sums intakes by day; a day on which one of them is missing is missing."""
    days = sorted({day for each in intakes for day in each})
    total: dict[date, float | None] = {}
    for day in days:
        values = [each.get(day) for each in intakes]
        known = [value for value in values if value is not None]
        total[day] = sum(known) if len(known) == len(values) else None
    return total


def _day(value: object, default: date) -> date:
    if is_object(value):
        value = value.get("@value")
    if not isinstance(value, str):
        return default
    return (
        from_us(instant_us(value)).astimezone(SHANGHAI).date() if "T" in value else date.fromisoformat(value)
    )
