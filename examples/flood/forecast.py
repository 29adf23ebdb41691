"""Forecasts the upper reservoir under 150 mm in the next 12 hours, and reads the result."""

from office import GAUGE, UPPER, get, run

observed = get(f"/ngsi-ld/v1/entities/{GAUGE}")["rainfall1h"]["observedAt"]
done = run(
    "water.forecast",
    at=observed,
    rain="150/12",
    hours="48",
    warm_days="9",
    members="20",
    reservoir=UPPER,
)
print(done["result"])

forecast = get("/ngsi-ld/v1/entities/urn:ngsi-ld:FloodForecast:TUTU", options="keyValues")
print(f"peak inflow {forecast['peakDischarge']:.0f} m³/s, highest level {forecast['peakLevel']:.1f} m")
print(f"chance to pass the flood limit of {forecast['floodLimitLevel']} m: {forecast['exceedance']:.0f} %")
table = forecast["quantiles"]["json"]
for level, line in zip(table["levels"], table["inflow"], strict=True):
    print(f"{level:>4.0%}", " ".join(f"{value:4.0f}" for value in line[5::6]), "m³/s")
