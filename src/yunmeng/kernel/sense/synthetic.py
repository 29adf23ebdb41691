"""Plausible made-up facilities, from a table: the same seed gives the same places and the same curves.

A package's ``demo.toml`` has one ``[[fleets]]`` a kind of facility::

    [[fleets]]
    type = "Reservoir"                  # of the package's model tables
    name = { zh-CN = "{county}{n}号水库", en = "{county_en} reservoir {n}" }
    per_county = 2                      # or: places = ["420100", ...] with one each
    every_s = 60
    [fleets.fixed]                      # attributes that do not change
    floodLimitLevel = 100.0
    [[fleets.attributes]]
    name = "waterLevel"
    base = 95.0                         # the middle; each facility has its own within +-spread
    spread = 8.0
    daily = 0.3                         # height of the daily wave; its peak is at peak_h, Asia/Shanghai
    peak_h = 18
    drift = 1.5                         # height of a slow wave over days
    noise = 0.02
    low = 0.0                           # bounds
    digits = 2

A value is a pure function of seed, facility and time, so the past can be filled in as it would have been.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from yunmeng.kernel.base import Broken, Division, YunmengError, boundaries, counties, division, make_urn
from yunmeng.kernel.model import ObservationBatch, Series

_DAY_US = 86_400_000_000
_SHANGHAI_US = 8 * 3_600_000_000

Floats = NDArray[np.float64]


class FleetAttribute(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one attribute of a fleet moves; ``growth`` is added each hour since 2026-01-01 UTC (counters)."""

    name: str
    base: float
    spread: float = 0.0
    daily: float = 0.0
    peak_h: float = 20.0
    drift: float = 0.0
    noise: float = 0.0
    growth: float = 0.0
    low: float | None = None
    high: float | None = None
    digits: int = 2


class Fleet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of made-up facility."""

    type: str
    name: dict[str, str]
    every_s: int
    attributes: tuple[FleetAttribute, ...]
    per_county: int = 0
    places: tuple[str, ...] = ()
    fixed: dict[str, float | str] = {}


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fleets: tuple[Fleet, ...]


@dataclass(frozen=True, slots=True)
class Facility:
    """One made-up facility."""

    id: str
    name_zh: str
    name_en: str
    division: str
    lon: float
    lat: float


@dataclass(frozen=True)
class Swarm:
    """A fleet with its facilities placed; ``facilities`` are in a fixed order.

    ``own`` are members of each facility's body, ``middles`` the middle of an attribute by facility, to which
    the fleet's ``base`` is added: a package that knows its facilities better than a table says gives them.
    A demo begins with the last ``past_h`` hours filled in.
    """

    fleet: Fleet
    facilities: tuple[Facility, ...]
    seed: int
    own: tuple[Mapping[str, object], ...] = ()
    middles: Mapping[str, Floats] = field(default_factory=dict[str, Floats], repr=False)
    past_h: int = 24
    _traits: dict[str, Floats] = field(default_factory=dict[str, Floats], repr=False)

    def bodies(self) -> Iterator[dict[str, object]]:
        """Yields the facilities as NGSI-LD bodies, marked synthetic."""
        for place, one in enumerate(self.facilities):
            yield {
                "id": one.id,
                "type": self.fleet.type,
                "name": one.name_zh,
                "nameEn": one.name_en,
                "division": one.division,
                "synthetic": True,
                "location": {
                    "type": "GeoProperty",
                    "value": {"type": "Point", "coordinates": [one.lon, one.lat]},
                },
                **self.fleet.fixed,
                **(self.own[place] if self.own else {}),
            }

    def values(self, attribute: FleetAttribute, at_us: int) -> Floats:
        """Returns the attribute of every facility at a time, in the order of ``facilities``."""
        own, phase, hour = self._trait(attribute.name)
        days = at_us / _DAY_US
        hour_of_day = ((at_us + _SHANGHAI_US) % _DAY_US) / _DAY_US * 24
        wave = np.cos((hour_of_day - attribute.peak_h - 2 * (hour - 0.5)) / 24 * 2 * np.pi)
        slow = np.sin(days / 3.7 * 2 * np.pi + phase * 2 * np.pi) * 0.6 + np.sin(days / 1.3 + phase * 7) * 0.4
        value = (
            attribute.base
            + self.middles.get(attribute.name, 0.0)
            + attribute.spread * (2 * own - 1)
            + attribute.daily * wave
            + attribute.drift * slow
        )
        value += attribute.growth * (0.5 + own) * (days - 20_454) * 24
        if attribute.noise:
            value += np.random.default_rng((self.seed, at_us // 1_000_000)).normal(
                0, attribute.noise, len(own)
            )
        return np.round(np.clip(value, attribute.low, attribute.high), attribute.digits)

    def batch(
        self, at_us: int, terms: Mapping[str, tuple[str, str, str]], places: slice = slice(None)
    ) -> ObservationBatch:
        """Returns the observations of some facilities at a time.

        ``terms`` maps each attribute's name to (attribute URI, type URI, unit code).
        """
        chosen = self.facilities[places]
        names = [attribute.name for attribute in self.fleet.attributes]
        series = tuple(
            Series(one.id, *terms[name][:2], one.division, terms[name][2], True)
            for name in names
            for one in chosen
        )
        number = np.concatenate([self.values(a, at_us)[places] for a in self.fleet.attributes])
        return ObservationBatch(
            "",
            "demo",
            at_us,
            series,
            np.arange(len(series), dtype=np.uint32),
            np.full(len(series), at_us, np.int64),
            number,
            np.zeros(len(series), np.uint8),
        )

    def _trait(self, name: str) -> tuple[Floats, Floats, Floats]:
        if name not in self._traits:
            rng = np.random.default_rng((self.seed, *name.encode()))
            self._traits[name] = rng.random((3, len(self.facilities)))
        own, phase, hour = self._traits[name]
        return own, phase, hour


def load_fleets(file: Path, seed: int) -> list[Swarm]:
    """Reads a package's ``demo.toml`` and places its facilities within their divisions.

    Raises:
        Broken: ``demo.bad`` naming the file and what is wrong.
    """
    try:
        return [Swarm(fleet, tuple(_place(fleet, seed)), seed) for fleet in read_fleets(file)]
    except (ValueError, KeyError, YunmengError) as cause:
        raise Broken("demo.bad", file=file, reason=cause) from cause


def read_fleets(file: Path) -> tuple[Fleet, ...]:
    """Reads the fleets of a package's ``demo.toml`` without placing them. Raises as :func:`load_fleets`."""
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), _File).fleets
    except (OSError, ValueError) as cause:
        raise Broken("demo.bad", file=file, reason=cause) from cause


def _place(fleet: Fleet, seed: int) -> Iterator[Facility]:
    rng = np.random.default_rng((seed, *fleet.type.encode()))
    homes = [division(code) for code in fleet.places] if fleet.places else list(counties())
    for home in homes:
        count = 1 if fleet.places else fleet.per_county
        for number, (lon, lat) in enumerate(_points(home, count, rng), 1):
            words = {"county": home.name_zh, "county_en": home.name_en, "n": number}
            yield Facility(
                make_urn(fleet.type, "demo", home.code, str(number)),
                fleet.name["zh-CN"].format(**words),
                fleet.name["en"].format(**words),
                home.code,
                lon,
                lat,
            )


def _points(home: Division, count: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Random places inside a division; nothing real stands there."""
    from shapely import Point, box

    shape = _shapes().get(home.code, box(home.lon - 0.02, home.lat - 0.02, home.lon + 0.02, home.lat + 0.02))
    west, south, east, north = cast("tuple[float, float, float, float]", shape.bounds)
    found: list[tuple[float, float]] = []
    while len(found) < count:
        lon, lat = float(rng.uniform(west, east)), float(rng.uniform(south, north))
        if shape.contains(Point(lon, lat)):
            found.append((round(lon, 5), round(lat, 5)))
    return found


@cache
def _shapes() -> Mapping[str, Any]:
    from shapely.geometry import shape

    return {
        str(feature["properties"]["code"]): shape(feature["geometry"])
        for name in ("prefectures_lite", "counties")
        for feature in msgspec.json.decode(boundaries(name).read_bytes())["features"]
    }
