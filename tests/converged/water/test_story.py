"""The demo's flood is worked off once, by the product's own jobs and routes, however often it is started."""

from pathlib import Path
from typing import Any

import httpx
from tests.docs.conftest import DemoNode, demo_node
from tests.nodes import until

from yunmeng.kernel.model import VOCABULARY_CONTEXT
from yunmeng.node.demo import DEMO_PASSWORD

TERMS = {"Link": f'<{VOCABULARY_CONTEXT}>; rel="http://www.w3.org/ns/json-ld#context"'}


def told(node: DemoNode) -> dict[str, list[dict[str, Any]]]:
    """What stands at a demo once its story is told."""
    with httpx.Client(base_url=node.url, timeout=30) as client:
        client.post("/api/session", json={"name": "admin", "password": DEMO_PASSWORD}).raise_for_status()

        def get(path: str, **asked: str) -> Any:
            return client.get(path, params=asked, headers=TERMS).raise_for_status().json()

        def tasks() -> Any:
            return len(found := get("/api/tasks")) == 3 and found

        done = until(tasks, "the tasks of the response", 180.0)
        entities = {
            type_: get("/ngsi-ld/v1/entities", type=type_, limit="50", options="keyValues")
            for type_ in ("FloodForecast", "DispatchPlan")
        }
        return {**entities, "tasks": done, "events": get("/api/events", rule="water.response")}


def test_the_demo_plays_a_flood_once(tmp_path: Path) -> None:
    with demo_node(tmp_path / "demo", "demo.rate=200") as node:
        first = told(node)
    (plan,), (event,) = first["DispatchPlan"], first["events"]
    assert event["stage"] == "assigned"
    assert len(first["FloodForecast"]) >= 8
    assert all(each["synthetic"] for each in (event, *first["tasks"], *first["FloodForecast"], plan)), (
        "what is made up says so"
    )
    with demo_node(tmp_path / "demo", "demo.rate=200") as node:
        again = told(node)
    assert [each["id"] for each in again["DispatchPlan"]] == [plan["id"]]
    assert [each["id"] for each in again["events"]] == [event["id"]]
