"""Multi-function poles: one pole, devices of several departments."""

import httpx
from tests.nodes import Node


def test_a_pole_carries_devices_of_several_departments(
    province: Node, administrator: httpx.Client, address: str
) -> None:
    place = {"longitude": 114.305, "latitude": 30.593}
    (pole,) = administrator.post(
        "/api/devices", json=[{"kind": "pole", "division": "420102", "owner": "城管局", **place}]
    ).json()["ids"]
    mounted = [
        {"kind": "camera", "division": "420102", "owner": "公安局", "pole": pole},
        {"kind": "base-station", "division": "420102", "owner": "铁塔公司", "pole": pole},
        {"kind": "lamp", "division": "420102", "owner": "城管局", "pole": pole, "address": f"lamp-{address}"},
    ]
    ids = administrator.post("/api/devices", json=mounted).json()["ids"]
    devices = [administrator.get(f"/api/devices/{id}").json() for id in ids]
    assert {device["mountedOn"] for device in devices} == {pole}
    assert {device["ownerDepartment"] for device in devices} == {"公安局", "铁塔公司", "城管局"}
    poles = {
        each["id"]: each
        for each in administrator.get("/api/devices?type=MultifunctionPole&limit=1000").json()
    }
    assert poles[pole]["location"]["coordinates"] == [114.305, 30.593]
    own = f"{province.url}/contexts/yunmeng.jsonld"
    found = administrator.get(
        "/ngsi-ld/v1/entities",
        params={"type": "Device", "q": f'mountedOn=="{pole}"'},
        headers={"Link": f'<{own}>; rel="http://www.w3.org/ns/json-ld#context"'},
    )
    assert {each["id"] for each in found.json()} == set(ids)
