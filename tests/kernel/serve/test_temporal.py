import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from yunmeng.kernel.base import now_us
from yunmeng.kernel.link import obs_subject
from yunmeng.kernel.model import Row, Series, encode_batch, make_batch
from yunmeng.kernel.trust import Principal, Reach

TEMPORAL = "/ngsi-ld/v1/temporal/entities"
LEVEL = "https://uri.etsi.org/ngsi-ld/default-context/level"
GATEWAY = Principal("device:gate", kind="device", roles=("device",))
START = datetime(2026, 1, 1, tzinfo=UTC)


def at(minutes: int) -> str:
    return (START + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


async def fill(node, count: int = 60) -> str:
    id_ = "urn:ngsi-ld:Station:1"
    made = await node.admin.post(
        "/ngsi-ld/v1/entities",
        json={"id": id_, "type": "Station", "name": {"value": "one", "observedAt": at(0)}},
    )
    assert made.status_code == 201, made.text
    series = Series(id_, LEVEL, "https://uri.etsi.org/ngsi-ld/default-context/Station", "420100", "MTR")
    first = int(START.timestamp() * 1_000_000)
    rows = [Row(series, first + number * 60_000_000, float(number)) for number in range(count)]
    for start in range(0, count, 5000):
        batch = make_batch(rows[start : start + 5000], gateway="gate", received_at=now_us())
        await node.bus.publish(obs_subject("", "gate"), encode_batch(batch), GATEWAY)
    async with asyncio.timeout(10):
        while (await node.state.last(Reach(), id_, LEVEL) or (0, -1))[1] != count - 1:
            await asyncio.sleep(0.01)
        while await node.services.history.count() < count + 1:
            await node.flush()
            await asyncio.sleep(0.01)
    return id_


async def test_the_evolution_of_one_entity(node) -> None:
    id_ = await fill(node)
    whole = (await node.admin.get(f"{TEMPORAL}/{id_}")).json()
    assert len(whole["level"]) == 60
    assert whole["level"][3] == {
        "type": "Property",
        "value": 3.0,
        "observedAt": "2026-01-01T00:03:00.000Z",
        "unitCode": "MTR",
    }
    assert whole["name"][0]["value"] == "one"
    newest = (await node.admin.get(f"{TEMPORAL}/{id_}?attrs=level&lastN=2")).json()
    assert [row["value"] for row in newest["level"]] == [58, 59]
    assert "name" not in newest
    between = await node.admin.get(
        f"{TEMPORAL}/{id_}?attrs=level&timerel=between&timeAt={at(10)}&endTimeAt={at(12)}&options=temporalValues"
    )
    assert between.status_code == 200, between.text
    assert "level" in between.json(), between.text
    assert between.json()["level"]["values"] == [
        [10, "2026-01-01T00:10:00.000Z"],
        [11, "2026-01-01T00:11:00.000Z"],
    ]
    before = await node.admin.get(f"{TEMPORAL}/{id_}?attrs=level&timerel=before&timeAt={at(1)}")
    assert [row["value"] for row in before.json()["level"]] == [0]
    assert (await node.admin.get(f"{TEMPORAL}/urn:ngsi-ld:Station:2")).status_code == 404


async def test_aggregates(node) -> None:
    id_ = await fill(node)
    query = (
        f"attrs=level&options=aggregatedValues&aggrMethods=avg,max&aggrPeriodDuration=PT30M"
        f"&timerel=between&timeAt={at(0)}&endTimeAt={at(60)}"
    )
    found = await node.admin.get(f"{TEMPORAL}/{id_}?{query}")
    assert found.status_code == 200, found.text
    level = found.json()["level"]
    assert level["avg"] == [
        [14.5, "2026-01-01T00:00:00Z", "2026-01-01T00:30:00Z"],
        [44.5, "2026-01-01T00:30:00Z", "2026-01-01T01:00:00Z"],
    ]
    assert [row[0] for row in level["max"]] == [29, 59]


async def test_entities_over_time(node) -> None:
    id_ = await fill(node)
    window = f"timerel=after&timeAt={at(57)}"
    found = await node.admin.get(f"{TEMPORAL}?type=Station&attrs=level&{window}&count=true")
    assert found.status_code == 200, found.text
    assert found.headers["ngsild-results-count"] == "1"
    assert found.json(), found.text
    assert found.json()[0]["id"] == id_
    assert [row["value"] for row in found.json()[0]["level"]] == [57, 58, 59]
    assert (await node.admin.get(f"{TEMPORAL}?type=Station")).json()["key"] == "temporal.relation"


async def test_too_much_is_cut_and_says_so(node) -> None:
    id_ = await fill(node, 10_500)
    found = await node.admin.get(f"{TEMPORAL}/{id_}?attrs=level")
    assert found.status_code == 206
    assert found.headers["content-range"].startswith("date-time 2026-01-01T")
    values = [row["value"] for row in found.json()["level"]]
    assert len(values) == 10_000
    assert values[-1] == 9_999
    newest = await node.admin.get(f"{TEMPORAL}/{id_}?attrs=level&lastN=10400")
    assert newest.status_code == 206
    assert newest.headers["content-range"].endswith("/10400")
    assert [row["value"] for row in newest.json()["level"]][-1] == 10_499


async def test_history_can_be_deleted(node) -> None:
    id_ = await fill(node)
    assert (await node.admin.delete(f"{TEMPORAL}/{id_}/attrs/level")).status_code == 204
    assert "level" not in (await node.admin.get(f"{TEMPORAL}/{id_}")).json()
    assert (await node.admin.delete(f"{TEMPORAL}/{id_}/attrs/level")).status_code == 404
    assert (await node.admin.delete(f"{TEMPORAL}/{id_}")).status_code == 204
    assert (await node.admin.delete(f"{TEMPORAL}/urn:ngsi-ld:Station:2")).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "timerel=since&timeAt=2026-01-01T00:00:00Z",
        "timerel=after",
        "timerel=after&timeAt=2026-01-01",
        "timerel=after&timeAt=2026-01-01T00:00:00",
        "timerel=between&timeAt=2026-01-02T00:00:00Z&endTimeAt=2026-01-01T00:00:00Z",
        "timeAt=2026-01-01T00:00:00Z",
        "lastN=0",
        "timeproperty=never",
        "options=aggregatedValues",
        "options=aggregatedValues&aggrMethods=mode",
        "options=aggregatedValues&aggrMethods=avg&aggrPeriodDuration=P1M",
    ],
)
async def test_bad_times(admin, query: str) -> None:
    await admin.post("/ngsi-ld/v1/entities", json={"id": "urn:ngsi-ld:S:1", "type": "S"})
    answer = await admin.get(f"{TEMPORAL}/urn:ngsi-ld:S:1?{query}")
    assert answer.status_code == 400, answer.text
