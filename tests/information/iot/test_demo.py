"""The demo's devices: over real sockets, in their own protocols, marked as made up."""

from collections.abc import Callable

import httpx
from tests.nodes import Node, until

from yunmeng.information.iot.demo import DEMO_DEVICES, GROUPS
from yunmeng.node.demo import DEMO_PASSWORD


def test_every_group_has_a_port_of_its_own() -> None:
    settings = DEMO_DEVICES.settings()
    assert len({setting.partition("?")[0].rpartition(":")[2] for setting in settings}) == len(GROUPS)


def test_the_demo_plays_devices_that_say_they_are_made_up(launch: Callable[..., Node]) -> None:
    node = launch(command="demo")
    client = node.client("admin", DEMO_PASSWORD)
    wanted = {group.gateway: group.count for group in GROUPS}

    def online() -> dict[str, int]:
        rows = client.get("/api/devices", params={"state": "online", "limit": 1000}).json()
        return {name: sum(row["protocol"] == name for row in rows) for name in wanted}

    until(lambda: online() == wanted, "every simulated device to be online")
    rows = client.get("/api/devices", params={"limit": 1000}).json()
    assert all(row["synthetic"] is True for row in rows)
    assert all(row["deviceCode"] and row["location"] for row in rows)
    link = f'<{node.url}/contexts/yunmeng.jsonld>; rel="http://www.w3.org/ns/json-ld#context"'

    def seen(type_: str) -> list[dict]:
        return client.get(
            "/ngsi-ld/v1/entities",
            params={"type": type_, "format": "simplified", "limit": 100},
            headers={"Link": link},
        ).json()

    vehicles = until(lambda: [each for each in seen("Vehicle") if "speed" in each], "positions of vehicles")
    assert all(each["synthetic"] is True for each in vehicles)
    assert client.get("/api/quarantine").json()["count"] == 0, "what they say can be read"
    outsider = httpx.get(f"{node.url}/api/devices")
    assert outsider.status_code == 401
