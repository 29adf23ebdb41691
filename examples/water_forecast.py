"""A flood forecast without a node: calibrate, verify, forecast with an ensemble, route, grade."""

import numpy as np

from yunmeng.converged.water.forecast import (
    XINANJIANG,
    calibrate,
    exceedance,
    fit,
    floods,
    forcing,
    grade_flood,
    grade_scheme,
    network,
    perturbed,
    quantiles,
    report,
    segmented,
    to_discharge,
)

AREA_KM2, STEP_HOURS, YEAR = 640.0, 24, 365
dice = np.random.default_rng(42)

# Synthetic weather of eight years and a "true" basin that measures with errors: in real life, your records.
days = np.arange(8 * YEAR)
season = np.sin(2 * np.pi * (days - 110) / YEAR)
rain = np.where(dice.random(days.size) < 0.38 + 0.1 * season, dice.gamma(0.8, 11, days.size), 0.0)
demand = 2.6 + 1.9 * season
low, high = XINANJIANG.bounds
truth = XINANJIANG.run(forcing(rain, demand, STEP_HOURS), low + 0.45 * (high - low)).flow[0, 0]
observed = truth * dice.lognormal(0, 0.08, days.size)

# Parameters from the first five years, judged on the last three.
known, held = slice(0, 5 * YEAR), slice(5 * YEAR, 8 * YEAR)
weather = forcing(rain, demand, STEP_HOURS)
found = calibrate(XINANJIANG, weather.between(0, 5 * YEAR), observed[known], budget=3000, seed=1).compromise
simulated = XINANJIANG.run(weather, found.params).flow[0, 0]
scores = report(simulated[held], observed[held])
print(f"held-back years: NSE {scores['nse']:.2f}, volume {scores['volume']:+.0%}")

grades = [
    grade_flood(simulated[held][each.first : each.last], observed[held][each.first : each.last], STEP_HOURS)
    for each in floods(observed[held], float(np.quantile(observed[held], 0.97)), apart=5)
]
scheme = grade_scheme(grades)
print(f"{scheme.rules}: {scheme.floods} floods, QR {scheme.qr:.0f} % {scheme.grade}")

# The state of the day before the greatest flood, ten days of forecast rain, fifty members.
today = 5 * YEAR + int(observed[held].argmax()) - 2
ahead = slice(today, today + 10)
state = XINANJIANG.run(weather.between(0, today), found.params).states
members = perturbed(rain[ahead], 50, spread=0.4, seed=7)
coming = XINANJIANG.run(
    forcing(members, demand[ahead], STEP_HOURS), found.params, states=np.repeat(state, 50, axis=1)
).flow

# What the last errors say about the next ones.
memory = fit(observed[known], simulated[known], order=1)
coming = memory.correct(coming, observed[:today], simulated[:today])

flow = to_discharge(coming, AREA_KM2, STEP_HOURS)
for level, line in zip(("5 %", "50 %", "95 %"), quantiles(flow, (0.05, 0.5, 0.95))[:, 0], strict=True):
    print(f"{level:>5}", " ".join(f"{value:6.0f}" for value in line), "m³/s")
print("above 100 m³/s:", " ".join(f"{chance:.0%}" for chance in exceedance(flow, 100.0)[0]))

# Two such basins meet and flow a day further down.
river = network(
    [2, 2, -1], [segmented(30, 0.2, STEP_HOURS), segmented(18, 0.2, STEP_HOURS), segmented(1, 0, 1)]
)
below, _ = river.route(np.concatenate((flow, 0.6 * flow, np.zeros_like(flow))))
print(f"highest at the confluence, median member: {np.median(below[2].max(axis=1)):.0f} m³/s")
