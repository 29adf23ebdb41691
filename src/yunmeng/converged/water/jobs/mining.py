"""Sand mining: the tracks of ships against the zones of the rivers."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from yunmeng.converged.water.exchange import write_csv
from yunmeng.converged.water.patrol import Finding, Track, Zone, judge_tracks
from yunmeng.converged.water.reading import Reader, Series
from yunmeng.kernel.base import format_us, now_us
from yunmeng.kernel.compute import JobContext

_HOUR_US = 3_600_000_000
_COLUMNS = ("zone", "vessel", "from", "to", "minutes", "longitude", "latitude")


async def watch_mining(context: JobContext, inputs: Mapping[str, str]) -> dict[str, Any]:
    """The job: looks for ships that lay still where nobody may dig, and writes down whom it suspects."""
    until = now_us()
    start = until - int(float(inputs.get("hours") or 24) * _HOUR_US)
    reader = Reader(context.state, context.history, context.reach, context.types)
    zones = [_zone(each) for each in await reader.entities("SandZone")]
    vessels = [str(each["id"]) for each in await reader.entities("Vessel")]
    tracks = await _tracks(reader, vessels, start, until)
    found = judge_tracks(tracks, zones, least_minutes=float(inputs.get("minutes") or 20))
    by_zone: dict[str, list[Finding]] = defaultdict(list)
    for each in found:
        by_zone[each.zone].append(each)
    context.entities([_body(zone, by_zone[zone.id], until) for zone in zones])
    table = [_row(each) for each in found]
    await context.file("suspects.csv", write_csv(table, _COLUMNS).encode(), "text/csv; charset=utf-8")
    return {"zones": len(zones), "vessels": len(tracks), "findings": len(found)}


async def _tracks(reader: Reader, vessels: list[str], start: int, until: int) -> list[Track]:
    names = ("longitude", "latitude", "speedOverGround")
    longitude, latitude, speed = [await reader.series(vessels, name, start, until) for name in names]
    return [
        _track(id, longitude[id], latitude[id], speed.get(id))
        for id in vessels
        if id in longitude and id in latitude
    ]


def _track(id: str, longitude: Series, latitude: Series, speed: Series | None) -> Track:
    times, first, second = np.intersect1d(longitude.times, latitude.times, return_indices=True)
    speeds = np.full(len(times), np.nan)
    if speed is not None:
        _, here, there = np.intersect1d(times, speed.times, return_indices=True)
        speeds[here] = speed.values[there]
    return Track(id, times, longitude.values[first], latitude.values[second], speeds)


def _zone(entity: Mapping[str, Any]) -> Zone:
    return Zone(
        str(entity["id"]),
        str(entity.get("name", "")),
        entity.get("zoneRule", "forbidden"),
        entity.get("location") or {},
        float(entity.get("beginsAt", 0.0)),
        float(entity.get("endsAt", 24.0)),
    )


def _body(zone: Zone, found: list[Finding], at: int) -> dict[str, Any]:
    minutes = round(sum(each.minutes for each in found), 1)
    return {
        "id": zone.id,
        "type": "SandZone",
        "suspectMinutes": {"value": minutes, "unitCode": "MIN", "observedAt": format_us(at)},
        "suspects": {"json": [_row(each) for each in found]},
    }


def _row(found: Finding) -> dict[str, Any]:
    return {
        "zone": found.zone,
        "vessel": found.vessel,
        "from": format_us(found.begins),
        "to": format_us(found.ends),
        "minutes": round(found.minutes, 1),
        "longitude": found.longitude,
        "latitude": found.latitude,
    }
