"""Sends a level of every gauge each second, as a program beside the sensors does; Ctrl-C ends it."""

import os
import time
from datetime import UTC, datetime

from place import connect

from yunmeng.client import prop

rounds = int(os.environ.get("ROUNDS", "600"))

with connect() as broker:
    gauges = [entity["id"] for entity in broker.query("Reservoir", q='project=="tutorial"')]
    print(f"{len(gauges)} gauges report")
    for second in range(rounds):
        now = datetime.now(UTC)
        levels = [99 + 0.2 * place + 0.01 * (second % 10) for place in range(len(gauges))]
        broker.upsert(
            {"id": id_, "type": "Reservoir", "waterLevel": prop(round(level, 2), unit="MTR", at=now)}
            for id_, level in zip(gauges, levels, strict=True)
        )
        time.sleep(1)
