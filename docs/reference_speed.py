"""The reference page of the committed budgets: what each figure is, what it has to hold."""

import tomllib
from pathlib import Path

from reference_tables import MADE, table

_BUDGETS = Path(__file__).resolve().parents[1] / "benchmarks" / "budgets.toml"

ABOUT = {
    "start.import": ("`import yunmeng`", "s"),
    "start.ready": ("`yunmeng up` until it is ready", "s"),
    "start.memory": ("memory of the idle node, all processes", "MB"),
    "ingest.observations": (
        "packed observations, bus → state and history, everything synced",
        "observations/s",
    ),
    "ingest.capacity": ("the same by the processor time that they cost", "observations/s"),
    "bus.packed": ("packed observations in and out of the bus at once", "observations/s"),
    "bus.requests": ("requests and answers between processes", "requests/s"),
    "state.upserts": ("entities made or changed in the state store", "entities/s"),
    "state.last-values": ("last values of telemetry", "observations/s"),
    "state.read": ("one entity by its id", "µs"),
    "history.insert": ("rows into the history", "rows/s"),
    "history.bytes": ("disk that a row takes", "bytes/row"),
    "history.day": ("one entity, one day, 95th percentile", "ms"),
    "history.delete": ("the history of an entity deleted, among ten parts", "ms"),
    "history.aggregates": ("aggregates over 100,000 values, eight at a time", "queries/s"),
    "history.aggregate": ("hourly aggregate over 100,000 values, 95th percentile", "ms"),
    "serve.create": (
        "entities created over HTTP, one a request (the load generator is in Python and costs as much)",
        "entities/s",
    ),
    "serve.read": ("entities read over HTTP", "reads/s"),
    "serve.upsert": ("entities upserted over HTTP in batches", "entities/s"),
    "federation.query": ("pages of 20 that ask 34 sources each, sixteen at a time", "queries/s"),
    "federation.p99": ("the same: 99th percentile of the answers", "ms"),
    "notify.posts": ("notifications over HTTP to 48 subscriptions while entities change", "posts/s"),
    "notify.capacity": ("the same by the processor time of the notifier", "posts/s"),
    "temporal.days": ("aggregates by day over 100,000 values, over HTTP", "answers/s"),
    "temporal.days-p95": ("the same: 95th percentile of the answers", "ms"),
    "broker.upsert": ("`yunmeng broker`: entities of 1.5 kB upserted in batches", "entities/s"),
    "broker.read": ("the same: entities read by id", "reads/s"),
    "broker.query": ("the same: pages of 20 of a type", "queries/s"),
    "broker.search": ("the same: pages of 20 by a value and a circle of 2 km", "queries/s"),
    "broker.update": ("the same: an attribute updated", "updates/s"),
    "broker.create": ("the same: entities created, one a request", "entities/s"),
    "broker.memory": ("the same: memory of all its processes", "MB"),
    "broker.disk": ("the same: its data folder", "MB"),
    "sense.jt808": ("JT/T 808 reports, bytes → packed observations, by processor time", "frames/s a core"),
    "sense.sl651": ("SL 651 reports, likewise", "frames/s a core"),
    "sense.hj212": ("HJ 212 lines, likewise", "frames/s a core"),
    "sense.mqtt": ("MQTT messages with one value in JSON, likewise", "messages/s a core"),
    "sense.mqtt-broker": (
        "single MQTT messages of QoS 1, through a broker until they are on disk",
        "messages/s",
    ),
    "sense.mqtt-broker-core": ("the same by the processor time of the gateway", "messages/s a core"),
    "sense.mqtt-history": (
        "single MQTT messages of QoS 1, through a broker until they are in the history",
        "messages/s",
    ),
    "sense.mqtt-history-capacity": (
        "the same by the processor time of gateway, bus, keeper and history together",
        "messages/s on 2 cores",
    ),
    "sense.tcp": ("JT/T 808 reports over 500 connections, acknowledged once they are on disk", "frames/s"),
    "sense.tcp-core": ("the same by the processor time of the gateway", "frames/s a core"),
    "sense.idle": ("memory of a gateway with 20,000 idle connections", "MB"),
    "water.ensemble": ("inflow of 6,928 reservoirs, 50 members, 792 hours, with quantiles", "s"),
    "water.ensemble-core": ("the same by processor time", "s of a core"),
    "water.calibration": ("15 parameters of Xin'anjiang on ten years by the day, 10,000 sets", "s"),
    "water.dispatch-gated": ("joint dispatch of 400 gated reservoirs, 56 steps, to a gap of 1e-6", "s"),
    "water.dispatch-gated-core": ("the same by processor time", "s of a core"),
    "water.dispatch-province": ("joint dispatch of 6,928 reservoirs, 56 steps, to a gap of 0.5 %", "s"),
    "water.dispatch-province-core": ("the same by processor time", "s of a core"),
}


def pages() -> dict[str, str]:
    """Returns the page by its file name."""
    budgets = tomllib.loads(_BUDGETS.read_text(encoding="utf-8"))
    rows = []
    for name, row in budgets.items():
        about, unit = ABOUT.get(name, ("", ""))
        bound = "at least" if row["better"] == "higher" else "at most"
        asked = f"{row['target']:,} {unit}" if "target" in row else ""
        rows.append((f"`{name}`", about, f"{bound} {row['budget']:,} {unit}", asked))
    text = (
        "# Speed\n\n`python -m benchmarks` measures the hot paths on the machine at hand and compares them "
        "with the budgets of `benchmarks/budgets.toml`, which are for two cores. A budget is what a change "
        "may not fall behind; the last column is what the design asks for.\n\n"
    )
    return {"speed.md": MADE + text + table(("Figure", "What", "Budget", "Design"), rows) + "\n"}
