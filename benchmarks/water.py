"""The water package: the province's ensemble forecast, the calibration of a basin, joint dispatch."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np

from benchmarks.figures import Figure
from yunmeng.converged.water.dispatch import Plan, coordinate
from yunmeng.converged.water.forecast import XINANJIANG, calibrate, forcing, outlook
from yunmeng.converged.water.synthetic import basins, flood_horizon

RESERVOIRS, MEMBERS, HOURS, YEARS = 6928, 50, 792, 10
JULY = datetime(2026, 7, 1, tzinfo=UTC)
LOW, HIGH = XINANJIANG.bounds


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and of all cores together."""
    clock, cores = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - cores


def province(reservoirs: int, dice: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Synthetic rain of 33 days by the hour, three half days of ten wet; a parameter set a basin."""
    wet = np.repeat(dice.random((reservoirs, HOURS // 12)) < 0.3, 12, axis=1)
    rain = np.where(wet, dice.gamma(0.8, 2.5, (reservoirs, HOURS)), 0.0)
    return rain, LOW + (HIGH - LOW) * dice.random((reservoirs, LOW.size))


def ensemble(reservoirs: int = RESERVOIRS) -> list[Figure]:
    """Every reservoir's inflow by Xin'anjiang: members of rain, runs, five quantiles."""
    rain, params = province(reservoirs, np.random.default_rng(1))
    demand = np.full((1, HOURS), 0.15)
    first, _ = timed(lambda: outlook(XINANJIANG, rain[:40], demand, params[:40], 1, members=MEMBERS))
    clock, cores = timed(lambda: outlook(XINANJIANG, rain, demand, params, 1, members=MEMBERS))
    # where others use the cores too, the processor's own time says what two free ones would need
    return [
        Figure("water.ensemble", clock, "s", {"first call s": round(first, 2)}),
        Figure("water.ensemble-core", cores, "s of a core"),
    ]


def calibration() -> Figure:
    """Fifteen parameters of Xin'anjiang on ten years by the day, 10,000 sets by SCE-UA."""
    dice = np.random.default_rng(2)
    days = np.arange(YEARS * 365)
    rain = np.where(dice.random(days.size) < 0.4, dice.gamma(0.8, 10, days.size), 0.0)
    weather = forcing(rain, 2.5 + 2 * np.sin(days / 58.1), 24)
    flow = XINANJIANG.run(weather, LOW + 0.45 * (HIGH - LOW)).flow[0, 0]
    observed = flow * dice.lognormal(0, 0.2, days.size)
    clock, cores = timed(lambda: calibrate(XINANJIANG, weather, observed, budget=10_000))
    return Figure("water.calibration", clock, "s", {"cores s": round(cores, 1)})


def dispatch(reservoirs: int = RESERVOIRS) -> list[Figure]:
    """Joint dispatch of 56 steps of three hours: 400 gated reservoirs to 1e-6, and all of them to 0.5 %."""
    figures: list[Figure] = []
    for name, made, gap in (
        ("gated", basins(7, 400, gated=True), 1e-6),
        ("province", basins(7, reservoirs), 0.005),
    ):
        system = made.system(3.0)
        horizon = flood_horizon(made, system, JULY, 56, seed=3)
        plans: list[Plan] = []
        clock, cores = timed(lambda: plans.append(coordinate(system, horizon, gap=gap)))  # noqa: B023
        assert plans[0].gap <= gap, f"the gap is {plans[0].gap:.2%}"
        parts = {
            "gap %": plans[0].gap * 100,
            "rounds": plans[0].rounds,
            "reservoirs": int(made.reservoir.sum()),
        }
        figures += [
            Figure(f"water.dispatch-{name}", clock, "s", parts),
            Figure(f"water.dispatch-{name}-core", cores, "s of a core"),
        ]
    return figures


def run(reservoirs: int = RESERVOIRS) -> list[Figure]:
    """Measures forecast and dispatch."""
    return [*ensemble(reservoirs), calibration(), *dispatch(reservoirs)]


if __name__ == "__main__":
    for figure in run(*(int(argument) for argument in sys.argv[1:])):
        print(figure)
