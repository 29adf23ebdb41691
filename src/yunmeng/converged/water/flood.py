"""From rain to what a duty officer asks: how much flows in, how high it gets, how surely over the limit.

Pure functions; the forecast library does the hydrology.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from yunmeng.converged.water.forecast import (
    GR4J,
    GR5J,
    XINANJIANG,
    Model,
    exceedance,
    fit,
    forcing,
    perturbed,
    quantiles,
    to_depth,
    to_discharge,
)
from yunmeng.converged.water.register import ReservoirCurve
from yunmeng.kernel.base import BadInput, YunmengError

Floats = NDArray[np.float64]

MODELS: Mapping[str, Model] = {"XINANJIANG": XINANJIANG, "GR4J": GR4J, "GR5J": GR5J}
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_HOUR_S = 3600.0
_AR = 2


class Hydrology(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the inflow of a reservoir is forecast: the attribute ``hydrologicalModel``.

    ``parameters`` by name, ``evaporation`` potential mm a day, ``weights`` of the rain stations by id (they
    are scaled to 1; empty: the stations that flow into the reservoir, alike).
    """

    model: str
    parameters: dict[str, float]
    evaporation: float = 3.0
    weights: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class InflowForecast:
    """Members of the inflow to come, m³/s, (members, steps); ``past`` is the simulated inflow before them.

    ``corrected`` tells whether the errors just seen were taken into account.
    """

    members: Floats
    past: Floats
    corrected: bool


@dataclass(frozen=True, slots=True)
class LevelOutlook:
    """Levels (m) and releases (m³/s), (members, steps); ``over`` is the chance (0–1) to pass the limit.

    ``peak`` is the median of the members' highest levels, ``peak_step`` the step of the median inflow's peak.
    """

    levels: Floats
    releases: Floats
    over: float
    peak: float
    peak_step: int


def read_hydrology(value: object) -> Hydrology:
    """Reads the attribute ``hydrologicalModel``. Raises ``BadInput("water.hydrology")``."""
    if isinstance(value, dict):
        value = cast("dict[str, Any]", value).get("json", cast("dict[str, Any]", value))
    try:
        found = msgspec.convert(value, Hydrology)
    except msgspec.ValidationError as cause:
        raise BadInput("water.hydrology", reason=str(cause)) from cause
    if found.model not in MODELS:
        raise BadInput("water.hydrology", reason=f"{found.model}: {', '.join(MODELS)}")
    return found


def forecast_inflow(
    hydrology: Hydrology,
    area_km2: float,
    past_rain: Floats,
    coming_rain: Floats,
    observed: Floats | None = None,
    *,
    step_hours: float = 1.0,
    members: int = 50,
    spread: float = 0.3,
    seed: int = 0,
) -> InflowForecast:
    """Forecasts the inflow of one reservoir.

    Args:
        hydrology: model and parameters.
        area_km2: its catchment.
        past_rain: mm a step, (past,), complete: it warms the model up.
        coming_rain: mm a step, (steps,): the expected rain; its members are lognormal around it.
        observed: inflow of the past steps, m³/s, NaN where missing; corrects the forecast by AR(2).
        step_hours: length of a step.
        members: of the ensemble; the first follows the rain as given.
        spread: of the logarithm of the rain's factors.
        seed: of the dice.

    Raises:
        BadInput: what the forecast library refuses: no rain, gaps, negative rain, impossible parameters.
    """
    model = MODELS[hydrology.model]
    demand = np.full(1, hydrology.evaporation * step_hours / 24.0)
    warm = model.run(_forced(past_rain, demand, step_hours), hydrology.parameters)
    rain = perturbed(coming_rain, members, spread=spread, seed=seed)
    steps = rain.shape[-1]
    states = np.repeat(warm.states, members, axis=1)
    force = forcing(rain, np.full((1, 1, steps), demand[0]), step_hours)
    depth = model.run(force, hydrology.parameters, states=states).flow[0]
    simulated = warm.flow[0, 0]
    corrected, depth = _corrected(depth, simulated, observed, area_km2, step_hours)
    return InflowForecast(
        to_discharge(depth, area_km2, step_hours), to_discharge(simulated, area_km2, step_hours), corrected
    )


def level_outlook(
    curve: ReservoirCurve,
    level: float,
    inflow: Floats,
    *,
    release: float,
    limit: float,
    step_hours: float = 1.0,
) -> LevelOutlook:
    """Follows the reservoir under every member of the inflow.

    The gates keep releasing what they release now (``release`` m³/s), but never more than the outlets pass at
    the level, and what spills over an ungated crest cannot be held back. Water balance in steps of
    ``step_hours``.

    Raises:
        BadInput: ``curve.range`` when the present level is outside the curve.
    """
    storage = np.full(inflow.shape[0], float(curve.storage_at(level)))
    levels, releases = np.empty_like(inflow), np.empty_like(inflow)
    volume = step_hours * _HOUR_S / 1e6
    now = np.full(inflow.shape[0], float(level))
    for step in range(inflow.shape[1]):
        most = curve.discharge_at(now, clamp=True)
        forced = np.interp(now, curve.level, curve.spill)
        out = np.maximum(np.minimum(release, most), forced)
        out = np.minimum(out, storage / volume + inflow[:, step])
        storage = storage + (inflow[:, step] - out) * volume
        now = curve.level_at(storage, clamp=True)
        levels[:, step], releases[:, step] = now, out
    highest = levels.max(axis=1)
    median = quantiles(inflow[None], 0.5)[0, 0]
    over = float(exceedance(highest[None, :, None], limit)[0, 0])
    return LevelOutlook(levels, releases, over, float(np.median(highest)), int(np.argmax(median)))


def inflow_quantiles(inflow: Floats) -> Floats:
    """Returns the quantiles (:data:`LEVELS`) of the members, (levels, steps)."""
    return quantiles(inflow[None], LEVELS)[:, 0]


def _forced(rain: Floats, demand: Floats, step_hours: float) -> Any:
    return forcing(rain, np.broadcast_to(demand, rain.shape), step_hours)


def _corrected(
    depth: Floats, simulated: Floats, observed: Floats | None, area_km2: float, step_hours: float
) -> tuple[bool, Floats]:
    if observed is None or observed.shape != simulated.shape:
        return False, depth
    seen = to_depth(observed, area_km2, step_hours)
    try:
        return True, fit(seen, simulated, _AR).correct(depth, seen, simulated)
    except YunmengError:
        # too few steps were observed to learn from: the model stands alone
        return False, depth
