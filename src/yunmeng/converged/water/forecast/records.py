"""Records of a basin: rain, evaporation, temperature and flow, from CAMELS text files and plain CSV."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np

from yunmeng.converged.water.forecast.evaporation import oudin
from yunmeng.converged.water.forecast.forcing import Forcing, forcing
from yunmeng.converged.water.forecast.shapes import Floats, to_depth
from yunmeng.kernel.base import BadInput

_CUBIC_FOOT = 0.3048**3
_MISSING = -999.0


@dataclass(frozen=True, slots=True)
class Record:
    """One basin's record in even steps; water in mm a step, temperature in °C, NaN where missing.

    ``area_km2`` is NaN where the record does not say it. ``temperature`` and ``reference`` (another model's
    flow, mm a step) may be empty.
    """

    name: str
    start: datetime
    step_hours: float
    area_km2: float
    rain: Floats
    evaporation: Floats
    temperature: Floats
    observed: Floats
    reference: Floats

    def at(self, when: datetime) -> int:
        """Returns the step that begins at or after a time."""
        return int(np.ceil((when - self.start) / timedelta(hours=self.step_hours)))

    def between(self, first: datetime, last: datetime) -> "Record":
        """Returns the steps from ``first`` up to, without, ``last``.

        Raises:
            BadInput: ``forecast.record.span`` when the record does not hold them.
        """
        low, high = self.at(first), self.at(last)
        if not 0 <= low < high <= self.rain.size:
            end = self.start + timedelta(hours=self.step_hours * self.rain.size)
            raise BadInput("forecast.record.span", name=self.name, first=self.start, last=end)
        series = ("rain", "evaporation", "temperature", "observed", "reference")
        cut = {name: getattr(self, name)[low:high] for name in series}
        return replace(self, start=self.start + timedelta(hours=self.step_hours * low), **cut)

    def forcing(self) -> Forcing:
        """Returns what drives a model, checked; gaps are refused with the time they begin.

        Raises:
            BadInput: as :func:`forcing`.
        """
        return forcing(
            self.rain,
            self.evaporation,
            self.step_hours,
            start=self.start,
            temperature=self.temperature if self.temperature.size else None,
        )


def read_camels(forcing_file: Path, flow_file: Path) -> Record:
    """Reads a basin of CAMELS (Newman et al. 2015): its forcing file and its USGS streamflow file.

    Rain as given; potential evaporation after Oudin from the daily mean temperature and the file's
    latitude; flow from cubic feet a second over the file's basin area.

    Raises:
        BadInput: ``forecast.file`` naming file and line, ``forecast.record.days`` for days that are no row.
    """
    lines = _lines(forcing_file)
    try:
        latitude, area = float(lines[0]), float(lines[2]) / 1e6
        names = [name.partition("(")[0].lower() for name in lines[3].split()]
    except (IndexError, ValueError) as error:
        raise BadInput(
            "forecast.file", file=forcing_file.name, line=1, reason="latitude, elevation, area"
        ) from error
    days, values = _rows(forcing_file, lines[4:], 4, len(names), first_line=5)
    column: dict[str, Floats] = {name: values[:, i] for i, name in enumerate(names[4:])}
    temperature = (column["tmax"] + column["tmin"]) / 2
    year_day = np.array([day.timetuple().tm_yday for day in days], np.float64)
    flow = _discharge(flow_file, days)
    return Record(
        flow_file.name.partition("_")[0],
        days[0],
        24.0,
        area,
        column["prcp"],
        oudin(temperature, year_day, latitude),
        temperature,
        to_depth(flow, area, 24.0),
        np.empty(0),
    )


def read_camels_model(model_file: Path) -> Record:
    """Reads a CAMELS model output, mm a day.

    Rain plus melt by SNOW-17, evaporation demand, observed flow, and SAC-SMA's as the reference.

    Raises:
        BadInput: ``forecast.file`` naming file and line, ``forecast.record.days`` for days that are no row.
    """
    lines = _lines(model_file)
    names = lines[0].lower().split()
    days, values = _rows(model_file, lines[1:], 4, len(names), first_line=2)
    column: dict[str, Floats] = {name: values[:, i] for i, name in enumerate(names[4:])}
    observed = np.where(column["obs_run"] < 0, np.nan, column["obs_run"])
    name = model_file.name.partition("_")[0]
    return Record(
        name, days[0], 24.0, np.nan, column["raim"], column["pet"], np.empty(0), observed, column["mod_run"]
    )


def read_csv(
    file: Path,
    columns: Mapping[str, str],
    *,
    step_hours: float,
    area_km2: float = np.nan,
    time_format: str = "",
) -> Record:
    """Reads a CSV whose first line names its columns.

    Args:
        file: UTF-8 text.
        columns: ours to the file's: ``time``, ``rain``, ``evaporation``, ``observed`` and, where there,
            ``temperature`` and ``reference``; water in mm a step.
        step_hours: length of a step; a time that does not follow the one before by it is refused.
        area_km2: of the basin, where known.
        time_format: as :meth:`datetime.strptime` takes it; ISO 8601 when empty.

    Raises:
        BadInput: ``forecast.file`` naming file and line, ``forecast.record.days`` for steps that are no row.
    """
    with file.open(encoding="utf-8-sig", newline="") as text:
        rows = list(csv.DictReader(text))
    read: Callable[[str], datetime] = (
        (lambda cell: datetime.strptime(cell, time_format)) if time_format else datetime.fromisoformat  # noqa: DTZ007
    )
    missing = [name for name in columns.values() if rows and name not in rows[0]]
    if missing or not rows or not {"time", "rain", "evaporation", "observed"} <= columns.keys():
        raise BadInput("forecast.file", file=file.name, line=1, reason=", ".join(missing) or "time, rain, …")
    times: list[datetime] = []
    series: dict[str, list[float]] = {name: [] for name in columns if name != "time"}
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():  # more or fewer cells than columns
            raise BadInput("forecast.file", file=file.name, line=line, reason=f"{len(row)} ≠ {len(rows[0])}")
        try:
            times.append(read(row[columns["time"]]))
            for name, values in series.items():
                cell = (row[columns[name]] or "").strip()
                values.append(float(cell) if cell and cell != "NA" else np.nan)
        except ValueError as error:
            raise BadInput("forecast.file", file=file.name, line=line, reason=str(error)) from error
    _even(file, times, timedelta(hours=step_hours))
    made = {name: np.array(values) for name, values in series.items()}
    empty = np.empty(0)
    return Record(
        file.stem,
        times[0],
        step_hours,
        area_km2,
        made["rain"],
        made["evaporation"],
        made.get("temperature", empty),
        made["observed"],
        made.get("reference", empty),
    )


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def _rows(
    file: Path, lines: Sequence[str], dates: int, width: int, *, first_line: int
) -> tuple[list[datetime], Floats]:
    days: list[datetime] = []
    values: list[list[float]] = []
    for number, line in enumerate(lines, start=first_line):
        cells = line.split()
        try:
            days.append(datetime(int(cells[0]), int(cells[1]), int(cells[2])))  # noqa: DTZ001
            values.append([float(cell) for cell in cells[dates:width]])
        except (ValueError, IndexError) as error:
            raise BadInput("forecast.file", file=file.name, line=number, reason=str(error)) from error
        if len(cells) < width:
            raise BadInput("forecast.file", file=file.name, line=number, reason=f"{len(cells)} < {width}")
    _even(file, days, timedelta(days=1))
    return days, np.array(values)


def _even(file: Path, times: Sequence[datetime], step: timedelta) -> None:
    for before, after in pairwise(times):
        if after - before != step:
            raise BadInput("forecast.record.days", file=file.name, before=before, after=after, step=step)


def _discharge(file: Path, days: Sequence[datetime]) -> Floats:
    """Flow in m³/s on the wanted days, NaN where the file has none."""
    found: dict[datetime, float] = {}
    for number, line in enumerate(_lines(file), start=1):
        try:
            _, year, month, day, flow = line.split()[:5]
            found[datetime(int(year), int(month), int(day))] = float(flow)  # noqa: DTZ001
        except ValueError as error:
            raise BadInput("forecast.file", file=file.name, line=number, reason=str(error)) from error
    feet = np.array([found.get(day, _MISSING) for day in days])
    return np.where(feet < 0, np.nan, feet * _CUBIC_FOOT)
