"""Sand mining 采砂监管: which ships work where or when nobody may dig (长江河道采砂管理条例).

A ship that digs lies almost still; one that passes does not. Pure: tracks and zones in, findings out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import to_shape

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

Rule = Literal["forbidden", "permitted"]
_MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Zone:
    """A stretch of river: ``forbidden`` (禁采区) always, ``permitted`` (可采区) from ``begins`` to ``ends``.

    ``geometry`` is GeoJSON (EPSG:4326); hours of the day are Beijing time, 0 to 24, and may cross midnight.
    """

    id: str
    name: str
    rule: Rule
    geometry: dict[str, Any]
    begins: float = 0.0
    ends: float = 24.0


@dataclass(frozen=True, slots=True)
class Track:
    """Where a ship was: times µs UTC (rising), degrees, speeds in knots (NaN unknown), all of shape (n,)."""

    vessel: str
    times: NDArray[np.int64]
    longitudes: NDArray[np.float64]
    latitudes: NDArray[np.float64]
    speeds: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Finding:
    """A ship that lay still in a zone for ``minutes`` while nobody may dig there; times µs UTC."""

    vessel: str
    zone: str
    begins: int
    ends: int
    minutes: float
    longitude: float
    latitude: float


def judge_tracks(
    tracks: Iterable[Track],
    zones: Sequence[Zone],
    *,
    least_minutes: float = 20.0,
    slow_knots: float = 1.0,
    longest_gap_minutes: float = 30.0,
) -> list[Finding]:
    """Returns what is to be looked at, oldest first.

    A stay is a run of positions inside a zone at ``slow_knots`` or less; a silence of more than
    ``longest_gap_minutes`` ends it. A position without a speed is judged by the distance from the one before.

    Raises:
        BadInput: ``water.zone`` naming a zone whose geometry is no area, ``water.shape``.
    """
    shapes = [_area(zone) for zone in zones]
    found: list[Finding] = []
    for track in tracks:
        slow = _slow(track, slow_knots)
        for zone, shape in zip(zones, shapes, strict=True):
            barred = slow & _inside(track, shape) & ~_allowed(zone, track.times)
            found += _stays(track, zone, barred, least_minutes, longest_gap_minutes)
    return sorted(found, key=lambda each: (each.begins, each.vessel, each.zone))


def _area(zone: Zone) -> "BaseGeometry":
    if zone.geometry.get("type") not in ("Polygon", "MultiPolygon"):
        raise BadInput("water.zone", zone=zone.id, reason=str(zone.geometry.get("type")))
    return to_shape(zone.geometry)


def _inside(track: Track, shape: "BaseGeometry") -> NDArray[np.bool_]:
    import shapely

    return np.asarray(shapely.contains_xy(shape, track.longitudes, track.latitudes), np.bool_)


def _slow(track: Track, knots: float) -> NDArray[np.bool_]:
    sizes = {len(each) for each in (track.times, track.longitudes, track.latitudes, track.speeds)}
    if len(sizes) != 1:
        raise BadInput("water.shape", name=track.vessel, shape=str(sizes), wanted="(n,)")
    east = np.diff(track.longitudes, prepend=track.longitudes[:1]) * np.cos(np.radians(track.latitudes))
    miles = np.hypot(east, np.diff(track.latitudes, prepend=track.latitudes[:1])) * 60
    hours = np.diff(track.times, prepend=track.times[:1]) / (60 * _MINUTE_US)
    drawn = np.divide(miles, hours, np.full(len(miles), np.nan), where=hours > 0)
    speed = np.where(np.isnan(track.speeds), drawn, track.speeds)
    with np.errstate(invalid="ignore"):
        return np.asarray(speed <= knots, np.bool_)


def _allowed(zone: Zone, times: NDArray[np.int64]) -> NDArray[np.bool_]:
    if zone.rule == "forbidden":
        return np.zeros(len(times), np.bool_)
    hour = ((times // _MINUTE_US + 8 * 60) % (24 * 60)) / 60
    if zone.begins <= zone.ends:
        return (hour >= zone.begins) & (hour < zone.ends)
    return (hour >= zone.begins) | (hour < zone.ends)


def _stays(track: Track, zone: Zone, barred: NDArray[np.bool_], least: float, gap: float) -> list[Finding]:
    places = np.flatnonzero(barred)
    if not len(places):
        return []
    apart = (np.diff(places) > 1) | (np.diff(track.times[places]) > gap * _MINUTE_US)
    found: list[Finding] = []
    for run in np.split(places, np.flatnonzero(apart) + 1):
        begins, ends = int(track.times[run[0]]), int(track.times[run[-1]])
        minutes = (ends - begins) / _MINUTE_US
        if minutes >= least:
            middle = run[len(run) // 2]
            at = (float(track.longitudes[middle]), float(track.latitudes[middle]))
            found.append(Finding(track.vessel, zone.id, begins, ends, minutes, *at))
    return found
