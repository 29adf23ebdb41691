"""Reads back what a gauge has reported: its newest value, and aggregates of the last hour."""

from datetime import UTC, datetime, timedelta

from place import connect

GAUGE = "urn:ngsi-ld:Reservoir:east-lake"
hour_ago = datetime.now(UTC) - timedelta(hours=1)

with connect() as broker:
    series = broker.history(GAUGE, "waterLevel", since=hour_ago)["waterLevel"]
    newest, _at = series[-1]
    print("newest:", newest, "m")
    totals = broker.aggregates(GAUGE, "waterLevel", methods=("min", "max"), since=hour_ago)["waterLevel"]
    print({name: round(rows[0][0], 2) for name, rows in totals.items()})
