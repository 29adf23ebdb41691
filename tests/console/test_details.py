"""What an entity's page shows first, a layer in the past, and long answers squeezed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

HEAD = "/ngsi-ld/v1/entities"
UPPER, LOWER = "urn:ngsi-ld:Reservoir:test-upper", "urn:ngsi-ld:Reservoir:test-lower"
ISSUED = {"@type": "DateTime", "@value": "2026-07-01T00:00:00Z"}


def reservoir(id: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "type": "Reservoir",
        "name": id.rpartition("-")[2],
        "division": {"value": "420111"},
        "waterLevel": {"value": 105.0, "observedAt": "2026-07-01T00:00:00Z"},
        "floodLimitLevel": 104.0,
        "deadLevel": 90.0,
        "totalCapacity": 50.0,
        "administrator": "张三",
        "curves": {"json": {"level": [90.0, 110.0], "storage": [0.0, 40.0]}},
        **more,
    }


async def stored(town: Any, client: Any, *bodies: dict[str, Any]) -> None:
    context = town.services.types.context()
    for body in bodies:
        answer = await client.post(
            HEAD, json={**body, **context}, headers={"Content-Type": "application/ld+json"}
        )
        assert answer.status_code in (201, 409), answer.text


@pytest.fixture
def bodies() -> list[dict[str, Any]]:
    forecast = {
        "id": "urn:ngsi-ld:FloodForecast:test-upper",
        "type": "FloodForecast",
        "name": "upper",
        "division": {"value": "420111"},
        "forecastOf": {"object": UPPER},
        "issuedAt": {"value": ISSUED},
        "exceedance": 85.0,
        "quantiles": {
            "json": {
                "at": ["2026-07-01T01:00:00Z"],
                "levels": [0.05, 0.25, 0.5, 0.75, 0.95],
                "inflow": [[1.0], [2.0], [3.0], [4.0], [5.0]],
                "waterLevel": [[105.1], [105.2], [105.3], [105.4], [105.5]],
            }
        },
    }
    order = {"reservoir": UPPER, "text": "下泄 20", "from": "2026-07-01T02:00:00Z"}
    plan = {
        "id": "urn:ngsi-ld:DispatchPlan:test",
        "type": "DispatchPlan",
        "name": "plan",
        "division": {"value": "420111"},
        "planState": "issued",
        "orders": {"json": [order, {**order, "reservoir": LOWER}]},
    }
    upper = reservoir(UPPER, flowsInto={"object": LOWER}, travelTime=1.5)
    return [upper, reservoir(LOWER), forecast, plan]


async def test_a_reservoirs_page_says_what_a_duty_officer_asks(town: Any, bodies: list[Any]) -> None:
    async with town.client("admin", "en") as admin:
        await stored(town, admin, *bodies)
        found = (await admin.get(f"/api/entities/{UPPER}/details")).json()["detail"]
        facts = {(one["label"], one["derived"]): one["value"] for one in found["facts"]}
        # nobody reports a storage: 15 m above the foot of a curve of 2 hm³ a metre
        assert facts["Storage", True] == 30.0
        assert facts["Free capacity", True] == 20.0
        assert [one["value"] for one in found["gauge"]["marks"]] == [104.0, 90.0]
        assert found["gauge"]["stale"] is True
        assert found["people"][0]["value"] == "张三"
        outlook = found["outlook"]
        assert outlook["facts"][0]["level"] == "alarm"
        assert [band["rows"][2] for band in outlook["bands"]] == [[105.3], [3.0]]
        assert outlook["bands"][0]["limit"] == 104.0
        assert [one["id"] for one in found["neighbours"]["downstream"]] == [LOWER]
        assert found["order"]["text"] == "下泄 20"
        below = (await admin.get(f"/api/entities/{LOWER}/details")).json()["detail"]["neighbours"]
        assert [(one["id"], one["hours"]) for one in below["upstream"]] == [(UPPER, 1.5)]


async def test_two_that_flow_into_each_other_are_each_named_once(town: Any) -> None:
    first, second = "urn:ngsi-ld:Reservoir:test-a", "urn:ngsi-ld:Reservoir:test-b"
    async with town.client("admin") as admin:
        round_ = [
            reservoir(first, flowsInto={"object": second}),
            reservoir(second, flowsInto={"object": first}),
        ]
        await stored(town, admin, *round_)
        found = (await admin.get(f"/api/entities/{first}/details")).json()["detail"]["neighbours"]
        assert [one["id"] for one in found["downstream"]] == [second]
        assert [one["id"] for one in found["upstream"]] == [second]


async def test_a_type_that_no_package_details_has_none(town: Any) -> None:
    async with town.client("admin") as admin:
        row = (await admin.get("/api/tables/energy-meters?limit=1")).json()["rows"][0]
        assert (await admin.get(f"/api/entities/{row['id']}/details")).json()["detail"] is None
        assert (await admin.get("/api/entities/urn:x:none/details")).status_code == 404


async def test_a_layer_of_points_shows_all_and_what_they_were(town: Any) -> None:
    async with town.client("admin") as admin, town.client("wuhan") as wuhan:
        now = (await admin.get("/api/layers/water-points")).json()
        assert len(now["features"]["features"]) == now["count"]
        last = next(one for one in now["features"]["features"] if one["properties"]["value"] is not None)
        id = last["properties"]["id"]
        at = datetime.now(UTC) - timedelta(minutes=62)
        then = (await admin.get("/api/layers/water-points/past", params={"at": at.isoformat()})).json()
        history = (await admin.get(f"/api/entities/{id}/history", params={"attribute": "discharge"})).json()
        before = [value for moment, value in history["points"] if moment < at.timestamp() * 1000]
        assert then["values"][id] == before[-1]
        own = (await wuhan.get("/api/layers/water-points/past", params={"at": at.isoformat()})).json()
        assert own["values"].keys() < then["values"].keys()
        assert (
            await admin.get("/api/layers/divisions/past", params={"at": at.isoformat()})
        ).status_code == 404
        assert (await admin.get("/api/layers/water-points/past")).status_code == 400


async def test_long_answers_are_squeezed_for_who_reads_it(town: Any) -> None:
    async with town.client("admin") as admin:
        for path in ("/api/layers/water-levels", "/api/console"):
            plain = await admin.get(path, headers={"Accept-Encoding": "identity"})
            small = await admin.get(path, headers={"Accept-Encoding": "gzip, br"})
            assert "content-encoding" not in plain.headers
            assert small.headers["content-encoding"] == "gzip"
            assert int(small.headers["content-length"]) < len(plain.content) / 4
            assert small.json().keys() == plain.json().keys()
