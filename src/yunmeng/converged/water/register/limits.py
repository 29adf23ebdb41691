"""Flood-limit levels by date (汛限水位): seasons of the year, with an optional linear transition."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import msgspec
import numpy as np

from yunmeng.converged.water.register.arrays import Floats, Ints, listed
from yunmeng.kernel.base import SHANGHAI, BadInput

# a leap year, so that 29 February has its place
_YEAR = 2000
_DAYS = 366


@dataclass(frozen=True, slots=True)
class Season:
    """A part of the year, both days (``MM-DD``) within; one may cross the new year."""

    name: str
    start: str
    end: str
    level: float


@dataclass(frozen=True, slots=True)
class FloodLimits:
    """The limit in m of each day of a leap year, shape (366,), and the season's name of each."""

    table: Floats
    names: tuple[str, ...]

    def at(self, days: Iterable[date | datetime]) -> Floats:
        """Returns the limits in m; an instant counts by its date in Asia/Shanghai."""
        return self.table[_indices(days)]

    def season_at(self, days: Iterable[date | datetime]) -> tuple[str, ...]:
        """Returns the season of each day, by its name."""
        return tuple(self.names[index] for index in listed(_indices(days)))


class _Calendar(msgspec.Struct, rename="camel"):
    """The attribute ``floodLimits``."""

    seasons: list[Season] = []
    outside: float | None = None
    transition_days: int = 0


def read_limits(value: object, name: str = "") -> FloodLimits:
    """Reads the attribute ``floodLimits``: ``seasons``, ``outside``, ``transitionDays``.

    Raises:
        BadInput: ``limit.calendar`` for another shape, and those of :func:`flood_limits`.
    """
    try:
        calendar = msgspec.convert(value, _Calendar)
    except msgspec.ValidationError as error:
        raise BadInput("limit.calendar", name=name, reason=str(error)) from error
    return flood_limits(
        calendar.seasons, outside=calendar.outside, transition_days=calendar.transition_days, name=name
    )


def flood_limits(
    seasons: Iterable[Season], *, outside: float | None = None, transition_days: int = 0, name: str = ""
) -> FloodLimits:
    """Makes the table of a year; ``outside`` is the level of days that no season holds (正常蓄水位).

    With ``transition_days`` a falling limit is reached on the first day of the stricter season, having
    fallen linearly on the days before; a rising one starts on the first day of the looser season. That is
    the careful reading of staged limits (GB/T 22482 leaves it to the reservoir's approved rules).

    Raises:
        BadInput: ``limit.day`` for what is no day of the year, ``limit.overlap`` and ``limit.gap`` naming
            the first day, ``limit.transition`` for days under 0 or longer than a season.
    """
    owner: Ints = np.full(_DAYS, -1, np.int64)
    held = list(seasons)
    for number, season in enumerate(held):
        days = _span(season, name)
        taken = days[owner[days] >= 0]
        if taken.size:
            raise BadInput(
                *("limit.overlap",),
                name=name,
                day=_day(int(taken[0])),
                first=held[int(owner[taken[0]])].name,
                second=season.name,
            )
        owner[days] = number
    gaps = np.flatnonzero(owner < 0)
    if gaps.size and outside is None:
        raise BadInput("limit.gap", name=name, day=_day(int(gaps[0])), days=int(gaps.size))
    levels = np.array([season.level for season in held] + [np.nan if outside is None else outside])
    return FloodLimits(
        _eased(levels[owner], owner, transition_days, name),
        tuple("" if number < 0 else held[number].name for number in listed(owner)),
    )


def _eased(flat: Floats, owner: Ints, days: int, name: str) -> Floats:
    changes = np.flatnonzero(owner != np.roll(owner, 1))
    lengths = np.diff(np.append(changes, changes[0] + _DAYS)) if changes.size else np.array([_DAYS])
    if days < 0 or days > int(lengths.min()):
        raise BadInput("limit.transition", name=name, days=days, longest=int(lengths.min()))
    table = flat.copy()
    for day in changes.tolist() if days else []:
        before, after = float(flat[day - 1]), float(flat[day])
        first = day - days if after < before else day
        share = np.arange(days) / days
        table[np.arange(first, first + days) % _DAYS] = before + (after - before) * share
    return table


def _span(season: Season, name: str) -> Ints:
    first, last = (_index(day, season.name or name) for day in (season.start, season.end))
    return np.arange(first, last + 1 if last >= first else last + 1 + _DAYS) % _DAYS


def _index(day: str, name: str) -> int:
    try:
        return (date.fromisoformat(f"{_YEAR}-{day}") - date(_YEAR, 1, 1)).days
    except ValueError as error:
        raise BadInput("limit.day", name=name, day=day) from error


def _day(index: int) -> str:
    return (date(_YEAR, 1, 1) + timedelta(days=index)).strftime("%m-%d")


def _indices(days: Iterable[date | datetime]) -> Ints:
    def local(day: date | datetime) -> date:
        return day.astimezone(SHANGHAI).date() if isinstance(day, datetime) and day.tzinfo else day

    return np.array(
        [(date(_YEAR, each.month, each.day) - date(_YEAR, 1, 1)).days for each in map(local, days)], np.int64
    )
