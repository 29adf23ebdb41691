"""Plays a noise meter beside a road: three levels, ten minutes apart, the last one too loud."""

import os
from datetime import UTC, datetime, timedelta

from yunmeng.client import Client, prop

URL = os.environ.get("YUNMENG_URL", "http://127.0.0.1:8420")
METER = {"id": "urn:ngsi-ld:NoiseMeter:road", "type": "NoiseMeter", "division": "420106", "synthetic": True}

with Client(URL, context=f"{URL}/contexts/yunmeng.jsonld", token=os.environ["YUNMENG_TOKEN"]) as node:
    for minutes, level in ((20, 60.0), (10, 60.0), (0, 74.0)):
        at = datetime.now(UTC) - timedelta(minutes=minutes)
        node.upsert({**METER, "name": "解放路", "soundLevel": prop(level, unit="2N", at=at)})
    print(node.get(METER["id"])["soundLevel"])
