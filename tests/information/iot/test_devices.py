"""Devices from registration to retirement, over HTTP at a real node."""

import asyncio
from pathlib import Path

import httpx
import msgspec
from tests.field import working
from tests.kernel.sense.line import LINE, line, write_mapping
from tests.nodes import Node, with_parts

from yunmeng.kernel.sense import DEVICES, DeviceRecord, device_id
from yunmeng.node.parts import Parts


def terminal(address: str, **more: object) -> dict[str, object]:
    return {"kind": "vehicle-terminal", "division": "420106", "address": address, **more}


def register(client: httpx.Client, *rows: dict[str, object]) -> list[str]:
    said = client.post("/api/devices", json=list(rows))
    assert said.status_code == 201, said.text
    return said.json()["ids"]


def known_to_gateway(node: Node, gateway: str, address: str) -> DeviceRecord | None:
    async def read(parts: Parts) -> DeviceRecord | None:
        found = await parts.state.record(DEVICES, "", device_id(gateway, address))
        return None if found is None else msgspec.json.decode(found.body, type=DeviceRecord)

    return with_parts(node, read)


def test_a_device_lives_from_registration_to_retirement(
    province: Node, administrator: httpx.Client, address: str
) -> None:
    (id,) = register(administrator, terminal(address, longitude=114.3, latitude=30.55, manufacturer="东风"))
    device = administrator.get(f"/api/devices/{id}").json()
    assert device["lifecycle"] == "registered"
    assert device["deviceState"] == "offline"
    assert device["protocol"] == "jt808"
    assert device["reportsEvery"] == 30
    assert device["location"]["coordinates"] == [114.3, 30.55]
    assert device["deviceCode"].startswith("420106-VT-")
    known = known_to_gateway(province, "jt808", address)
    assert known is not None
    assert known.admitted
    for state in ("active", "suspended", "active", "retired"):
        assert (
            administrator.patch(f"/api/devices/{id}", json={"lifecycle": state}).json()["lifecycle"] == state
        )
    known = known_to_gateway(province, "jt808", address)
    assert known is not None
    assert not known.admitted
    back = administrator.patch(f"/api/devices/{id}", json={"lifecycle": "active"})
    assert back.status_code == 400
    assert back.json()["key"] == "iot.step"


def test_a_city_sees_its_own_devices_and_no_others(
    administrator: httpx.Client, wuhan: httpx.Client, address: str
) -> None:
    here, there = register(
        administrator, terminal(address), {**terminal(f"9{address[1:]}"), "division": "420500"}
    )
    assert wuhan.get(f"/api/devices/{here}").status_code == 200
    assert wuhan.get(f"/api/devices/{there}").status_code == 404
    seen = {device["id"] for device in wuhan.get("/api/devices", params={"limit": 1000}).json()}
    assert here in seen
    assert there not in seen
    command = wuhan.post(f"/api/devices/{there}/commands", json={"name": "text"})
    assert command.status_code == 404


def test_a_table_is_registered_whole_or_not_at_all(administrator: httpx.Client, address: str) -> None:
    heading = "kind,division,address,longitude,latitude,option:dialect\n"
    good = f"hydrological-station,420500,{address},111.3,30.7,hubei\n"
    bad = "hydrological-station,999999,77,,,\nhydro-station,420500,78,,,\nlamp,420106,79,114.2,,\n"
    headers = {"Content-Type": "text/csv"}
    refused = administrator.post("/api/devices", content=heading + good + bad, headers=headers)
    assert refused.status_code == 400
    detail = refused.json()["detail"]
    assert "3 faults" in detail
    assert "hydrological-station" in detail, "the nearest kind is named"
    assert administrator.get(f"/api/devices/urn:ngsi-ld:Device:sl651:{address}").status_code == 404
    taken = administrator.post("/api/devices", content="\ufeff" + heading + good, headers=headers)
    assert taken.status_code == 201, taken.text
    again = administrator.post("/api/devices", content=heading + good, headers=headers)
    assert again.status_code == 409
    assert again.json()["key"] == "iot.known"


def test_one_device_twice_in_a_table_is_refused(administrator: httpx.Client, address: str) -> None:
    said = administrator.post("/api/devices", json=[terminal(address), terminal(address)])
    assert said.json()["key"] == "iot.rows"
    empty = administrator.post(
        "/api/devices", content="kind,division\n", headers={"Content-Type": "text/csv"}
    )
    assert empty.json()["key"] == "iot.most"


def test_codes_count_on_within_a_division(administrator: httpx.Client, address: str) -> None:
    lamps = [{"kind": "lamp", "division": "420111", "address": f"{address}-{n}"} for n in range(3)]
    codes = [
        administrator.get(f"/api/devices/{id}").json()["deviceCode"] for id in register(administrator, *lamps)
    ]
    numbers = [int(code[10:17]) for code in codes]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    (more,) = register(administrator, {"kind": "lamp", "division": "420111", "address": f"{address}-9"})
    assert int(administrator.get(f"/api/devices/{more}").json()["deviceCode"][10:17]) == numbers[-1] + 1


def test_a_credential_is_shown_once_and_asked_for(
    province: Node, administrator: httpx.Client, address: str
) -> None:
    (id,) = register(administrator, terminal(address))
    said = administrator.post(f"/api/devices/{id}/credential")
    assert said.headers["cache-control"] == "no-store"
    known = known_to_gateway(province, "jt808", address)
    assert known is not None
    assert known.accepts(said.json()["credential"])
    assert not known.accepts("guess")


def test_a_command_reaches_the_device_and_its_answer_comes_back(
    province: Node, administrator: httpx.Client, address: str, tmp_path: Path
) -> None:
    (id,) = register(administrator, terminal(address, gateway="line"))
    offline = administrator.post(
        f"/api/devices/{id}/commands", json={"name": "do", "arguments": {"number": 1}}
    )
    assert offline.status_code == 503

    known = known_to_gateway(province, "line", address)
    assert known is not None

    async def played(parts: Parts) -> tuple[httpx.Response, httpx.Response]:
        gateway = {"gateway": LINE, "mapping": write_mapping(tmp_path), "records": [known]}
        session = {"headers": administrator.headers, "cookies": administrator.cookies, "timeout": 30}
        async with (
            working("line+tcp://", bus=parts.bus, **gateway) as field,
            await field.connect() as device,
            httpx.AsyncClient(base_url=province.url, **session) as client,
        ):
            await device.send(line("hello", address))
            await device.until(b"\n")
            await field.online(address)
            await field.hub.sink.flush()
            order = {"name": "do", "arguments": {"number": 7}}
            asked = asyncio.create_task(client.post(f"/api/devices/{id}/commands", json=order))
            assert await device.until(b"\n") == line("do", 7)
            await device.send(line("done", 7, "fine"))
            return await asked, await client.get(f"/api/devices/{id}")

    answer, state = with_parts(province, played)
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"] == {"said": ["fine"]}
    assert state.json()["deviceState"] == "online"
    assert state.json()["division"] == "420106"


def test_a_fault_is_followed_to_its_end(
    administrator: httpx.Client, wuhan: httpx.Client, address: str
) -> None:
    (id,) = register(administrator, terminal(address))
    said = wuhan.post(f"/api/devices/{id}/faults", json={"description": "不上线"})
    assert said.status_code == 201, said.text
    fault = said.json()["id"]
    early = wuhan.patch(f"/api/faults/{fault}", json={"faultState": "verified"})
    assert early.json()["key"] == "iot.step"
    for body in (
        {"faultState": "assigned", "assignee": "王工"},
        {"faultState": "repaired"},
        {"faultState": "verified"},
    ):
        step = wuhan.patch(f"/api/faults/{fault}", json=body)
        assert step.status_code == 200, step.text
    faults = {each["id"]: each for each in wuhan.get("/api/devices", params={"type": "DeviceFault"}).json()}
    assert faults[fault]["faultState"] == "verified"


def test_a_stranger_that_spoke_already_can_be_registered(
    province: Node, administrator: httpx.Client, address: str
) -> None:
    met = {"id": f"urn:ngsi-ld:Device:jt808:{address}", "type": "Device", "deviceState": "online"}
    link = f'<{province.url}/contexts/yunmeng.jsonld>; rel="http://www.w3.org/ns/json-ld#context"'
    said = administrator.post(
        "/ngsi-ld/v1/entities", json={**met, "division": "420106"}, headers={"Link": link}
    )
    assert said.status_code == 201, said.text
    (id,) = register(administrator, terminal(address, name="洒水车"))
    device = administrator.get(f"/api/devices/{id}").json()
    assert (device["deviceState"], device["lifecycle"], device["name"]) == ("online", "registered", "洒水车")
    again = administrator.post("/api/devices", json=[terminal(address)])
    assert again.json()["key"] == "iot.known"


def test_a_selection_that_names_nothing_changes_nothing(administrator: httpx.Client) -> None:
    for path, more in (("steps", {"lifecycle": "retired"}), ("tags", {"add": ["x"]})):
        said = administrator.post(f"/api/devices/{path}", json={"selection": {}, **more})
        assert said.json()["key"] == "iot.selection"
    wrong = administrator.get("/api/devices", params={"colour": "red"})
    assert wrong.json()["key"] == "iot.selection"
    assert administrator.get("/api/devices", params={"kind": "lampp"}).json()["key"] == "iot.kind"


def test_what_is_confirmed_is_reported_and_what_is_said_twice_is_joined(
    administrator: httpx.Client, address: str
) -> None:
    (id,) = register(administrator, terminal(address))
    for wanted in ({"heartbeat_s": 60}, {"speed_limit": 80}):
        told = administrator.put(f"/api/devices/{id}/desired", json=wanted).json()
        assert told["applied"] is False, "it is not there"
    assert administrator.get(f"/api/devices/{id}").json()["desired"] == {"heartbeat_s": 60, "speed_limit": 80}
