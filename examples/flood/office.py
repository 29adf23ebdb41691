"""A flood office's connection to the node; YUNMENG_URL says where it is, YUNMENG_TOKEN who asks."""

import os
import time
from collections.abc import Callable
from typing import Any

import httpx

URL = os.environ.get("YUNMENG_URL", "http://127.0.0.1:8420")
UPPER, LOWER = "urn:ngsi-ld:Reservoir:TUTU", "urn:ngsi-ld:Reservoir:TUTL"
GAUGE = "urn:ngsi-ld:HydrologicalStation:TUTR"
TERMS = (
    f'<{URL}/contexts/yunmeng.jsonld>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
)

node = httpx.Client(
    base_url=URL,
    headers={
        "Authorization": f"Bearer {os.environ['YUNMENG_TOKEN']}",
        "Accept-Language": "en",
        "Link": TERMS,
    },
    timeout=60,
)


def get(path: str, **asked: str) -> Any:
    """Returns what stands at a path."""
    return node.get(path, params=asked).raise_for_status().json()


def post(path: str, **body: object) -> Any:
    """Sends a JSON object and returns the answer."""
    return node.post(path, json=body).raise_for_status().json()


def until(look: Callable[[], Any]) -> Any:
    """Looks twice a second, for a minute, until there is something to see."""
    for _ in range(120):
        if found := look():
            return found
        time.sleep(0.5)
    raise TimeoutError(look)


def run(job: str, **inputs: str) -> dict[str, Any]:
    """Runs a job to its end and returns the run."""
    id_ = post(f"/api/jobs/{job}", inputs=inputs)["run"]
    done = until(lambda: (now := get(f"/api/jobs/runs/{id_}"))["state"] not in ("queued", "running") and now)
    if done["state"] != "done":
        raise SystemExit(done["error"]["detail"])
    return done
